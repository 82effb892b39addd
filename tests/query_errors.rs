//! Bad queries and the exact text that each is refused with.

mod query_support;

use penstock::query::{
    Asc, Desc, Filter, MAX_DEPTH, MAX_LITERALS, MAX_NODES, Params, Query, Related, and, col,
    exists, exists_where, not, not_exists, or, param,
};
use penstock::row;
use serde_json::{Value as Json, json};

fn refused(query: &Query) -> String {
    refused_with(query, &Params::new())
}

fn refused_with(query: &Query, params: &Params) -> String {
    match query.compile(&query_support::schema(), params) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

/// What an AST is refused with when it is read or, failing that, when it is compiled.
fn refused_ast(ast: &Json) -> String {
    match Query::from_ast(ast) {
        Ok(query) => refused(&query),
        Err(error) => error.to_string(),
    }
}

fn check(cases: impl IntoIterator<Item = (Query, &'static str)>) {
    for (query, expected) in cases {
        assert_eq!(refused(&query), expected);
    }
}

fn check_ast(cases: impl IntoIterator<Item = (Json, &'static str)>) {
    for (ast, expected) in cases {
        assert_eq!(refused_ast(&ast), expected, "{ast}");
    }
}

fn issues() -> Query {
    Query::table("issue")
}

fn where_(filter: Filter) -> Query {
    issues().filter(filter)
}

#[test]
fn unknown_names() {
    check([
        (Query::table("isue"), "table: there is no table \"isue\"; did you mean \"issue\"?"),
        (
            Query::table("wholly different"),
            "table: there is no table \"wholly different\"; the schema has: issue, comment, user, \
             label, issueLabel",
        ),
        (
            where_(col("titel").eq("x")),
            "where: column \"titel\" is not in table \"issue\"; did you mean \"title\"?",
        ),
        (
            issues()
                .filter(col("open").eq(true))
                .filter(exists_where("comments", |q| q.filter(col("bogus").eq(1)))),
            "where.and[1].exists(comments).where: column \"bogus\" is not in table \"comment\"; \
             it has: id, issueId, authorId, text, created",
        ),
        (
            where_(or([col("id").eq(1), and([not(col("title").eq(col("bogus")))])])),
            "where.or[1].and[0].not: column \"bogus\" is not in table \"issue\"; it has: id, \
             title, open, ownerId, modified, meta",
        ),
        (
            issues().order_by("id", Asc).order_by("modifed", Desc),
            "orderBy[1]: column \"modifed\" is not in table \"issue\"; did you mean \"modified\"?",
        ),
        (
            issues().with("comment"),
            "related(comment): table \"issue\" has no relationship \"comment\"; did you mean \
             \"comments\"?",
        ),
        (
            where_(exists("reviewers")),
            "where.exists(reviewers): table \"issue\" has no relationship \"reviewers\"; it has: \
             owner, comments, labels",
        ),
        (
            issues().with("comments").related(
                "owner",
                Related::named().related("x", Related::many("labell").on("id", "id")),
            ),
            "related(owner).related(x): there is no table \"labell\"; did you mean \"label\"?",
        ),
        (
            issues().start_after(row! { id: 1, when: 3 }),
            "start: column \"when\" is not in table \"issue\"; it has: id, title, open, ownerId, \
             modified, meta",
        ),
    ]);
}

#[test]
fn types_that_do_not_compare() {
    check([
        (
            where_(col("id").lt("7")),
            "where: < needs both sides of one type, but column \"id\" is integer and the value is \
             text",
        ),
        (
            where_(not(col("id").lt("7"))),
            "where.not: < needs both sides of one type, but column \"id\" is integer and the value \
             is text",
        ),
        (
            where_(col("open").eq(1)),
            "where: = needs both sides of one type, but column \"open\" is boolean and the value \
             is number",
        ),
        (
            where_(col("title").is(true)),
            "where: IS needs both sides of one type, but column \"title\" is text and the value is \
             boolean",
        ),
        (
            where_(col("title").ne(col("id"))),
            "where: != needs both sides of one type, but column \"title\" is text and column \
             \"id\" is integer",
        ),
        (
            where_(col("id").in_(["a", "b"])),
            "where.item[0]: IN needs both sides of one type, but column \"id\" is integer and the \
             value is text",
        ),
        (
            where_(col("id").not_in([Some(1), None])),
            "where.item[1]: NOT IN of a list that holds null; test for null with IS NULL",
        ),
        (
            where_(col("id").like("7%")),
            "where: LIKE needs text on both sides, but column \"id\" is integer and the value is \
             text",
        ),
        (
            where_(col("title").not_ilike(7)),
            "where: NOT ILIKE needs text on both sides, but column \"title\" is text and the value \
             is number",
        ),
        (
            where_(col("title").like(col("title"))),
            "where: LIKE needs a constant on its right, not a column",
        ),
        (
            where_(col("meta").eq("x")),
            "where: column \"meta\" is json, which cannot be compared by = with text; only IS NULL \
             and IS NOT NULL apply to it",
        ),
        (
            where_(col("title").is(col("meta"))),
            "where: column \"meta\" is json, which cannot be compared by IS with text; only IS \
             NULL and IS NOT NULL apply to it",
        ),
        (
            where_(col("meta").in_(["x"])),
            "where: column \"meta\" is json, which cannot be compared by IN with a list; only IS \
             NULL and IS NOT NULL apply to it",
        ),
        (where_(col("modified").gt(f64::NAN)), "where: NaN cannot be compared with anything"),
        (issues().order_by("meta", Asc), "orderBy[0]: column \"meta\" is json, which has no order"),
        (
            issues().order_by("modified", Desc).start_at(row! { modified: "new", id: 1 }),
            "start: column \"modified\" is real but its value in the start position is text",
        ),
    ]);
}

#[test]
fn patterns_that_end_in_an_escape() {
    check([(
        where_(col("title").like("50\\")),
        "where: the LIKE pattern \"50\\\\\" ends in an escape character with nothing to escape",
    )]);
    check_ast([(
        json!({"table": "issue", "where": simple("NOT ILIKE", "title", json!("\\"))}),
        "where: the LIKE pattern \"\\\\\" ends in an escape character with nothing to escape",
    )]);
}

#[test]
fn relationships_that_make_no_sense() {
    check([
        (
            issues().related("x", Related::many("comment")),
            "related(x).on: nothing relates \"comment\" to \"issue\"; add .on(column of \
             \"issue\", column of \"comment\")",
        ),
        (
            issues().related("x", Related::many("comment").on("title", "issueId")),
            "related(x).on: column \"title\" of table \"issue\" is text and column \"issueId\" of \
             table \"comment\" is integer; columns of different types cannot be related",
        ),
        (
            issues().related("x", Related::many("issue").on("meta", "meta")),
            "related(x).on: column \"meta\" of table \"issue\" is json and column \"meta\" of \
             table \"issue\" is json; json columns cannot be related",
        ),
        (
            issues().related("x", Related::many("comment").on("id", "id").on("ownerId", "id")),
            "related(x).on: column \"id\" of table \"comment\" is related to two columns",
        ),
        (
            issues().related("title", Related::many("comment").on("id", "issueId")),
            "related(title): a relationship cannot have the name of a column of table \"issue\"",
        ),
        (
            issues().related("", Related::many("comment").on("id", "issueId")),
            "related(): a relationship needs a name",
        ),
        (
            where_(exists(Related::named())),
            "where.exists(): Related::named() has no name to go by here; use \
             Related::declared(\"…\")",
        ),
        (
            issues().related("comments", Related::named().on("id", "issueId")),
            "related(comments): a declared relationship has its correlation from the schema; leave \
             out .on(…)",
        ),
        (
            issues().related("comments", Related::named().then("user")),
            "related(comments): a declared relationship has its hops from the schema; leave out \
             .then(…)",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel").on("id", "issueId").limit(3).then("label"),
            ),
            "related(labels): before .then(…) only .on(…) and .filter(…) have a meaning",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel")
                    .on("id", "issueId")
                    .filter(col("x").eq(1))
                    .then("label")
                    .on("labelId", "id"),
            ),
            "related(labels).hop(issueLabel).where: column \"x\" is not in table \"issueLabel\"; \
             it has: issueId, labelId",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel").on("id", "issue").then("label").on("labelId", "id"),
            ),
            "related(labels).hop(issueLabel).on: column \"issue\" is not in table \"issueLabel\"; \
             did you mean \"issueId\"?",
        ),
        (
            where_(exists_where("comments", |q| q.start_at(row! { id: 1 }))),
            "where.exists(comments): a start position has no meaning within EXISTS",
        ),
        (
            where_(not_exists(Related::declared("comments").offset(1))),
            "where.exists(comments): an offset has no meaning within EXISTS",
        ),
        (
            where_(exists(Related::declared("comments").with("author"))),
            "where.exists(comments): a related subquery has no meaning within EXISTS",
        ),
    ]);
}

