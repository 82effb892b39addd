//! The row set of a result: every base row that makes it up, counted.
//!
//! For each row of the result: the row itself, the rows of its related lists, the hidden rows of
//! junctions, and for each EXISTS of its level that holds the witness (with the witness's own
//! witnesses). A row needed twice is counted twice and leaves the set when its count is zero. The
//! body of a NOT EXISTS contributes nothing, nor does that of a private EXISTS. Rows of derived
//! tables are no base rows: they are left out, and so are the base rows that they were made from.
//!
//! Cost: O(changes), once per place where a changed partition is shown. State: one count and one
//! row handle per distinct row.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::distinct::near_route;
use crate::graph::{Graph, RootId};
use crate::key::{Key, KeyBuffer};
use crate::level::{FAR, FixedMap, Level, LevelInput, NEAR, PartitionId, Slot, fixed_hasher};
use crate::plan::{Binding, Condition};
use crate::row::Row;
use crate::schema::{Schema, TableId};

mod steps;

use steps::{Step, Steps};

/// The identity of a base row: its table and encoded primary key.
pub type RowIdentity = (TableId, Key);

/// What a transaction changed in a row set, by table and primary key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSetPatch {
    /// Rows that entered the set or changed in it, as they are now.
    pub puts: Vec<(RowIdentity, Row)>,
    /// Rows that left the set, as they were.
    pub deletes: Vec<(RowIdentity, Row)>,
}

impl RowSetPatch {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }
}

/// The counted rows of one result.
#[derive(Debug)]
pub(crate) struct RowSet {
    users: u32,
    /// At how many places its rows stand, and may.
    places: usize,
    places_max: usize,
    /// Whether it has passed that, so that its rows are not kept any more. Its users stay counted.
    is_lost: bool,
    /// How often it has been lost.
    losses: u32,
    rows: FixedMap<RowIdentity, (u32, Row)>,
}

/// The state to collect rows from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Now,
}

/// What [`TooLarge::Places`] says, for people.
pub const PLACES: &str = "places for its rows";

/// What a row set has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLarge {
    /// Rows.
    Rows,
    /// Places at which its rows stand.
    Places,
}

impl Graph {
    /// Starts to keep a result's row set and returns all of it. Each call counts one user.
    pub fn keep_row_set(&mut self, schema: &Schema, root: RootId) -> RowSetPatch {
        let kept = self.keep_row_set_within(schema, root, usize::MAX, usize::MAX);
        kept.expect("invariant: nothing is more than all")
    }

    /// As [`keep_row_set`](Graph::keep_row_set), unless it has more than so many rows, or its rows stand
    /// at more than so many places. The walk ends as soon as there are too many places.
    ///
    /// # Errors
    /// What there is too much of; then the set is not kept for this user.
    pub fn keep_row_set_within(
        &mut self,
        schema: &Schema,
        root: RootId,
        rows_max: usize,
        places_max: usize,
    ) -> Result<RowSetPatch, TooLarge> {
        let (users, losses) =
            self.row_sets.get(&root).map_or((0, 0), |set| (set.users, set.losses));
        if let Some(set) = self.row_sets.get_mut(&root).filter(|set| !set.is_lost) {
            if set.rows.len() > rows_max {
                return Err(TooLarge::Rows);
            }
            if set.places > places_max {
                return Err(TooLarge::Places);
            }
            set.users += 1;
            set.places_max = set.places_max.max(places_max);
        } else {
            let mut steps = Steps { listed: Vec::new(), most: places_max };
            self.collect_rows(root.0, 1, When::Now, &mut steps);
            if steps.are_too_many() {
                return Err(TooLarge::Places);
            }
            let rows = FixedMap::with_hasher(fixed_hasher());
            let users = users + 1;
            let mut set = RowSet { users, places: 0, places_max, is_lost: false, losses, rows };
            set.apply(schema, steps.listed);
            if set.rows.len() > rows_max {
                return Err(TooLarge::Rows);
            }
            if self.row_sets.insert(root, set).is_none() {
                self.count_row_set(root.0.level, true);
            }
        }
        let rows = self.row_sets.get(&root).map(|set| &set.rows).into_iter().flatten();
        let mut puts: Vec<_> =
            rows.map(|(identity, (_, row))| (identity.clone(), row.clone())).collect();
        puts.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(RowSetPatch { puts, deletes: Vec::new() })
    }

    /// Whether a result's row set is kept. One that was asked for with a limit of places is not any more
    /// once it has passed that.
    pub fn keeps_row_set(&self, root: RootId) -> bool {
        self.row_sets.get(&root).is_some_and(|set| !set.is_lost)
    }

    /// How often a result's row set has been lost. Who has asked for it when it was fewer times has missed
    /// what changed since.
    pub fn row_set_losses(&self, root: RootId) -> u32 {
        self.row_sets.get(&root).map_or(0, |set| set.losses)
    }

