//! Transactions: writes, statements of the application, and what they amount to.

use penstock_operators::delta::{Batch, Delta};
use penstock_operators::key::{Key, decode};
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::source::{ApplyError, At, Change, Source, SourceError};
use penstock_operators::value::{Value, ValueRef};
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch as Statements, Connection, ToSql};

use super::error::failure;
use super::value::Bound;
use super::{SqliteSource, State, constraint};

// The comments keep the application's statements from finding these in the cache of statements,
// where the guard would not be asked about them.
const BEGIN: &str = "/* penstock */ BEGIN IMMEDIATE";
const COMMIT: &str = "/* penstock */ COMMIT";
const ROLLBACK: &str = "/* penstock */ ROLLBACK";

/// How many of the application's statements are remembered as single ones.
const KNOWN_STATEMENTS_MAX: usize = 512;

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
        self.capture.lock().touched.clear();
        self.state = State::Open;
        self.look().inspect_err(|_| self.roll_back())
    }

    pub(super) fn write_change(&mut self, change: Change) -> Result<(), ApplyError> {
        self.expect_open("a write")?;
        let (Change::Insert { table, .. }
        | Change::Update { table, .. }
        | Change::Delete { table, .. }) = change;
        self.info(table)?;
        self.capture.probe(self.may_replace);
        match change {
            Change::Insert { table, row } => self.insert(table, &row),
            Change::Update { table, key, row } => self.update(table, &key, &row),
            Change::Delete { table, key } => self.delete(table, &key),
        }
    }

    fn insert(&mut self, id: TableId, row: &Row) -> Result<(), ApplyError> {
        self.check(id, row, None)?;
        let info = &self.tables[id.0 as usize];
        let written = info.written.iter().map(|column| row.get(*column));
        let outcome = execute_cached(&self.connection, &info.insert, written);
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(self.apply_error(id, "inserting into", Some(row), &error)),
        }
    }

    fn update(&mut self, id: TableId, key: &Key, row: &Row) -> Result<(), ApplyError> {
        let Some(old) = self.get(At::After, id, key)? else {
            return Err(self.missing(id, key, "update"));
        };
        self.check(id, row, Some(&old))?;
        let info = &self.tables[id.0 as usize];
        let changed = old.changed_columns(row);
        let columns: Vec<usize> =
            info.written.iter().copied().filter(|column| changed.contains(*column)).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let key = self.key_values(id, key)?;
        let values = columns.iter().map(|column| row.get(*column));
        let values = values.chain(key.iter().map(Value::as_ref));
        let outcome = execute_cached(&self.connection, &info.update(&columns), values);
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(self.apply_error(id, "updating", Some(row), &error)),
        }
    }

    fn delete(&mut self, id: TableId, key: &Key) -> Result<(), ApplyError> {
        let values = self.key_values(id, key)?;
        let info = &self.tables[id.0 as usize];
        // A value that SQLite would convert for the comparison could meet another row.
        if self.get(At::After, id, key)?.is_none() {
            return Err(self.missing(id, key, "delete"));
        }
        let outcome =
            execute_cached(&self.connection, &info.delete, values.iter().map(Value::as_ref));
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(self.apply_error(id, "deleting from", None, &error)),
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

    /// Runs one statement of the application, with values for its parameters in order, and returns
    /// how many rows it changed, without those of triggers. Rows that it returns are passed over.
    ///
    /// # Errors
    /// Without a transaction in flight; a statement that SQLite refuses, that begins or ends
    /// transactions or changes the schema; more than one statement. What the statement has changed
    /// by then is undone, unless SQLite has rolled back the whole transaction, which the error
    /// then says.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<usize, SourceError> {
        self.expect_open("a statement")?;
        let known = self.statements.get(sql).copied();
        let replaces = known.unwrap_or_else(|| contains_replace(sql));
        if known.is_none() {
            self.watched(replaces, |connection| expect_single(connection, sql))?;
            if self.statements.len() >= KNOWN_STATEMENTS_MAX {
                self.statements.clear();
            }
            self.statements.insert(sql.into(), replaces);
        }
        self.watched(replaces, |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let expected = statement.parameter_count();
            if expected != values.len() {
                return Err(rusqlite::Error::InvalidParameterCount(values.len(), expected));
            }
            for (at, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(at + 1, Bound(value.as_ref()))?;
            }
            let reads = statement.readonly();
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            drop(rows);
            Ok(if reads { 0 } else { connection.changes() as usize })
        })
    }

    /// Runs statements of the application one after the other, up to the first that fails.
    ///
    /// # Errors
    /// As [`execute`](SqliteSource::execute); the statements before it stay done.
    pub fn execute_batch(&mut self, sql: &str) -> Result<(), SourceError> {
        self.expect_open("a statement")?;
        self.watched(contains_replace(sql), |connection| connection.execute_batch(sql))
    }

    /// Hands the connection to a closure, within a transaction: for statements that return rows,
    /// incremental blobs or functions of SQLite that have no other way in.
    ///
    /// # Errors
    /// As [`execute`](SqliteSource::execute), and what the closure says.
    pub fn with_connection<T>(
        &mut self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SourceError> {
        self.expect_open("a statement")?;
        self.watched(true, run)
    }

    /// Runs something of the application's, which the guard watches.
    fn watched<T>(
        &mut self,
        replaces: bool,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SourceError> {
        self.capture.probe(self.may_replace || replaces);
        self.guard.watch(true);
        // A panic of the closure rolls the transaction back, which ends the watch too.
        let outcome = run(&self.connection);
        self.guard.watch(false);
        let refusal = self.guard.refusal();
        let outcome = outcome.map_err(|error| match refusal {
            Some(reason) => SourceError { context: format!("{}: a statement", self.file), reason },
            None => failure(&self.file, "a statement", &error),
        });
        self.check_alive(outcome.as_ref().err());
        match self.lost() {
            Some(error) => Err(error),
            None => outcome,
        }
    }

    /// Notices where SQLite has rolled back the transaction by itself.
    fn check_alive(&mut self, error: Option<&SourceError>) {
        if self.state == State::Open && self.connection.is_autocommit() {
            self.state = State::Lost;
            self.lost_reason = error.map_or_else(String::new, |error| error.reason.clone());
        }
    }

    pub(super) fn lost(&self) -> Option<SourceError> {
        (self.state == State::Lost).then(|| {
            self.refused(&format!(
                "the whole transaction was rolled back by a statement or trigger: {}",
                self.lost_reason
            ))
        })
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
        let batch = self.changes(&self.capture.lock().touched)?;
        self.state = State::Finished;
        Ok(batch)
    }

    /// The differences of touched rows between what they were and what they are.
    pub(super) fn changes(&self, touched: &super::capture::Touched) -> Result<Batch, SourceError> {
        let mut batch = Batch::new();
        for ((table, key), old) in touched {
            let delta = match (old, self.reader().get(self.info(*table)?, key)?) {
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
        self.capture.lock().touched.clear();
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
        self.capture.lock().touched.clear();
        self.rolled_back();
    }

    /// Runs a statement of our own without parameters or rows.
    pub(super) fn run(&self, sql: &str, operation: &str) -> Result<(), SourceError> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute().map(drop);
        run().map_err(|error| failure(&self.file, operation, &error))
    }

    fn expect_open(&self, what: &str) -> Result<(), SourceError> {
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

fn contains_replace(sql: &str) -> bool {
    sql.as_bytes().windows(7).any(|window| window.eq_ignore_ascii_case(b"replace"))
}

/// Checks that a text is one statement.
fn expect_single(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statements = Statements::new(connection, sql);
    match (statements.next()?, statements.next()?) {
        (Some(_), None) => Ok(()),
        (None, _) => Err(misuse("there is no statement in the text")),
        (Some(_), Some(_)) => {
            Err(misuse("there is more than one statement in the text; use execute_batch"))
        }
    }
}

fn misuse(problem: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(problem.into())
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
