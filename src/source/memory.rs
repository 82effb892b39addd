//! [`MemorySource`]: typed tables in memory.

use indexmap::IndexMap;
use penstock_operators::delta::{Batch, Delta};
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId, TableSchema};
use penstock_operators::source::{
    ApplyError, At, Change, Cursor, ScanId, ScanShape, Source, SourceError, Visitor,
};

use super::FixedState;
use super::access::Access;
use super::check_shape;
use super::table::{IndexId, TableStore};

/// Typed tables in memory, found by primary key, with an index for each order that a prepared read
/// needs.
///
/// Writes take effect at once and are undone by [`rollback`](Source::rollback); unique keys are
/// checked by [`finish`](Source::finish), so that rows may swap their values in a transaction.
/// After [`finish`](Source::finish) a transaction takes no more writes, and without it
/// [`commit`](Source::commit) is refused.
///
/// # Cost
///
/// With n rows and p rows touched by the transaction in flight: a write, O(1), and O(log n) in each
/// stored order of its table in which the row moves; a read, O(log n) and O(1) for each row; the first read of
/// [`At::Before`] after a write, O(p log p) besides. Indexes are shared by all reads that can use
/// them, built when the first is prepared in O(n log n), and dropped with the last; the order of the primary
/// key, once built, stays.
///
/// # Example
///
/// ```
/// use penstock::source::MemorySource;
/// use penstock_operators::row::Row;
/// use penstock_operators::schema::{Schema, Table};
/// use penstock_operators::source::{Change, Source};
/// use penstock_operators::value::{ColumnType, Value};
///
/// let issue = Table::new("issue")
///     .column("id", ColumnType::Integer)
///     .column("title", ColumnType::Text)
///     .primary_key(["id"]);
/// let mut source = MemorySource::new(Schema::new([issue])?);
/// let table = source.schema().table_id("issue").ok_or("no such table")?;
///
/// let row = Row::new(&[Value::from(1), Value::from("It leaks")]);
/// let batch = source.apply(vec![Change::Insert { table, row }])?;
/// assert_eq!(batch.table(table).len(), 1);
/// source.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemorySource {
    schema: Schema,
    /// In the order of the schema.
    tables: Vec<TableStore>,
    /// Prepared reads by id; ids that have been given back are used again, the lowest first.
    scans: Vec<Option<Scan>>,
    ids: IndexMap<ScanShape, ScanId, FixedState>,
    state: State,
    /// The tables written to by the transaction in flight, in the order of first touch.
    touched: Vec<TableId>,
}

#[derive(Debug)]
struct Scan {
    shape: ScanShape,
    users: usize,
    access: Access,
    index: IndexId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No transaction.
    Idle,
    /// A transaction that takes writes.
    Open,
    /// A transaction whose batch has been given out.
    Finished,
}

impl MemorySource {
    /// Empty tables of a schema.
    pub fn new(schema: Schema) -> MemorySource {
        let tables = schema.tables().iter().map(TableStore::new).collect();
        MemorySource {
            schema,
            tables,
            scans: Vec::new(),
            ids: IndexMap::with_hasher(super::fixed_state()),
            state: State::Idle,
            touched: Vec::new(),
        }
    }

