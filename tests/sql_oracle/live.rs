//! Runs a case: live queries beside SQLite.

use std::collections::BTreeMap;

use penstock::SqliteSource;
use penstock::{Database, Error, RowInput, SqlParams, Subscription, Transaction, Tree, Value};
use rusqlite::Connection;

use super::case::{Case, Mode};
use super::compare::{difference, shown};
use super::file::File;
use super::oracle::{Oracle, Rows};
use super::schema::{Declared, Table};
use super::script::{Action, Call, Step};
use super::select::{Params, Query, Statement};

/// What came of a case.
#[derive(Default)]
pub(crate) struct Outcome {
    /// For each query that was tried, why it was refused, if it was.
    pub(crate) queries: Vec<(usize, Option<String>)>,
    /// How many results were compared.
    pub(crate) compared: usize,
    /// How many of those had rows.
    pub(crate) with_rows: usize,
    /// How many were not compared, as SQLite raised an error.
    pub(crate) failed_in_sqlite: usize,
    /// How many patches were applied.
    pub(crate) patches: usize,
    /// How many results with lists were compared.
    pub(crate) nested: usize,
    /// How many patches were applied to them.
    pub(crate) nested_patches: usize,
    /// Why queries with lists were refused.
    pub(crate) nested_refused: Vec<String>,
}

/// A live query with the tree that its patches keep.
struct Live {
    query: usize,
    subscription: Subscription,
    tree: Tree,
}

struct Run<'a> {
    case: &'a Case,
    db: Database,
    oracle: Oracle,
    live: Vec<Live>,
    nested: Vec<Live>,
    outcome: Outcome,
}

/// Runs a case; the error says what went wrong.
pub(crate) fn run(case: &Case) -> Result<Outcome, String> {
    let memory = || Connection::open_in_memory().expect("a database in memory");
    let fill = |connection: Connection| {
        let oracle = Oracle::new(connection);
        oracle.run_all(case.schema.ddl().iter().chain(&case.load));
        oracle
    };
    let open = |connection| {
        let source = SqliteSource::from_connection(connection).map_err(Error::from)?;
        Database::builder().with_source(source)
    };
    let file = File::new(case);
    let (db, oracle) = match case.mode {
        Mode::Memory => {
            let db = Database::in_memory(case.schema.memory());
            let oracle = fill(memory());
            let db = db.and_then(|db| take_over(case, &db, &oracle).map(|()| db));
            (db, oracle)
        }
        Mode::Beside => (open(fill(memory()).connection), fill(memory())),
        Mode::File => (open(fill(file.connect()).connection), Oracle::new(file.connect())),
    };
    let db = db.map_err(|error| format!("opening: {error}"))?;
    let (live, nested) = (Vec::new(), Vec::new());
    let mut run = Run { case, db, oracle, live, nested, outcome: Outcome::default() };
    run.subscribe_nested()?;
    for at in 0..=case.steps.len() {
        run.live.retain(|live| case.queries[live.query].live.1 > at);
        for (number, query) in case.queries.iter().enumerate() {
            if query.live.0 == at {
                run.subscribe(number, query)?;
            }
        }
        if let Some(step) = case.steps.get(at) {
            run.step(step).map_err(|problem| format!("transaction {at}: {problem}"))?;
            run.check()
                .and_then(|()| run.check_nested())
                .map_err(|problem| format!("after transaction {at}: {problem}"))?;
        }
    }
    run.live.clear();
    run.nested.clear();
    let usage = run.db.memory_usage().map_err(|error| error.to_string())?;
    if usage.levels != 0 || usage.partitions != 0 {
        return Err(format!("without live queries there is state: {usage:?}"));
    }
    Ok(run.outcome)
}

pub(crate) fn params(statement: &Statement) -> SqlParams {
    match &statement.params {
        Params::Positional(values) => {
            values.iter().fold(SqlParams::new(), |params, value| params.push(value.clone()))
        }
        Params::Named(values) => values
            .iter()
            .fold(SqlParams::new(), |params, (name, value)| params.set(name, value.clone())),
    }
}

