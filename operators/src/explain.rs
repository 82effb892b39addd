//! What a live query is made of and what each part has done: the data behind `explain`.

use std::collections::HashSet;

use crate::graph::{Graph, RootId};
use crate::level::{Level, LevelId, LevelInput, PartitionId, Slot, fixed_hasher};
use crate::plan::LevelPlan;
use crate::relation::flow::Flow;
use crate::relation::report::DerivedReport;
use crate::row::Row;
use crate::stats::LevelStats;

/// One level of a live query, with its children.
#[derive(Clone, Debug)]
pub struct LevelReport {
    /// The compiled level.
    pub plan: std::sync::Arc<LevelPlan>,
    /// How the level is used by its parent.
    pub role: Role,
    /// Live partitions, those of other queries that share the level included.
    pub partitions: usize,
    /// Rows in those partitions.
    pub rows: usize,
    /// Bytes of state, without the rows' own.
    pub state_bytes: usize,
    /// What the level has done since it was made.
    pub stats: LevelStats,
    /// For a level of a derived table, what that is made of.
    pub derived: Option<DerivedReport>,
    /// The levels below, in edge order.
    pub children: Vec<LevelReport>,
}

/// What a level is to the level above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The top of the query.
    Root,
    /// The body of an EXISTS or NOT EXISTS.
    Gate,
    /// The hidden hop of a junction.
    Near,
    /// The far side of a junction.
    Far,
    /// A related list, by its position among them.
    Related(usize),
}

/// A partition of a relationship that was declared to lead to one row and holds more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Positions among the `related` of each level, from the root down.
    pub path: Vec<usize>,
    /// Two of the rows.
    pub rows: [crate::row::Row; 2],
}

impl Graph {
    /// Describes the levels of a live query.
    pub fn explain(&self, root: RootId) -> LevelReport {
        self.report(root.0.level, Role::Root)
    }

    fn report(&self, id: LevelId, role: Role) -> LevelReport {
        let level = self.level(id);
        let children = level
            .edges
            .iter()
            .enumerate()
            .map(|(slot, edge)| self.report(edge.child, role_of(level, slot)))
            .collect();
        LevelReport {
            plan: std::sync::Arc::clone(&level.plan),
            role,
            partitions: level.partitions.len(),
            rows: level.partitions.iter().map(|(_, held)| held.window.rows().len()).sum(),
            state_bytes: level.partitions.bytes(),
            stats: level.stats,
            derived: level.table.derived_number().and_then(|number| self.derived_report(number)),
            children,
        }
    }

    /// Bytes of state of all levels, relations and row sets. Rows of base tables are not counted;
    /// every row that a relation has made is, once. O(rows made).
    pub fn state_bytes(&self) -> usize {
        let levels: usize =
            self.levels.iter().flatten().map(|level| level.partitions.bytes()).sum();
        let row_sets: usize = self.row_sets.values().map(|set| set.bytes()).sum();
        levels
            + self.dispatch.bytes()
            + row_sets
            + self.flow.as_ref().map_or(0, |flow| flow.bytes() + self.row_bytes(flow))
    }

    /// Bytes of the rows that relations have made.
    fn row_bytes(&self, flow: &Flow) -> usize {
        let mut counted = HashSet::with_hasher(fixed_hasher());
        let mut bytes = 0;
        let mut count = |row: &Row| {
            if counted.insert(row.bytes().as_ptr().addr()) {
                bytes += row.heap_bytes();
            }
        };
        flow.for_each_own_row(&mut count);
        for level in self.levels.iter().flatten() {
            let number = level.table.derived_number();
            if number.is_some_and(|number| flow.is_made_when_read(number)) {
                let windows = level.partitions.iter().map(|(_, held)| &held.window);
                windows.flat_map(|window| window.rows().iter()).for_each(|(_, row)| count(row));
            }
        }
        bytes
    }

    /// The relationships of a result that hold two rows where one was declared.
    ///
    /// Cost: O(1) where there are none anywhere.
    pub fn violations(&self, root: RootId) -> Vec<Violation> {
        let mut found = Vec::new();
        for &id in &self.violating {
            let held = self.level(id.level).partition(id.partition);
            let mut rows = held.window.rows().iter().map(|(_, row)| row.clone());
            let (Some(first), Some(second)) = (rows.next(), rows.next()) else { continue };
            for path in self.paths_up(id, root.0) {
                found.push(Violation { path, rows: [first.clone(), second.clone()] });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found.dedup();
        found
    }

    /// The related positions on the ways from a root down to a partition.
    fn paths_up(&self, id: PartitionId, root: PartitionId) -> Vec<Vec<usize>> {
        if id == root {
            return vec![Vec::new()];
        }
        let held = self.level(id.level).partition(id.partition);
        let mut paths = Vec::new();
        for holder in held.holders.iter() {
            let parent = self.level(holder.level);
            let Some(position) = usize::from(holder.slot).checked_sub(parent.inner_edges) else {
                continue;
            };
            if !parent.partition(holder.partition).window.shows(&holder.key) {
                continue;
            }
            let above = PartitionId { level: holder.level, partition: holder.partition };
            for mut path in self.paths_up(above, root) {
                path.push(position);
                paths.push(path);
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

fn role_of(level: &Level, slot: usize) -> Role {
    if slot >= level.inner_edges {
        return Role::Related(slot - level.inner_edges);
    }
    match (&level.input, slot as Slot) {
        (LevelInput::Scan(_), _) => Role::Gate,
        (LevelInput::Junction, crate::level::NEAR) => Role::Near,
        (LevelInput::Junction, _) => Role::Far,
    }
}
