//! Statements that change tables, made at random, with what becomes of the model.

use crate::rng::Rng;
use crate::schema::{Column, Identity, Model, Table, quoted};

/// How a change of tables is to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Without any copy, and without an end of live queries.
    Additive,
    /// Live queries over the table may end, and it may be copied anew.
    Changing,
}

/// Types that a column may get, from and to, with how.
const ALTERATIONS: &[(&str, &str, &str)] = &[
    ("int2", "int4", ""),
    ("int2", "int8", ""),
    ("int4", "int8", ""),
    ("int4", "numeric(30,6)", ""),
    ("int4", "text", " using $::text"),
    ("int8", "text", ""),
    ("varchar(300)", "text", ""),
    ("text", "label", ""),
    ("numeric(10,2)", "numeric(30,6)", ""),
    ("numeric(10,2)", "float8", ""),
    ("float4", "float8", ""),
    ("timestamptz", "timestamptz(3)", ""),
    ("timestamptz(3)", "timestamptz", ""),
    ("date", "timestamp", ""),
    ("jsonb", "json", ""),
    ("json", "jsonb", ""),
    ("json", "text", ""),
    ("uuid", "text", ""),
    ("mood", "text", ""),
    ("bool", "text", " using $::text"),
    ("name", "text", ""),
    ("text", "bytea", " using convert_to($, 'UTF8')"),
];

/// Changes the model, and gives the statements that do the same on the server.
pub(crate) fn change(rng: &mut Rng, model: &mut Model) -> (String, Effect) {
    if model.tables.len() < 2 {
        return create(rng, model);
    }
    let at = rng.below(model.tables.len());
    for _ in 0..20 {
        let done = match rng.below(100) {
            0..12 => Some(create(rng, model)),
            12..18 if model.drops && model.tables.len() > 2 => Some(drop_table(model, at)),
            18..34 => Some(add(rng, model, at)),
            34..40 => Some(add_with_other_values(rng, model, at)),
            40..53 => drop_column(rng, model, at).map(changing),
            53..64 => Some(changing(rename(rng, model, at))),
            64..70 if is_noticed(model, at) => Some(changing(rename_table(rng, model, at))),
            70..84 => alter(rng, model, at).map(changing),
            84..88 => replace(rng, model, at).map(changing),
            88..92 => exchange(rng, model, at).map(changing),
            92..96 => identity(rng, model, at).map(|sql| (sql, Effect::Additive)),
            _ if is_noticed(model, at) => move_table(model, at).map(changing),
            _ => None,
        };
        if let Some(done) = done {
            return done;
        }
    }
    add(rng, model, at)
}

/// Whether another name of a table is noticed. Without reports of DDL, Postgres tells none of the root
/// of partitions until the next connection.
fn is_noticed(model: &Model, at: usize) -> bool {
    model.drops || !model.tables[at].partitioned
}

fn changing(sql: String) -> (String, Effect) {
    (sql, Effect::Changing)
}

pub(crate) fn create(rng: &mut Rng, model: &mut Model) -> (String, Effect) {
    let table = model.new_table(rng);
    let sql = table.create();
    model.tables.push(table);
    (sql, Effect::Additive)
}

fn drop_table(model: &mut Model, at: usize) -> (String, Effect) {
    changing(format!("drop table {}", model.tables.remove(at).sql()))
}

/// A column in which all rows have the same.
fn add(rng: &mut Rng, model: &mut Model, at: usize) -> (String, Effect) {
    let mut column = model.new_column(rng);
    let default = match rng.chance(60) {
        true => {
            // A subquery cannot be a default.
            let literal = (column.kind().literal)(rng);
            if literal.contains("select") { None } else { Some(literal) }
        }
        false => None,
    };
    column.not_null &= default.is_some();
    let default = default.map(|value| format!(" default {value}")).unwrap_or_default();
    let sql = added(&model.tables[at], &column, &default);
    model.tables[at].columns.push(column);
    (sql, Effect::Additive)
}

fn added(table: &Table, column: &Column, default: &str) -> String {
    let not_null = if column.not_null { " not null" } else { "" };
    let (name, kind) = (column.quoted(), column.kind().name);
    format!("alter table {} add column {name} {kind}{not_null}{default}", table.sql())
}