#[test]
fn parameters() {
    let query = where_(col("ownerId").eq(param("owner")));
    let given = |params: Params| refused_with(&query, &params);
    assert_eq!(
        given(Params::new()),
        "where: parameter \"owner\" is not supplied; the parameter set has none"
    );
    assert_eq!(
        given(Params::new().set("owners", 1)),
        "where: parameter \"owner\" is not supplied; did you mean \"owners\"?"
    );
    assert_eq!(
        given(Params::new().set("owner", "x")),
        "where: = needs both sides of one type, but column \"ownerId\" is integer and the value is \
         text"
    );
    assert_eq!(
        given(Params::new().set_list("owner", [1, 2])),
        "where: = takes a single value, found a list"
    );
    assert_eq!(given(Params::new().set("owner", 1)), "accepted");
    let query = where_(col("ownerId").in_(param("owner")));
    assert_eq!(
        refused_with(&query, &Params::new().set("owner", 1)),
        "where: IN takes a list, found a single value"
    );
}

#[test]
fn static_parameters() {
    let ast = json!({"table": "issue", "where": {
        "type": "simple", "op": "=", "left": {"type": "column", "name": "ownerId"},
        "right": {"type": "static", "anchor": "authData", "field": ["user", "id"]}}});
    let query = Query::from_ast(&ast).expect("a well-formed AST");
    let given = |json: Json| {
        let object = json.as_object().cloned().expect("an object");
        refused_with(&query, &Params::new().anchor("authData", object))
    };
    assert_eq!(
        refused(&query),
        "where: parameter \"authData\" is not supplied: it anchors a static value"
    );
    let missing = "where: parameter \"authData.user.id\" is not supplied";
    assert_eq!(given(json!({})), missing);
    assert_eq!(given(json!({"user": 7})), missing);
    assert_eq!(given(json!({"id": 7})), missing);
    assert_eq!(
        given(json!({"user": {"id": {}}})),
        "where: parameter \"authData.user.id\" is an object, not a value"
    );
    assert_eq!(given(json!({"user": {"id": [7]}})), "where: = takes a single value, found a list");
    assert_eq!(
        given(json!({"user": {"id": [[7]]}})),
        "where: parameter \"authData.user.id\" holds a list of non-scalars"
    );
    assert_eq!(given(json!({"user": {"id": null}})), "accepted");
    assert_eq!(given(json!({"user": {"id": 7}})), "accepted");
}

