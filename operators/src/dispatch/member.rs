//! A level as it stands in the indexes: which values a row must have to concern it.
//!
//! Besides its condition a level may be found by its *reach*: a row that lies behind the last row
//! of a full window, in the order of the window, neither is in it nor comes into it. So of many
//! limited lists a new row visits only those that it comes into.

use crate::delta::ColumnSet;
use crate::key::{BEHIND_ALL, Direction, Key, encoded_len, inverted};
use crate::level::{Level, LevelId, LevelInput};
use crate::plan::{Input, LevelPlan};
use crate::take::Edge;

use super::cover::{Breadth, Cover, Reading, breadth, cover};
use super::intervals::{Interval, after};

/// A level to add or to take back.
pub(super) struct Member<'a> {
    pub(super) level: LevelId,
    pub(super) plan: &'a LevelPlan,
    /// The columns that the level reads.
    pub(super) reads: ColumnSet,
    /// Where the first column of its order must lie, if that is known.
    pub(super) reach: Option<&'a Interval>,
}

impl Member<'_> {
    /// The values of which a row must have one to concern the level; `None` for any.
    pub(super) fn cover(&self) -> Option<Cover> {
        let by_condition = of_condition(self.plan);
        let Some(reach) = self.reach else { return by_condition };
        let interval = match by_condition.as_deref() {
            Some([(_, interval)]) => reach.clone().intersection(interval.clone()),
            _ => reach.clone(),
        };
        match interval.is_empty() {
            true => Some(Cover::new()),
            false => Some(vec![(first_of_order(self.plan)?, interval)]),
        }
    }
}

fn of_condition(plan: &LevelPlan) -> Option<Cover> {
    match &plan.input {
        Input::Scan { condition, .. } => cover(condition),
        Input::Junction { .. } => None,
    }
}

fn first_of_order(plan: &LevelPlan) -> Option<Reading> {
    plan.order.columns().first().map(|(column, _)| Reading::Column(*column))
}

/// Whether a level is found by its reach where that is known: where its condition says nothing, or
/// only a bound on one side of the column that it is ordered by.
pub(super) fn found_by_reach(plan: &LevelPlan) -> bool {
    match of_condition(plan) {
        None => true,
        Some(cover) => match cover.as_slice() {
            [(reading, _)] => {
                breadth(&cover) == Breadth::OneSided
                    && Some(reading) == first_of_order(plan).as_ref()
            }
            _ => false,
        },
    }
}

/// Where the first column of a level's order must lie for a row to be in its only window or to come
/// into it; `None` where that is anywhere, or not known.
pub(super) fn reach(level: &Level) -> Option<Interval> {
    let LevelInput::Scan(_) = level.input else { return None };
    // Rows beyond a window may open a gate.
    if level.gate_parents > 0 {
        return None;
    }
    let Edge::At(edge) = level.partitions.only()?.window.edge() else { return None };
    let (_, direction) = *level.order.columns().first()?;
    let first = edge.get(..encoded_len(edge, direction)?)?;
    Some(match direction {
        Direction::Asc => Interval { lower: Key::default(), upper: after(first) },
        Direction::Desc => Interval {
            lower: Key::from_slice(&inverted(first)),
            upper: Key::from_slice(&[BEHIND_ALL]),
        },
    })
}
