//! Changes of the schema by a transaction of the source itself.
//!
//! From its first such statement on, a transaction's changes are not known row by row: the triggers
//! that would tell of them are in the way of the statement. Once it is committed the schema is
//! followed as one that others have changed.

use penstock_operators::source::SourceError;

use super::error::failure;
use super::{SqliteSource, State, triggers};

impl SqliteSource {
    /// Runs statements (perhaps none) that may change the schema, one after the other, within a transaction. What
    /// the transaction has changed before and changes from here on is not known row by row; until
    /// its end it takes statements in SQL only. Once it is committed, what reads next follows the
    /// schema and reads every live result again.
    ///
    /// # Errors
    /// As [`execute_batch`](SqliteSource::execute_batch), but for the change of the schema.
    pub fn change_schema(&mut self, sql: &str) -> Result<(), SourceError> {
        self.expect_open("a change of the schema")?;
        if !self.altered {
            triggers::remove(&self.connection).map_err(|error| {
                failure(&self.file, "preparing for a change of the schema", &error)
            })?;
            self.has_triggers = false;
            self.altered = true;
            // A transaction of any length needs no memory from here on.
            self.capture.lock().clear();
        }
        self.guard.free_schema(true);
        let done = self.execute_batch(sql);
        self.guard.free_schema(false);
        done
    }

    /// An error if the transaction in flight has changed the schema, for what goes by the schema.
    pub(super) fn expect_known_schema(&self, what: &str) -> Result<(), SourceError> {
        if self.altered && matches!(self.state, State::Open | State::Finished) {
            return Err(self.refused(&format!(
                "{what} is not possible after a change of the schema in the same transaction; use \
                 statements in SQL, or a transaction of its own"
            )));
        }
        Ok(())
    }

    /// Notes at the end of a transaction what is to be followed of it.
    pub(super) fn end_altering(&mut self, committed: bool) {
        self.guard.free_schema(false);
        if std::mem::take(&mut self.altered) && committed {
            self.stale = true;
            self.not_followed();
        }
    }
}