impl Run<'_> {
    fn subscribe(&mut self, number: usize, query: &Query) -> Result<(), String> {
        let statement = query.statement();
        if self.oracle.prepares(&statement.sql).is_err() {
            return Ok(());
        }
        match self.db.subscribe_sql(&statement.sql, params(&statement)) {
            Ok(subscription) => {
                self.outcome.queries.push((number, None));
                let tree = subscription.rows();
                self.compare(query, &shown(&tree))
                    .map_err(|problem| format!("at first, {}\n{problem}", statement.sql))?;
                self.live.push(Live { query: number, subscription, tree });
            }
            Err(Error::Query(error)) => {
                self.outcome.queries.push((number, Some(error.to_string())));
            }
            Err(error) => return Err(format!("subscribing to {}: {error}", statement.sql)),
        }
        Ok(())
    }

    /// Compares a result with SQLite's.
    fn compare(&mut self, query: &Query, live: &Rows) -> Result<(), String> {
        let Ok(right) = self.oracle.rows(&query.statement()) else {
            self.outcome.failed_in_sqlite += 1;
            return Ok(());
        };
        self.outcome.compared += 1;
        self.outcome.with_rows += usize::from(!right.1.is_empty());
        difference(live, &right, query.total).map_or(Ok(()), Err)
    }

    fn subscribe_nested(&mut self) -> Result<(), String> {
        for (query, level) in self.case.nested.iter().enumerate() {
            let sql = level.sql();
            match self.db.subscribe_sql(&sql, ()) {
                Ok(subscription) => {
                    let tree = subscription.rows();
                    self.nested.push(Live { query, subscription, tree });
                }
                Err(Error::Query(error)) => self.outcome.nested_refused.push(error.to_string()),
                Err(error) => return Err(format!("subscribing to {sql}: {error}")),
            }
        }
        self.check_nested()
    }

    /// Checks the queries with lists.
    fn check_nested(&mut self) -> Result<(), String> {
        for live in &mut self.nested {
            let level = &self.case.nested[live.query];
            let rows = live.subscription.rows();
            for patch in live.subscription.changes() {
                live.tree.apply(&patch);
                self.outcome.nested_patches += 1;
            }
            if let Some(difference) = level.difference(&rows, &self.oracle, None) {
                return Err(format!("{}\n{difference}", level.sql()));
            }
            if live.tree != rows {
                let wrong = format!("patches make {:?} of what is {rows:?}", live.tree);
                return Err(format!("{}\n{wrong}", level.sql()));
            }
            self.outcome.nested += 1;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let mut live = std::mem::take(&mut self.live);
        for live in &mut live {
            let query = &self.case.queries[live.query];
            let named = |problem: String| format!("{}\n{problem}", query.statement().sql);
            let rows = live.subscription.rows();
            let mut patches = 0;
            for patch in live.subscription.changes() {
                live.tree.apply(&patch);
                patches += 1;
            }
            self.outcome.patches += patches;
            self.compare(query, &shown(&rows)).map_err(named)?;
            if live.tree != rows {
                let named = format!("patches make {:?} of what is {rows:?}", live.tree);
                return Err(format!("{}\n{named}", query.statement().sql));
            }
            if patches > 1 {
                return Err(named(format!("{patches} patches for one transaction")));
            }
        }
        self.live = live;
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match self.case.mode {
            Mode::Memory => self.step_by_rows(step),
            Mode::Beside | Mode::File => self.step_by_statements(step),
        }
    }

    /// A transaction over tables in memory: what SQLite makes of the statements, row by row.
    fn step_by_rows(&mut self, step: &Step) -> Result<(), String> {
        let before = self.tables();
        assert!(self.oracle.connection.execute_batch("BEGIN").is_ok());
        for action in &step.actions {
            self.oracle.act(&self.case.schema, action, &mut Vec::new());
        }
        let after = self.tables();
        let end = if step.rolled_back { "ROLLBACK" } else { "COMMIT" };
        self.oracle.connection.execute_batch(end).map_err(|error| error.to_string())?;
        let outcome = self.db.transaction(|tx| {
            for (table, (before, after)) in
                self.case.schema.tables.iter().zip(before.iter().zip(&after))
            {
                apply_difference(tx, table, before, after)?;
            }
            if step.rolled_back { Err(Error::abort("as told")) } else { Ok(()) }
        });
        agree(step.rolled_back, true, outcome)
    }

    fn tables(&self) -> Vec<Vec<Vec<Value>>> {
        self.case.schema.tables.iter().map(|table| self.oracle.table(table)).collect()
    }

    /// A transaction over a SQLite database, statement by statement.
    fn step_by_statements(&mut self, step: &Step) -> Result<(), String> {
        let mut outcomes = Vec::new();
        let outcome = self.db.transaction(|tx| {
            for action in &step.actions {
                self.act(tx, action, &mut outcomes)?;
            }
            if step.rolled_back { Err(Error::abort("as told")) } else { Ok(()) }
        });
        if self.case.mode == Mode::File {
            return match outcome {
                // Deferred constraints may refuse the whole.
                Err(Error::Aborted(_)) | Ok(()) => Ok(()),
                Err(error) if error.to_string().contains("FOREIGN KEY") => Ok(()),
                Err(error) => Err(error.to_string()),
            };
        }
        let mut right = Vec::new();
        self.oracle.connection.execute_batch("BEGIN").map_err(|error| error.to_string())?;
        for action in &step.actions {
            self.oracle.act(&self.case.schema, action, &mut right);
        }
        if outcomes != right {
            return Err(format!("writes took place: {outcomes:?}, in SQLite {right:?}"));
        }
        let end = if step.rolled_back { "ROLLBACK" } else { "COMMIT" };
        let ended = self.oracle.connection.execute_batch(end).is_ok();
        if !ended {
            self.oracle.connection.execute_batch("ROLLBACK").map_err(|error| error.to_string())?;
        }
        agree(step.rolled_back, ended, outcome)
    }

    /// Makes a write. Adds for each statement and call whether it took place.
    fn act(
        &self,
        tx: &mut Transaction<'_>,
        action: &Action,
        outcomes: &mut Vec<bool>,
    ) -> Result<(), Error> {
        let none: [Value; 0] = [];
        match action {
            Action::Sql(sql) => outcomes.push(tx.execute(sql, none).is_ok()),
            Action::Row { call, table, values } => {
                let table = self.case.schema.table(table);
                let row = values.iter().fold(RowInput::new(), |row, (name, literal)| {
                    row.with(name, typed(table, name, self.oracle.literal(literal)))
                });
                let outcome = match call {
                    Call::Insert => tx.insert(&table.name, row),
                    Call::Update => tx.update(&table.name, row),
                    Call::Upsert => tx.upsert(&table.name, row).map(drop),
                    Call::Delete => tx.delete(&table.name, row),
                };
                outcomes.push(outcome.is_ok());
            }
            Action::Savepoint { actions, undone } => {
                tx.execute("SAVEPOINT s", none.clone())?;
                for action in actions {
                    self.act(tx, action, outcomes)?;
                }
                if *undone {
                    tx.execute("ROLLBACK TO s", none.clone())?;
                }
                tx.execute("RELEASE s", none)?;
            }
        }
        Ok(())
    }
}

