//! What the relations of a live query are made of and what they have done: their part of `explain`.

use std::sync::Arc;

use super::flow::{Flow, NodeId};
use super::join::Side;
use super::node::{NodeStats, Operator};
use super::plan::Relation;

/// One node of the relation of a derived table, with its inputs.
#[derive(Clone, Debug)]
pub struct RelationReport {
    /// What the node is.
    pub relation: Arc<Relation>,
    /// How many use it: relations above, of whatever query, and derived tables.
    pub users: usize,
    /// Rows or groups kept; 0 for what keeps none.
    pub rows: usize,
    /// Bytes of state, without those of rows that others may share.
    pub state_bytes: usize,
    /// For a join, whether its left and its right side are read from the source's indexes; a side
    /// that is not is kept by its node.
    pub reads_source: Option<[bool; 2]>,
    /// What it has done since it was made.
    pub stats: NodeStats,
    /// The nodes below.
    pub inputs: Vec<RelationReport>,
}

/// A derived table and the relation that it is made of.
#[derive(Clone, Debug)]
pub struct DerivedReport {
    /// Rows stored; 0 for a table that is read from its base table.
    pub rows: usize,
    /// Bytes of the table with its orders, without those of rows that others may share.
    pub state_bytes: usize,
    /// Whether its rows are stored.
    pub stored: bool,
    /// Where they come from.
    pub relation: RelationReport,
}

impl Flow {
    /// Describes a live derived table.
    pub(crate) fn report(&self, number: u32) -> Option<DerivedReport> {
        let table = self.tables.get(number)?;
        let store = table.store.as_ref();
        Some(DerivedReport {
            rows: store.map_or(0, |store| store.len()),
            state_bytes: store.map_or(0, |store| store.bytes()),
            stored: store.is_some(),
            relation: self.report_node(table.node),
        })
    }

    fn report_node(&self, id: NodeId) -> RelationReport {
        let node = self.node(id);
        let (rows, state_bytes) = node.held();
        let is_read = |side: &Side| matches!(side, Side::Read(_));
        RelationReport {
            relation: Arc::clone(&node.plan),
            users: node.parents.len() + node.tables.len(),
            rows,
            state_bytes,
            reads_source: match &node.operator {
                Operator::Join(join) => Some([is_read(&join.left), is_read(&join.right)]),
                _ => None,
            },
            stats: node.stats,
            inputs: node.inputs.iter().map(|input| self.report_node(*input)).collect(),
        }
    }

    /// How many nodes and derived tables are live.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.by_plan.len(), self.tables.iter().count())
    }

    /// Bytes of state of all nodes and tables, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().flatten().map(|node| node.held().1).sum();
        let tables = self.tables.iter().filter_map(|(_, table)| table.store.as_ref());
        nodes + tables.map(|store| store.bytes()).sum::<usize>() + self.routes.bytes()
    }
}
