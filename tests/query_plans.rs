//! What levels are planned to: gates, junctions, orders, start positions and extents.

mod query_support;

use std::sync::Arc;

use penstock::query::{Asc, Desc, Query, Related, and, col, exists, exists_where, not, or};
use penstock::row;
use penstock_operators::key::{Direction, Key, KeyBuffer, encode};
use penstock_operators::plan::{Binding, Condition, Extent, Input, Start};
use penstock_operators::predicate::CompareOp;
use penstock_operators::value::Value;
use query_support::{
    COMMENT_AUTHOR, COMMENT_ISSUE, ID, MODIFIED, OWNER, TITLE, compare, issues, plan, plan_ast,
    scan, schema, simple,
};
use serde_json::{Value as Json, json};

#[test]
fn a_bare_table_is_a_scan_in_primary_key_order() {
    let compiled = plan(&issues());
    let level = &compiled.plan.shape;
    assert_eq!(scan(level), (&[][..], 0, &Condition::Always(true), &[][..]));
    assert_eq!(level.order.columns(), [(ID, Direction::Asc)]);
    assert_eq!(
        *compiled.plan.binding,
        Binding { constants: vec![], extent: Extent::default(), children: vec![] }
    );
    assert!(!compiled.view.singular);
}

#[test]
fn an_exists_is_a_gate() {
    let compiled = plan(
        &issues().filter(exists(
            Related::many("comment")
                .on("id", "issueId")
                .filter(and([col("authorId").eq(3), col("text").ne("x")]))
                .order_by("created", Desc)
                .limit(9),
        )),
    );
    let (_, _, condition, gates) = scan(&compiled.plan.shape);
    assert_eq!(*condition, Condition::Gate { gate: 0, negated: false });
    let [gate] = gates else { panic!("one gate") };
    assert_eq!(gate.columns, [ID]);
    assert_eq!(gate.child.order.columns(), [(ID, Direction::Asc)]);
    assert!(gate.child.related.is_empty());
    let (partition, correlated, condition, _) = scan(&gate.child);
    assert_eq!((partition, correlated), (&[COMMENT_ISSUE, COMMENT_AUTHOR][..], 1));
    assert_eq!(*condition, compare(3, CompareOp::Ne, "x"));
    let binding = &compiled.plan.binding.children[0];
    assert_eq!(binding.constants, [Value::from(3)]);
    assert_eq!(binding.extent, Extent { limit: Some(1), ..Extent::default() });
    assert!(compiled.view.relationships.is_empty());
}

#[test]
fn equal_gates_are_one() {
    let by = |author: i32| exists_where("comments", |q| q.filter(col("authorId").eq(author)));
    let ad_hoc = exists(Related::many("comment").on("id", "issueId").filter(col("authorId").eq(1)));
    let query = issues().filter(or([by(1), and([by(2), not(by(1))]), ad_hoc]));
    let compiled = plan(&query);
    let (_, _, condition, gates) = scan(&compiled.plan.shape);
    assert_eq!(gates.len(), 2);
    assert_eq!(compiled.plan.binding.children.len(), 2);
    let gate = |gate, negated| Condition::Gate { gate, negated };
    assert_eq!(
        *condition,
        Condition::Any(vec![
            gate(0, false),
            gate(0, false),
            Condition::All(vec![gate(1, false), gate(0, true)])
        ])
    );
    let constants: Vec<_> =
        compiled.plan.binding.children.iter().map(|child| child.constants.clone()).collect();
    assert_eq!(constants, [[Value::from(1)], [Value::from(2)]]);
}

#[test]
fn an_exists_over_two_hops_is_nested() {
    let declared =
        plan(&issues().filter(exists_where("labels", |q| q.filter(col("name").eq("x")))));
    let (_, _, _, gates) = scan(&declared.plan.shape);
    assert_eq!(gates[0].columns, [ID]);
    let (partition, correlated, condition, inner) = scan(&gates[0].child);
    assert_eq!((partition, correlated), (&[0][..], 1));
    assert_eq!(*condition, Condition::Gate { gate: 0, negated: false });
    assert_eq!(inner[0].columns, [1]);
    assert_eq!(scan(&inner[0].child).0, [0, 1]);
    let binding = &declared.plan.binding.children[0].children[0];
    assert_eq!(binding.constants, [Value::from("x")]);
    assert_eq!(binding.extent.limit, Some(1));

    let nested =
        exists(Related::many("issueLabel").on("id", "issueId").filter(exists(
            Related::many("label").on("labelId", "id").filter(col("name").eq("x")),
        )));
    assert_eq!(plan(&issues().filter(nested)).plan, declared.plan);
}