/// Whether a transaction ended as it should.
fn agree(rolled_back: bool, right: bool, outcome: Result<(), Error>) -> Result<(), String> {
    match outcome {
        Err(Error::Aborted(_)) if rolled_back => Ok(()),
        Ok(()) if right && !rolled_back => Ok(()),
        Err(_) if !right => Ok(()),
        outcome => Err(format!("it ended with {outcome:?}; SQLite commits: {right}")),
    }
}

/// A value as the row API takes it.
fn typed(table: &Table, column: &str, value: Value) -> Value {
    let column = table.columns.iter().find(|of| of.name == column).expect("a column");
    match (column.declared, value) {
        (Declared::Boolean, Value::Int(value)) => Value::Bool(value != 0),
        (_, value) => value,
    }
}

fn input(table: &Table, row: &[Value]) -> RowInput {
    let values = table.columns.iter().zip(row);
    values.fold(RowInput::new(), |input, (column, value)| {
        input.with(&column.name, typed(table, &column.name, value.clone()))
    })
}

fn by_key<'r>(table: &Table, rows: &'r [Vec<Value>]) -> BTreeMap<Vec<Value>, &'r Vec<Value>> {
    let key = |row: &Vec<Value>| table.key.iter().map(|at| row[*at].clone()).collect();
    rows.iter().map(|row| (key(row), row)).collect()
}

/// Writes what turns one state of a table into another.
fn apply_difference(
    tx: &mut Transaction<'_>,
    table: &Table,
    before: &[Vec<Value>],
    after: &[Vec<Value>],
) -> Result<(), Error> {
    let (before, after) = (by_key(table, before), by_key(table, after));
    for (key, row) in &before {
        match after.get(key) {
            None => tx.delete(&table.name, input(table, row))?,
            Some(new) if new != row => tx.update(&table.name, input(table, new))?,
            Some(_) => {}
        }
    }
    for (key, row) in &after {
        if !before.contains_key(key) {
            tx.insert(&table.name, input(table, row))?;
        }
    }
    Ok(())
}

/// Fills tables in memory with what SQLite has.
fn take_over(case: &Case, db: &Database, oracle: &Oracle) -> Result<(), Error> {
    db.transaction(|tx| {
        for table in &case.schema.tables {
            apply_difference(tx, table, &[], &oracle.table(table))?;
        }
        Ok(())
    })
}
