//! Random transactions.

use super::expression::{Maker, Scope};
use super::kinds::Kinds;
use super::random::Random;
use super::schema::{self, Column, Declared, Schema, Table};

/// A write in a transaction. One that fails is caught, and the transaction goes on.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Sql(String),
    /// A call of the row API: columns with SQL literals of their types.
    Row {
        call: Call,
        table: String,
        values: Vec<(String, String)>,
    },
    Savepoint {
        actions: Vec<Action>,
        undone: bool,
    },
}

/// A method of the row API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Insert,
    Update,
    Upsert,
    Delete,
}

/// A transaction.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) actions: Vec<Action>,
    pub(crate) rolled_back: bool,
}

/// The statements that fill the tables.
pub(crate) fn load(random: &mut Random, schema: &Schema) -> Vec<String> {
    let mut statements = Vec::new();
    for table in &schema.tables {
        let rows = if random.chance(8) { 0 } else { random.range(2, 8) };
        for _ in 0..rows {
            let values = values(random, table, schema.strict);
            let name = &table.name;
            statements.push(format!("INSERT OR IGNORE INTO {name} VALUES ({values})"));
        }
    }
    statements
}

pub(crate) fn step(random: &mut Random, schema: &Schema) -> Step {
    let actions = (0..random.range(1, 4)).map(|_| action(random, schema, true)).collect();
    Step { actions, rolled_back: random.chance(8) }
}

fn action(random: &mut Random, schema: &Schema, outermost: bool) -> Action {
    if outermost && random.chance(8) {
        let count = random.range(1, 3);
        let actions = (0..count).map(|_| action(random, schema, false)).collect();
        return Action::Savepoint { actions, undone: random.chance(60) };
    }
    let table = random.pick(&schema.tables);
    if random.chance(25) {
        return row(random, table);
    }
    Action::Sql(statement(random, schema, table))
}

fn values(random: &mut Random, table: &Table, strict: bool) -> String {
    let values: Vec<String> = (0..table.columns.len())
        .map(|at| {
            let column = &table.columns[at];
            if table.key.contains(&at) { key(random, column) } else { column.value(random, strict) }
        })
        .collect();
    values.join(", ")
}

/// A value of a key's column: one of few, so that keys meet.
fn key(random: &mut Random, column: &Column) -> String {
    match column.declared {
        Declared::Integer => (random.below(10) as i64).to_string(),
        _ => schema::text(random),
    }
}

fn row(random: &mut Random, table: &Table) -> Action {
    let call = *random.pick(&[Call::Insert, Call::Update, Call::Upsert, Call::Delete]);
    let mut values = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        let is_key = table.key.contains(&at);
        if is_key {
            values.push((column.name.clone(), key(random, column)));
        } else if call != Call::Delete && (call != Call::Update || random.chance(50)) {
            values.push((column.name.clone(), column.value(random, true)));
        }
    }
    Action::Row { call, table: table.name.clone(), values }
}

fn statement(random: &mut Random, schema: &Schema, table: &Table) -> String {
    let name = &table.name;
    let strict = schema.strict;
    match random.weighted(&[22, 8, 8, 10, 26, 6, 14, 2, 10]) {
        at @ 0..=2 => {
            let or = ["", " OR REPLACE", " OR IGNORE"][at];
            let rows: Vec<String> = (0..random.range(1, 3))
                .map(|_| format!("({})", values(random, table, strict)))
                .collect();
            format!("INSERT{or} INTO {name} VALUES {}", rows.join(", "))
        }
        3 => {
            let keys: Vec<&str> = table.key_names().collect();
            let free = &table.columns[table.key.len()..];
            let column = random.pick(free).name.clone();
            let values = values(random, table, strict);
            let action = match random.below(3) {
                0 => "NOTHING".to_owned(),
                1 => format!("UPDATE SET {column} = excluded.{column}"),
                _ => {
                    format!("UPDATE SET {column} = excluded.{column} WHERE {name}.{column} IS NULL")
                }
            };
            format!(
                "INSERT INTO {name} VALUES ({values}) ON CONFLICT ({}) DO {action}",
                keys.join(", ")
            )
        }
        at @ (4 | 5) => {
            let or = match (at, random.below(2)) {
                (4, _) => "",
                (_, 0) => " OR REPLACE",
                _ => " OR IGNORE",
            };
            let mut set = Vec::new();
            for _ in 0..random.range(1, 2) {
                let column = match random.chance(12) {
                    true => &table.columns[table.key[0]],
                    false => random.pick(&table.columns[table.key.len()..]),
                };
                let value = new_value(random, schema, table, column);
                set.push(format!("{} = {value}", column.name));
            }
            let condition = condition(random, schema, table);
            format!("UPDATE{or} {name} SET {}{condition}", set.join(", "))
        }
        6 => format!("DELETE FROM {name}{}", condition(random, schema, table)),
        7 => format!("DELETE FROM {name}"),
        _ => {
            let from = random.pick(&schema.tables);
            let or = *random.pick(&[" OR IGNORE", " OR REPLACE", ""]);
            let items: Vec<String> = (0..table.columns.len())
                .map(|at| {
                    let column = &table.columns[at];
                    let same = |other: &&Column| other.declared == column.declared;
                    let sources: Vec<&Column> = from.columns.iter().filter(same).collect();
                    if sources.is_empty() || (!strict && random.chance(30)) {
                        return match table.key.contains(&at) {
                            true => key(random, column),
                            false => column.value(random, strict),
                        };
                    }
                    let source = format!("s1.{}", random.pick(&sources).name);
                    match column.declared {
                        Declared::Integer if random.chance(40) => format!("{source} + 3"),
                        _ => source,
                    }
                })
                .collect();
            let items = items.join(", ");
            format!("INSERT{or} INTO {name} SELECT {items} FROM {} AS s1", from.name)
        }
    }
}

/// What a column is set to.
fn new_value(random: &mut Random, schema: &Schema, table: &Table, column: &Column) -> String {
    let is_key = table.key_names().any(|name| name == column.name);
    match random.below(10) {
        0..=2 if column.declared == Declared::Integer => format!("{} + 1", column.name),
        3 | 4 if !schema.strict && !is_key && column.declared != Declared::Boolean => {
            let (sql, kinds) =
                maker(random, schema, |maker, scope| maker.expression(scope, 2), table);
            // In a column that is not of reals, equal numbers are the same.
            let real = column.declared == Declared::Real;
            let bad = if real { Kinds::ROUNDED } else { Kinds::REAL | Kinds::ROUNDED };
            if kinds.has(bad) { column.value(random, false) } else { sql }
        }
        _ if is_key => key(random, column),
        _ => column.value(random, schema.strict),
    }
}

fn condition(random: &mut Random, schema: &Schema, table: &Table) -> String {
    if random.chance(45) {
        let column = &table.columns[table.key[0]];
        let operator = random.pick(&["=", "=", "<", ">="]);
        return format!(" WHERE {} {operator} {}", column.name, key(random, column));
    }
    format!(" WHERE {}", maker(random, schema, |maker, scope| maker.predicate(scope, 1), table))
}

fn maker<T>(
    random: &mut Random,
    schema: &Schema,
    make: impl FnOnce(&mut Maker<'_>, &Scope) -> T,
    table: &Table,
) -> T {
    let mut maker = Maker {
        random,
        schema,
        features: std::collections::BTreeSet::new(),
        params: Vec::new(),
        parameters: 0,
        aliases: 0,
        ctes: Vec::new(),
    };
    let atoms = maker.columns(table, &table.name);
    make(&mut maker, &Scope { atoms, subqueries: 1 })
}
