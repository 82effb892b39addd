//! The graph: every live level, and the life of subscriptions in it.
//!
//! A graph takes [`Plan`]s and keeps their results. It reads a [`Source`] and never writes one.
//! It is synchronous and deterministic: the same calls over the same data give the same results,
//! ids and patches in the same order.
//!
//! Who does what: this file keeps subscribers; `intern` makes and drops levels; `fill` and `drive`
//! read windows from the source; `join` links rows to partitions; `exists` decides gates; `advance`
//! takes a transaction through the levels, `reread` reads them anew, `grow` fills one in steps; `patch`
//! and `row_set` say what a subscriber sees of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::advance::Queue;
use crate::dispatch::Dispatch;
use crate::holders::Holder;
use crate::level::{FixedMap, Level, LevelId, PartitionId, fixed_hasher};
use crate::plan::{Binding, LevelPlan, Plan};
use crate::relation::flow::Flow;
use crate::relation::renumber::renumbered;
use crate::route::constants;
use crate::row_set::RowSet;
use crate::source::{Source, SourceError};
use crate::view::{ListPatch, diff_lists};

/// A subscribed result: the root partition of one template under one binding. Subscriptions with
/// the same plan share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub(crate) PartitionId);

/// One step of building the links between rows and partitions, kept so that it can be undone.
#[derive(Debug)]
pub(crate) struct LinkStep {
    pub(crate) child: PartitionId,
    pub(crate) holder: Holder,
    pub(crate) added: bool,
}

/// The levels of all live queries over one source.
#[derive(Debug)]
pub struct Graph {
    pub(crate) levels: Vec<Option<Box<Level>>>,
    pub(crate) free: Vec<u32>,
    pub(crate) by_plan: FixedMap<Arc<LevelPlan>, LevelId>,
    /// Scan levels by table.
    pub(crate) dispatch: Dispatch,
    /// The derived tables; absent where there are none.
    pub(crate) flow: Option<Box<Flow>>,
    /// Partitions that may have lost their last holder.
    pub(crate) sweep: Vec<PartitionId>,
    /// Partitions made since the last commit.
    pub(crate) fresh: Vec<PartitionId>,
    /// Link steps since the last commit.
    pub(crate) journal: Vec<LinkStep>,
    /// Live partitions that hold two rows where one was declared.
    pub(crate) violating: BTreeSet<PartitionId>,
    pub(crate) row_sets: FixedMap<RootId, RowSet>,
    pub(crate) clock: fn() -> u64,
    /// Levels that the transaction in flight has reached.
    pub(crate) reached: Vec<LevelId>,
    /// Empty between transactions; kept for its memory.
    pub(crate) queue: Queue,
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new(|| 0)
    }
}

impl Graph {
    /// An empty graph. `clock` returns nanoseconds from any origin and is only used for the times
    /// that `explain` shows.
    pub fn new(clock: fn() -> u64) -> Graph {
        Graph {
            levels: Vec::new(),
            free: Vec::new(),
            by_plan: FixedMap::with_hasher(fixed_hasher()),
            dispatch: Dispatch::default(),
            flow: None,
            sweep: Vec::new(),
            fresh: Vec::new(),
            journal: Vec::new(),
            violating: BTreeSet::new(),
            row_sets: FixedMap::with_hasher(fixed_hasher()),
            clock,
            reached: Vec::new(),
            queue: Queue::new(),
        }
    }

    /// A level that is not being processed right now.
    ///
    /// While a level is processed it is taken out of the graph; it only ever looks at levels below
    /// itself, which are in.
    #[inline]
    pub(crate) fn level(&self, id: LevelId) -> &Level {
        match &self.levels[id.0 as usize] {
            Some(level) => level,
            None => unreachable!("a level that is referred to is live"),
        }
    }

    #[inline]
    pub(crate) fn level_mut(&mut self, id: LevelId) -> &mut Level {
        match &mut self.levels[id.0 as usize] {
            Some(level) => level,
            None => unreachable!("a level that is referred to is live"),
        }
    }

    /// Takes a level out to process it.
    pub(crate) fn take_level(&mut self, id: LevelId) -> Box<Level> {
        match self.levels[id.0 as usize].take() {
            Some(level) => level,
            None => {
                unreachable!("a level that is referred to is live, and processed once at a time")
            }
        }
    }

    /// Puts a processed level back.
    pub(crate) fn put_level(&mut self, id: LevelId, level: Box<Level>) {
        self.levels[id.0 as usize] = Some(level);
    }

    /// Subscribes to a plan: fills what is not live yet and counts one more subscriber.
    ///
    /// Cost: O(result) reads for what is not live; none where the same plan is live.
    ///
    /// # Errors
    /// A failing source; the graph is then as before.
    pub fn subscribe(
        &mut self,
        source: &mut dyn Source,
        plan: &Plan,
    ) -> Result<RootId, SourceError> {
        if plan.derived.is_empty() {
            let root = |graph: &mut Graph, source: &mut dyn Source| {
                graph.subscribe_shape(source, &plan.shape, &plan.binding)
            };
            return self.with_derived(source, root);
        }
        let numbers = self.acquire_tables(source, &plan.derived)?;
        let shape = renumbered(&plan.shape, &numbers);
        let outcome = self.with_derived(source, |graph, source| {
            graph.subscribe_shape(source, &shape, &plan.binding)
        });
        // From here on the levels' prepared reads hold the tables.
        self.release_tables(source, &numbers);
        outcome
    }

    /// The template of a live result, which all its results share.
    pub fn shape(&self, root: RootId) -> &Arc<LevelPlan> {
        &self.level(root.0.level).plan
    }

