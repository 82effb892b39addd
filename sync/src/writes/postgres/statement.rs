//! Operations as SQL. Names are quoted, values are parameters: nothing that a client sends is read as SQL.

use std::collections::BTreeSet;

use super::super::op::{Kind, Op};
use super::tables::{Column, Table, Tables};

/// A statement with its parameters, which are all texts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Option<String>>,
}

/// The statements of a mutation.
///
/// # Errors
/// The first operation that does not fit the tables: what is wrong with it.
pub(super) fn statements(tables: &Tables, ops: &[Op]) -> Result<Vec<Statement>, String> {
    let made = ops.iter().map(|op| {
        let table = tables.0.get(&op.table);
        let table = table.ok_or_else(|| format!("there is no table \"{}\"", op.table))?;
        statement(table, op).map_err(|problem| format!("table \"{}\": {problem}", op.table))
    });
    made.filter_map(Result::transpose).collect()
}

/// The statement of an operation; none if it changes nothing whatever is there.
fn statement(table: &Table, op: &Op) -> Result<Option<Statement>, String> {
    let given: BTreeSet<&String> = op.primary_key.iter().collect();
    if !table.keys.iter().any(|key| key.iter().collect::<BTreeSet<_>>() == given) {
        return Err(format!("it has no key of the columns {}", op.primary_key.join(", ")));
    }
    let mut values = Vec::new();
    let name = table.name.quoted();
    let key = |values: &mut Vec<Option<String>>| -> Result<String, String> {
        let tests = op
            .primary_key
            .iter()
            .map(|column| Ok(format!("{} = {}", quoted(column), bind(table, op, column, values)?)));
        Ok(tests.collect::<Result<Vec<String>, String>>()?.join(" AND "))
    };
    let is_key = |column: &String| given.contains(column);
    let others: Vec<&String> = op.value.keys().filter(|column| !is_key(column)).collect();
    let sql = match op.kind {
        Kind::Insert | Kind::Upsert => {
            let columns: Vec<String> = op.value.keys().map(|column| quoted(column)).collect();
            let bound = op.value.keys().map(|column| bind(table, op, column, &mut values));
            let bound = bound.collect::<Result<Vec<String>, String>>()?;
            let conflict: Vec<String> =
                op.primary_key.iter().map(|column| quoted(column)).collect();
            let set = |column: &&String| format!("{0} = EXCLUDED.{0}", quoted(column));
            let instead = match op.kind {
                Kind::Upsert if !others.is_empty() => {
                    let set: Vec<String> = others.iter().map(set).collect();
                    format!("UPDATE SET {}", set.join(", "))
                }
                _ => "NOTHING".to_owned(),
            };
            format!(
                "INSERT INTO {name} ({}) VALUES ({}) ON CONFLICT ({}) DO {instead}",
                columns.join(", "),
                bound.join(", "),
                conflict.join(", ")
            )
        }
        Kind::Update => {
            let mut set = Vec::with_capacity(others.len());
            for column in &others {
                set.push(format!("{} = {}", quoted(column), bind(table, op, column, &mut values)?));
            }
            let key = key(&mut values)?;
            if set.is_empty() {
                return Ok(None);
            }
            format!("UPDATE {name} SET {} WHERE {key}", set.join(", "))
        }
        Kind::Delete => format!("DELETE FROM {name} WHERE {}", key(&mut values)?),
    };
    Ok(Some(Statement { sql, values }))
}

/// The expression of a column's value, which becomes the next parameter.
fn bind(
    table: &Table,
    op: &Op,
    column: &str,
    values: &mut Vec<Option<String>>,
) -> Result<String, String> {
    let Some(Column { type_name, form }) = table.columns.get(column) else {
        return Err(format!("there is no column \"{column}\""));
    };
    let bound = form.bind(&op.value[column], values.len() + 1, type_name);
    let bound = bound.map_err(|problem| format!("column \"{column}\": {problem}"))?;
    values.push(bound.text);
    Ok(bound.expression)
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