fn simple(op: &str, column: &str, value: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
           "right": {"type": "literal", "value": value}})
}

#[test]
fn malformed_asts() {
    check_ast([
        (json!([]), "expected a query, found an array"),
        (json!({}), "\"table\" is missing"),
        (json!({"table": 7}), "table: expected a string, found a number (7)"),
        (
            json!({"table": "issue", "order": []}),
            "unknown key \"order\" in a query; did you mean \"orderBy\"?",
        ),
        (
            json!({"table": "issue", "singular": true}),
            "unknown key \"singular\" in a query; it has: table, schema, alias, where, related, \
             orderBy, start, limit",
        ),
        (
            json!({"table": "issue", "limt": 1}),
            "unknown key \"limt\" in a query; did you mean \"limit\"?",
        ),
        (
            json!({"table": "issue", "limit": -1}),
            "limit: expected a whole number, 0 or more, found a number (-1)",
        ),
        (
            json!({"table": "issue", "limit": 1.5}),
            "limit: expected a whole number, 0 or more, found a number (1.5)",
        ),
        (
            json!({"table": "issue", "limit": null}),
            "limit: expected a whole number, 0 or more, found null",
        ),
        (
            json!({"table": "issue", "orderBy": [["id", "up"]]}),
            "orderBy[0]: expected \"asc\" or \"desc\", found \"up\"",
        ),
        (
            json!({"table": "issue", "orderBy": [["id", "asc"], ["title"]]}),
            "orderBy[1]: expected a column and a direction, as in [\"id\", \"asc\"]",
        ),
        (json!({"table": "issue", "start": {"row": {"id": 1}}}), "start: \"exclusive\" is missing"),
        (
            json!({"table": "issue", "start": {"row": [1], "exclusive": true}}),
            "start.row: expected an object with columns, found an array",
        ),
        (
            json!({"table": "issue", "start": {"row": {"nr": 1}, "exclusive": true}}),
            "start: column \"nr\" is not in table \"issue\"; it has: id, title, open, ownerId, \
             modified, meta",
        ),
        (
            json!({"table": "issue", "where": true}),
            "where: expected a condition, found a boolean (true)",
        ),
        (json!({"table": "issue", "where": {}}), "where: \"type\" is missing"),
        (
            json!({"table": "issue", "where": {"type": "xor", "conditions": []}}),
            "where: unknown condition type \"xor\"; expected simple, and, or, correlatedSubquery",
        ),
        (
            json!({"table": "issue", "where": {"type": "and", "conditions": {}}}),
            "where.conditions: expected an array, found an object",
        ),
        (
            json!({"table": "issue", "where": {"type": "or", "conditions": [
                simple("=", "id", json!(1)), simple("==", "id", json!(1))]}}),
            "where.or[1].op: unknown operator \"==\"; expected =, !=, <, <=, >, >=, IS, IS NOT, \
             LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN",
        ),
        (
            json!({"table": "issue", "where": simple("=", "id", json!([1]))}),
            "where.right: = takes a single value, found an array",
        ),
        (
            json!({"table": "issue", "where": simple("IN", "id", json!(1))}),
            "where.right: IN takes an array, found a single value",
        ),
        (
            json!({"table": "issue", "where": simple("IN", "id", json!([1, [2]]))}),
            "where.right.value.item[1]: expected a value, found an array",
        ),
        (
            json!({"table": "issue", "where": simple("=", "id", json!({"n": 1}))}),
            "where.right.value: expected a value, found an object",
        ),
        (
            json!({"table": "issue", "where": simple("<", "id", json!("1"))}),
            "where: < needs both sides of one type, but column \"id\" is integer and the value is \
             text",
        ),
        (
            json!({"table": "issue", "where": {"type": "simple", "op": ">",
                "left": {"type": "literal", "value": 1},
                "right": {"type": "literal", "value": "1"}}}),
            "where: > needs both sides of one type, but the value is number and the value is text",
        ),
        (
            json!({"table": "issue", "where": {"type": "simple", "op": "LIKE",
                "left": {"type": "literal", "value": "x"},
                "right": {"type": "column", "name": "title"}}}),
            "where: LIKE needs a constant on its right, not a column",
        ),
        (
            json!({"table": "issue", "where": {"type": "simple", "op": "=",
                "left": {"type": "colum", "name": "id"},
                "right": {"type": "literal", "value": 1}}}),
            "where.left: unknown type \"colum\"; did you mean \"column\"?",
        ),
        (
            json!({"table": "issue", "where": {"type": "simple", "op": "=",
                "left": {"type": "column", "name": "id"},
                "right": {"type": "static", "anchor": "authData", "field": []}}}),
            "where.right.field: expected the names of at least one field, found none",
        ),
        (
            json!({"table": "issue", "where": simple("=", "meta", json!("x"))}),
            "where: column \"meta\" is json, which cannot be compared by = with text; only IS NULL \
             and IS NOT NULL apply to it",
        ),
    ]);
}

