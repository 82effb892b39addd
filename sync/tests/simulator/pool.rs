//! The data, and the queries that clients choose from.

use penstock::ColumnType::{Boolean, Integer, Json, Text};
use penstock::{Database, Error, Schema, Table, Transaction, row};
use serde_json::{Value, json};

use crate::random::Random;

pub(crate) const CLIENTS: &str = "_zero_clients";
pub(crate) const RESULTS: &str = "_zero_mutations";

/// Ids of each table go from 0 to this.
const IDS: usize = 12;

pub(crate) fn database() -> Database {
    let schema = Schema::new([
        Table::new("issue")
            .column("id", Integer)
            .column("title", Text)
            .column("open", Boolean)
            .column("priority", Integer)
            .nullable("owner", Integer)
            .primary_key(["id"]),
        Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
        Table::new("label")
            .column("issue", Integer)
            .column("name", Text)
            .primary_key(["issue", "name"]),
        Table::new(CLIENTS)
            .column("clientGroupID", Text)
            .column("clientID", Text)
            .column("lastMutationID", Integer)
            .nullable("userID", Text)
            .primary_key(["clientGroupID", "clientID"]),
        Table::new(RESULTS)
            .column("clientGroupID", Text)
            .column("clientID", Text)
            .column("mutationID", Integer)
            .column("result", Json)
            .primary_key(["clientGroupID", "clientID", "mutationID"]),
    ]);
    Database::in_memory(schema.expect("a schema")).expect("a database")
}

pub(crate) fn client_schema() -> Value {
    let columns = |pairs: &[(&str, &str)]| {
        let columns = pairs.iter().map(|(name, of)| ((*name).to_owned(), json!({"type": of})));
        Value::Object(columns.collect())
    };
    json!({"tables": {
        "issue": {"primaryKey": ["id"], "columns": columns(&[
            ("id", "number"), ("title", "string"), ("open", "boolean"), ("priority", "number"), ("owner", "number"),
        ])},
        "user": {"primaryKey": ["id"], "columns": columns(&[("id", "number"), ("name", "string")])},
        "label": {"primaryKey": ["issue", "name"], "columns": columns(&[("issue", "number"), ("name", "string")])},
    }})
}

fn simple(column: &str, op: &str, value: Value) -> Value {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
           "right": {"type": "literal", "value": value}})
}

fn related(alias: &str, table: &str, parent: &str, child: &str, more: Value) -> Value {
    let mut subquery = json!({"table": table, "alias": alias});
    for (name, value) in more.as_object().into_iter().flatten() {
        subquery[name] = value.clone();
    }
    json!({"correlation": {"parentField": [parent], "childField": [child]}, "subquery": subquery})
}

fn exists(op: &str, alias: &str, table: &str, parent: &str, child: &str, more: Value) -> Value {
    json!({"type": "correlatedSubquery", "op": op, "related": related(alias, table, parent, child, more)})
}

/// The queries, each with its name.
pub(crate) fn queries() -> Vec<(String, Value)> {
    let labelled = |name: &str| {
        exists(
            "EXISTS",
            "l",
            "label",
            "id",
            "issue",
            json!({"where": simple("name", "=", json!(name))}),
        )
    };
    let mut all = vec![
        json!({"table": "issue", "orderBy": [["priority", "desc"]], "limit": 3,
               "related": [related("o", "user", "owner", "id", json!({}))]}),
        json!({"table": "issue", "where": simple("open", "=", json!(true)), "orderBy": [["title", "asc"]],
               "related": [related("l", "label", "id", "issue", json!({"limit": 2}))]}),
        json!({"table": "issue", "where": labelled("a"), "orderBy": [["priority", "asc"]], "limit": 4}),
        json!({"table": "issue", "where": {"type": "or", "conditions": [
            labelled("b"), simple("priority", ">", json!(6))]}, "limit": 5}),
        json!({"table": "user", "where": exists("NOT EXISTS", "i", "issue", "id", "owner", json!({}))}),
        json!({"table": "user", "related": [related("i", "issue", "id", "owner", json!({"limit": 2, "orderBy": [["priority", "desc"]]}))]}),
        json!({"table": "issue", "where": simple("id", "IN", json!([1, 3, 5])),
               "start": {"row": {"id": 2}, "exclusive": true}}),
        json!({"table": "label", "where": exists("EXISTS", "i", "issue", "issue", "id", json!({
            "where": exists("EXISTS", "o", "user", "owner", "id", json!({}))}))}),
    ];
    all.extend((0..4).map(|owner| {
        json!({"table": "issue", "where": simple("owner", "=", json!(owner)), "orderBy": [["title", "desc"]], "limit": 2})
    }));
    all.into_iter().enumerate().map(|(at, ast)| (format!("q{at}"), ast)).collect()
}

/// Writes something.
pub(crate) fn write(tx: &mut Transaction<'_>, random: &mut Random) -> Result<(), Error> {
    for _ in 0..=random.below(4) {
        let id = random.below(IDS) as i64;
        match random.below(8) {
            0..=3 => {
                let owner = random.below(6) as i64;
                let owner = if owner == 5 { None } else { Some(owner) };
                let title = format!("t{}", random.below(5));
                let (open, priority) = (random.one_in(2), random.below(10) as i64);
                tx.upsert(
                    "issue",
                    row! { id: id, title: title, open: open, priority: priority, owner: owner },
                )?;
            }
            4 => {
                if tx.get("issue", row! { id: id })?.is_some() {
                    tx.delete("issue", row! { id: id })?;
                }
            }
            5 => {
                let id = id % 5;
                if random.one_in(3) && tx.get("user", row! { id: id })?.is_some() {
                    tx.delete("user", row! { id: id })?;
                } else {
                    tx.upsert("user", row! { id: id, name: format!("n{}", random.below(3)) })?;
                }
            }
            _ => {
                let name = ["a", "b", "c"][random.below(3)];
                let key = || row! { issue: id, name: name };
                if tx.get("label", key())?.is_some() {
                    tx.delete("label", key())?;
                } else {
                    tx.insert("label", key())?;
                }
            }
        }
    }
    Ok(())
}
