//! Transactions: writes, statements of the application, and what they amount to.

use std::sync::Arc;

use penstock_operators::delta::{Batch, Delta};
use penstock_operators::key::{Key, decode};
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::source::{ApplyError, At, Change, Source, SourceError};
use penstock_operators::value::{Value, ValueRef};
use rusqlite::{Connection, ToSql};

use super::capture::Touched;
use super::error::failure;
use super::value::Bound;
use super::{SqliteSource, State, constraint};

// The comments keep the application's statements from finding these in the cache of statements,
// where the guard would not be asked about them.
const BEGIN: &str = "/* penstock */ BEGIN IMMEDIATE";
const COMMIT: &str = "/* penstock */ COMMIT";
const ROLLBACK: &str = "/* penstock */ ROLLBACK";

/// How many statements of updates are kept, by the columns that they change.
const UPDATES_MAX: usize = 64;

impl SqliteSource {
    pub(super) fn begin_transaction(&mut self) -> Result<(), SourceError> {
        match self.state {
            State::Idle => {}
            State::Reading => {
                return Err(self.refused("a transaction cannot start within a read; end it first"));
            }
            _ => {
                return Err(self.refused(
                    "a transaction cannot start while a transaction is in flight; commit it or \
                     roll it back first",
                ));
            }
        }
        self.run(BEGIN, "beginning a transaction")?;
        self.capture.lock().clear();
        self.last_read.take();
        self.state = State::Open;
        self.look().inspect_err(|_| self.roll_back())
    }

    pub(super) fn write_change(&mut self, change: Change) -> Result<(), ApplyError> {
        self.expect_open("a write")?;
        self.expect_known_schema("a write")?;
        let (Change::Insert { table, .. }
        | Change::Update { table, .. }
        | Change::Delete { table, .. }) = change;
        self.info(table)?;
        self.capture.probe(self.may_replace);
        let done = match change {
            Change::Insert { table, row } => self.insert(table, &row),
            Change::Update { table, key, row } => self.update(table, &key, &row),
            Change::Delete { table, key } => self.delete(table, &key),
        };
        self.last_read.take();
        done
    }

    fn insert(&mut self, id: TableId, row: &Row) -> Result<(), ApplyError> {
        self.check(id, row, None)?;
        let info = &self.tables[id.0 as usize];
        let written = info.written.iter().map(|column| row.get(*column));
        let events = self.capture.lock().events;
        match execute_cached(&self.connection, &info.insert, written) {
            Ok(changed) => {
                let key = info.key_spec.key(row);
                self.know(id, changed, events, &[(key, Some(row))]);
                Ok(())
            }
            Err(error) => Err(self.apply_error(id, "inserting into", Some(row), &error)),
        }
    }

    fn update(&mut self, id: TableId, key: &Key, row: &Row) -> Result<(), ApplyError> {
        let Some(old) = self.remembered(id, key)? else {
            return Err(self.missing(id, key, "update"));
        };
        self.check(id, row, Some(&old))?;
        let info = Arc::clone(&self.tables[id.0 as usize]);
        let changed = old.changed_columns(row);
        let columns: Vec<usize> =
            info.written.iter().copied().filter(|column| changed.contains(*column)).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let values = self.key_values(id, key)?;
        let statement = self.update_statement(id, &columns);
        let all = columns.iter().map(|column| row.get(*column));
        let all = all.chain(values.iter().map(Value::as_ref));
        let events = self.capture.lock().events;
        match execute_cached(&self.connection, &statement, all) {
            Ok(changed) => {
                let new_key = info.key_spec.key(row);
                if new_key == *key {
                    self.know(id, changed, events, &[(new_key, Some(row))]);
                } else {
                    self.know(id, changed, events, &[(key.clone(), None), (new_key, Some(row))]);
                }
                Ok(())
            }
            Err(error) => Err(self.apply_error(id, "updating", Some(row), &error)),
        }
    }