fn subquery(extra: Json) -> Json {
    let mut subquery = json!({"table": "comment", "alias": "cs"});
    if let (Some(subquery), Json::Object(extra)) = (subquery.as_object_mut(), extra) {
        subquery.extend(extra);
    }
    json!({"correlation": {"parentField": ["id"], "childField": ["issueId"]}, "subquery": subquery})
}

fn with_related(related: &Json) -> Json {
    json!({"table": "issue", "related": [related]})
}

fn with_exists(related: &Json) -> Json {
    json!({"table": "issue", "where": {"type": "correlatedSubquery", "op": "EXISTS",
                                       "related": related}})
}

#[test]
fn malformed_subqueries() {
    let lengths = json!({"correlation": {"parentField": ["id"], "childField": []},
                         "subquery": {"table": "comment", "alias": "cs"}});
    let nameless = json!({"correlation": {"parentField": ["id"], "childField": ["issueId"]},
                          "subquery": {"table": "comment"}});
    let mut operator = with_exists(&subquery(json!({})));
    operator["where"]["op"] = json!("SOME");
    let mut hint = with_exists(&subquery(json!({})));
    hint["where"]["flip"] = json!("yes");
    check_ast([
        (
            with_related(&lengths),
            "related(cs).correlation: parentField and childField must have the same number of \
             columns, at least 1; they have 1 and 0",
        ),
        (with_related(&nameless), "related[0]: \"alias\" is missing"),
        (
            with_related(&json!({"subquery": {"table": "comment", "alias": "cs"}})),
            "related(cs).correlation: \"correlation\" is missing",
        ),
        (
            with_related(&subquery(json!({"limit": "3"}))),
            "related(cs).limit: expected a whole number, 0 or more, found a string",
        ),
        (
            with_related(&subquery(json!({"where": simple("=", "x", json!(1))}))),
            "related(cs).where: column \"x\" is not in table \"comment\"; it has: id, issueId, \
             authorId, text, created",
        ),
        (
            with_exists(&subquery(json!({"start": {"row": {"id": 1}, "exclusive": true}}))),
            "where.exists(cs): a start position has no meaning within EXISTS",
        ),
        (
            with_exists(&subquery(json!({"related": [subquery(json!({}))]}))),
            "where.exists(cs): a related subquery has no meaning within EXISTS",
        ),
        (operator, "where.op: expected \"EXISTS\" or \"NOT EXISTS\", found \"SOME\""),
        (hint, "where.flip: expected true or false, found a string"),
    ]);
}

