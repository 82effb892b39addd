//! Derived tables in the graph: plans name them by their position in the plan, levels by their
//! number in the dataflow.

use std::sync::Arc;

use super::flow::Flow;
use super::plan::Derived;
use super::report::DerivedReport;
use super::source_view::SourceView;
use crate::graph::Graph;
use crate::plan::{Edge, Input, LevelPlan};
use crate::schema::TableId;
use crate::source::{Source, SourceError};

impl Graph {
    /// Does something with the source as levels see it: with the derived tables that are live.
    pub(crate) fn with_derived<T>(
        &mut self,
        source: &mut dyn Source,
        act: impl FnOnce(&mut Graph, &mut dyn Source) -> T,
    ) -> T {
        let Some(mut flow) = self.flow.take() else { return act(self, source) };
        let outcome = act(self, &mut SourceView { base: source, flow: &mut flow });
        if !flow.is_empty() {
            self.flow = Some(flow);
        }
        outcome
    }

    /// Makes the derived tables of a plan, each with one use, and returns their numbers.
    pub(crate) fn acquire_tables(
        &mut self,
        source: &mut dyn Source,
        plans: &[Arc<Derived>],
    ) -> Result<Vec<u32>, SourceError> {
        let mut numbers = Vec::new();
        for plan in plans {
            let flow = self.flow.get_or_insert_with(|| Box::new(Flow::default()));
            match flow.acquire_table(source, plan) {
                Ok(number) => numbers.push(number),
                Err(error) => {
                    self.release_tables(source, &numbers);
                    return Err(error);
                }
            }
        }
        Ok(numbers)
    }

    /// Gives back one use of each of these derived tables.
    pub(crate) fn release_tables(&mut self, source: &mut dyn Source, numbers: &[u32]) {
        let Some(flow) = &mut self.flow else { return };
        numbers.iter().for_each(|number| flow.release_table(source, *number));
        if flow.is_empty() {
            self.flow = None;
        }
    }

    /// What a live derived table is made of.
    pub(crate) fn derived_report(&self, number: u32) -> Option<DerivedReport> {
        self.flow.as_ref()?.report(number)
    }

    /// How many nodes of relations and derived tables are live.
    pub fn relations_size(&self) -> (usize, usize) {
        self.flow.as_ref().map_or((0, 0), |flow| flow.size())
    }
}

/// A shape whose derived tables have other numbers: for the i-th of a plan, `numbers[i]`.
pub(crate) fn renumbered(shape: &LevelPlan, numbers: &[u32]) -> LevelPlan {
    let table = |table: TableId| match table.derived_number() {
        Some(position) => match numbers.get(position as usize) {
            Some(number) => TableId::derived(*number),
            None => table,
        },
        None => table,
    };
    let edge = |edge: &Edge| Edge {
        columns: edge.columns.clone(),
        child: renumbered(&edge.child, numbers),
        private: edge.private,
    };
    let input = match &shape.input {
        Input::Scan { partition, correlated, condition, gates } => Input::Scan {
            partition: partition.clone(),
            correlated: *correlated,
            condition: condition.clone(),
            gates: gates.iter().map(edge).collect(),
        },
        Input::Junction { near, far } => {
            Input::Junction { near: Box::new(renumbered(near, numbers)), far: Box::new(edge(far)) }
        }
    };
    LevelPlan {
        table: table(shape.table),
        input,
        order: shape.order.clone(),
        related: shape.related.iter().map(edge).collect(),
    }
}