#[test]
fn a_junction_has_near_and_far() {
    let query = issues().related(
        "labels",
        Related::many("issueLabel")
            .on("id", "issueId")
            .filter(col("labelId").gt(10))
            .then("label")
            .on("labelId", "id")
            .filter(and([col("name").eq("x"), exists(Related::many("user").on("id", "id"))]))
            .order_by("name", Desc)
            .related("users", Related::many("user").on("id", "id"))
            .limit(3),
    );
    let compiled = plan(&query);
    let edge = &compiled.plan.shape.related[0];
    assert_eq!(edge.columns, [ID]);
    assert_eq!(edge.child.order.columns(), [(1, Direction::Desc), (0, Direction::Asc)]);
    assert_eq!(edge.child.related.len(), 1);
    let Input::Junction { near, far } = &edge.child.input else { panic!("a junction") };

    let schema = schema();
    assert_eq!(Some(near.table), schema.table_id("issueLabel"));
    assert_eq!(scan(near), (&[0][..], 1, &compare(1, CompareOp::Gt, 10), &[][..]));
    assert_eq!(near.order.columns(), [(0, Direction::Asc), (1, Direction::Asc)]);
    assert!(near.related.is_empty());

    assert_eq!(far.columns, [1]);
    assert_eq!(far.child.table, edge.child.table);
    assert_eq!(Some(far.child.table), schema.table_id("label"));
    assert_eq!(far.child.order.columns(), [(0, Direction::Asc)]);
    assert!(far.child.related.is_empty());
    let (partition, correlated, condition, gates) = scan(&far.child);
    assert_eq!((partition, correlated, gates.len()), (&[0, 1][..], 1, 1));
    assert_eq!(*condition, Condition::Gate { gate: 0, negated: false });

    let binding = &compiled.plan.binding.children[0];
    assert_eq!(binding.constants, []);
    assert_eq!(binding.extent, Extent { limit: Some(3), ..Extent::default() });
    let [near, far, users] = &binding.children[..] else { panic!("near, far and users") };
    assert_eq!((&near.extent, near.children.len()), (&Extent::default(), 0));
    assert_eq!((&far.extent, far.children.len()), (&Extent::default(), 1));
    assert_eq!(far.constants, [Value::from("x")]);
    assert_eq!(**users, Binding { constants: vec![], extent: Extent::default(), children: vec![] });
    assert_eq!(compiled.view.relationships[0].name, "labels");
    assert_eq!(compiled.view.relationships[0].format.relationships[0].name, "users");
}

#[test]
fn the_junction_of_an_ast_is_that_of_the_builder() {
    let ast = json!({"table": "issue", "related": [{
        "correlation": {"parentField": ["id"], "childField": ["issueId"]},
        "hidden": true,
        "system": "client",
        "subquery": {"table": "issueLabel", "alias": "labels", "related": [{
            "correlation": {"parentField": ["labelId"], "childField": ["id"]},
            "subquery": {"table": "label", "alias": "labels",
                "where": simple(">", "name", json!("a")), "orderBy": [["name", "asc"]]}}]}}]});
    let built = issues()
        .related("labels", Related::named().filter(col("name").gt("a")).order_by("name", Asc));
    let (ast, built) = (plan_ast(&ast), plan(&built));
    assert_eq!(ast.plan, built.plan);
    assert_eq!(ast.view, built.view);
}

