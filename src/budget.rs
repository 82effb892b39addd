//! How much a subscription may cost when it is made.
//!
//! A query that somebody else states may ask for more than there is time and memory for. With a budget it
//! is given up while it is filled, not when everything has been read.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use penstock_operators::delta::Batch;
use penstock_operators::key::KeySpec;
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::source::{
    ApplyError, At, Change, Cursor, Foreign, ScanId, ScanShape, Source, SourceError, Visitor,
};

use crate::database::Database;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::subscription::Subscription;

/// After how many rows the clock is looked at.
const ROWS_PER_LOOK: usize = 256;

pub(crate) use penstock_operators::row_set::PLACES;

/// How much a subscription may cost when it is made. The default is everything that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many rows may be read from the source, those that do not pass among them; a read that finds
    /// nothing counts as one.
    pub reads: usize,
    /// For how long. It is looked at between reads, so that a single one may take longer.
    pub time: Duration,
    /// How many rows its row set may have ([`Subscription::row_set_within`]).
    pub rows: usize,
    /// At how many places the rows of its row set may stand: a row that is related to a thousand
    /// others stands at a thousand places.
    pub places: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { reads: usize::MAX, time: Duration::MAX, rows: usize::MAX, places: usize::MAX }
    }
}

impl Database {
    /// Subscribes to a query as long as that costs no more than a budget allows.
    ///
    /// # Errors
    /// As [`subscribe_with`](Database::subscribe_with), and [`Error::TooCostly`]; then nothing is kept.
    pub fn subscribe_within(
        &self,
        query: Query,
        params: &Params,
        budget: Budget,
    ) -> Result<Subscription, Error> {
        Subscription::within(self.shared.clone(), query, params.clone(), budget)
    }
}

/// A source that is read within a budget.
pub(crate) struct Metered<'s> {
    source: &'s mut dyn Source,
    budget: Budget,
    started: Instant,
    reads: Cell<usize>,
    spent: Cell<Option<&'static str>>,
}

impl<'s> Metered<'s> {
    #[expect(
        clippy::disallowed_methods,
        reason = "only whether it is given up depends on the time"
    )]
    pub(crate) fn new(source: &'s mut dyn Source, budget: Budget) -> Metered<'s> {
        let started = Instant::now();
        Metered { source, budget, started, reads: Cell::new(0), spent: Cell::new(None) }
    }

    /// The source itself.
    pub(crate) fn unmetered(&mut self) -> &mut dyn Source {
        self.source
    }

    /// What is left of the budget.
    pub(crate) fn left(&self) -> Budget {
        let time = match self.budget.time {
            Duration::MAX => Duration::MAX,
            time => time.saturating_sub(self.started.elapsed()),
        };
        let reads = match self.budget.reads {
            usize::MAX => usize::MAX,
            reads => reads.saturating_sub(self.reads.get()),
        };
        Budget { reads, time, ..self.budget }
    }

    /// The error that a failed read is, if it failed for the budget.
    pub(crate) fn error(&self, error: SourceError) -> Error {
        match self.spent.get() {
            Some("milliseconds") => {
                let most = usize::try_from(self.budget.time.as_millis()).unwrap_or(usize::MAX);
                Error::TooCostly { what: "milliseconds to fill it", most }
            }
            Some(what) => Error::TooCostly { what, most: self.budget.reads },
            None => error.into(),
        }
    }

    /// Counts a read. Fails if it is one too many.
    fn count(&self) -> Result<(), SourceError> {
        let reads = self.reads.get() + 1;
        self.reads.set(reads);
        let spent = if reads > self.budget.reads {
            Some("rows to be read")
        } else if reads.is_multiple_of(ROWS_PER_LOOK) && self.is_late() {
            Some("milliseconds")
        } else {
            None
        };
        let Some(what) = spent else { return Ok(()) };
        self.spent.set(Some(what));
        Err(over())
    }

    fn is_late(&self) -> bool {
        self.started.elapsed() > self.budget.time
    }
}

fn over() -> SourceError {
    SourceError { context: "filling a result".to_owned(), reason: "it costs too much".to_owned() }
}

impl Source for Metered<'_> {
    fn schema(&self) -> &Schema {
        self.source.schema()
    }

    fn identity(&self, table: TableId) -> KeySpec {
        self.source.identity(table)
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        self.source.prepare(shape)
    }

    fn release(&mut self, scan: ScanId) {
        self.source.release(scan);
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.count()?;
        self.source.get(at, table, key)
    }

    fn scan(
        &self,
        at: At,
        scan: ScanId,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError> {
        self.count()?;
        // One that finds nothing may have taken long all the same.
        if self.is_late() {
            self.spent.set(Some("milliseconds"));
            return Err(over());
        }
        let mut outcome = Ok(());
        self.source.scan(at, scan, equal, from, reverse, &mut |row| {
            outcome = self.count();
            if outcome.is_err() { ControlFlow::Break(()) } else { visit(row) }
        })?;
        outcome
    }

    fn is_ordered(&self, scan: ScanId) -> bool {
        self.source.is_ordered(scan)
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.source.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.source.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.source.finish()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.source.commit()
    }

    fn rollback(&mut self) {
        self.source.rollback();
    }

    fn begin_read(&mut self) -> Result<(), SourceError> {
        self.source.begin_read()
    }

    fn end_read(&mut self) {
        self.source.end_read();
    }

    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        self.source.foreign()
    }

    fn unfollowed(&mut self) {
        self.source.unfollowed();
    }

    fn storage(&mut self) -> Option<&mut dyn std::any::Any> {
        self.source.storage()
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.source.memory()
    }
}
