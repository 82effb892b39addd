//! `dispatch`: from a changed row of a table to the levels that it may concern.
//!
//! A level is concerned by a change if the old or the new row may pass its condition: a row that
//! passes neither before nor after is in none of its windows and enters none, and no gate above
//! depends on it. Where a table has many levels, each is found by the columns that it reads
//! (`readers`), by the constants of its lifted columns that are in use (`index`), and among those
//! with the same by the values that its rows must have in one column, or in one expression
//! (`cover`). So queries that differ in a constant, a range or the list of an IN are not each
//! visited. A level that reads none of the columns that an update changes is concerned only where a
//! window of it holds the row (`shown`). Where a table has few levels, all are visited.
//!
//! Cost: per change, for each column that it changes, one look-up for each set of lifted columns,
//! and one, O(log levels + hits), for each column or expression that levels are found by; and one
//! for the windows. State: an entry per level and column that it reads, for each of its constants
//! and for each interval of its cover, and one per row in a window.

use std::sync::Arc;

use crate::advance::Queue;
use crate::delta::Delta;
use crate::graph::Graph;
use crate::key::KeySpec;
use crate::level::{Level, LevelId, LevelInput};
use crate::partition::Partition;
use crate::plan::{Binding, LevelPlan};
use crate::route::constants;
use crate::schema::TableId;
use crate::source::{Source, SourceError};
use crate::take::Window;

use shown::Shown;
use table::TableLevels;

pub(crate) use cover::{bounds, listed};
pub(crate) use intervals::Interval;

mod cover;
mod index;
mod intervals;
mod member;
mod readers;
mod shelf;
mod shown;
mod table;
#[cfg(test)]
mod tests;

/// The scan levels of all tables.
#[derive(Debug, Default)]
pub(crate) struct Dispatch {
    base: Vec<TableLevels>,
    derived: Vec<TableLevels>,
}

/// Which of its table's deltas concern a level in the transaction in flight.
#[derive(Debug, Default)]
pub(crate) struct Concern {
    /// All of them.
    pub(crate) all: bool,
    /// Otherwise those at these positions, ascending.
    pub(crate) deltas: Vec<u32>,
}

/// Positions of deltas are kept in memory from one transaction to the next up to this many.
const KEPT: usize = 64;

impl Concern {
    fn add(&mut self, at: u32) {
        if self.deltas.last() != Some(&at) {
            self.deltas.push(at);
        }
    }

    /// Forgets a transaction that is over.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.all = false;
        self.deltas.clear();
        if self.deltas.capacity() > KEPT {
            self.deltas = Vec::new();
        }
    }
}

impl Dispatch {
    /// Adds a level over a table whose rows are told apart by `identity`. Returns whether the
    /// table's levels are indexed from now on; then the rows of their windows are to be counted.
    pub(crate) fn add(
        &mut self,
        level: LevelId,
        plan: &Arc<LevelPlan>,
        identity: &KeySpec,
    ) -> bool {
        self.table_mut(plan.table).add(level, Arc::clone(plan), identity)
    }

    /// Where the rows of a table's windows are counted, if they are.
    #[inline]
    pub(crate) fn shown(&mut self, table: TableId) -> Option<&mut Shown> {
        let levels = match table.derived_number() {
            None => self.base.get_mut(table.0 as usize),
            Some(number) => self.derived.get_mut(number as usize),
        };
        levels?.index.as_mut().map(|index| &mut index.shown)
    }

    /// Takes a level over a table away.
    pub(crate) fn remove(&mut self, level: LevelId, plan: &LevelPlan) {
        self.table_mut(plan.table).remove(level);
    }

    /// Counts a binding that has come into use in a level.
    pub(crate) fn learn(&mut self, level: LevelId, table: TableId, binding: &Binding) {
        if !binding.constants.is_empty() {
            self.table_mut(table).learn(level, &constants(binding));
        }
    }

    /// Takes back a binding that is not in use any more.
    pub(crate) fn forget(&mut self, level: LevelId, table: TableId, binding: &Binding) {
        if !binding.constants.is_empty() {
            self.table_mut(table).forget(level, &constants(binding));
        }
    }

    /// Notes how far the windows of a level reach.
    #[inline]
    pub(crate) fn set_reach(&mut self, id: LevelId, level: &Level) {
        self.table_mut(level.table).set_reach(id, || member::reach(level));
    }

