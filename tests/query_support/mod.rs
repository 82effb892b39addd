//! What the tests of the query front end share: a schema, and helpers to plan and to refuse.

#![allow(dead_code, reason = "each test file uses a part of this")]

use penstock::query::{CompiledQuery, Filter, Params, Query};
use penstock_operators::plan::{Condition, Edge, Input, LevelPlan};
use penstock_operators::predicate::{CompareOp, Operand, Predicate};
use penstock_operators::schema::{Schema, Table};
use penstock_operators::value::ColumnType::{Boolean, Integer, Json as JsonColumn, Real, Text};
use penstock_operators::value::Value;
use serde_json::{Value as Json, json};

/// Issues with an owner, comments and, through a junction, labels.
pub(crate) fn schema() -> Schema {
    let issue = Table::new("issue")
        .column("id", Integer)
        .column("title", Text)
        .column("open", Boolean)
        .nullable("ownerId", Integer)
        .column("modified", Real)
        .nullable("meta", JsonColumn)
        .primary_key(["id"])
        .one("owner", "user", ["ownerId"], ["id"])
        .many("comments", "comment", ["id"], ["issueId"])
        .many_through(
            "labels",
            [("issueLabel", ["id"], ["issueId"]), ("label", ["labelId"], ["id"])],
        );
    let comment = Table::new("comment")
        .column("id", Integer)
        .column("issueId", Integer)
        .nullable("authorId", Integer)
        .column("text", Text)
        .column("created", Integer)
        .primary_key(["id"])
        .one("author", "user", ["authorId"], ["id"]);
    let user = Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]);
    let label = Table::new("label").column("id", Integer).column("name", Text).primary_key(["id"]);
    let issue_label = Table::new("issueLabel")
        .column("issueId", Integer)
        .column("labelId", Integer)
        .primary_key(["issueId", "labelId"]);
    Schema::new([issue, comment, user, label, issue_label]).expect("a valid schema")
}

// Columns of the tables of `schema`.
pub(crate) const ID: usize = 0;
pub(crate) const TITLE: usize = 1;
pub(crate) const OPEN: usize = 2;
pub(crate) const OWNER: usize = 3;
pub(crate) const MODIFIED: usize = 4;
pub(crate) const META: usize = 5;
pub(crate) const COMMENT_ISSUE: usize = 1;
pub(crate) const COMMENT_AUTHOR: usize = 2;

pub(crate) fn plan(query: &Query) -> CompiledQuery {
    query.compile(&schema(), &Params::new()).expect("a valid query")
}

pub(crate) fn plan_ast(ast: &Json) -> CompiledQuery {
    plan(&Query::from_ast(ast).expect("a well-formed AST"))
}

pub(crate) fn issues() -> Query {
    Query::table("issue")
}

pub(crate) fn compare(column: usize, op: CompareOp, value: impl Into<Value>) -> Condition {
    Condition::Test(Predicate::Compare {
        left: Operand::Column(column),
        op,
        right: Operand::Literal(value.into()),
    })
}

pub(crate) fn is_null(column: usize, negated: bool) -> Condition {
    Condition::Test(Predicate::Is {
        left: Operand::Column(column),
        right: Operand::Literal(Value::Null),
        negated,
    })
}

/// The parts of a level that scans: partition, correlated, condition, gates.
pub(crate) fn scan(level: &LevelPlan) -> (&[usize], usize, &Condition, &[Edge]) {
    match &level.input {
        Input::Scan { partition, correlated, condition, gates } => {
            (partition, *correlated, condition, gates)
        }
        Input::Junction { .. } => panic!("a junction where a scan is expected"),
    }
}

pub(crate) fn simple(op: &str, column: &str, value: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
           "right": {"type": "literal", "value": value}})
}

pub(crate) fn refused(query: &Query) -> String {
    refused_with(query, &Params::new())
}

pub(crate) fn refused_with(query: &Query, params: &Params) -> String {
    match query.compile(&schema(), params) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

/// What an AST is refused with when it is read or, failing that, when it is compiled.
pub(crate) fn refused_ast(ast: &Json) -> String {
    match Query::from_ast(ast) {
        Ok(query) => refused(&query),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn check(cases: impl IntoIterator<Item = (Query, &'static str)>) {
    for (query, expected) in cases {
        assert_eq!(refused(&query), expected);
    }
}

pub(crate) fn check_ast(cases: impl IntoIterator<Item = (Json, &'static str)>) {
    for (ast, expected) in cases {
        assert_eq!(refused_ast(&ast), expected, "{ast}");
    }
}

pub(crate) fn where_(filter: Filter) -> Query {
    issues().filter(filter)
}
