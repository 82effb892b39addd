//! What conditions are planned to: lifting, negation, folding, order.

mod query_support;

use penstock::query::{
    Filter, Params, Query, Related, and, col, exists, exists_where, not, not_exists, or, param,
};
use penstock_operators::plan::Condition;
use penstock_operators::predicate::{CompareOp, Operand, Predicate, ValueSet};
use penstock_operators::value::Value;
use query_support::{
    COMMENT_AUTHOR, COMMENT_ISSUE, ID, META, OPEN, OWNER, TITLE, compare, is_null, issues, plan,
    plan_ast, scan, schema, simple,
};
use serde_json::{Value as Json, json};

/// The condition that a filter on issues leaves at the root.
fn condition(filter: Filter) -> Condition {
    scan(&plan(&issues().filter(filter)).plan.shape).2.clone()
}

fn ast_condition(condition: Json) -> Condition {
    let ast = json!({"table": "issue", "where": condition});
    scan(&plan_ast(&ast).plan.shape).2.clone()
}

#[test]
fn equalities_are_lifted_in_column_order() {
    let one = plan(&issues().filter(col("ownerId").is_null()).filter(col("title").eq("x")));
    let other = plan(&issues().filter(and([col("title").is("x"), col("ownerId").is_null()])));
    assert_eq!(one.plan, other.plan);
    let (partition, correlated, condition, _) = scan(&one.plan.shape);
    assert_eq!((partition, correlated), (&[TITLE, OWNER][..], 0));
    assert_eq!(*condition, Condition::Always(true));
    assert_eq!(one.plan.binding.constants, [Value::from("x"), Value::Null]);
}

#[test]
fn queries_that_differ_in_constants_share_a_shape() {
    let owned_by = |owner: i32, limit| {
        let query = issues()
            .filter(col("ownerId").eq(owner))
            .filter(exists_where("comments", |q| q.filter(col("authorId").eq(owner))));
        plan(&query.limit(limit)).plan
    };
    assert_eq!(owned_by(1, 10).shape, owned_by(2, 20).shape);
    assert_ne!(owned_by(1, 10).binding, owned_by(2, 10).binding);
}

#[test]
fn the_second_equality_on_a_column_stays() {
    let compiled = plan(&issues().filter(and([col("id").eq(1), col("id").eq(2)])));
    let (partition, _, condition, _) = scan(&compiled.plan.shape);
    assert_eq!(partition, [ID]);
    assert_eq!(*condition, compare(ID, CompareOp::Eq, 2));
    assert_eq!(compiled.plan.binding.constants, [Value::from(1)]);

    let compiled = plan(&issues().filter(and([col("id").eq(1), col("id").is(1)])));
    assert_eq!(*scan(&compiled.plan.shape).2, Condition::Always(true));
}

#[test]
fn an_equality_on_a_correlated_column_stays() {
    let query = issues().related(
        "comments",
        Related::named().filter(and([col("issueId").eq(7), col("authorId").eq(3)])),
    );
    let compiled = plan(&query);
    let (partition, correlated, condition, _) = scan(&compiled.plan.shape.related[0].child);
    assert_eq!((partition, correlated), (&[COMMENT_ISSUE, COMMENT_AUTHOR][..], 1));
    assert_eq!(*condition, compare(COMMENT_ISSUE, CompareOp::Eq, 7));
    assert_eq!(compiled.plan.binding.children[0].constants, [Value::from(3)]);
}

#[test]
fn only_top_level_equalities_are_lifted() {
    let filter = or([col("id").eq(1), col("ownerId").eq(2)]);
    let expected =
        Condition::Any(vec![compare(ID, CompareOp::Eq, 1), compare(OWNER, CompareOp::Eq, 2)]);
    assert_eq!(condition(filter), expected);
    assert_eq!(condition(col("meta").is_null()), is_null(META, false));
    let same_columns = condition(col("id").eq(col("ownerId")));
    let expected = Condition::Test(Predicate::Compare {
        left: Operand::Column(ID),
        op: CompareOp::Eq,
        right: Operand::Column(OWNER),
    });
    assert_eq!(same_columns, expected);
}

#[test]
fn wrappers_around_an_equality_do_not_hide_it() {
    let filter = and([or([and([not(col("id").ne(7))])]), or([or([]), and([])])]);
    let compiled = plan(&issues().filter(filter));
    let (partition, _, condition, _) = scan(&compiled.plan.shape);
    assert_eq!((partition, condition), (&[ID][..], &Condition::Always(true)));
}