#[test]
fn three_hops_are_a_junction_of_a_junction() {
    let compiled = plan(
        &Query::table("user").related(
            "labels",
            Related::many("issue")
                .on("id", "ownerId")
                .then("issueLabel")
                .on("id", "issueId")
                .then("label")
                .on("labelId", "id"),
        ),
    );
    let edge = &compiled.plan.shape.related[0];
    assert_eq!(edge.columns, [0]);
    let Input::Junction { near, far } = &edge.child.input else { panic!("a junction") };
    assert_eq!(far.columns, [1]);
    assert_eq!(near.order.columns(), [(0, Direction::Asc), (1, Direction::Asc)]);
    let Input::Junction { near: first, far: second } = &near.input else { panic!("a junction") };
    assert_eq!(scan(first).0, [OWNER]);
    assert_eq!(second.columns, [ID]);
    assert_eq!(second.child.table, near.table);
    let binding = &compiled.plan.binding.children[0];
    assert_eq!(binding.children.len(), 2);
    assert_eq!(binding.children[0].children.len(), 2);
    assert_eq!(binding.children[1].children.len(), 0);
}

#[test]
fn orders_are_completed() {
    let order = |query: Query| plan(&query).plan.shape.order.columns().to_vec();
    assert_eq!(
        order(issues().order_by("modified", Desc)),
        [(MODIFIED, Direction::Desc), (ID, Direction::Asc)]
    );
    assert_eq!(
        order(issues().order_by("modified", Desc).order_by("id", Desc).order_by("title", Asc)),
        [(MODIFIED, Direction::Desc), (ID, Direction::Desc), (TITLE, Direction::Asc)]
    );
    assert_eq!(
        order(issues().order_by("title", Desc).order_by("title", Asc)),
        [(TITLE, Direction::Desc), (ID, Direction::Asc)]
    );
    assert_eq!(
        order(Query::table("issueLabel").order_by("labelId", Desc)),
        [(1, Direction::Desc), (0, Direction::Asc)]
    );
}

fn key(parts: &[(Value, Direction)]) -> Key {
    let mut buffer = KeyBuffer::new();
    for (value, direction) in parts {
        encode(&mut buffer, value.as_ref(), *direction);
    }
    Key::from_slice(&buffer)
}

#[test]
fn start_positions_are_keys_of_the_completed_order() {
    let start = |query: Query| plan(&query).plan.binding.extent.start.clone();
    let ordered = || issues().order_by("modified", Desc);
    let modified = (Value::from(2.5), Direction::Desc);
    assert_eq!(
        start(ordered().start_after(row! { id: 7, title: "ignored", modified: 2.5 })),
        Some(Start {
            key: key(&[modified.clone(), (Value::from(7), Direction::Asc)]),
            exclusive: true
        })
    );
    assert_eq!(
        start(ordered().start_at([("modified", 2.5)])),
        Some(Start { key: key(&[modified, (Value::Null, Direction::Asc)]), exclusive: false })
    );
    let ast = json!({"table": "issue", "orderBy": [["id", "desc"]],
        "start": {"row": {"id": 7, "meta": {"any": []}, "open": "wrong"}, "exclusive": true}});
    assert_eq!(
        plan_ast(&ast).plan.binding.extent.start,
        Some(Start { key: key(&[(Value::from(7), Direction::Desc)]), exclusive: true })
    );
}

#[test]
fn extents_of_one_row() {
    let at_root = plan(&issues().one());
    assert_eq!(at_root.plan.binding.extent.limit, Some(1));
    assert!(at_root.view.singular && !at_root.view.expect_one);

    let owner = |related: Related| {
        let compiled = plan(&issues().related("owner", related));
        let format = Arc::clone(&compiled.view.relationships[0].format);
        let extent = &compiled.plan.binding.children[0].extent;
        assert_eq!(extent.expect_one, format.expect_one);
        (extent.limit, format.singular, format.expect_one)
    };
    let declared = || Related::one("user").on("ownerId", "id");
    assert_eq!(owner(declared()), (Some(2), true, true));
    assert_eq!(owner(Related::named()), (Some(2), true, true));
    assert_eq!(owner(declared().limit(1)), (Some(1), true, false));
    assert_eq!(owner(declared().limit(0)), (Some(0), true, false));
    assert_eq!(owner(declared().limit(5)), (Some(2), true, true));
    assert_eq!(owner(declared().first()), (Some(1), true, false));
    let many = || Related::many("user").on("ownerId", "id");
    assert_eq!(owner(many()), (None, false, false));
    assert_eq!(owner(many().limit(5)), (Some(5), false, false));
    assert_eq!(owner(many().limit(5).first()), (Some(1), true, false));
}