    /// Follows what a transaction has changed in these windows of a level.
    #[inline]
    pub(crate) fn settle(&mut self, id: LevelId, level: &Level, changed: &[u32]) {
        let LevelInput::Scan(_) = level.input else { return };
        let Some(shown) = self.shown(level.table) else { return };
        let windows = changed.iter().map(|partition| &level.partition(*partition).window);
        for change in windows.flat_map(Window::log) {
            match (&change.old, &change.new) {
                (None, Some(row)) => shown.add(row, id),
                (Some(row), None) => shown.remove(row, id),
                _ => {}
            }
        }
        self.set_reach(id, level);
    }

    /// Bytes of the lists and indexes.
    pub(crate) fn bytes(&self) -> usize {
        self.base.iter().chain(&self.derived).map(TableLevels::bytes).sum()
    }

    fn table(&self, table: TableId) -> Option<&TableLevels> {
        match table.derived_number() {
            None => self.base.get(table.0 as usize),
            Some(number) => self.derived.get(number as usize),
        }
    }

    fn table_mut(&mut self, table: TableId) -> &mut TableLevels {
        let (tables, at) = match table.derived_number() {
            None => (&mut self.base, table.0 as usize),
            Some(number) => (&mut self.derived, number as usize),
        };
        if tables.len() <= at {
            tables.resize_with(at + 1, TableLevels::default);
        }
        &mut tables[at]
    }
}

impl Graph {
    /// Makes the levels wait that changes of a table may concern, and tells them which.
    pub(crate) fn enqueue_concerned(
        &mut self,
        queue: &mut Queue,
        table: TableId,
        deltas: &[Delta],
    ) {
        let Some(levels) = self.dispatch.table(table) else { return };
        if levels.index.is_none() {
            for at in 0..levels.len() {
                self.enqueue_at(queue, table, at);
            }
            return;
        }
        let Some(index) = self.dispatch.table_mut(table).index.take() else { return };
        for (at, delta) in (0u32..).zip(deltas) {
            index.concerned(delta, &mut |level| {
                self.level_mut(level).batch.concern.add(at);
                self.enqueue(queue, level);
            });
        }
        self.dispatch.table_mut(table).index = Some(index);
    }

    /// Routes those of a table's deltas that concern a scan level.
    pub(crate) fn route_deltas(
        &self,
        source: &dyn Source,
        level: &mut Level,
        deltas: &[Delta],
    ) -> Result<(), SourceError> {
        if level.batch.concern.all {
            return deltas.iter().try_for_each(|delta| self.route_delta(source, level, delta));
        }
        for at in 0..level.batch.concern.deltas.len() {
            let delta = &deltas[level.batch.concern.deltas[at] as usize];
            self.route_delta(source, level, delta)?;
        }
        Ok(())
    }

    /// Makes a table's level at a position wait for all changes.
    fn enqueue_at(&mut self, queue: &mut Queue, table: TableId, at: usize) {
        let Some(level) = self.dispatch.table(table).and_then(|levels| levels.at(at)) else {
            return;
        };
        self.level_mut(level).batch.concern.all = true;
        self.enqueue(queue, level);
    }

    /// Counts the rows in the windows of all levels over a table whose levels have been indexed.
    pub(crate) fn count_shown(&mut self, table: TableId) {
        let Some(levels) = self.dispatch.table(table) else { return };
        for id in levels.levels().collect::<Vec<LevelId>>() {
            // A level that is only being made has no windows.
            let Some(Some(level)) = self.levels.get(id.0 as usize) else { continue };
            self.dispatch.set_reach(id, level);
            let Some(shown) = self.dispatch.shown(table) else { return };
            let windows = level.partitions.iter().map(|(_, partition)| &partition.window);
            windows.flat_map(|window| window.rows().iter()).for_each(|(_, row)| shown.add(row, id));
        }
    }

    /// Counts the rows of a partition that has been filled, or has been dropped from the level.
    pub(crate) fn note_shown(
        &mut self,
        id: LevelId,
        level: &Level,
        held: &Partition,
        filled: bool,
    ) {
        let LevelInput::Scan(_) = level.input else { return };
        self.dispatch.set_reach(id, level);
        let Some(shown) = self.dispatch.shown(level.table) else { return };
        for (_, row) in held.window.rows().iter() {
            match filled {
                true => shown.add(row, id),
                false => shown.remove(row, id),
            }
        }
    }
}
