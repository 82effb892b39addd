//! A source with derived tables: what levels read.

use super::derived::{Way, scan_slot};
use super::flow::Flow;
use crate::delta::Batch;
use crate::key::KeySpec;
use crate::row::Row;
use crate::schema::{Schema, TableId};
use crate::source::{
    ApplyError, At, Change, Cursor, Foreign, ScanId, ScanShape, Source, SourceError, Visitor,
};

/// The tables of a source and the derived tables of a dataflow over it, as one source. Derived
/// tables that are stored are read as they are after the transaction in flight.
pub(crate) struct SourceView<'a> {
    pub(crate) base: &'a mut dyn Source,
    pub(crate) flow: &'a mut Flow,
}

impl Source for SourceView<'_> {
    fn schema(&self) -> &Schema {
        self.base.schema()
    }

    fn identity(&self, table: TableId) -> KeySpec {
        match table.derived_number().and_then(|number| self.flow.tables.get(number)) {
            Some(derived) => derived.key().clone(),
            None => self.base.identity(table),
        }
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        match shape.table.derived_number() {
            None => self.base.prepare(shape),
            Some(number) => self.flow.prepare(self.base, number, shape),
        }
    }

    fn release(&mut self, scan: ScanId) {
        match scan_slot(scan) {
            None => self.base.release(scan),
            Some(_) => self.flow.release_scan(self.base, scan),
        }
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        let Some(number) = table.derived_number() else { return self.base.get(at, table, key) };
        Err(SourceError {
            context: format!("derived table {number}"),
            reason: "its rows are not kept by key; read them in an order".to_owned(),
        })
    }

    fn is_ordered(&self, scan: ScanId) -> bool {
        match scan_slot(scan) {
            None => self.base.is_ordered(scan),
            // What is read through to a table may have to be sorted there.
            Some(_) => {
                let prepared = self.flow.tables.scan(scan);
                prepared.is_some_and(|prepared| matches!(prepared.way, Way::Stored(_)))
            }
        }
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
        if scan_slot(scan).is_none() {
            return self.base.scan(at, scan, equal, from, reverse, visit);
        }
        let Some(prepared) = self.flow.tables.scan(scan) else {
            return Err(SourceError {
                context: format!("scan {} of a derived table", scan.0),
                reason: "it is not prepared".to_owned(),
            });
        };
        match &prepared.way {
            Way::Virtual(reader) => reader.read(self.base, at, equal, from, reverse, visit),
            Way::Stored(slot) => {
                let number = prepared.shape.table.derived_number();
                let table = number.and_then(|number| self.flow.tables.get(number));
                if let Some(store) = table.and_then(|table| table.store.as_ref()) {
                    store.read(*slot, equal, from, reverse, visit);
                }
                Ok(())
            }
        }
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.base.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.base.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.base.finish()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.base.commit()
    }

    fn rollback(&mut self) {
        self.base.rollback();
    }

    fn begin_read(&mut self) -> Result<(), SourceError> {
        self.base.begin_read()
    }

    fn end_read(&mut self) {
        self.base.end_read();
    }

    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        self.base.foreign()
    }

    fn unfollowed(&mut self) {
        self.base.unfollowed();
    }

    /// Not the derived tables, which are not in the schema.
    fn shared(&self) -> Option<&(dyn Source + Sync)> {
        self.base.shared()
    }

    fn storage(&mut self) -> Option<&mut dyn std::any::Any> {
        self.base.storage()
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.base.memory()
    }
}
