//! Operations in a transaction of the engine, under the rules.

use std::collections::BTreeSet;

use penstock::{Error, Query, RowInput, RowView, TableSchema, Transaction};
use serde_json::{Map, Value as Json, json};

use super::op::{Kind, Op};
use crate::claims::Claims;
use crate::fault::concealed;
use crate::rules::{RowCheck, Rules, Stage};

/// Why operations were not applied.
#[derive(Debug)]
pub(super) enum Failure {
    /// They cannot be, or may not be.
    Refused(String),
    /// The engine or its storage said no.
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Engine(error)
    }
}

/// Who writes, and what he may.
pub(super) struct Author<'a> {
    pub(super) rules: &'a Rules,
    pub(super) claims: &'a Claims,
    /// Whether a table is not for users, whatever the rules say.
    pub(super) is_internal: &'a dyn Fn(&str) -> bool,
}

/// A row that has been written, to be looked at when all have.
struct Pending<'o> {
    op: &'o Op,
    key: Map<String, Json>,
    columns: BTreeSet<String>,
    /// The row before it was updated; none if it was inserted.
    before: Option<Map<String, Json>>,
}

/// Applies operations one after the other. What rows must be like before a write is looked at right before
/// it; what they must be like after it, when all have been made, so that the order within one mutation
/// does not matter.
///
/// # Errors
/// The first operation that cannot or may not be applied. The transaction must be given up then.
pub(super) fn apply(
    tx: &mut Transaction<'_>,
    author: &Author<'_>,
    ops: &[Op],
) -> Result<(), Failure> {
    let mut pending = Vec::new();
    for op in ops {
        let table = find_table(tx, author, op).map_err(Failure::Refused)?;
        pending.extend(apply_one(tx, author, op, &table)?);
    }
    for Pending { op, key, columns, before } in &pending {
        let stage = match before {
            None => Stage::Inserted,
            Some(before) => Stage::Updated { columns, before },
        };
        let check = RowCheck { table: &op.table, key, stage };
        if !author.rules.check_write(tx, check, author.claims)? {
            let how = if before.is_none() { "inserted" } else { "changed" };
            return Err(Failure::Refused(format!("{} may not be {how} like this", op.describe())));
        }
    }
    Ok(())
}

/// The table of an operation, if it is one for users and is told apart as the operation says.
fn find_table(tx: &Transaction<'_>, author: &Author<'_>, op: &Op) -> Result<TableSchema, String> {
    let id = tx.schema().table_id(&op.table).filter(|_| !(author.is_internal)(&op.table));
    let Some(id) = id else { return Err(format!("there is no table \"{}\"", op.table)) };
    let table = tx.schema().table(id);
    let given: BTreeSet<&str> = op.primary_key.iter().map(String::as_str).collect();
    let names = |key: &[usize]| -> BTreeSet<&str> {
        key.iter().map(|column| &*table.columns()[*column].name).collect()
    };
    let unique = table.unique_keys().iter().any(|key| names(key) == given);
    if !unique && names(table.primary_key()) != given {
        return Err(format!(
            "table \"{}\" has no key of the columns {}",
            op.table,
            op.primary_key.join(", ")
        ));
    }
    Ok(table.clone())
}

fn apply_one<'o>(
    tx: &mut Transaction<'_>,
    author: &Author<'_>,
    op: &'o Op,
    table: &TableSchema,
) -> Result<Option<Pending<'o>>, Failure> {
    // What does not fit may name columns that the user has no right to know of.
    let refused = |problem: String| {
        let full = format!("table \"{}\": {problem}", op.table);
        Failure::Refused(match author.rules.allows_all() {
            true => full,
            false => concealed(&format!("the row does not fit table \"{}\"", op.table), &full),
        })
    };
    let row = RowInput::from_json(table, &Json::Object(op.value.clone())).map_err(refused)?;
    let (key, columns) = (op.key(), op.columns());
    let found = find(tx, table, &key)?;
    let denied = |how: &str| {
        // The same, whether it is there or not: who may not write it may not know either.
        Failure::Refused(format!("{} is not there, or may not be {how}", op.describe()))
    };
    let may = |tx: &mut Transaction<'_>, stage: Stage<'_>| {
        let check = RowCheck { table: &op.table, key: &key, stage };
        author.rules.check_write(tx, check, author.claims)
    };
    match (op.kind, found) {
        (Kind::Insert, Some(_)) => Ok(None),
        (Kind::Insert | Kind::Upsert, None) => {
            insert(tx, table, row)?;
            Ok(Some(Pending { op, key, columns, before: None }))
        }
        (Kind::Upsert | Kind::Update, found) => {
            if !may(tx, Stage::BeforeUpdate { columns: &columns })? {
                return Err(denied("changed"));
            }
            let Some(found) = found else { return Ok(None) };
            tx.update_at(table.name(), identity(table, &found), row)?;
            let before = found.to_json().as_object().cloned();
            Ok(Some(Pending { op, key, columns, before: Some(before.unwrap_or_default()) }))
        }
        (Kind::Delete, found) => {
            if !may(tx, Stage::BeforeDelete)? {
                return Err(denied("deleted"));
            }
            if let Some(found) = found {
                tx.delete(table.name(), identity(table, &found))?;
            }
            Ok(None)
        }
    }
}

/// Inserts a row. Where the storage takes SQL, columns left out get the defaults that it has for them.
fn insert(tx: &mut Transaction<'_>, table: &TableSchema, row: RowInput) -> Result<(), Error> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let names: Vec<String> = row.columns().iter().map(|(name, _)| quoted(name)).collect();
    let values: Vec<String> = (1..=names.len()).map(|number| format!("?{number}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(table.name()),
        names.join(", "),
        values.join(", ")
    );
    match tx.execute(&sql, row.columns().iter().map(|(_, value)| value.clone())) {
        Err(Error::NoSql) => tx.insert(table.name(), row),
        done => done.map(drop),
    }
}

/// The row with these values in columns of a key.
fn find(
    tx: &mut Transaction<'_>,
    table: &TableSchema,
    key: &Map<String, Json>,
) -> Result<Option<RowView>, Failure> {
    let is_primary = table.primary_key().len() == key.len()
        && table.primary_key().iter().all(|at| key.contains_key(&*table.columns()[*at].name));
    if is_primary {
        let input = RowInput::from_json(table, &Json::Object(key.clone()));
        let fits = |problem: String| {
            let told = format!("the key does not fit table \"{}\"", table.name());
            Failure::Refused(concealed(&told, &problem))
        };
        return Ok(tx.get(table.name(), input.map_err(fits)?)?);
    }
    let equal = key.iter().map(|(name, value)| {
        json!({"type": "simple", "op": "=", "left": {"type": "column", "name": name},
            "right": {"type": "literal", "value": value}})
    });
    let equal: Vec<Json> = equal.collect();
    let ast =
        json!({"table": table.name(), "limit": 1, "where": {"type": "and", "conditions": equal}});
    let query = Query::from_ast(&ast).map_err(Error::from)?;
    Ok(tx.query(&query)?.first().map(|entry| entry.row()))
}

/// The primary key of a row.
fn identity(table: &TableSchema, row: &RowView) -> RowInput {
    let names = table.primary_key().iter().map(|at| table.columns()[*at].name.to_string());
    names.filter_map(|name| Some((name.clone(), row.get(&name)?.to_owned()))).collect()
}