    /// Gives back one use of a result's row set.
    pub fn drop_row_set(&mut self, root: RootId) {
        if let Some(set) = self.row_sets.get_mut(&root) {
            set.users -= 1;
            if set.users == 0 {
                self.row_sets.remove(&root);
                self.count_row_set(root.0.level, false);
            }
        }
    }

    /// The row set of a result with each row's count, by table and key; for checks.
    pub fn row_set_counts(&self, root: RootId) -> Option<BTreeMap<RowIdentity, (u32, Row)>> {
        let set = self.row_sets.get(&root)?;
        Some(
            set.rows
                .iter()
                .map(|(identity, counted)| (identity.clone(), counted.clone()))
                .collect(),
        )
    }

    /// Takes a result's row set through the transaction.
    pub(crate) fn row_set_patch(&mut self, schema: &Schema, root: RootId) -> Option<RowSetPatch> {
        // What goes counts as well as what comes.
        let kept = self.row_sets.get(&root).filter(|set| !set.is_lost)?;
        let most = kept.places_max.saturating_mul(2);
        let mut steps = Steps { listed: Vec::new(), most };
        self.diff_rows(root.0, &mut steps);
        let set = self.row_sets.get_mut(&root)?;
        if !steps.are_too_many() {
            let patch = set.apply(schema, steps.listed);
            if set.places <= set.places_max {
                return Some(patch);
            }
        }
        // Whoever asked for it with that limit finds it gone.
        set.is_lost = true;
        set.losses = set.losses.wrapping_add(1);
        set.rows = FixedMap::with_hasher(fixed_hasher());
        None
    }

    /// All rows that a partition contributes.
    fn collect_rows(&self, id: PartitionId, sign: i32, when: When, steps: &mut Steps) {
        let level = self.level(id.level);
        let held = level.partition(id.partition);
        if when == When::Before && held.batch.fresh {
            return;
        }
        if let LevelInput::Junction = level.input
            && let Some(near) = self.near(level, &held.route, &held.binding)
        {
            self.collect_rows(near, sign, when, steps);
        }
        let rows: Vec<Row> = match when {
            When::Now => held.window.visible().map(|(_, row)| row.clone()).collect(),
            When::Before => held.window.visible_before().into_iter().map(|(_, row)| row).collect(),
        };
        for row in rows {
            if steps.are_too_many() {
                return;
            }
            self.collect_row(level, &held.binding, &row, sign, when, steps);
        }
    }

    fn collect_row(
        &self,
        level: &Level,
        binding: &Binding,
        row: &Row,
        sign: i32,
        when: When,
        steps: &mut Steps,
    ) {
        steps.push((level.table, row.clone(), sign));
        for part in self.parts(level, binding, row).into_iter().flatten() {
            self.collect_rows(part, sign, when, steps);
        }
    }

    /// What a transaction changed in the rows that a partition contributes.
    fn diff_rows(&self, id: PartitionId, steps: &mut Steps) {
        let level = self.level(id.level);
        let held = level.partition(id.partition);
        if !held.batch.dirty {
            return;
        }
        let binding = &held.binding;
        let changes = held.window.visible_changes();
        for change in changes.iter() {
            match (&change.old, &change.new) {
                (Some(old), None) => {
                    self.collect_row(level, binding, old, -1, When::Before, steps);
                }
                (None, Some(new)) => self.collect_row(level, binding, new, 1, When::Now, steps),
                (Some(old), Some(new)) => {
                    steps.push((level.table, old.clone(), -1));
                    steps.push((level.table, new.clone(), 1));
                    let parts = self.parts(level, binding, old);
                    for (before, after) in parts.into_iter().zip(self.parts(level, binding, new)) {
                        self.diff_parts(before, after, steps);
                    }
                }
                (None, None) => {}
            }
        }
        let unchanged = |key: &Key| {
            held.window.shows(key) && changes.binary_search_by(|c| c.key.cmp(key)).is_err()
        };
        let mut touched: Vec<(Key, Slot)> = held.batch.touched().to_vec();
        touched.sort();
        touched.dedup();
        for (key, slot) in &touched {
            match (&level.input, *slot) {
                (LevelInput::Junction, NEAR) => {
                    if let Some(near) = self.near(level, &held.route, binding) {
                        self.diff_rows(near, steps);
                    }
                }
                (LevelInput::Junction, FAR) => {
                    self.diff_far_gates(level, binding, key, &unchanged, steps);
                }
                _ if unchanged(key) && self.counts(level, *slot) => {
                    let row = held.window.rows().get(key);
                    let child = row.and_then(|row| self.child(level, binding, *slot, row));
                    child.into_iter().for_each(|child| self.diff_rows(child, steps));
                }
                _ => {}
            }
        }
    }

    fn diff_parts(
        &self,
        before: Option<PartitionId>,
        after: Option<PartitionId>,
        steps: &mut Steps,
    ) {
        if before == after {
            after.into_iter().for_each(|part| self.diff_rows(part, steps));
        } else {
            before.into_iter().for_each(|part| self.collect_rows(part, -1, When::Before, steps));
            after.into_iter().for_each(|part| self.collect_rows(part, 1, When::Now, steps));
        }
    }