fn hidden(subquery: Json) -> Json {
    json!({"correlation": {"parentField": ["id"], "childField": ["issueId"]}, "hidden": true,
           "subquery": subquery})
}

#[test]
fn malformed_junctions() {
    let inner = |alias: &str| {
        json!({"correlation": {"parentField": ["labelId"], "childField": ["id"]},
               "subquery": {"table": "label", "alias": alias}})
    };
    let only = "a hidden subquery has a table, an alias and one related subquery of the same alias";
    let cases = [
        (
            json!({"table": "issueLabel", "alias": "labels", "limit": 1, "related": [inner("labels")]}),
            format!("related(labels): {only}, not \"limit\""),
        ),
        (
            json!({"table": "issueLabel", "alias": "labels", "related": []}),
            format!("related(labels): {only}, not 0"),
        ),
        (
            json!({"table": "issueLabel", "alias": "labels", "related": [inner("labels"), inner("labels")]}),
            format!("related(labels): {only}, not 2"),
        ),
        (
            json!({"table": "issueLabel", "alias": "labels", "related": [inner("tags")]}),
            format!("related(labels): {only}, not \"tags\""),
        ),
    ];
    for (subquery, expected) in cases {
        assert_eq!(refused_ast(&with_related(&hidden(subquery))), expected);
    }
    assert_eq!(
        refused_ast(&with_exists(&hidden(json!({"table": "issueLabel", "alias": "x"})))),
        "where.exists(x): a subquery of EXISTS cannot be hidden"
    );
}