    /// The statement that updates some columns of a row.
    fn update_statement(&mut self, id: TableId, columns: &[usize]) -> Arc<str> {
        let known = self.updates.iter().find(|(table, of, _)| *table == id && **of == *columns);
        if let Some((.., statement)) = known {
            return Arc::clone(statement);
        }
        if self.updates.len() == UPDATES_MAX {
            self.updates.clear();
        }
        let statement: Arc<str> = self.tables[id.0 as usize].update(columns).into();
        self.updates.push((id, columns.into(), Arc::clone(&statement)));
        statement
    }

    fn delete(&mut self, id: TableId, key: &Key) -> Result<(), ApplyError> {
        let values = self.key_values(id, key)?;
        let info = &self.tables[id.0 as usize];
        // A value that SQLite would convert for the comparison could meet another row.
        if !info.is_native(&values) && self.remembered(id, key)?.is_none() {
            return Err(self.missing(id, key, "delete"));
        }
        let info = &self.tables[id.0 as usize];
        let events = self.capture.lock().events;
        match execute_cached(&self.connection, &info.delete, values.iter().map(Value::as_ref)) {
            // A trigger may have kept it.
            Ok(0) if self.get(At::After, id, key)?.is_none() => {
                Err(self.missing(id, key, "delete"))
            }
            Ok(changed) => {
                self.know(id, changed, events, &[(key.clone(), None)]);
                Ok(())
            }
            Err(error) => Err(self.apply_error(id, "deleting from", None, &error)),
        }
    }

    /// The row of a key; without a look-up where it is the one that was read last.
    fn remembered(&self, id: TableId, key: &Key) -> Result<Option<Row>, SourceError> {
        match self.last_read.take() {
            Some((table, of, row)) if table == id && of == *key => Ok(Some(row)),
            _ => self.get(At::After, id, key),
        }
    }

    /// Notes the rows that a write has left, where SQLite stores what it is given and nothing else
    /// was touched on the way, so that they need not be read again.
    fn know(&self, id: TableId, changed: usize, events: u64, rows: &[(Key, Option<&Row>)]) {
        let info = &self.tables[id.0 as usize];
        let mut capture = self.capture.lock();
        let alone = changed == 1 && capture.events == events + 1;
        if alone && info.is_plain && rows.iter().all(|(_, row)| info.stores(*row)) {
            for (key, row) in rows {
                capture.known.insert((id, key.clone()), row.cloned());
            }
        }
    }

    fn key_values(&self, id: TableId, key: &Key) -> Result<Vec<Value>, SourceError> {
        let info = self.info(id)?;
        decode(key, &info.key_directions).map_err(|_| SourceError {
            context: format!("table \"{}\"", info.name),
            reason: "the key of a write is not an encoding of the values it needs".to_owned(),
        })
    }

    fn missing(&self, id: TableId, key: &Key, operation: &'static str) -> ApplyError {
        let schema = self.schema.table(id);
        let (table, key) = (schema.name().to_owned(), schema.describe_encoded_key(key));
        ApplyError::MissingRow { table, key, operation }
    }

    /// Checks a row, but for generated columns and for values that the old row has: those may be
    /// of another type than the column's, as SQLite lets them.
    fn check(&self, id: TableId, row: &Row, old: Option<&Row>) -> Result<(), ApplyError> {
        let (schema, info) = (self.schema.table(id), &self.tables[id.0 as usize]);
        let Err(problem) = schema.check_row(row) else { return Ok(()) };
        let bad = || ApplyError::BadRow { table: schema.name().to_owned(), problem };
        if row.len() != info.columns.len() {
            return Err(bad());
        }
        let fits = |(at, value): (usize, ValueRef<'_>)| {
            let column = &schema.columns()[at];
            info.columns[at].generated
                || old.is_some_and(|old| same(old.get(at), value))
                || if value.is_null() { column.nullable } else { column.column_type.accepts(value) }
        };
        if row.values().enumerate().all(fits) { Ok(()) } else { Err(bad()) }
    }

    /// What a failing write means.
    fn apply_error(
        &mut self,
        id: TableId,
        operation: &str,
        row: Option<&Row>,
        error: &rusqlite::Error,
    ) -> ApplyError {
        let name = self.tables[id.0 as usize].name.clone();
        let plain = failure(&self.file, &format!("{operation} table \"{name}\""), error);
        self.check_alive(Some(&plain));
        if let Some(lost) = self.lost() {
            return lost.into();
        }
        constraint::refusal(self, id, row, error).unwrap_or(ApplyError::Source(plain))
    }

