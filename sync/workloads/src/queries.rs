//! What clients want, as they state it. The queries of a person are those of `penstock-postgres-workloads`,
//! which states them in SQL.

use penstock_benches::data::user_id;
use serde_json::{Value as Json, json};

/// A table, its columns with their types, and its primary key.
pub type Table = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// The tables as clients know them.
pub const TABLES: [Table; 5] = [
    ("user", &[("id", "string"), ("name", "string"), ("role", "string")], &["id"]),
    ("label", &[("id", "string"), ("name", "string")], &["id"]),
    (
        "issue",
        &[
            ("id", "string"),
            ("title", "string"),
            ("open", "boolean"),
            ("modified", "number"),
            ("created", "number"),
            ("owner_id", "string"),
            ("priority", "number"),
        ],
        &["id"],
    ),
    (
        "comment",
        &[
            ("id", "string"),
            ("issue_id", "string"),
            ("author_id", "string"),
            ("created", "number"),
            ("body", "string"),
        ],
        &["id"],
    ),
    ("issue_label", &[("issue_id", "string"), ("label_id", "string")], &["issue_id", "label_id"]),
];

/// A query: the name that the client has for it, and its syntax tree.
pub type Query = (String, Json);

/// The schema that a client sends.
#[must_use]
pub fn client_schema() -> Json {
    let tables = TABLES.iter().map(|(name, columns, key)| {
        let columns: serde_json::Map<_, _> = columns
            .iter()
            .map(|(column, kind)| ((*column).to_owned(), json!({ "type": kind })))
            .collect();
        ((*name).to_owned(), json!({"columns": columns, "primaryKey": key}))
    });
    json!({"tables": tables.collect::<serde_json::Map<_, _>>()})
}

/// The five of a person: a list with owners and labels, the person's own issues, one issue with its
/// comments, a list of what has a certain label, and a list of what the person has commented on.
#[must_use]
pub fn of_person(person: u32) -> Vec<Query> {
    let me = user_id(person);
    let owner = related("owner", ("owner_id", "id"), json!({"table": "user", "limit": 1}));
    let comments =
        json!({"table": "comment", "orderBy": [["created", "desc"], ["id", "asc"]], "limit": 10});
    let comments = related("comments", ("id", "issue_id"), comments);
    let label = related("labels", ("label_id", "id"), json!({"table": "label"}));
    let junction = json!({"table": "issue_label", "related": [label]});
    let mut labels = related("labels", ("id", "issue_id"), junction);
    labels["hidden"] = true.into();
    let list = |related: &[&Json], conditions: Vec<Json>, limit: u32| {
        let condition = json!({"type": "and", "conditions": conditions});
        json!({"table": "issue", "related": related, "where": condition, "limit": limit,
            "orderBy": [["modified", "desc"], ["id", "asc"]]})
    };
    let label_07 = json!({"table": "issue_label", "where": is("label_id", "=", "l07".into())});
    let mine = json!({"table": "comment", "where": is("author_id", "=", me.as_str().into())});
    let asts = [
        list(
            &[&owner, &labels],
            vec![is("open", "=", true.into()), is("owner_id", "!=", me.as_str().into())],
            100,
        ),
        list(&[], vec![is("owner_id", "=", me.as_str().into())], 50),
        list(&[&owner, &comments], vec![is("id", "=", format!("i{:06}", person * 7).into())], 1),
        list(
            &[&owner],
            vec![is("priority", "=", (person % 10).into()), exists("label_07", label_07)],
            100,
        ),
        list(&[&comments], vec![exists("mine", mine)], 50),
    ];
    named(&format!("p{person}"), asts)
}

/// So many lists of the issues of one owner each.
#[must_use]
pub fn of_owners(count: u32) -> Vec<Query> {
    let one = |owner: u32| {
        json!({"table": "issue", "where": is("owner_id", "=", user_id(owner).into()), "limit": 50,
            "orderBy": [["modified", "desc"], ["id", "asc"]]})
    };
    named("owner", (0..count).map(one))
}

fn named(prefix: &str, asts: impl IntoIterator<Item = Json>) -> Vec<Query> {
    let numbered = asts.into_iter().enumerate();
    numbered.map(|(at, ast)| (format!("{prefix}-{at}"), ast)).collect()
}

fn is(column: &str, op: &str, value: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
        "right": {"type": "literal", "value": value}})
}

fn related(name: &str, (parent, child): (&str, &str), mut subquery: Json) -> Json {
    subquery["alias"] = name.into();
    json!({"correlation": {"parentField": [parent], "childField": [child]}, "subquery": subquery})
}

fn exists(name: &str, subquery: Json) -> Json {
    let related = related(name, ("id", "issue_id"), subquery);
    json!({"type": "correlatedSubquery", "op": "EXISTS", "related": related})
}