    fn subscribe_shape(
        &mut self,
        source: &mut dyn Source,
        shape: &LevelPlan,
        binding: &Arc<Binding>,
    ) -> Result<RootId, SourceError> {
        let level = self.intern(source, shape)?;
        let outcome = self.acquire(source, level, &constants(binding), binding);
        let root = match outcome {
            Ok(partition) => RootId(PartitionId { level, partition }),
            Err(error) => {
                self.rollback();
                self.drop_unused(source, level);
                return Err(error);
            }
        };
        self.add_subscriber(root);
        self.end_transaction();
        Ok(root)
    }

    /// Takes one subscriber away; at zero everything that only it needed is released.
    pub fn unsubscribe(&mut self, source: &mut dyn Source, root: RootId) {
        self.with_derived(source, |graph, source| graph.leave(source, root));
    }

    fn leave(&mut self, source: &mut dyn Source, root: RootId) {
        let PartitionId { level, partition } = root.0;
        let held = self.level_mut(level).partition_mut(partition);
        held.subscribers = held.subscribers.saturating_sub(1);
        if held.subscribers == 0 {
            let binding = Arc::clone(&held.binding);
            self.forget_binding(level, &binding);
            if self.row_sets.remove(&root).is_some() {
                self.count_row_set(level, false);
            }
        }
        self.sweep.push(root.0);
        self.end_transaction();
        self.drop_unused(source, level);
    }

    /// Moves a subscriber of `root` to another binding of the same template (another limit,
    /// offset or start) and returns the new root and the patch from the old result to the new.
    ///
    /// Rows that both have are taken over, so that only rows that come in are read.
    ///
    /// # Errors
    /// A failing source; the subscriber then stays where it was.
    pub fn rebind(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        binding: &Arc<Binding>,
    ) -> Result<(RootId, Arc<ListPatch>), SourceError> {
        self.with_derived(source, |graph, source| graph.move_to(source, root, binding))
    }

    fn move_to(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        binding: &Arc<Binding>,
    ) -> Result<(RootId, Arc<ListPatch>), SourceError> {
        let PartitionId { level, partition } = root.0;
        let route = self.level(level).partition(partition).route.clone();
        let moved = match self.adopt(source, root.0, &route, binding) {
            Ok(moved) => moved,
            Err(error) => {
                self.rollback();
                return Err(error);
            }
        };
        let new = RootId(PartitionId { level, partition: moved });
        self.add_subscriber(new);
        let patch = diff_lists(&self.snapshot(root), &self.snapshot(new));
        self.leave(source, root);
        Ok((new, Arc::new(patch)))
    }

    pub(crate) fn add_subscriber(&mut self, root: RootId) {
        let PartitionId { level, partition } = root.0;
        let held = self.level_mut(level).partition_mut(partition);
        held.subscribers += 1;
        if held.subscribers == 1 {
            let binding = Arc::clone(&held.binding);
            self.learn_binding(level, &binding);
        }
    }

    /// Tells a level and those below it that a binding is in use.
    fn learn_binding(&mut self, id: LevelId, binding: &Arc<Binding>) {
        if self.level_mut(id).bindings.add(binding) {
            self.dispatch.learn(id, self.level(id).table, binding);
            for (slot, child) in self.children(id).into_iter().enumerate() {
                self.learn_binding(child, &binding.children[slot]);
            }
        }
    }

    /// Tells a level and those below it that a binding is not in use any more.
    fn forget_binding(&mut self, id: LevelId, binding: &Arc<Binding>) {
        if self.level_mut(id).bindings.remove(binding) {
            self.dispatch.forget(id, self.level(id).table, binding);
            for (slot, child) in self.children(id).into_iter().enumerate() {
                self.forget_binding(child, &binding.children[slot]);
            }
        }
    }

    /// Counts a row set for a level and those below it.
    pub(crate) fn count_row_set(&mut self, id: LevelId, kept: bool) {
        let users = &mut self.level_mut(id).row_set_users;
        *users = if kept { *users + 1 } else { users.saturating_sub(1) };
        for child in self.children(id) {
            self.count_row_set(child, kept);
        }
    }

    fn children(&self, id: LevelId) -> Vec<LevelId> {
        self.level(id).edges.iter().map(|edge| edge.child).collect()
    }

    /// All levels, by id.
    pub(crate) fn live_levels(&self) -> Vec<LevelId> {
        let slots = (0u32..).zip(&self.levels);
        slots.filter(|(_, level)| level.is_some()).map(|(id, _)| LevelId(id)).collect()
    }

    /// How many levels and partitions are live.
    pub fn size(&self) -> (usize, usize) {
        let levels = self.levels.iter().flatten();
        levels.fold((0, 0), |(levels, parts), level| (levels + 1, parts + level.partitions.len()))
    }

    /// Ends a transaction: drops what nothing needs any more and forgets how to undo it.
    pub(crate) fn end_transaction(&mut self) {
        for id in std::mem::take(&mut self.fresh) {
            let Some(Some(level)) = self.levels.get_mut(id.level.0 as usize) else { continue };
            if level.partitions.get_live(id.partition).is_some() {
                level.partition_mut(id.partition).batch.fresh = false;
            }
        }
        self.sweep_unheld();
        self.journal.clear();
    }

    /// Undoes every link step since the last commit and drops what was made for it.
    pub(crate) fn rollback(&mut self) {
        for step in std::mem::take(&mut self.journal).into_iter().rev() {
            let partition = self.level_mut(step.child.level).partition_mut(step.child.partition);
            if step.added {
                partition.holders.remove(&step.holder);
            } else {
                partition.holders.insert(step.holder);
            }
        }
        self.sweep.extend(self.fresh.iter().copied());
        self.end_transaction();
    }
}