#[test]
fn negation_goes_to_the_leaves() {
    let gt = |value| compare(ID, CompareOp::Gt, value);
    assert_eq!(condition(not(col("id").le(1))), gt(1));
    assert_eq!(condition(not(not(col("id").gt(1)))), gt(1));
    assert_eq!(
        condition(not(or([col("id").le(1), and([col("id").le(2), col("title").is_null()])]))),
        Condition::All(vec![gt(1), Condition::Any(vec![gt(2), is_null(TITLE, true)])])
    );
    assert_eq!(
        condition(not(col("id").in_([1, 2]))),
        Condition::Test(Predicate::In {
            operand: Operand::Column(ID),
            set: ValueSet::new(vec![Value::from(1), Value::from(2)]),
            negated: true
        })
    );
    let Condition::Test(Predicate::Like { negated, .. }) = condition(not(col("title").like("a%")))
    else {
        panic!("NOT LIKE is a LIKE test");
    };
    assert!(negated);
    assert_eq!(condition(not(exists("comments"))), Condition::Gate { gate: 0, negated: true });
    assert_eq!(condition(not(not_exists("comments"))), Condition::Gate { gate: 0, negated: false });
}

#[test]
fn comparisons_with_null_are_false_also_when_negated() {
    for (op, column) in [
        ("=", "id"),
        ("!=", "id"),
        ("<", "title"),
        (">=", "open"),
        ("LIKE", "title"),
        ("NOT ILIKE", "id"),
        ("IN", "id"),
        ("NOT IN", "id"),
        ("=", "meta"),
    ] {
        assert_eq!(ast_condition(simple(op, column, Json::Null)), Condition::Always(false), "{op}");
    }
    assert_eq!(condition(not(col("id").eq(Value::Null))), Condition::Always(false));
    assert_eq!(ast_condition(simple("IS NOT", "meta", Json::Null)), is_null(META, true));
}

#[test]
fn empty_lists_of_conditions_are_constants() {
    assert_eq!(condition(or([])), Condition::Always(false));
    assert_eq!(condition(and([])), Condition::Always(true));
    assert_eq!(condition(not(or([]))), Condition::Always(true));
    assert_eq!(condition(and([col("id").gt(1), or([])])), Condition::Always(false));
    assert_eq!(condition(or([col("id").gt(1), and([])])), Condition::Always(true));
    assert_ne!(plan(&issues().filter(or([]))).plan, plan(&issues()).plan);
}

#[test]
fn short_lists_of_values() {
    let none: [i32; 0] = [];
    assert_eq!(condition(col("id").in_(none)), Condition::Always(false));
    assert_eq!(condition(col("ownerId").not_in(none)), is_null(OWNER, true));
    assert_eq!(condition(col("ownerId").not_in([7])), compare(OWNER, CompareOp::Ne, 7));
    let compiled = plan(&issues().filter(col("ownerId").in_([7, 7])));
    assert_eq!(scan(&compiled.plan.shape).0, [OWNER]);
    assert_eq!(compiled.plan.binding.constants, [Value::from(7)]);
}

#[test]
fn in_an_ast_values_of_another_type_are_never_equal() {
    let never = Condition::Always(false);
    assert_eq!(ast_condition(simple("=", "title", json!(1))), never);
    assert_eq!(ast_condition(simple("IS", "title", json!(1))), never);
    assert_eq!(ast_condition(simple("!=", "ownerId", json!("x"))), is_null(OWNER, true));
    assert_eq!(ast_condition(simple("IS NOT", "title", json!(1))), Condition::Always(true));
    assert_eq!(ast_condition(simple("IN", "id", json!(["1", true]))), never);
    assert_eq!(
        ast_condition(simple("NOT IN", "ownerId", json!(["1", 2]))),
        compare(OWNER, CompareOp::Ne, 2)
    );
}