    /// What the transaction amounts to: every touched row is read again.
    pub(super) fn finish_transaction(&mut self) -> Result<Batch, ApplyError> {
        if let Some(lost) = self.lost() {
            return Err(lost.into());
        }
        if !matches!(self.state, State::Open | State::Finished) {
            return Err(self
                .refused("a finish needs a transaction in flight; begin one first")
                .into());
        }
        let batch = if self.altered {
            Batch::new()
        } else {
            let capture = self.capture.lock();
            self.changes(&capture.touched, &capture.known)?
        };
        self.state = State::Finished;
        Ok(batch)
    }

    /// The differences of touched rows between what they were and what they are, which is read
    /// where it is not known.
    pub(super) fn changes(&self, touched: &Touched, known: &Touched) -> Result<Batch, SourceError> {
        let mut batch = Batch::new();
        for (of, old) in touched {
            let now = match known.get(of) {
                Some(row) => row.clone(),
                None => self.reader().get(self.info(of.0)?, &of.1)?,
            };
            let table = &of.0;
            let delta = match (old, now) {
                (None, None) => None,
                (None, Some(new)) => Some(Delta::insert(new)),
                (Some(old), None) => Some(Delta::delete(old.clone())),
                (Some(old), Some(new)) => Delta::update(old.clone(), new),
            };
            if let Some(delta) = delta {
                batch.push(*table, delta);
            }
        }
        Ok(batch)
    }

    pub(super) fn commit_transaction(&mut self) -> Result<(), SourceError> {
        match self.state {
            State::Finished => {}
            State::Open => {
                return Err(self.refused("a commit needs a finished transaction; finish it first"));
            }
            State::Lost => return Err(self.refused("the transaction was rolled back")),
            State::Idle | State::Reading => {
                return Err(self.refused("a commit needs a transaction in flight; begin one first"));
            }
        }
        self.before_commit()?;
        self.run(COMMIT, "committing a transaction")?;
        self.state = State::Idle;
        self.capture.lock().clear();
        self.end_altering(true);
        self.committed();
        Ok(())
    }

    pub(super) fn roll_back(&mut self) {
        self.guard.watch(false);
        if !matches!(self.state, State::Open | State::Finished | State::Lost) {
            return;
        }
        if !self.connection.is_autocommit() {
            // Only a broken file makes this fail, and then the connection is rolled back anyway.
            let _ = self.run(ROLLBACK, "rolling back a transaction");
        }
        self.state = State::Idle;
        self.capture.lock().clear();
        self.end_altering(false);
        self.rolled_back();
    }

    /// Runs a statement of our own without parameters or rows.
    pub(super) fn run(&self, sql: &str, operation: &str) -> Result<(), SourceError> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute().map(drop);
        run().map_err(|error| failure(&self.file, operation, &error))
    }

    pub(super) fn expect_open(&self, what: &str) -> Result<(), SourceError> {
        match self.state {
            State::Open if self.stale => Err(self.refused(
                "another connection has changed the schema, which has to be followed first",
            )),
            State::Open => Ok(()),
            State::Idle | State::Reading => {
                Err(self.refused(&format!("{what} needs a transaction in flight; begin one first")))
            }
            State::Finished => Err(self.refused(&format!(
                "{what} comes too late, the transaction is finished; commit it or roll it back"
            ))),
            State::Lost => match self.lost() {
                Some(error) => Err(error),
                None => Ok(()),
            },
        }
    }

    pub(super) fn refused(&self, reason: &str) -> SourceError {
        SourceError { context: self.file.to_string(), reason: reason.to_owned() }
    }
}

/// Whether two values are stored alike.
fn same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    a.type_name() == b.type_name() && a == b
}

fn execute_cached<'v>(
    connection: &Connection,
    sql: &str,
    values: impl Iterator<Item = ValueRef<'v>>,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(sql)?;
    for (at, value) in values.enumerate() {
        let bound: &dyn ToSql = &Bound(value);
        statement.raw_bind_parameter(at + 1, bound)?;
    }
    statement.raw_execute()
}
