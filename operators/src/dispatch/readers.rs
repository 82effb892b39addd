//! The levels of one table by the columns that they read.

use crate::delta::{ColumnSet, Delta};
use crate::key::{Key, KeySpec};
use crate::level::LevelId;

use super::index::Index;
use super::member::Member;
use super::shown::Shown;

/// All levels of a table for rows that come and go, those that read a column for updates of it, and
/// which rows they hold for updates of what they do not read.
#[derive(Debug)]
pub(super) struct Readers {
    all: Index,
    /// By the column's number, those from the 63rd on together.
    by_column: Vec<Index>,
    /// The columns of the identity, which no update changes.
    fixed: ColumnSet,
    pub(super) shown: Shown,
}

impl Readers {
    /// No levels, over a table whose rows are told apart by `identity`.
    pub(super) fn new(identity: KeySpec) -> Readers {
        let columns = identity.columns().iter().map(|(column, _)| *column);
        let fixed = columns.filter(|column| *column < ColumnSet::LAST).collect();
        let (all, by_column) = (Index::default(), Vec::new());
        Readers { all, by_column, fixed, shown: Shown::new(identity) }
    }

    /// Adds a level for the rows with these values in `lifted`.
    pub(super) fn add(&mut self, member: &Member<'_>, lifted: &[usize], key: &Key) {
        self.all.add(member, lifted, key);
        for column in member.reads.iter().filter(|column| !self.fixed.contains(*column)) {
            if self.by_column.len() <= column {
                self.by_column.resize_with(column + 1, Index::default);
            }
            self.by_column[column].add(member, lifted, key);
        }
    }

    /// Takes back what was added with the same arguments.
    pub(super) fn remove(&mut self, member: &Member<'_>, lifted: &[usize], key: &Key) {
        self.all.remove(member, lifted, key);
        for column in member.reads.iter().filter(|column| !self.fixed.contains(*column)) {
            if let Some(index) = self.by_column.get_mut(column) {
                index.remove(member, lifted, key);
            }
        }
    }

    /// Calls with every level that a change may concern, with some several times.
    pub(super) fn concerned(&self, delta: &Delta, visit: &mut impl FnMut(LevelId)) {
        let Some(old) = delta.old.as_ref().filter(|_| delta.new.is_some()) else {
            return self.all.concerned(delta, visit);
        };
        for column in delta.changed.iter() {
            if let Some(index) = self.by_column.get(column) {
                index.concerned(delta, visit);
            }
        }
        self.shown.visit(old, visit);
    }

    /// Bytes of the indexes.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.by_column.iter().map(Index::bytes).sum();
        let list = self.by_column.capacity() * size_of::<Index>();
        self.all.bytes() + columns + list + self.shown.bytes()
    }
}