#[test]
fn a_format_makes_relationships_singular() {
    let related = |alias: &str, extra: Json| {
        let mut subquery = json!({"table": "user", "alias": alias});
        if let (Some(subquery), Json::Object(extra)) = (subquery.as_object_mut(), extra) {
            subquery.extend(extra);
        }
        json!({"correlation": {"parentField": ["ownerId"], "childField": ["id"]},
               "subquery": subquery})
    };
    let ast = json!({"table": "issue", "related": [
        related("a", json!({})), related("b", json!({"limit": 1})), related("c", json!({}))]});
    let one = json!({"singular": true, "relationships": {}});
    let format = json!({"singular": true, "relationships": {"a": one, "b": one}});
    let query = Query::from_ast_with_format(&ast, &format).expect("a well-formed AST");
    let compiled = plan(&query);
    let seen: Vec<_> = compiled
        .view
        .relationships
        .iter()
        .zip(&compiled.plan.binding.children)
        .map(|(view, binding)| {
            (view.name.as_str(), view.format.singular, view.format.expect_one, binding.extent.limit)
        })
        .collect();
    assert_eq!(
        seen,
        [("a", true, true, Some(2)), ("b", true, false, Some(1)), ("c", false, false, None)]
    );
    assert_eq!((compiled.view.singular, compiled.plan.binding.extent.limit), (true, Some(1)));
    assert!(!plan_ast(&ast).view.relationships[0].format.singular);
}

#[test]
fn of_two_relationships_of_one_name_the_last_counts() {
    let query = issues()
        .related("x", Related::declared("comments"))
        .with("owner")
        .related("x", Related::declared("owner"));
    let compiled = plan(&query);
    let names: Vec<_> =
        compiled.view.relationships.iter().map(|relationship| &*relationship.name).collect();
    assert_eq!(names, ["owner", "x"]);
    assert_eq!(compiled.plan.shape.related[1].columns, [OWNER]);
    assert_eq!(compiled.plan.binding.children.len(), 2);
}

#[test]
fn a_repeated_pair_of_correlated_columns_counts_once() {
    let compiled =
        plan(&issues().related("x", Related::many("comment").on("id", "id").on("id", "id")));
    assert_eq!(compiled.plan.shape.related[0].columns, [ID]);
    let compiled =
        plan(&issues().related("x", Related::many("comment").on("id", "id").on("id", "issueId")));
    assert_eq!(compiled.plan.shape.related[0].columns, [ID, ID]);
    assert_eq!(scan(&compiled.plan.shape.related[0].child).0, [0, COMMENT_ISSUE]);
}

#[test]
fn children_are_bound_gates_first() {
    let compiled = plan(
        &issues()
            .with("owner")
            .filter(exists("comments"))
            .filter(exists_where("owner", |q| q.filter(col("name").eq("x")))),
    );
    let limits: Vec<_> =
        compiled.plan.binding.children.iter().map(|child| child.extent.limit).collect();
    assert_eq!(limits, [Some(1), Some(1), Some(2)]);
}

#[test]
fn hints_and_schema_names_in_an_ast_change_nothing() {
    let ast = |flip: Option<bool>| {
        let mut exists = json!({"type": "correlatedSubquery", "op": "EXISTS", "related": {
            "system": "client",
            "correlation": {"parentField": ["id"], "childField": ["issueId"]},
            "subquery": {"table": "comment", "orderBy": [["id", "asc"]], "limit": 3}}});
        if let Some(flip) = flip {
            exists["flip"] = json!(flip);
            exists["scalar"] = json!(flip);
        }
        json!({"table": "issue", "schema": "public", "where": exists})
    };
    assert_eq!(plan_ast(&ast(Some(true))).plan, plan_ast(&ast(None)).plan);
    assert_eq!(plan_ast(&ast(None)).plan, plan(&issues().filter(exists("comments"))).plan);
}
