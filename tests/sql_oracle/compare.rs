//! Whether a live result is SQLite's.

use penstock::{Tree, Value, ValueRef};

use super::oracle::Rows;

/// How much the results of sums of reals may differ, relatively.
const TOLERANCE: f64 = 1e-12;

/// The names of the columns and the rows of a result.
pub(crate) fn shown(tree: &Tree) -> Rows {
    let names = tree.table().columns().iter().map(|column| column.name.clone()).collect();
    let rows = tree.iter().map(|entry| {
        let row = entry.row();
        row.table().values(row.row()).map(|(_, value)| plain(value)).collect()
    });
    (names, rows.collect())
}

/// A value as SQLite has it: booleans are integers and JSON is text.
fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Bool(value) => Value::Int(i64::from(value)),
        ValueRef::Json(text) => Value::Text(text.into()),
        value => value.to_owned(),
    }
}

/// The names that SQLite gives to the columns of a result that is read from: those that are there
/// already get a number.
fn distinct(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let mut free = name.clone();
        let mut number = 0;
        while taken.iter().any(|taken| taken.eq_ignore_ascii_case(&free)) {
            number += 1;
            free = format!("{name}:{number}");
        }
        taken.push(free);
    }
    taken
}

/// Whether two values are one: of the same type, and of reals close to each other.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => {
            a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
        }
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => false,
        (a, b) => a == b,
    }
}

fn same_row(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn same_list(a: &[Vec<Value>], b: &[Vec<Value>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_row(a, b))
}

/// Whether two lists hold the same rows in any order.
fn same_bag(a: &[Vec<Value>], b: &[Vec<Value>]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let sorted = |rows: &[Vec<Value>]| {
        let mut rows = rows.to_vec();
        rows.sort();
        rows
    };
    if same_list(&sorted(a), &sorted(b)) {
        return true;
    }
    // Equal numbers of two types, and reals that differ a little, may have been sorted apart.
    let mut rest: Vec<&Vec<Value>> = b.iter().collect();
    a.iter().all(|row| match rest.iter().position(|other| same_row(row, other)) {
        Some(at) => {
            rest.swap_remove(at);
            true
        }
        None => false,
    })
}

/// What differs between a live result and SQLite's, if anything does.
pub(crate) fn difference(live: &Rows, right: &Rows, ordered: bool) -> Option<String> {
    let names = distinct(&right.0);
    if live.0 != names {
        return Some(format!("columns {:?}, in SQLite {names:?}", live.0));
    }
    let equal = if ordered { same_list } else { same_bag };
    if equal(&live.1, &right.1) {
        return None;
    }
    let order = if ordered { "in this order" } else { "in any order" };
    Some(format!("rows {:?}\nin SQLite, {order}:\n     {:?}", text(&live.1), text(&right.1)))
}

fn text(rows: &[Vec<Value>]) -> Vec<String> {
    let row = |row: &Vec<Value>| {
        let values: Vec<String> = row.iter().map(one).collect();
        values.join(" | ")
    };
    rows.iter().map(row).collect()
}

fn one(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => format!("'{text}'"),
        value => format!("{value:?}"),
    }
}
