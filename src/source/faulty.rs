//! [`FaultySource`]: a source whose reads fail on demand.

use std::cell::Cell;

use penstock_operators::delta::Batch;
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::source::{
    ApplyError, At, Change, Cursor, ScanId, ScanShape, Source, SourceError, Visitor,
};

/// A source that passes everything on to another, but makes a chosen read ([`Source::get`] or
/// [`Source::scan`]) fail. For testing what happens when storage fails.
#[derive(Debug)]
pub struct FaultySource<S> {
    inner: S,
    /// Reads up to and including the one that fails; 0 when disarmed.
    countdown: Cell<u64>,
    reads: Cell<u64>,
}

impl<S: Source> FaultySource<S> {
    /// Wraps a source; no read fails until [`arm`](FaultySource::arm) is called.
    pub fn new(inner: S) -> FaultySource<S> {
        FaultySource { inner, countdown: Cell::new(0), reads: Cell::new(0) }
    }

    /// Makes the `n`-th read from now on fail, counted from 1; those before it and after it do
    /// not. 0 disarms.
    pub fn arm(&self, n: u64) {
        self.countdown.set(n);
    }

    /// Whether a failure is still to come.
    pub fn is_armed(&self) -> bool {
        self.countdown.get() > 0
    }

    /// How many reads have been asked for so far, the failed ones included.
    pub fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// The source inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The source inside, to change.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    fn read(&self, context: impl FnOnce() -> String) -> Result<(), SourceError> {
        self.reads.set(self.reads.get() + 1);
        match self.countdown.get() {
            0 => Ok(()),
            remaining => {
                self.countdown.set(remaining - 1);
                if remaining > 1 {
                    return Ok(());
                }
                Err(SourceError { context: context(), reason: "a fault was injected".to_owned() })
            }
        }
    }
}

impl<S: Source> Source for FaultySource<S> {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        self.inner.prepare(shape)
    }

    fn release(&mut self, scan: ScanId) {
        self.inner.release(scan);
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.read(|| format!("table \"{}\"", self.schema().table(table).name()))?;
        self.inner.get(at, table, key)
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
        self.read(|| format!("scan {}", scan.0))?;
        self.inner.scan(at, scan, equal, from, reverse, visit)
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.inner.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.inner.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.inner.finish()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.inner.commit()
    }

    fn rollback(&mut self) {
        self.inner.rollback();
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.inner.memory()
    }
}
