//! [`SqliteSource`] as a [`Source`].

use penstock_operators::delta::Batch;
use penstock_operators::key::{Key, encode};
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::source::{
    ApplyError, At, Change, Cursor, Foreign, ScanId, ScanShape, Source, SourceError, Visitor,
};

use super::read::{Prepared, merged};
use super::{SqliteSource, State};
use crate::source::check_shape;

impl SqliteSource {
    fn prepared(&self, scan: ScanId) -> Result<&Prepared, SourceError> {
        match self.scans.get(scan.0 as usize) {
            Some(Some(prepared)) => Ok(prepared),
            _ => Err(SourceError {
                context: format!("scan {}", scan.0),
                reason: "it is not prepared".to_owned(),
            }),
        }
    }

    fn is_in_transaction(&self) -> bool {
        matches!(self.state, State::Open | State::Finished)
    }
}

impl Source for SqliteSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        if let Some(id) = self.ids.get(shape)
            && let Some(prepared) = &mut self.scans[id.0 as usize]
        {
            prepared.users += 1;
            return Ok(*id);
        }
        self.expect_known_schema("a query")?;
        let info = std::sync::Arc::clone(self.info(shape.table)?);
        check_shape(self.schema.table(shape.table), shape)?;
        let mut served = self.is_served(&info, shape)?;
        if !served && self.create_indexes {
            served = self.create_index(&info, shape);
        }
        let prepared = Some(Prepared::new(shape, served));
        let slot = match self.scans.iter().position(Option::is_none) {
            Some(free) => {
                self.scans[free] = prepared;
                free
            }
            None => {
                self.scans.push(prepared);
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
        let Some(prepared) = slot else { return };
        prepared.users -= 1;
        if prepared.users == 0
            && let Some(prepared) = slot.take()
        {
            self.ids.swap_remove(&prepared.shape);
        }
    }

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.expect_known_schema("a read by a table's key")?;
        let info = self.info(table)?;
        if at == At::Before && self.is_in_transaction() {
            let capture = self.capture.lock();
            if let Some(old) = capture.touched.get(&(table, Key::from_slice(key))) {
                return Ok(old.clone());
            }
        }
        let found = self.reader().get(info, key)?;
        if self.state == State::Open
            && let Some(row) = &found
        {
            self.last_read.replace(Some((table, Key::from_slice(key), row.clone())));
        }
        Ok(found)
    }

    fn is_ordered(&self, scan: ScanId) -> bool {
        self.prepared(scan).is_ok_and(|prepared| prepared.served)
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
        let prepared = self.prepared(scan)?;
        let info = self.info(prepared.shape.table)?;
        let reader = self.reader();
        if at == At::After || !self.is_in_transaction() {
            return reader.scan(info, prepared, equal, from, reverse, visit);
        }
        let table = prepared.shape.table;
        // A copy: the visitor may read from the same source.
        let touched: super::capture::Touched = {
            let capture = self.capture.lock();
            let of_table = capture.touched.iter().filter(|((id, _), _)| *id == table);
            let mut copy = super::capture::touched();
            copy.extend(of_table.map(|(key, old)| (key.clone(), old.clone())));
            copy
        };
        let belongs = |row: &Row| {
            let mut key = penstock_operators::key::KeyBuffer::new();
            for column in &prepared.shape.equal {
                encode(&mut key, row.get(*column), penstock_operators::key::Direction::Asc);
            }
            let from = from.is_none_or(|cursor| {
                let order = (*prepared.spec.key(row)).cmp(cursor.key);
                let order = if reverse { order.reverse() } else { order };
                order.is_gt() || (order.is_eq() && cursor.inclusive)
            });
            key[..] == *equal && from
        };
        let old: Vec<Row> =
            touched.values().flatten().filter(|row| belongs(row)).cloned().collect();
        let is_touched = |row: &Row| touched.contains_key(&(table, info.key_spec.key(row)));
        merged(&prepared.spec, old, is_touched, reverse, visit, |visit| {
            reader.scan(info, prepared, equal, from, reverse, visit)
        })
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.begin_transaction()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.write_change(change)
    }

    /// May be called again: a finished transaction gives the same batch.
    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.finish_transaction()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.commit_transaction()
    }

    /// Does nothing without a transaction in flight.
    fn rollback(&mut self) {
        self.roll_back();
    }

    fn begin_read(&mut self) -> Result<(), SourceError> {
        self.begin_reading()
    }

    fn end_read(&mut self) {
        self.end_reading();
    }

    fn foreign(&mut self) -> Result<Foreign, SourceError> {
        self.follow()
    }

    fn unfollowed(&mut self) {
        self.not_followed();
    }

    /// The source itself, a [`SqliteSource`].
    fn storage(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    /// Nothing: rows and indexes are in the file, and SQLite's page cache counts for itself.
    fn memory(&self) -> Vec<(String, usize)> {
        Vec::new()
    }
}
