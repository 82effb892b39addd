//! Statements in SQL within a transaction, where the source's storage takes them.

use penstock_operators::value::Value;

use super::Transaction;
use crate::error::Error;

impl Transaction<'_> {
    /// Executes one statement in SQL, with values for its parameters in their order, and returns
    /// how many rows it wrote.
    ///
    /// Everything that it writes is seen by live results at the commit, whatever wrote it: the
    /// statement itself, its triggers or foreign keys.
    ///
    /// # Errors
    /// [`Error::NoSql`] where the database was not opened with
    /// `Database::open`, and what the storage says of the statement.
    pub fn execute(
        &mut self,
        sql: &str,
        params: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Result<usize, Error> {
        let params: Vec<Value> = params.into_iter().map(Into::into).collect();
        self.statements(Statements::One(sql, &params))
    }

    /// Executes statements in SQL, separated by semicolons and without parameters.
    ///
    /// # Errors
    /// As [`execute`](Transaction::execute); statements before the one at fault stay executed.
    pub fn execute_batch(&mut self, sql: &str) -> Result<(), Error> {
        self.statements(Statements::Batch(sql)).map(drop)
    }

    /// Executes statements in SQL (perhaps none) that may change the schema, separated by semicolons
    /// and without parameters, together with whatever else the transaction does: all of it takes effect, or
    /// nothing.
    ///
    /// Nothing is kept of the rows that the transaction changes from then on, so that it may be of any
    /// length; and it takes statements in SQL only ([`execute`](Transaction::execute)
    /// and its like). At its commit subscriptions that cannot go on under the new schema end
    /// ([`Error::SchemaChanged`]); further columns and tables end none. All others are read again
    /// and compared, which costs an evaluation of what is live.
    ///
    /// # Errors
    /// As [`execute_batch`](Transaction::execute_batch).
    pub fn change_schema(&mut self, sql: &str) -> Result<(), Error> {
        self.altered = true;
        self.statements(Statements::Schema(sql)).map(drop)
    }

    #[cfg(feature = "sqlite")]
    fn statements(&mut self, statements: Statements<'_>) -> Result<usize, Error> {
        let source = self.sqlite()?;
        match statements {
            Statements::One(sql, params) => Ok(source.execute(sql, params)?),
            Statements::Batch(sql) => Ok(source.execute_batch(sql).map(|()| 0)?),
            Statements::Schema(sql) => Ok(source.change_schema(sql).map(|()| 0)?),
        }
    }

    /// There is no source that takes statements.
    #[cfg(not(feature = "sqlite"))]
    fn statements(&mut self, statements: Statements<'_>) -> Result<usize, Error> {
        let _ = statements;
        Err(Error::NoSql)
    }

    /// Hands the storage's connection to a closure: for statements that return rows, incremental
    /// blobs or functions of SQLite that have no other way in. What it writes is seen as with
    /// [`execute`](Transaction::execute).
    ///
    /// # Errors
    /// As [`execute`](Transaction::execute), and what the closure says.
    #[cfg(feature = "sqlite")]
    pub fn with_connection<T>(
        &mut self,
        run: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        Ok(self.sqlite()?.with_connection(run)?)
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(&mut self) -> Result<&mut crate::SqliteSource, Error> {
        let storage = self.source.storage().ok_or(Error::NoSql)?;
        storage.downcast_mut::<crate::SqliteSource>().ok_or(Error::NoSql)
    }
}

/// Statements of the application.
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "nothing takes them"))]
enum Statements<'s> {
    One(&'s str, &'s [Value]),
    Batch(&'s str),
    Schema(&'s str),
}