/// A column in which each row has something else.
fn add_with_other_values(rng: &mut Rng, model: &mut Model, at: usize) -> (String, Effect) {
    let mut column = model.new_column(rng);
    let (kind, default) = *rng.pick(&[
        ("timestamptz", "clock_timestamp()"),
        ("uuid", "gen_random_uuid()"),
        ("int4", "(random() * 100)::int"),
    ]);
    column.set_kind(kind);
    let sql = added(&model.tables[at], &column, &format!(" default {default}"));
    model.tables[at].columns.push(column);
    (sql, Effect::Changing)
}

/// A column that is no key's, and on which nothing depends.
fn free_column(rng: &mut Rng, table: &Table) -> Option<usize> {
    let free = |at: &usize| !table.columns[*at].joins && !table.columns[*at].generated;
    let free: Vec<usize> = (table.key_columns..table.columns.len()).filter(free).collect();
    (!free.is_empty()).then(|| *rng.pick(&free))
}

fn drop_column(rng: &mut Rng, model: &mut Model, at: usize) -> Option<String> {
    let table = &mut model.tables[at];
    let column = free_column(rng, table)?;
    let column = table.columns.remove(column);
    Some(format!("alter table {} drop column {}", table.sql(), column.quoted()))
}

fn rename(rng: &mut Rng, model: &mut Model, at: usize) -> String {
    let name = model.new_name(&["renamed", "Re Named"], rng);
    let table = &mut model.tables[at];
    let place = rng.below(table.columns.len());
    let was = std::mem::replace(&mut table.columns[place].name, name.clone());
    format!("alter table {} rename column {} to {}", table.sql(), quoted(&was), quoted(&name))
}

fn rename_table(rng: &mut Rng, model: &mut Model, at: usize) -> String {
    let name = model.new_table_name(rng);
    let was = model.tables[at].sql();
    model.tables[at].name = name.clone();
    format!("alter table {was} rename to {}", quoted(&name))
}

fn alter(rng: &mut Rng, model: &mut Model, at: usize) -> Option<String> {
    let table = &mut model.tables[at];
    let place = free_column(rng, table)?;
    let column = &mut table.columns[place];
    let fitting: Vec<_> =
        ALTERATIONS.iter().filter(|(from, ..)| *from == column.kind().name).collect();
    if fitting.is_empty() {
        return None;
    }
    let (_, to, using) = **rng.pick(&fitting);
    let name = column.quoted();
    let using = using.replace('$', &name);
    column.set_kind(to);
    // A default may be of no use to the new type.
    Some(format!(
        "alter table {0} alter column {name} drop default; alter table {0} alter column {name} type {to}{using}",
        model.tables[at].sql()
    ))
}

/// Drops a column and adds another with its name.
fn replace(rng: &mut Rng, model: &mut Model, at: usize) -> Option<String> {
    let place = free_column(rng, &model.tables[at])?;
    let mut column = model.new_column(rng);
    let table = &mut model.tables[at];
    let was = table.columns.remove(place);
    (column.name, column.not_null) = (was.name, false);
    let sql = format!("alter table {} drop column {}", table.sql(), column.quoted());
    let sql = format!("{sql}; {}", added(table, &column, ""));
    table.columns.push(column);
    Some(sql)
}

/// Exchanges the names of two columns.
fn exchange(rng: &mut Rng, model: &mut Model, at: usize) -> Option<String> {
    let table = &mut model.tables[at];
    let (a, b) = (free_column(rng, table)?, free_column(rng, table)?);
    if a == b {
        return None;
    }
    let (name_a, name_b) = (table.columns[a].name.clone(), table.columns[b].name.clone());
    (table.columns[a].name, table.columns[b].name) = (name_b.clone(), name_a.clone());
    let rename = |from: &str, to: &str| {
        format!("alter table {} rename column {} to {}", table.sql(), quoted(from), quoted(to))
    };
    let steps = [rename(&name_a, "between"), rename(&name_b, &name_a), rename("between", &name_b)];
    Some(steps.join("; "))
}

fn identity(rng: &mut Rng, model: &mut Model, at: usize) -> Option<String> {
    let table = &mut model.tables[at];
    if table.partitioned || table.identity == Identity::Index {
        return None;
    }
    table.identity = if rng.chance(50) { Identity::Full } else { Identity::Default };
    let identity = if table.identity == Identity::Full { "full" } else { "default" };
    Some(format!("alter table {} replica identity {identity}", table.sql()))
}

fn move_table(model: &mut Model, at: usize) -> Option<String> {
    let table = &mut model.tables[at];
    let was = table.sql();
    table.schema = if table.schema == "public" { "other" } else { "public" };
    Some(format!("alter table {was} set schema {}", table.schema))
}
