//! Statements that write rows, made at random.

use crate::rng::Rng;
use crate::schema::{Column, Model, Table};

/// A statement that changes rows, or none where there is no table.
pub(crate) fn write(rng: &mut Rng, model: &Model) -> Option<String> {
    if model.tables.is_empty() {
        return None;
    }
    let table = rng.pick(&model.tables);
    Some(match rng.below(100) {
        0..45 => insert(rng, table),
        45..72 => update(rng, table),
        72..82 => update_key(rng, table),
        82..97 => delete(rng, table),
        _ => truncate(rng, model, table),
    })
}

/// Inserts some rows, with keys of which there are few.
pub(crate) fn insert(rng: &mut Rng, table: &Table) -> String {
    let names: Vec<String> = table.written().map(Column::quoted).collect();
    let rows = 1 + rng.below(4);
    let rows: Vec<String> = (0..rows).map(|_| row(rng, table)).collect();
    let conflict = match rng.below(4) {
        0 => String::new(),
        1 => {
            let key: Vec<String> = table.key().iter().map(Column::quoted).collect();
            let set: Vec<String> = table.written().skip(table.key_columns).map(excluded).collect();
            // Twice the same key in one statement is an error, which is as good as any.
            format!(" on conflict ({}) do update set {}", key.join(", "), set.join(", "))
        }
        _ => " on conflict do nothing".to_owned(),
    };
    format!(
        "insert into {}({}) values {}{conflict}",
        table.sql(),
        names.join(", "),
        rows.join(", ")
    )
}

fn excluded(column: &Column) -> String {
    format!("{0} = excluded.{0}", column.quoted())
}

fn row(rng: &mut Rng, table: &Table) -> String {
    let written: Vec<&Column> = table.written().collect();
    let mut values = Vec::new();
    for (at, column) in written.iter().enumerate() {
        values.push(if at < table.key_columns {
            key_literal(rng, column)
        } else {
            column.literal(rng)
        });
    }
    format!("({})", values.join(", "))
}

fn key_literal(rng: &mut Rng, column: &Column) -> String {
    match column.kind().key {
        Some(literal) => literal(rng),
        None => (column.kind().literal)(rng),
    }
}

/// A condition that few rows fulfil, or about half of them.
fn some_rows(rng: &mut Rng, table: &Table) -> String {
    let column = rng.pick(table.key());
    let operator = match rng.below(10) {
        0..6 => "=",
        6 => "<",
        7 => ">",
        _ => return format!("{} = {}", table.joining().quoted(), rng.range(1, 5)),
    };
    format!("{} {operator} {}", column.quoted(), key_literal(rng, column))
}

/// Sets few columns; large values of the others are not touched.
fn update(rng: &mut Rng, table: &Table) -> String {
    let free: Vec<&Column> = table.written().skip(table.key_columns).collect();
    let mut set = Vec::new();
    let count = 1 + rng.below(2);
    let first = rng.below(free.len());
    for at in 0..count.min(free.len()) {
        let column = free[(first + at) % free.len()];
        set.push(format!("{} = {}", column.quoted(), column.literal(rng)));
    }
    format!("update {} set {} where {}", table.sql(), set.join(", "), some_rows(rng, table))
}

/// Gives rows other keys, sometimes with other values.
fn update_key(rng: &mut Rng, table: &Table) -> String {
    let column = rng.pick(table.key());
    let name = column.quoted();
    let condition = some_rows(rng, table);
    let is_integer = ["int2", "int4", "int8"].contains(&column.kind().name);
    let value = match is_integer && rng.chance(40) {
        // Many rows at once, none in the way of another.
        true => format!("- {name}"),
        false => key_literal(rng, column),
    };
    let joining = table.joining();
    let also = match rng.chance(40) {
        true => format!(", {} = {}", joining.quoted(), rng.range(1, 5)),
        false => String::new(),
    };
    format!("update {} set {name} = {value}{also} where {condition}", table.sql())
}

fn delete(rng: &mut Rng, table: &Table) -> String {
    format!("delete from {} where {}", table.sql(), some_rows(rng, table))
}

fn truncate(rng: &mut Rng, model: &Model, table: &Table) -> String {
    let other = rng.pick(&model.tables);
    match rng.chance(40) && other != table {
        true => format!("truncate {}, {}", table.sql(), other.sql()),
        false => format!("truncate {}", table.sql()),
    }
}