#[test]
fn formats() {
    let ast = with_related(&subquery(json!({})));
    let refused = |format: Json| match Query::from_ast_with_format(&ast, &format) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    };
    assert_eq!(refused(json!(null)), "format: expected a format, found null");
    assert_eq!(
        refused(json!({"singular": 1})),
        "format.singular: expected true or false, found a number (1)"
    );
    assert_eq!(
        refused(json!({"singular": false, "relationships": []})),
        "format.relationships: expected an object of formats, found an array"
    );
    assert_eq!(
        refused(json!({"singular": false, "relationships": {"c": {"singular": false}}})),
        "format.relationships.c: the query has no relationship \"c\"; did you mean \"cs\"?"
    );
    assert_eq!(
        refused(json!({"singular": false, "plural": true})),
        "format: unknown key \"plural\" in a format; it has: singular, relationships"
    );
    assert_eq!(refused(json!({"singular": true, "relationships": {}})), "accepted");
}

#[test]
fn sizes() {
    let nest = |depth: usize| (0..depth).fold(col("id").eq(1), |filter, _| not(filter));
    assert_eq!(refused(&where_(nest(MAX_DEPTH))), "accepted");
    let text = refused(&where_(nest(MAX_DEPTH + 1)));
    assert!(text.ends_with(".not.not: nested deeper than 64 levels"), "{text}");

    let mut ast = simple("=", "id", json!(1));
    for _ in 0..=MAX_DEPTH {
        ast = json!({"type": "and", "conditions": [ast]});
    }
    let text = refused_ast(&json!({"table": "issue", "where": ast}));
    assert!(text.ends_with(".and[0].and[0]: nested deeper than 64 levels"), "{text}");

    let filters = || (0..MAX_NODES).map(|id| col("id").eq(i64::try_from(id).unwrap_or(0)));
    assert_eq!(
        refused(&where_(or(filters()))),
        "where.or[9999]: the query has more than 10000 conditions and subqueries"
    );
    assert_eq!(refused(&where_(or(filters().skip(1)))), "accepted");

    assert_eq!(refused(&where_(col("id").in_(vec![7; MAX_LITERALS]))), "accepted");
    let long = "the IN list has 100001 values; at most 100000 are allowed";
    let list = vec![7; MAX_LITERALS + 1];
    assert_eq!(refused(&where_(col("id").in_(list.clone()))), format!("where: {long}"));
    assert_eq!(
        refused_ast(&json!({"table": "issue", "where": simple("IN", "id", json!(list))})),
        format!("where.right.value: {long}")
    );
}

#[test]
fn hops_count_as_levels() {
    let chain = |hops: usize| {
        (1..hops).fold(Related::many("issue").on("id", "id"), |related, _| {
            related.then("issue").on("id", "id")
        })
    };
    assert_eq!(refused(&issues().related("x", chain(MAX_DEPTH))), "accepted");
    let expected = "nested deeper than 64 levels";
    assert_eq!(
        refused(&issues().related("x", chain(MAX_DEPTH + 1))),
        format!("related(x): {expected}")
    );
    assert_eq!(
        refused(&where_(exists(chain(MAX_DEPTH + 1)))),
        format!("where.exists(issue): {expected}")
    );
}
