//! Bad ASTs and formats and the exact text that each is refused with.

mod query_support;

use penstock::query::{Params, Query};
use query_support::{check_ast, refused, refused_ast, refused_with, simple};
use serde_json::{Value as Json, json};

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
    // What an anchor lacks is null.
    for lacking in [json!({}), json!({"user": 7}), json!({"id": 7})] {
        assert_eq!(given(lacking), "accepted");
    }
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
    let only = "beside a where, a hidden subquery has a table, an alias and one related subquery of the same alias";
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
