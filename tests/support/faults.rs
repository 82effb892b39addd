//! A source that fails when told to, by a handle that stays outside the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use penstock::operators::delta::Batch;
use penstock::operators::source::{
    ApplyError, At, Change, Cursor, Foreign, ScanId, ScanShape, Source, SourceError, Visitor,
};
use penstock::{MemorySource, Row, Schema, TableId};

/// When the source fails: the n-th of its operations that may fail, counted from `arm`.
#[derive(Debug, Default)]
pub(crate) struct Faults(AtomicU64);

impl Faults {
    pub(crate) fn arm(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Disarms, and says whether the failure has happened.
    pub(crate) fn disarm(&self) -> bool {
        self.0.swap(0, Ordering::Relaxed) == 0
    }

    fn point(&self, context: &str) -> Result<(), SourceError> {
        let left = self.0.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        self.0.store(left - 1, Ordering::Relaxed);
        if left > 1 {
            return Ok(());
        }
        Err(SourceError { context: context.to_owned(), reason: "a fault on purpose".to_owned() })
    }
}

/// A source with faults.
pub(crate) struct Faulty<S = MemorySource> {
    pub(crate) inner: S,
    pub(crate) faults: Arc<Faults>,
}

impl<S: Source> Source for Faulty<S> {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        self.faults.point("an index")?;
        self.inner.prepare(shape)
    }

    fn release(&mut self, scan: ScanId) {
        self.inner.release(scan);
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.faults.point("a row")?;
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
        self.faults.point("rows")?;
        self.inner.scan(at, scan, equal, from, reverse, visit)?;
        // Storage may fail after it has handed out some of the rows.
        self.faults.point("the rest of the rows")
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.faults.point("the start of a transaction")?;
        self.inner.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.faults.point("a write")?;
        self.inner.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.faults.point("the end of a transaction")?;
        self.inner.finish()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.faults.point("a commit")?;
        self.inner.commit()
    }

    fn rollback(&mut self) {
        self.inner.rollback();
    }

    fn begin_read(&mut self) -> Result<(), SourceError> {
        self.faults.point("the start of a read")?;
        self.inner.begin_read()
    }

    fn end_read(&mut self) {
        self.inner.end_read();
    }

    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        self.faults.point("what others have changed")?;
        self.inner.foreign()
    }

    fn unfollowed(&mut self) {
        self.inner.unfollowed();
    }

    fn storage(&mut self) -> Option<&mut dyn std::any::Any> {
        self.inner.storage()
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.inner.memory()
    }
}
