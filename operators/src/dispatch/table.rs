//! The scan levels of one table.

use std::sync::Arc;

use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::delta::ColumnSet;
use crate::key::{Key, KeySpec};
use crate::level::{LevelId, fixed_hasher};
use crate::plan::{Input, LevelPlan};
use crate::route::reads;

use super::intervals::Interval;
use super::member::{self, Member};
use super::readers::Readers;

/// Up to this many levels of a table are visited one by one.
pub(super) const FEW: usize = 8;

/// A level with more constants in use than this is not told by them: one that serves so many
/// queries is worth a visit.
const CONSTANTS_MAX: usize = 16;

/// The scan levels of one table, with an index of them where they are many.
#[derive(Debug)]
pub(super) struct TableLevels {
    listed: IndexMap<LevelId, Listed, ahash::RandomState>,
    pub(super) index: Option<Box<Readers>>,
}

/// One level, and for which rows it is in the index.
#[derive(Debug)]
struct Listed {
    plan: Arc<LevelPlan>,
    /// The columns whose values decide where a row belongs.
    reads: ColumnSet,
    /// Where the first column of its order must lie for a row to come into a window, as far as its
    /// windows say.
    reach: Option<Interval>,
    /// Whether the level is found by its reach where that is known.
    found_by_reach: bool,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// For the rows that have these values in the lifted columns, each in use by so many bindings.
    Constants(SmallVec<[(Key, u32); 1]>),
    /// Whatever a row has there.
    Any,
}

impl Default for TableLevels {
    fn default() -> TableLevels {
        TableLevels { listed: IndexMap::with_hasher(fixed_hasher()), index: None }
    }
}

impl TableLevels {
    /// The number of levels.
    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    /// The level at a position.
    pub(super) fn at(&self, position: usize) -> Option<LevelId> {
        self.listed.get_index(position).map(|(level, _)| *level)
    }

    /// The levels.
    pub(super) fn levels(&self) -> impl Iterator<Item = LevelId> {
        self.listed.keys().copied()
    }

    /// Adds a level for which no constants are in use yet, over a table whose rows are told apart
    /// by `identity`. Returns whether the levels are indexed from now on.
    pub(super) fn add(&mut self, level: LevelId, plan: Arc<LevelPlan>, identity: &KeySpec) -> bool {
        let places = match lifted(&plan) {
            [] => Places::Any,
            _ => Places::Constants(SmallVec::new()),
        };
        let reads = reads(&plan);
        let found_by_reach = member::found_by_reach(&plan);
        let listed = Listed { plan, reads, reach: None, found_by_reach, places };
        if let Some(index) = &mut self.index {
            listed.put(index, level);
        }
        self.listed.insert(level, listed);
        if self.index.is_some() || self.listed.len() <= FEW {
            return false;
        }
        let mut index = Box::new(Readers::new(identity.clone()));
        self.listed.iter().for_each(|(level, listed)| listed.put(&mut index, *level));
        self.index = Some(index);
        true
    }

    /// Takes a level away.
    pub(super) fn remove(&mut self, level: LevelId) {
        let Some(listed) = self.listed.swap_remove(&level) else { return };
        if self.listed.is_empty() {
            *self = TableLevels::default();
            return;
        }
        // Not at once, so that a table with about so many is not indexed time and again.
        if self.listed.len() <= FEW / 2 {
            self.index = None;
        }
        if let Some(index) = &mut self.index {
            listed.take(index, level);
        }
    }

    /// Counts a use of the constants of a level.
    pub(super) fn learn(&mut self, level: LevelId, constants: &Key) {
        let Some(listed) = self.listed.get_mut(&level) else { return };
        let Places::Constants(known) = &mut listed.places else { return };
        if let Some((_, uses)) = known.iter_mut().find(|(known, _)| known == constants) {
            *uses += 1;
            return;
        }
        if known.len() < CONSTANTS_MAX {
            known.push((constants.clone(), 1));
            if let Some(index) = &mut self.index {
                listed.put_for(index, level, constants);
            }
            return;
        }
        if let Some(index) = &mut self.index {
            listed.take(index, level);
        }
        listed.places = Places::Any;
        if let Some(index) = &mut self.index {
            listed.put(index, level);
        }
    }

    /// Gives back a use of the constants of a level.
    pub(super) fn forget(&mut self, level: LevelId, constants: &Key) {
        let Some(listed) = self.listed.get_mut(&level) else { return };
        let Places::Constants(known) = &mut listed.places else { return };
        let Some(at) = known.iter().position(|(known, _)| known == constants) else { return };
        known[at].1 -= 1;
        if known[at].1 == 0 {
            known.swap_remove(at);
            if let Some(index) = &mut self.index {
                listed.take_for(index, level, constants);
            }
        }
    }

    /// Notes how far the windows of a level reach, where that is what it is found by.
    pub(super) fn set_reach(&mut self, level: LevelId, reach: impl FnOnce() -> Option<Interval>) {
        let Some(index) = &mut self.index else { return };
        let Some(listed) = self.listed.get_mut(&level) else { return };
        if !listed.found_by_reach {
            return;
        }
        let reach = reach();
        if reach != listed.reach {
            listed.take(index, level);
            listed.reach = reach;
            listed.put(index, level);
        }
    }

    /// Bytes of the list and the index.
    pub(super) fn bytes(&self) -> usize {
        let listed = size_of::<(LevelId, Listed)>() + 2 * size_of::<usize>();
        self.listed.capacity() * listed + self.index.as_ref().map_or(0, |index| index.bytes())
    }
}

impl Listed {
    fn member(&self, level: LevelId) -> Member<'_> {
        Member { level, plan: &self.plan, reads: self.reads, reach: self.reach.as_ref() }
    }

    fn put(&self, index: &mut Readers, level: LevelId) {
        match &self.places {
            Places::Any => index.add(&self.member(level), &[], &Key::default()),
            Places::Constants(known) => {
                known.iter().for_each(|(key, _)| self.put_for(index, level, key));
            }
        }
    }

    fn put_for(&self, index: &mut Readers, level: LevelId, constants: &Key) {
        index.add(&self.member(level), lifted(&self.plan), constants);
    }

    fn take(&self, index: &mut Readers, level: LevelId) {
        match &self.places {
            Places::Any => index.remove(&self.member(level), &[], &Key::default()),
            Places::Constants(known) => {
                known.iter().for_each(|(key, _)| self.take_for(index, level, key));
            }
        }
    }

    fn take_for(&self, index: &mut Readers, level: LevelId, constants: &Key) {
        index.remove(&self.member(level), lifted(&self.plan), constants);
    }
}

/// The lifted columns of a scan.
fn lifted(plan: &LevelPlan) -> &[usize] {
    match &plan.input {
        Input::Scan { partition, correlated, .. } => &partition[*correlated..],
        Input::Junction { .. } => &[],
    }
}
