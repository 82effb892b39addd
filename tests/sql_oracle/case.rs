//! A case: a schema, data, queries, and transactions.

use rusqlite::Connection;

use super::nested::{Level, nested};
use super::oracle::Oracle;
use super::query::query;
use super::random::Random;
use super::schema::{self, Schema, Table};
use super::script::{self, Action, Step};
use super::select::Query;

/// What the live queries are over, and what SQLite is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Tables in memory; a database of SQLite's own, from which changes are taken over.
    Memory,
    /// A SQLite database; another one that gets the same statements.
    Beside,
    /// A SQLite file; another connection to it.
    File,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    pub(crate) schema: Schema,
    pub(crate) load: Vec<String>,
    pub(crate) queries: Vec<Query>,
    pub(crate) steps: Vec<Step>,
    pub(crate) nested: Vec<Level>,
}

/// The case of a seed.
pub(crate) fn case(seed: u64) -> Case {
    let random = &mut Random::new(seed);
    let mut mode = [Mode::Memory, Mode::Beside, Mode::File][random.weighted(&[45, 40, 15])];
    let schema = schema::schema(random, mode == Mode::Memory);
    let unordered = |table: &Table| !table.unique.is_empty() || table.foreign.is_some();
    if mode == Mode::Beside && schema.tables.iter().any(unordered) {
        // Which rows clash in a statement depends on the order in which it comes to them, and
        // what a cascade writes to while a statement reads it may be read or not.
        mode = Mode::File;
    }
    let load = script::load(random, &schema);
    let count = random.range(2, 6);
    let steps: Vec<Step> = (0..count).map(|_| script::step(random, &schema)).collect();
    let oracle = Oracle::new(Connection::open_in_memory().expect("a database in memory"));
    oracle.run_all(schema.ddl().iter().chain(&load));
    let queries = (0..random.range(1, 4))
        .map(|_| {
            let mut query = taken(random, &schema, &oracle);
            if random.chance(30) {
                let from = random.below(count);
                query.live = (from, random.range(from + 1, count));
            }
            query
        })
        .collect();
    let nested = (0..usize::from(random.chance(30))).map(|_| nested(random, &schema)).collect();
    Case { seed, mode, schema, load, queries, steps, nested }
}

/// A query that SQLite takes, and mostly one that has rows.
fn taken(random: &mut Random, schema: &Schema, oracle: &Oracle) -> Query {
    let tries = if random.chance(85) { 6 } else { 1 };
    let mut last = None;
    for at in 0.. {
        let query = query(random, schema);
        let statement = query.statement();
        if oracle.prepares(&statement.sql).is_ok() {
            let rows = oracle.rows(&statement).map_or(0, |(_, rows)| rows.len());
            last = Some(query);
            if (1..400).contains(&rows) {
                break;
            }
        }
        if at >= tries && last.is_some() {
            break;
        }
    }
    last.expect("a query that SQLite takes")
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "-- seed {}, {:?}", self.seed, self.mode)?;
        for statement in self.schema.ddl().iter().chain(&self.load) {
            writeln!(f, "{statement};")?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            writeln!(f, "-- transaction {at}")?;
            writeln!(f, "BEGIN;")?;
            write_actions(&step.actions, f)?;
            writeln!(f, "{};", if step.rolled_back { "ROLLBACK" } else { "COMMIT" })?;
        }
        for level in &self.nested {
            writeln!(f, "-- live\n{};", level.sql())?;
        }
        for query in &self.queries {
            let statement = query.statement();
            writeln!(f, "-- live before {} and until {}", query.live.0, query.live.1)?;
            writeln!(f, "{};", statement.sql)?;
            match statement.params {
                super::select::Params::Positional(values) if values.is_empty() => {}
                super::select::Params::Named(values) if values.is_empty() => {}
                super::select::Params::Positional(values) => writeln!(f, "-- with {values:?}")?,
                super::select::Params::Named(values) => writeln!(f, "-- with {values:?}")?,
            }
        }
        Ok(())
    }
}

fn write_actions(actions: &[Action], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for action in actions {
        match action {
            Action::Sql(sql) => writeln!(f, "{sql};")?,
            Action::Row { call, table, values } => {
                writeln!(f, "-- {call:?} into {table}: {values:?}")?;
            }
            Action::Savepoint { actions, undone } => {
                writeln!(f, "SAVEPOINT s;")?;
                write_actions(actions, f)?;
                writeln!(f, "{}RELEASE s;", if *undone { "ROLLBACK TO s; " } else { "" })?;
            }
        }
    }
    Ok(())
}