    /// Witnesses that changed under far rows that did not change themselves.
    fn diff_far_gates(
        &self,
        level: &Level,
        binding: &Binding,
        far_key: &Key,
        unchanged: &dyn Fn(&Key) -> bool,
        steps: &mut Steps,
    ) {
        let far_level = self.level(level.edges[usize::from(FAR)].child);
        let far_binding = &binding.children[usize::from(FAR)];
        let Some(found) = far_level.find(far_key, far_binding) else { return };
        let far = far_level.partition(found);
        let mut touched: Vec<(Key, Slot)> = far.batch.touched().to_vec();
        touched.sort();
        touched.dedup();
        for (key, slot) in &touched {
            let Some(row) = far.window.rows().get(key) else { continue };
            if unchanged(&level.order.key(row)) && self.counts(far_level, *slot) {
                let child = self.child(far_level, far_binding, *slot, row);
                child.into_iter().for_each(|child| self.diff_rows(child, steps));
            }
        }
    }

    /// The partitions that a row brings with it: its witnesses and its related lists, one entry
    /// per edge.
    fn parts(&self, level: &Level, binding: &Binding, row: &Row) -> Vec<Option<PartitionId>> {
        let mut parts = Vec::new();
        if let LevelInput::Junction = level.input {
            let far = self.level(level.edges[usize::from(FAR)].child);
            let far_binding = &binding.children[usize::from(FAR)];
            let gates = (0..far.inner_edges as Slot).filter(|slot| self.counts(far, *slot));
            parts.extend(gates.map(|slot| self.child(far, far_binding, slot, row)));
        } else {
            let gates = (0..level.inner_edges as Slot).filter(|slot| self.counts(level, *slot));
            parts.extend(gates.map(|slot| self.child(level, binding, slot, row)));
        }
        parts.extend(level.related_slots().map(|slot| self.child(level, binding, slot, row)));
        parts
    }

    /// Whether the partitions of an edge belong to the row set: all but the bodies of NOT EXISTS and
    /// of private gates.
    fn counts(&self, level: &Level, slot: Slot) -> bool {
        fn occurs(condition: &Condition, slot: usize) -> bool {
            match condition {
                Condition::Always(_) | Condition::Test(_) => false,
                Condition::Gate { gate, negated } => *gate == slot && !*negated,
                Condition::All(all) | Condition::Any(all) => {
                    all.iter().any(|each| occurs(each, slot))
                }
            }
        }
        match &level.input {
            LevelInput::Scan(scan) if level.is_gate(slot) => {
                !level.edges[usize::from(slot)].private
                    && scan.filter.gated().is_some_and(|gated| occurs(gated, usize::from(slot)))
            }
            _ => true,
        }
    }

    fn near(&self, level: &Level, route: &Key, binding: &Binding) -> Option<PartitionId> {
        let near_binding: &Arc<Binding> = &binding.children[usize::from(NEAR)];
        let near_level = level.edges[usize::from(NEAR)].child;
        let key: KeyBuffer = near_route(route, near_binding);
        let partition = self.level(near_level).find(&key, near_binding)?;
        Some(PartitionId { level: near_level, partition })
    }
}

impl RowSet {
    /// Counts steps in and returns the net change.
    fn apply(&mut self, schema: &Schema, steps: Vec<Step>) -> RowSetPatch {
        let mut before: BTreeMap<RowIdentity, Option<Row>> = BTreeMap::new();
        let is_base = |(table, _, _): &Step| table.derived_number().is_none();
        // Additions first, so that a row needed before and after never reaches zero between.
        let (adds, removes): (Vec<Step>, Vec<Step>) =
            steps.into_iter().filter(is_base).partition(|(_, _, sign)| *sign > 0);
        for (table, row, sign) in adds.into_iter().chain(removes) {
            let identity = (table, schema.table(table).primary_key_spec().key(&row));
            let counted = self.rows.get_mut(&identity);
            before
                .entry(identity.clone())
                .or_insert_with(|| counted.as_ref().map(|(_, row)| row.clone()));
            self.places = if sign > 0 { self.places + 1 } else { self.places.saturating_sub(1) };
            match (counted, sign > 0) {
                (Some((count, current)), true) => {
                    *count += 1;
                    *current = row;
                }
                (None, true) => drop(self.rows.insert(identity, (1, row))),
                (Some((count, _)), false) => {
                    *count -= 1;
                    if *count == 0 {
                        self.rows.remove(&identity);
                    }
                }
                (None, false) => {
                    debug_assert!(false, "a row that leaves the row set was counted");
                }
            }
        }
        let mut patch = RowSetPatch::default();
        for (identity, old) in before {
            match (old, self.rows.get(&identity)) {
                (Some(old), None) => patch.deletes.push((identity, old)),
                (old, Some((_, new))) if old.as_ref() != Some(new) => {
                    patch.puts.push((identity, new.clone()));
                }
                _ => {}
            }
        }
        patch
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rows.capacity() * (size_of::<RowIdentity>() + size_of::<(u32, Row)>() + 1)
    }
}