#[test]
fn constant_conditions_are_decided() {
    let constant = |op: &str, left: Json, right: Json| {
        ast_condition(json!({"type": "simple", "op": op,
            "left": {"type": "literal", "value": left},
            "right": {"type": "literal", "value": right}}))
    };
    let cases = [
        ("=", json!(1), json!(1.0), true),
        ("!=", json!("a"), json!("a"), false),
        ("<", json!("｡"), json!("😀"), true),
        ("IS", json!(null), json!(null), true),
        ("IS NOT", json!(null), json!(1), true),
        ("=", json!(null), json!(1), false),
        ("NOT IN", json!(null), json!([]), false),
        ("NOT IN", json!(1), json!([]), true),
        ("IN", json!(2), json!([1, 2]), true),
        ("=", json!("1"), json!(1), false),
        ("!=", json!("1"), json!(1), true),
        ("LIKE", json!("abc"), json!("abc"), true),
    ];
    for (op, left, right, expected) in cases {
        let text = format!("{left} {op} {right}");
        assert_eq!(constant(op, left, right), Condition::Always(expected), "{text}");
    }
}

#[test]
fn a_literal_on_the_left_of_a_column_is_mirrored() {
    let mirrored = |op: &str| {
        ast_condition(json!({"type": "simple", "op": op,
            "left": {"type": "literal", "value": 5}, "right": {"type": "column", "name": "id"}}))
    };
    assert_eq!(mirrored("<"), compare(ID, CompareOp::Gt, 5));
    assert_eq!(mirrored(">="), compare(ID, CompareOp::Le, 5));
    assert_eq!(mirrored("!="), compare(ID, CompareOp::Ne, 5));
}

#[test]
fn row_tests_come_before_gates() {
    let filter = and([
        or([exists("comments"), col("id").gt(1)]),
        exists("owner"),
        or([col("id").gt(5), col("title").gt("x")]),
        col("title").ne("y"),
    ]);
    let gate = |gate| Condition::Gate { gate, negated: false };
    assert_eq!(
        condition(filter),
        Condition::All(vec![
            compare(TITLE, CompareOp::Ne, "y"),
            Condition::Any(vec![compare(ID, CompareOp::Gt, 5), compare(TITLE, CompareOp::Gt, "x")]),
            gate(0),
            Condition::Any(vec![compare(ID, CompareOp::Gt, 1), gate(1)]),
        ])
    );
}

#[test]
fn gates_that_no_row_can_open_are_constant() {
    let limited = |rows| Related::declared("comments").limit(rows);
    assert_eq!(condition(exists(limited(0))), Condition::Always(false));
    assert_eq!(condition(not_exists(limited(0))), Condition::Always(true));
    assert_eq!(condition(not(exists(limited(0)))), Condition::Always(true));
    assert_eq!(condition(exists(limited(1))), Condition::Gate { gate: 0, negated: false });
    let impossible = exists_where("labels", |q| q.filter(or([])));
    assert_eq!(condition(not(impossible)), Condition::Always(true));
    let compiled = plan(&issues().filter(and([exists("owner"), exists(limited(0))])));
    assert!(scan(&compiled.plan.shape).3.is_empty());
}

#[test]
fn parameters_are_bound_like_literals() {
    let query = issues().filter(and([
        col("ownerId").eq(param("owner")),
        col("title").in_(param("titles")),
        col("open").is(param("open")),
    ]));
    let params =
        Params::new().set("owner", 7).set_list("titles", ["b", "a", "b"]).set("open", true);
    let bound = query.compile(&schema(), &params).expect("a valid query");
    let literal = plan(&issues().filter(and([
        col("ownerId").eq(7),
        col("title").in_(["a", "b"]),
        col("open").is(true),
    ])));
    assert_eq!(bound.plan, literal.plan);
    assert_eq!(scan(&bound.plan.shape).0, [OPEN, OWNER]);
}

#[test]
fn static_parameters_are_bound_from_their_anchor() {
    let ast = |op: &str, field: Json| {
        json!({"table": "issue", "where": {"type": "simple", "op": op,
            "left": {"type": "column", "name": "ownerId"},
            "right": {"type": "static", "anchor": "authData", "field": field}}})
    };
    let object = json!({"sub": 7, "user": {"ids": [1, 2]}, "none": null});
    let params = Params::new().anchor("authData", object.as_object().cloned().expect("an object"));
    let compile = |ast: Json| {
        let query = Query::from_ast(&ast).expect("a well-formed AST");
        query.compile(&schema(), &params).expect("a valid query").plan
    };
    assert_eq!(compile(ast("=", json!("sub"))), plan(&issues().filter(col("ownerId").eq(7))).plan);
    assert_eq!(
        compile(ast("IN", json!(["user", "ids"]))),
        plan(&issues().filter(col("ownerId").in_([1, 2]))).plan
    );
    let none = compile(ast("=", json!("none")));
    assert_eq!(*scan(&none.shape).2, Condition::Always(false));
}
