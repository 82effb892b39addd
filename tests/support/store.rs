//! Rows in memory that several sources share, each told of what the others write; and whose schema
//! can be changed under them.

use std::sync::{Arc, Mutex, MutexGuard};

use penstock::operators::delta::Batch;
use penstock::operators::source::{
    ApplyError, At, Change, Cursor, Foreign, ScanId, ScanShape, Source, SourceError, Visitor,
};
use penstock::{MemorySource, Row, Schema, TableId, Value};

/// How much a side is told of what others have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Each row, where that is possible.
    Rows,
    /// That they have.
    Nothing,
}

/// The rows and their history.
pub(crate) struct Store {
    rows: MemorySource,
    /// Who wrote, and what.
    written: Vec<(usize, Batch)>,
    /// How often the schema has been changed.
    schemas: usize,
    sides: usize,
}

/// A source over a [`Store`].
pub(crate) struct Side {
    store: Arc<Mutex<Store>>,
    number: usize,
    telling: Telling,
    schema: Schema,
    /// What the side has been told of.
    written: usize,
    schemas: usize,
    unfollowed: bool,
    finished: Option<Batch>,
    /// By the numbers that the side gave out.
    scans: Vec<Scan>,
}

struct Scan {
    shape: ScanShape,
    uses: usize,
    /// In the store; absent where its table does not allow it any more.
    prepared: Option<ScanId>,
}

impl Store {
    pub(crate) fn new(schema: Schema) -> Arc<Mutex<Store>> {
        let rows = MemorySource::new(schema);
        Arc::new(Mutex::new(Store { rows, written: Vec::new(), schemas: 0, sides: 0 }))
    }

    /// Puts another schema in the place of the present one, with the rows that it gives for those
    /// of the tables that both have by name and number.
    pub(crate) fn alter(&mut self, schema: Schema, row: impl Fn(&str, Vec<Value>) -> Vec<Value>) {
        let old = self.rows.schema().clone();
        let mut rows = MemorySource::new(schema.clone());
        let mut changes = Vec::new();
        for (number, table) in old.tables().iter().enumerate() {
            let id = TableId(number as u32);
            if schema.table_id(table.name()) != Some(id) {
                continue;
            }
            let order = table.primary_key_spec().columns().to_vec();
            let shape = ScanShape { table: id, equal: Vec::new(), order };
            let scan = self.rows.prepare(&shape).expect("an index");
            self.rows
                .scan(At::After, scan, &[], None, false, &mut |found| {
                    let values = (0..found.len()).map(|at| found.get(at).to_owned()).collect();
                    let row = Row::new(&row(table.name(), values));
                    changes.push(Change::Insert { table: id, row });
                    std::ops::ControlFlow::Continue(())
                })
                .expect("rows");
        }
        rows.apply(changes).expect("rows that fit");
        rows.commit().expect("a commit");
        self.rows = rows;
        self.schemas += 1;
    }
}

impl Side {
    pub(crate) fn new(store: &Arc<Mutex<Store>>, telling: Telling) -> Side {
        let mut held = store.lock().expect("no panic");
        held.sides += 1;
        Side {
            store: Arc::clone(store),
            number: held.sides,
            telling,
            schema: held.rows.schema().clone(),
            written: held.written.len(),
            schemas: held.schemas,
            unfollowed: false,
            finished: None,
            scans: Vec::new(),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("no panic")
    }
}

impl Source for Side {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        let prepared = Some(self.store().rows.prepare(shape)?);
        let known = self.scans.iter_mut().zip(0..).find(|(scan, _)| scan.shape == *shape);
        if let Some((scan, number)) = known {
            (scan.uses, scan.prepared) = (scan.uses + 1, prepared);
            return Ok(ScanId(number));
        }
        self.scans.push(Scan { shape: shape.clone(), uses: 1, prepared });
        Ok(ScanId(self.scans.len() as u32 - 1))
    }

    fn release(&mut self, scan: ScanId) {
        let scan = &mut self.scans[scan.0 as usize];
        scan.uses -= 1;
        if let Some(prepared) = scan.prepared {
            self.store.lock().expect("no panic").rows.release(prepared);
        }
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.store().rows.get(at, table, key)
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
        let Scan { shape, uses, prepared } = &self.scans[scan.0 as usize];
        assert!(*uses > 0, "a scan that was released: {shape:?}");
        let gone = || SourceError {
            context: format!("reading {:?}", shape.table),
            reason: "there is no such table".to_owned(),
        };
        // The visitor may read, so rows are handed out after the lock has been released.
        let mut rows = Vec::new();
        self.store().rows.scan(
            at,
            prepared.ok_or_else(gone)?,
            equal,
            from,
            reverse,
            &mut |row| {
                rows.push(row.clone());
                std::ops::ControlFlow::Continue(())
            },
        )?;
        let _ = rows.iter().try_for_each(visit);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.store().rows.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.store().rows.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        let batch = self.store().rows.finish()?;
        self.finished = Some(batch.clone());
        Ok(batch)
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        let batch = self.finished.take();
        let mut store = self.store();
        store.rows.commit()?;
        store.written.extend(batch.map(|batch| (self.number, batch)));
        Ok(())
    }

    fn rollback(&mut self) {
        self.finished = None;
        self.store().rows.rollback();
    }

    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        let store = Arc::clone(&self.store);
        let mut store = store.lock().expect("no panic");
        let since = &store.written[std::mem::replace(&mut self.written, store.written.len())..];
        let of_others =
            since.iter().filter(|(side, batch)| *side != self.number && !batch.is_empty());
        let mut batches: Vec<Batch> = of_others.map(|(_, batch)| batch.clone()).collect();
        let unfollowed = std::mem::take(&mut self.unfollowed);
        if std::mem::replace(&mut self.schemas, store.schemas) != store.schemas {
            self.schema = store.rows.schema().clone();
            for scan in self.scans.iter_mut().filter(|scan| scan.uses > 0) {
                scan.prepared = None;
                if self.schema.tables().len() > scan.shape.table.0 as usize {
                    for _ in 0..scan.uses {
                        scan.prepared = store.rows.prepare(&scan.shape).ok();
                    }
                }
            }
            return Ok(Foreign::Schema);
        }
        // Of several transactions a row may be in more than one.
        Ok(match (batches.pop(), batches.is_empty()) {
            _ if unfollowed => Foreign::Unknown,
            (None, _) => Foreign::Nothing,
            (Some(batch), true) if self.telling == Telling::Rows => Foreign::Batch(batch),
            _ => Foreign::Unknown,
        })
    }

    fn unfollowed(&mut self) {
        self.unfollowed = true;
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.store().rows.memory()
    }
}
