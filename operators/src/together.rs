//! Subscribing to many plans together.
//!
//! Subscribed to one by one, a result is filled depth first: a row that has entered a window at once
//! asks for the lists below it. Together, results are filled in *waves* (`wave`): everything that is
//! asked for is made, all of it is read, and what has been read asks for the next. What a wave reads
//! does not depend on what it makes, so its reads can be done at once, by [`Workers`]. The results,
//! their counts and the numbers of their partitions are those of the waves, whoever does the work.

use std::sync::Arc;

use crate::graph::{Graph, RootId};
use crate::level::{LevelId, PartitionId};
use crate::plan::Plan;
use crate::relation::renumber::renumbered;
use crate::route::constants;
use crate::source::{Source, SourceError};
use crate::wave::{Ask, Asks};
use crate::workers::Workers;

/// How many plans go through the waves together at most, since what a wave asks for is kept
/// until it is made. Few in debug builds, so that tests have several groups.
const GROUP: usize = if cfg!(debug_assertions) { 3 } else { 512 };

/// Why one of several plans could not be subscribed to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("plan {plan}: {error}")]
pub struct PlanError {
    /// Its place among the plans, from 0.
    pub plan: usize,
    /// What failed.
    #[source]
    pub error: SourceError,
}

impl Graph {
    /// Subscribes to several plans: as [`Graph::subscribe`] for each, but for the order of the
    /// work, of which `workers` do what they can at once. Results, counts and numbers are the same
    /// whoever the workers are.
    ///
    /// Only reads of a source's own tables are given to workers, and only where the source has
    /// [`Source::shared`]; the rest is done by the caller.
    ///
    /// # Errors
    /// A failing source, with a plan that it failed for; nothing is then subscribed to.
    pub fn subscribe_all(
        &mut self,
        source: &mut dyn Source,
        plans: &[&Plan],
        workers: &dyn Workers,
    ) -> Result<Vec<RootId>, PlanError> {
        let mut roots = Vec::with_capacity(plans.len());
        for group in plans.chunks(GROUP) {
            match self.subscribe_group(source, group, workers) {
                Ok(more) => roots.extend(more),
                Err(failed) => {
                    let plan = roots.len() + failed.plan;
                    roots.into_iter().for_each(|root| self.unsubscribe(source, root));
                    return Err(PlanError { plan, ..failed });
                }
            }
        }
        Ok(roots)
    }

    fn subscribe_group(
        &mut self,
        source: &mut dyn Source,
        plans: &[&Plan],
        workers: &dyn Workers,
    ) -> Result<Vec<RootId>, PlanError> {
        let mut tables: Vec<Vec<u32>> = Vec::with_capacity(plans.len());
        let mut outcome = Ok(());
        for (number, plan) in plans.iter().enumerate() {
            match self.acquire_tables(source, &plan.derived) {
                Ok(numbers) => tables.push(numbers),
                Err(error) => {
                    outcome = Err(PlanError { plan: number, error });
                    break;
                }
            }
        }
        let outcome = outcome.and_then(|()| {
            self.with_derived(source, |graph, source| {
                graph.subscribe_shapes(source, plans, &tables, workers)
            })
        });
        // From here on the levels' prepared reads hold the tables.
        tables.iter().for_each(|numbers| self.release_tables(source, numbers));
        outcome
    }

    fn subscribe_shapes(
        &mut self,
        source: &mut dyn Source,
        plans: &[&Plan],
        tables: &[Vec<u32>],
        workers: &dyn Workers,
    ) -> Result<Vec<RootId>, PlanError> {
        let mut levels = Vec::with_capacity(plans.len());
        let outcome = self
            .intern_all(source, plans, tables, &mut levels)
            .and_then(|()| self.fill_roots(source, plans, &levels, workers));
        if outcome.is_err() {
            self.rollback();
            levels.into_iter().for_each(|level| self.drop_unused(source, level));
        }
        outcome
    }

    fn intern_all(
        &mut self,
        source: &mut dyn Source,
        plans: &[&Plan],
        tables: &[Vec<u32>],
        levels: &mut Vec<LevelId>,
    ) -> Result<(), PlanError> {
        for (number, (plan, tables)) in plans.iter().zip(tables).enumerate() {
            let level = match tables.is_empty() {
                true => self.intern(source, &plan.shape),
                false => self.intern(source, &renumbered(&plan.shape, tables)),
            };
            levels.push(level.map_err(|error| PlanError { plan: number, error })?);
        }
        Ok(())
    }

    fn fill_roots(
        &mut self,
        source: &dyn Source,
        plans: &[&Plan],
        levels: &[LevelId],
        workers: &dyn Workers,
    ) -> Result<Vec<RootId>, PlanError> {
        let mut asks = Asks::new();
        for (number, (plan, level)) in (0u32..).zip(plans.iter().zip(levels)) {
            let ask = Ask::of_subscriber(constants(&plan.binding), &plan.binding, number);
            asks.entry(*level).or_default().push(ask);
        }
        self.fill_all(source, asks, workers)
            .map_err(|(plan, error)| PlanError { plan: plan as usize, error })?;
        let mut roots = Vec::with_capacity(plans.len());
        for (plan, level) in plans.iter().zip(levels) {
            let binding = Arc::clone(&plan.binding);
            let found = self.level(*level).find(&constants(&binding), &binding);
            let Some(partition) = found else {
                unreachable!("a partition that was asked for has been made")
            };
            let root = RootId(PartitionId { level: *level, partition });
            self.add_subscriber(root);
            roots.push(root);
        }
        self.end_transaction();
        Ok(roots)
    }
}
