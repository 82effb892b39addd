//! Interning: making the levels of a plan, sharing those that are live, and dropping those that
//! nothing needs.

use std::sync::Arc;

use crate::bounds::OrderBounds;
use crate::delta::ColumnSet;
use crate::filter::Filter;
use crate::graph::Graph;
use crate::level::{Level, LevelEdge, LevelId, LevelInput, ScanInput, Slot};
use crate::plan::{Edge, Input, LevelPlan};
use crate::points::keys_of;
use crate::route::{distinct_columns, reads};
use crate::source::{ScanId, ScanShape, Source, SourceError};

impl Graph {
    /// The level of a plan, made with all levels below it where it is not live.
    pub(crate) fn intern(
        &mut self,
        source: &mut dyn Source,
        plan: &LevelPlan,
    ) -> Result<LevelId, SourceError> {
        if let Some(&level) = self.by_plan.get(plan) {
            return Ok(level);
        }
        let mut scans = Vec::new();
        let mut children = Vec::new();
        let made = self.make_level(source, plan, &mut scans, &mut children);
        match made {
            Ok(level) => Ok(self.install(level)),
            Err(error) => {
                scans.into_iter().for_each(|scan| source.release(scan));
                children.into_iter().for_each(|child| self.drop_unused(source, child));
                Err(error)
            }
        }
    }

    fn make_level(
        &mut self,
        source: &mut dyn Source,
        plan: &LevelPlan,
        scans: &mut Vec<ScanId>,
        children: &mut Vec<LevelId>,
    ) -> Result<Level, SourceError> {
        let mut prepare = |source: &mut dyn Source, plan: &LevelPlan, columns: &[usize]| {
            let shape = ScanShape {
                table: plan.table,
                equal: distinct_columns(columns),
                order: plan.order.columns().to_vec(),
            };
            let scan = source.prepare(&shape)?;
            scans.push(scan);
            Ok::<_, SourceError>(scan)
        };
        let mut edges = Vec::new();
        let mut edge = |graph: &mut Graph, source: &mut dyn Source, edge: &Edge| {
            let child = graph.intern(source, &edge.child)?;
            children.push(child);
            Ok::<_, SourceError>(LevelEdge {
                columns: edge.columns.clone(),
                child,
                private: edge.private,
                parents: None,
                body: None,
            })
        };
        let input = match &plan.input {
            Input::Scan { partition, correlated, condition, gates } => {
                let filter = Filter::new(condition);
                let driver = filter.required_gate();
                for (slot, gate) in gates.iter().enumerate() {
                    let mut made = edge(self, source, gate)?;
                    made.parents = Some(prepare(source, plan, &gate.columns)?);
                    if driver == Some(slot)
                        && let Some(constants) = drivable_by_constants(&gate.child)
                    {
                        made.body = Some(prepare(source, &gate.child, constants)?);
                    }
                    edges.push(made);
                }
                let correlated_by = gates.iter().flat_map(|gate| gate.columns.clone());
                LevelInput::Scan(ScanInput {
                    scan: prepare(source, plan, partition)?,
                    listed: keys_of(plan.table, condition, &source.identity(plan.table)),
                    bounds: OrderBounds::of(condition, &plan.order).map(Box::new),
                    driver: driver.map(|slot| slot as Slot),
                    partition: partition.clone(),
                    partition_columns: partition.iter().copied().collect(),
                    correlated: *correlated,
                    gate_columns: correlated_by
                        .collect::<ColumnSet>()
                        .union(filter.gated_columns()),
                    filter,
                    reads: reads(plan),
                })
            }
            Input::Junction { near, far } => {
                let near = Edge { columns: Vec::new(), child: (**near).clone(), private: false };
                edges.push(edge(self, source, &near)?);
                edges.push(edge(self, source, far)?);
                LevelInput::Junction
            }
        };
        let inner_edges = edges.len();
        for related in &plan.related {
            edges.push(edge(self, source, related)?);
        }
        let height = edges.iter().map(|edge| self.level(edge.child).height + 1).max().unwrap_or(0);
        Ok(Level::new(
            Arc::new(plan.clone()),
            source.identity(plan.table),
            input,
            edges,
            inner_edges,
            height,
        ))
    }

    fn install(&mut self, level: Level) -> LevelId {
        let id = LevelId(self.free.pop().unwrap_or(self.levels.len() as u32));
        if let LevelInput::Scan(_) = level.input
            && self.dispatch.add(id, &level.plan, &level.identity)
        {
            self.count_shown(level.table);
        }
        for (slot, edge) in level.edges.iter().enumerate() {
            let is_gate = level.is_gate(slot as Slot);
            let child = self.level_mut(edge.child);
            child.parents.insert((id, slot as Slot));
            child.gate_parents += usize::from(is_gate);
            if let Some(Some(child)) = self.levels.get(edge.child.0 as usize)
                && is_gate
            {
                // A gate is to see rows beyond its windows too.
                self.dispatch.set_reach(edge.child, child);
            }
        }
        self.by_plan.insert(Arc::clone(&level.plan), id);
        if id.0 as usize == self.levels.len() {
            self.levels.push(None);
        }
        self.put_level(id, Box::new(level));
        id
    }

    /// Drops a level that has neither partitions nor parents, and then its children likewise.
    pub(crate) fn drop_unused(&mut self, source: &mut dyn Source, id: LevelId) {
        let Some(Some(level)) = self.levels.get(id.0 as usize) else { return };
        if level.partitions.len() > 0 || !level.parents.is_empty() {
            return;
        }
        let level = self.take_level(id);
        self.free.push(id.0);
        self.by_plan.remove(&*level.plan);
        if let LevelInput::Scan(scan) = &level.input {
            self.dispatch.remove(id, &level.plan);
            source.release(scan.scan);
        }
        for (slot, edge) in level.edges.iter().enumerate() {
            edge.parents.into_iter().chain(edge.body).for_each(|scan| source.release(scan));
            let is_gate = level.is_gate(slot as Slot);
            let child = self.level_mut(edge.child);
            child.parents.swap_remove(&(id, slot as Slot));
            child.gate_parents -= usize::from(is_gate);
        }
        for edge in &level.edges {
            self.drop_unused(source, edge.child);
        }
    }
}

/// The lifted columns of an EXISTS body that has no EXISTS of its own to be driven by.
fn drivable_by_constants(body: &LevelPlan) -> Option<&[usize]> {
    match &body.input {
        Input::Scan { partition, correlated, condition, .. }
            if Filter::new(condition).required_gate().is_none() =>
        {
            Some(&partition[*correlated..])
        }
        _ => None,
    }
}
