//! Statements of the application within a transaction.

use penstock_operators::source::{ApplyError, SourceError};
use penstock_operators::value::Value;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch as Statements, Connection};

use super::error::failure;
use super::value::Bound;
use super::{SqliteSource, State, constraint};

/// How many of the application's statements are remembered as single ones.
const KNOWN_STATEMENTS_MAX: usize = 512;

impl SqliteSource {
    /// Runs one statement of the application, with values for its parameters in order, and returns
    /// how many rows it changed, without those of triggers. Rows that it returns are passed over.
    ///
    /// # Errors
    /// Without a transaction in flight; a statement that SQLite refuses, that begins or ends
    /// transactions or changes the schema; more than one statement. What the statement has changed
    /// by then is undone, unless SQLite has rolled back the whole transaction, which the error
    /// then says.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<usize, ApplyError> {
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
        let mut rule = None;
        let outcome = self.watched(replaces, |connection| {
            run(connection, sql, values)
                .inspect_err(|error| rule = constraint::rule(connection, error))
        });
        outcome.map_err(|error| match rule.filter(|_| self.state == State::Open) {
            Some(rule) => ApplyError::Refused { place: error.context, rule, problem: error.reason },
            None => error.into(),
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
        // It may do anything, also undo a savepoint.
        self.capture.lock().known.clear();
        self.last_read.take();
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
    pub(super) fn check_alive(&mut self, error: Option<&SourceError>) {
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
}

/// Runs a statement, and returns how many rows it changed.
fn run(connection: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<usize> {
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
