//! What others have written: noticed by the file's version, and told as precisely as possible.

use penstock_operators::source::{Foreign, SourceError};

use super::error::failure;
use super::triggers;
use super::{SqliteSource, State};

const OPENING: &str = "opening the file";
const BEGIN_READ: &str = "/* penstock */ BEGIN";
const END_READ: &str = "/* penstock */ COMMIT";
const DATA_VERSION: &str = "PRAGMA main.data_version";
const SCHEMA_VERSION: &str = "PRAGMA main.schema_version";

/// The state of the file that a source stands at.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Changes whenever another connection commits.
    data: i64,
    /// Changes with the schema.
    schema: i64,
    /// The version that is read now.
    seen: i64,
    /// Whether the triggers were made by the transaction in flight.
    made_triggers: bool,
    /// Whether the caller could not follow the last answer.
    unfollowed: bool,
    /// The schema that was stood at before the read in flight changed it.
    before_read: Option<i64>,
}

impl SqliteSource {
    /// Takes the file's present state as the one that is stood at.
    pub(super) fn stand_at_first(&mut self) -> Result<(), SourceError> {
        self.run(BEGIN_READ, OPENING)?;
        let stood = self
            .stand_here()
            .map_err(|error| SourceError { context: format!("{}: {OPENING}", self.file), ..error });
        let read = stood.and_then(|()| self.read_schema());
        let read = read.and_then(|_| self.stand_at_log_end());
        let ended = self.run(END_READ, "ending a read");
        read.and(ended)
    }

    fn stand_here(&mut self) -> Result<(), SourceError> {
        self.standing.seen = self.version(DATA_VERSION)?;
        self.standing.data = self.standing.seen;
        self.standing.schema = self.version(SCHEMA_VERSION)?;
        Ok(())
    }

    /// Looks whether others have written. Within a transaction or a read, which begins with this.
    pub(super) fn look(&mut self) -> Result<(), SourceError> {
        self.standing.seen = self.version(DATA_VERSION)?;
        if self.standing.seen != self.standing.data {
            self.stale = self.version(SCHEMA_VERSION)? != self.standing.schema;
        } else if self.state == State::Open {
            // With the write lock held nobody else is committing, and nobody has.
            self.attached.clear();
            self.unconfirmed.clear();
        }
        if self.state == State::Open && !self.stale {
            self.install_triggers()?;
        }
        Ok(())
    }

    fn version(&self, pragma: &str) -> Result<i64, SourceError> {
        let read = || self.connection.prepare_cached(pragma)?.query_row([], |row| row.get(0));
        read().map_err(|error| failure(&self.file, "looking for changes", &error))
    }

    /// Makes the triggers that tell what is touched, unless they are there. Within a transaction,
    /// with which they go if it is rolled back.
    pub(super) fn install_triggers(&mut self) -> Result<(), SourceError> {
        if !self.has_triggers {
            let made = triggers::install(&self.connection, &self.tables);
            made.map_err(|error| failure(&self.file, "preparing to see changes", &error))?;
            self.has_triggers = true;
            self.standing.made_triggers = true;
        }
        Ok(())
    }

    pub(super) fn begin_reading(&mut self) -> Result<(), SourceError> {
        if self.state != State::Idle {
            return Err(self.refused("a read cannot begin within a transaction or another read"));
        }
        self.mend_log();
        self.run(BEGIN_READ, "beginning a read")?;
        self.state = State::Reading;
        self.look().inspect_err(|_| self.end_reading())
    }

    pub(super) fn end_reading(&mut self) {
        if self.state == State::Reading {
            // At most an index was made, without which reads can do.
            let before = self.standing.before_read.take();
            if self.run(END_READ, "ending a read").is_err() {
                if !self.connection.is_autocommit() {
                    let _ = self.run("/* penstock */ ROLLBACK", "ending a read");
                }
                self.standing.schema = before.unwrap_or(self.standing.schema);
            }
            self.state = State::Idle;
        }
    }

    /// What others have changed since the state stood at.
    pub(super) fn follow(&mut self) -> Result<Foreign, SourceError> {
        if !matches!(self.state, State::Reading | State::Open) {
            return Err(self.refused("changes of others are asked for within a read"));
        }
        let unfollowed = self.standing.unfollowed;
        if self.standing.seen == self.standing.data && !unfollowed {
            return Ok(Foreign::Nothing);
        }
        let answer = if self.stale {
            self.follow_schema()?
        } else if self.log.active {
            let answer = self.follow_log()?;
            if unfollowed { Foreign::Unknown } else { answer }
        } else if self.only_attached_writers {
            let answer = self.follow_attached()?;
            if unfollowed { Foreign::Unknown } else { answer }
        } else {
            Foreign::Unknown
        };
        self.standing.data = self.standing.seen;
        self.standing.unfollowed = false;
        Ok(answer)
    }

    /// Takes over the schema that others have made.
    fn follow_schema(&mut self) -> Result<Foreign, SourceError> {
        let schema = self.version(SCHEMA_VERSION)?;
        let differs = self.read_schema()?;
        self.stand_at_log_end()?;
        self.attached.misfit(&self.tables);
        self.standing.schema = schema;
        self.stale = false;
        if self.state == State::Open {
            self.install_triggers()?;
        }
        Ok(if differs { Foreign::Schema } else { Foreign::Unknown })
    }

    /// An error unless the schema is the one that this source knows.
    pub(super) fn expect_own_schema(&mut self) -> Result<(), SourceError> {
        if self.version(SCHEMA_VERSION)? == self.standing.schema {
            return Ok(());
        }
        Err(self
            .refused("another connection has changed the schema, which has to be followed first"))
    }

    /// Notes that what others have written until now is not known row by row.
    pub(super) fn unfollowed_if_behind(&mut self) -> Result<(), SourceError> {
        let behind = self.version(DATA_VERSION)? != self.standing.data;
        self.standing.unfollowed |= behind;
        Ok(())
    }

    pub(super) fn not_followed(&mut self) {
        self.standing.unfollowed = true;
    }

    /// The version of the schema as the transaction or read in flight sees it. Asked for after its
    /// end, it could be one that others have made meanwhile.
    pub(super) fn schema_version(&self) -> Result<i64, SourceError> {
        self.version(SCHEMA_VERSION)
    }

    /// Stands by a change of the schema that this source has made itself. Within a read, with which
    /// it may still be undone.
    pub(super) fn stand_by_schema(&mut self, version: i64) {
        let before = std::mem::replace(&mut self.standing.schema, version);
        if self.state == State::Reading {
            self.standing.before_read.get_or_insert(before);
        }
    }

    /// What is left to do before a commit.
    pub(super) fn before_commit(&mut self) -> Result<(), SourceError> {
        if self.log.active {
            self.log.reached = self.last_entry()?;
        }
        Ok(())
    }

    pub(super) fn committed(&mut self) {
        self.standing.made_triggers = false;
        // Its own entries of the log are not news.
        self.log.stood = self.log.reached;
        // Whoever did not ask what others had changed by then cannot tell that from its own.
        self.standing.unfollowed |= self.standing.seen != self.standing.data;
    }

    pub(super) fn rolled_back(&mut self) {
        if std::mem::take(&mut self.standing.made_triggers) {
            self.has_triggers = false;
        }
    }
}
