//! A source that several threads read and that cannot read some values.

mod mixed;

use std::sync::{Arc, Mutex, PoisonError};

use penstock::operators::delta::Batch;
use penstock::operators::key::{Direction, KeyBuffer, encode};
use penstock::operators::source::{
    ApplyError, At, Change, Cursor, ScanId, ScanShape, Source, SourceError, Visitor,
};
use penstock::{MemorySource, Row, Schema, TableId, Value};

/// The values, as a read holds its columns equal to them; none at first.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<Mutex<Option<KeyBuffer>>>);

impl Broken {
    /// From now on a read that holds its columns equal to just these values fails.
    pub(crate) fn set(&self, values: &[Value]) {
        let mut key = KeyBuffer::new();
        values.iter().for_each(|value| encode(&mut key, value.as_ref(), Direction::Asc));
        let key = Some(key).filter(|key| !key.is_empty());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

/// Fails for the values that are broken.
pub(crate) struct Breaking {
    inner: MemorySource,
    broken: Broken,
}

impl Breaking {
    pub(crate) fn new(schema: Schema) -> (Breaking, Broken) {
        let broken = Broken::default();
        (Breaking { inner: MemorySource::new(schema), broken: broken.clone() }, broken)
    }
}

impl Source for Breaking {
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
        let broken = self.broken.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if broken.is_some_and(|broken| broken[..] == *equal) {
            let (context, reason) = ("reading".to_owned(), "broken for a test".to_owned());
            return Err(SourceError { context, reason });
        }
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

    fn shared(&self) -> Option<&(dyn Source + Sync)> {
        Some(self)
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.inner.memory()
    }
}