    /// Adds rows to a table outside of a transaction: all of them, or on an error none. Returns how
    /// many. Faster than a transaction, and keeps no record to undo. Nobody is told of the rows, so
    /// this is for filling tables before queries are live over them.
    ///
    /// # Errors
    ///
    /// A row that does not fit the table, a primary or unique key that occurs twice, or a
    /// transaction in flight.
    pub fn load(
        &mut self,
        table: TableId,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<usize, ApplyError> {
        if self.state != State::Idle {
            return Err(in_flight("a load").into());
        }
        let (schema, store) = self.table_mut(table)?;
        store.load(schema, rows.into_iter())
    }

    /// The number of rows of a table, with the writes of the transaction in flight; 0 for a table
    /// that the schema does not have. Costs O(1).
    pub fn row_count(&self, table: TableId) -> usize {
        self.tables.get(table.0 as usize).map_or(0, |store| store.rows.len())
    }

    fn table(&self, table: TableId) -> Result<(&TableSchema, &TableStore), SourceError> {
        match self.tables.get(table.0 as usize) {
            Some(store) => Ok((self.schema.table(table), store)),
            None => Err(no_table(table)),
        }
    }

    fn table_mut(
        &mut self,
        table: TableId,
    ) -> Result<(&TableSchema, &mut TableStore), SourceError> {
        match self.tables.get_mut(table.0 as usize) {
            Some(store) => Ok((self.schema.table(table), store)),
            None => Err(no_table(table)),
        }
    }
}

impl Source for MemorySource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        if let Some(id) = self.ids.get(shape)
            && let Some(scan) = &mut self.scans[id.0 as usize]
        {
            scan.users += 1;
            return Ok(*id);
        }
        check_shape(self.table(shape.table)?.0, shape)?;
        let (schema, store) = self.table_mut(shape.table)?;
        let (access, spec) = Access::new(schema.primary_key(), shape);
        let index = store.acquire(schema, spec);
        let scan = Scan { shape: shape.clone(), users: 1, access, index };
        let slot = match self.scans.iter().position(Option::is_none) {
            Some(free) => {
                self.scans[free] = Some(scan);
                free
            }
            None => {
                self.scans.push(Some(scan));
                self.scans.len() - 1
            }
        };
        let id = ScanId(slot as u32);
        self.ids.insert(shape.clone(), id);
        Ok(id)
    }

    /// Gives back one use; an id that is not prepared is left alone.
    fn release(&mut self, scan: ScanId) {
        let Some(slot) = self.scans.get_mut(scan.0 as usize) else { return };
        let Some(known) = slot else { return };
        known.users -= 1;
        if known.users == 0
            && let Some(scan) = slot.take()
        {
            self.ids.swap_remove(&scan.shape);
            self.tables[scan.shape.table.0 as usize].release(scan.index);
        }
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        let (_, store) = self.table(table)?;
        Ok(store.get(at, key).cloned())
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
        let Some(Some(prepared)) = self.scans.get(scan.0 as usize) else {
            return Err(SourceError {
                context: format!("scan {}", scan.0),
                reason: "it is not prepared".to_owned(),
            });
        };
        let (schema, store) = self.table(prepared.shape.table)?;
        let malformed = |_| SourceError {
            context: format!("table \"{}\"", schema.name()),
            reason: "the key of a read is not an encoding of the values it needs".to_owned(),
        };
        match &prepared.access {
            Access::Point(point) => {
                let key = point.key(equal).map_err(malformed)?;
                if let Some(row) = store.get(at, &key)
                    && point.admits(row, equal, from, reverse)
                {
                    // Nothing follows, so it does not matter whether the visitor ends the scan.
                    let _ = visit(row);
                }
            }
            Access::Ordered(ordered) => {
                if let Some(span) = ordered.span(equal, from, reverse).map_err(malformed)? {
                    store.visit(at, prepared.index, &span, visit);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        if self.state != State::Idle {
            return Err(in_flight("a transaction"));
        }
        self.state = State::Open;
        Ok(())
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.expect_open("a write")?;
        let (Change::Insert { table, .. }
        | Change::Update { table, .. }
        | Change::Delete { table, .. }) = change;
        let (schema, store) = self.table_mut(table)?;
        let first = store.pending.is_empty();
        match change {
            Change::Insert { row, .. } => store.insert(schema, row)?,
            Change::Update { key, row, .. } => store.update(schema, key, row)?,
            Change::Delete { key, .. } => store.delete(schema, key)?,
        }
        if first {
            self.touched.push(table);
        }
        Ok(())
    }

    /// May be called again: a finished transaction gives the same batch.
    fn finish(&mut self) -> Result<Batch, ApplyError> {
        if self.state == State::Idle {
            return Err(not_in_flight("a finish").into());
        }
        let mut batch = Batch::new();
        for table in &self.touched {
            let (schema, store) = self.table(*table)?;
            store.check_unique(schema)?;
            for (_, touched) in store.pending.iter() {
                let delta = match (touched.old.clone(), touched.new.clone()) {
                    (None, None) => None,
                    (None, Some(new)) => Some(Delta::insert(new)),
                    (Some(old), None) => Some(Delta::delete(old)),
                    (Some(old), Some(new)) => match touched.changed {
                        Some(changed) => Delta::update_of(old, new, changed),
                        None => Delta::update(old, new),
                    },
                };
                if let Some(delta) = delta {
                    batch.push(*table, delta);
                }
            }
        }
        self.state = State::Finished;
        Ok(batch)
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        match self.state {
            State::Idle => return Err(not_in_flight("a commit")),
            State::Open => {
                return Err(refused(
                    "a commit needs a finished transaction; finish it first".to_owned(),
                ));
            }
            State::Finished => self.state = State::Idle,
        }
        for table in self.touched.drain(..) {
            self.tables[table.0 as usize].commit();
        }
        Ok(())
    }

    /// Does nothing without a transaction in flight.
    fn rollback(&mut self) {
        self.state = State::Idle;
        for table in self.touched.drain(..) {
            self.tables[table.0 as usize].rollback();
        }
    }

    fn shared(&self) -> Option<&(dyn Source + Sync)> {
        Some(self)
    }

    fn memory(&self) -> Vec<(String, usize)> {
        let mut report = Vec::new();
        for (schema, store) in self.schema.tables().iter().zip(&self.tables) {
            store.memory(schema, &mut report);
        }
        report
    }
}

impl MemorySource {
    fn expect_open(&self, what: &str) -> Result<(), SourceError> {
        match self.state {
            State::Open => Ok(()),
            State::Idle => Err(not_in_flight(what)),
            State::Finished => Err(refused(format!(
                "{what} comes too late, the transaction is finished; commit it or roll it back"
            ))),
        }
    }
}

fn in_flight(what: &str) -> SourceError {
    refused(format!(
        "{what} cannot start while a transaction is in flight; commit it or roll it back first"
    ))
}

fn not_in_flight(what: &str) -> SourceError {
    refused(format!("{what} needs a transaction in flight; begin one first"))
}

fn refused(reason: String) -> SourceError {
    SourceError { context: "the tables in memory".to_owned(), reason }
}

fn no_table(table: TableId) -> SourceError {
    SourceError {
        context: format!("table {}", table.0),
        reason: "the schema has no such table".to_owned(),
    }
}
