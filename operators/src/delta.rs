//! Row deltas and batches: what one transaction changed, consolidated.
//!
//! A [`Batch`] is produced by a [`Source`](crate::source::Source) once a transaction has been
//! validated. Within a batch each primary key of a table occurs at most once; a row that was
//! inserted and deleted again does not occur at all; an update that changes a primary key is a
//! delete of the old key and an insert of the new one.

use smallvec::{SmallVec, smallvec};

use crate::row::Row;
use crate::schema::TableId;

/// A set of columns, kept in 64 bits.
///
/// Columns from the 64th on share the last bit, so the set is exact for tables of up to 63 columns
/// and conservative (it may report a column that is absent, never the reverse) beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ColumnSet(u64);

impl ColumnSet {
    /// The set of no columns.
    pub const EMPTY: ColumnSet = ColumnSet(0);
    /// The set of all columns.
    pub const ALL: ColumnSet = ColumnSet(u64::MAX);
    /// The column as which it and all behind it are kept.
    pub(crate) const LAST: usize = 63;

    /// Adds a column.
    #[inline]
    pub fn insert(&mut self, column: usize) {
        self.0 |= 1 << column.min(ColumnSet::LAST);
    }

    /// Whether the two sets may share a column.
    #[inline]
    pub fn intersects(self, other: ColumnSet) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the column may be in the set.
    #[inline]
    pub fn contains(self, column: usize) -> bool {
        self.0 & (1 << column.min(ColumnSet::LAST)) != 0
    }

    /// Whether no column is in the set.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The columns by ascending number, those from the 63rd on together as the 63rd.
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let column = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(column)
        })
    }

    /// The columns of either set.
    #[inline]
    #[must_use]
    pub fn union(self, other: ColumnSet) -> ColumnSet {
        ColumnSet(self.0 | other.0)
    }
}

impl FromIterator<usize> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = usize>>(columns: I) -> Self {
        let mut set = ColumnSet::EMPTY;
        for column in columns {
            set.insert(column);
        }
        set
    }
}

/// The change of one row in one transaction. At least one of `old` and `new` is present; where
/// both are, they have the same primary key and differ in at least one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The row before the transaction, absent for an insert.
    pub old: Option<Row>,
    /// The row after the transaction, absent for a delete.
    pub new: Option<Row>,
    /// The columns that differ; [`ColumnSet::ALL`] for inserts and deletes.
    pub changed: ColumnSet,
}

impl Delta {
    /// The delta of an inserted row.
    pub fn insert(row: Row) -> Delta {
        Delta { old: None, new: Some(row), changed: ColumnSet::ALL }
    }

    /// The delta of a deleted row.
    pub fn delete(row: Row) -> Delta {
        Delta { old: Some(row), new: None, changed: ColumnSet::ALL }
    }

    /// The delta of an updated row, or `None` where nothing differs.
    pub fn update(old: Row, new: Row) -> Option<Delta> {
        let changed = old.changed_columns(&new);
        Delta::update_of(old, new, changed)
    }

    /// The same where it is known which columns differ.
    pub fn update_of(old: Row, new: Row, changed: ColumnSet) -> Option<Delta> {
        debug_assert_eq!(changed, old.changed_columns(&new));
        (!changed.is_empty()).then_some(Delta { old: Some(old), new: Some(new), changed })
    }
}

/// One transaction, consolidated: for each changed table its row deltas.
///
/// The order of tables and of deltas is that in which the transaction first touched them, so the
/// same transaction always gives the same batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    tables: SmallVec<[(TableId, SmallVec<[Delta; 1]>); 1]>,
}

impl Batch {
    /// A batch without changes.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Appends a delta. The caller keeps the invariant that a primary key occurs once.
    pub fn push(&mut self, table: TableId, delta: Delta) {
        match self.tables.iter_mut().find(|(id, _)| *id == table) {
            Some((_, deltas)) => deltas.push(delta),
            None => self.tables.push((table, smallvec![delta])),
        }
    }

    /// The changed tables with their deltas.
    pub fn tables(&self) -> impl Iterator<Item = (TableId, &[Delta])> {
        self.tables.iter().map(|(id, deltas)| (*id, deltas.as_slice()))
    }

    /// The deltas of one table; empty where it did not change.
    pub fn table(&self, table: TableId) -> &[Delta] {
        self.tables.iter().find(|(id, _)| *id == table).map_or(&[], |(_, deltas)| deltas)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The number of changed rows.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|(_, deltas)| deltas.len()).sum()
    }
}

/// What a transaction changed in tables and derived tables.
pub(crate) struct Deltas<'a> {
    pub(crate) base: &'a Batch,
    pub(crate) derived: Option<&'a Batch>,
}

impl Deltas<'_> {
    pub(crate) fn tables(&self) -> impl Iterator<Item = TableId> {
        let batches = std::iter::once(self.base).chain(self.derived);
        batches.flat_map(|batch| batch.tables().map(|(table, _)| table))
    }

    pub(crate) fn table(&self, table: TableId) -> &[Delta] {
        match (table.derived_number(), self.derived) {
            (None, _) => self.base.table(table),
            (Some(_), Some(derived)) => derived.table(table),
            (Some(_), None) => &[],
        }
    }
}
