//! Unique keys: no two rows of a table have the same values in all their columns. Null is
//! different from everything, itself included.
//!
//! They are checked at the end of a transaction, so that rows may swap their values. During one
//! two rows may have the same values, which is why the order that serves the check ends with the
//! primary key.

use penstock_operators::delta::ColumnSet;
use penstock_operators::key::{Direction, Key, KeyBuffer, KeySpec, write_columns_non_null};
use penstock_operators::row::Row;
use penstock_operators::schema::{TableId, TableSchema};
use penstock_operators::source::{ApplyError, ScanShape};

use super::access::Access;
use super::table::{IndexId, PRIMARY, TableStore};

/// A unique key and the stored order in which rows with equal values stand together.
#[derive(Debug)]
pub(super) struct UniqueKey {
    /// As declared.
    columns: Vec<usize>,
    /// As they begin the stored order.
    stored: Vec<usize>,
    set: ColumnSet,
    index: IndexId,
}

impl UniqueKey {
    /// The unique key over some columns with the order it needs, `None` standing for that of the
    /// primary key. A unique key that contains the primary key says nothing and needs nothing.
    pub(super) fn new(
        primary_key: &[usize],
        columns: &[usize],
    ) -> Option<(UniqueKey, Option<KeySpec>)> {
        let shape = ScanShape {
            table: TableId(0),
            equal: columns.to_vec(),
            order: primary_key.iter().map(|column| (*column, Direction::Asc)).collect(),
        };
        let (Access::Ordered(_), spec) = Access::new(primary_key, &shape) else { return None };
        let stored = match &spec {
            Some(spec) => {
                spec.columns()[..columns.len()].iter().map(|(column, _)| *column).collect()
            }
            None => primary_key[..columns.len()].to_vec(),
        };
        let set = columns.iter().copied().collect();
        Some((UniqueKey { columns: columns.to_vec(), stored, set, index: PRIMARY }, spec))
    }

    /// The same over the stored order at that position.
    pub(super) fn on(self, index: IndexId) -> UniqueKey {
        UniqueKey { index, ..self }
    }

    /// Another row with this row's values. Costs one look-up.
    fn other<'a>(
        &self,
        schema: &TableSchema,
        table: &'a TableStore,
        key: &[u8],
        row: &Row,
    ) -> Option<(Key, &'a Row)> {
        let mut prefix = KeyBuffer::new();
        if !write_columns_non_null(row, &self.stored, &mut prefix) {
            return None;
        }
        let mut alike = table.with_prefix(self.index, &prefix);
        let (first, second) = (alike.next()?, alike.next()?);
        let first_key = schema.primary_key_spec().key(first);
        if *first_key == *key {
            Some((schema.primary_key_spec().key(second), second))
        } else {
            Some((first_key, first))
        }
    }

    fn violation(&self, schema: &TableSchema, row: &Row, other: &Row) -> ApplyError {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} = {}", schema.columns()[*column].name, row.get(*column)))
            .collect();
        ApplyError::UniqueViolation {
            table: schema.name().to_owned(),
            key: schema.describe_key(row),
            other: schema.describe_key(other),
            columns: columns.join(", "),
        }
    }
}

impl TableStore {
    /// Checks the unique keys of the rows that the transaction in flight has changed. Costs one
    /// look-up for each of them whose columns in a unique key have changed.
    pub(super) fn check_unique(&self, schema: &TableSchema) -> Result<(), ApplyError> {
        if self.unique.is_empty() {
            return Ok(());
        }
        for (rank, (key, touched)) in self.pending.iter().enumerate() {
            let Some(row) = &touched.new else { continue };
            let changed = match &touched.old {
                Some(old) => old.changed_columns(row),
                None => ColumnSet::ALL,
            };
            for unique in self.unique.iter().filter(|unique| unique.set.intersects(changed)) {
                if let Some((other_key, other)) = unique.other(schema, self, key, row) {
                    // The row at fault is the one written last.
                    let later = self.pending.rank(&other_key).is_some_and(|other| other > rank);
                    let (row, other) = if later { (other, row) } else { (row, other) };
                    return Err(unique.violation(schema, row, other));
                }
            }
        }
        Ok(())
    }

    /// Checks the unique keys of one row.
    pub(super) fn check_unique_row(
        &self,
        schema: &TableSchema,
        key: &[u8],
        row: &Row,
    ) -> Result<(), ApplyError> {
        for unique in &self.unique {
            if let Some((_, other)) = unique.other(schema, self, key, row) {
                return Err(unique.violation(schema, row, other));
            }
        }
        Ok(())
    }
}
