//! What the relations of a live query are made of and what they have done: their part of `explain`.

use std::sync::Arc;

use super::flow::{Flow, NodeId};
use super::node::{Node, NodeStats, Operator};
use super::plan::Relation;
use crate::row::Row;

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
    /// For a join, whether nothing is kept of its left and its right side for it: they are read
    /// from the source's indexes.
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
        let mut report = self.report_part(node, &node.plan, &mut 0);
        (report.rows, report.state_bytes) = node.held();
        report.users = node.parents.len() + node.tables.len();
        report.stats = node.stats;
        report
    }

    /// A relation that a node makes all of or a part of. `next` is the first of the node's inputs
    /// that is not described yet.
    fn report_part(&self, node: &Node, plan: &Arc<Relation>, next: &mut usize) -> RelationReport {
        let (mut inputs, mut reads) = (Vec::new(), Vec::new());
        for input in plan.inputs() {
            match node.inputs.get(*next) {
                Some(id) if self.node(*id).plan == *input => {
                    reads.push(node.operator.reads(*next));
                    *next += 1;
                    inputs.push(self.report_node(*id));
                }
                _ => {
                    reads.push(true);
                    inputs.push(self.report_part(node, input, next));
                }
            }
        }
        let is_join = matches!(**plan, Relation::Join { .. });
        RelationReport {
            relation: Arc::clone(plan),
            users: 1,
            rows: 0,
            state_bytes: 0,
            reads_source: is_join.then(|| reads.try_into().unwrap_or([true; 2])),
            stats: NodeStats::default(),
            inputs,
        }
    }

    /// How many nodes and derived tables are live.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.by_plan.len(), self.tables.iter().count())
    }

    /// Bytes of state of all nodes and tables, without those of rows.
    pub(crate) fn bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().flatten().map(|node| node.held().1).sum();
        let tables = self.tables.iter().filter_map(|(_, table)| table.store.as_ref());
        nodes + tables.map(|store| store.bytes()).sum::<usize>() + self.routes.bytes()
    }

    /// Visits the rows that are kept and are not rows of the source, some more than once.
    pub(crate) fn for_each_own_row(&self, visit: &mut dyn FnMut(&Row)) {
        for node in self.nodes.iter().flatten().filter(|node| self.makes_rows(node)) {
            node.for_each_row(visit);
        }
        // An operator that passes rows on keeps rows of its input.
        for (_, table) in self.tables.iter() {
            if let Some(store) = &table.store
                && self.makes_rows(self.node(table.node))
            {
                store.for_each_row(visit);
            }
        }
    }

    /// Whether rows read from a derived table are made when they are read.
    pub(crate) fn is_made_when_read(&self, number: u32) -> bool {
        let table = self.tables.get(number).filter(|table| table.store.is_none());
        table.is_some_and(|table| self.makes_rows(self.node(table.node)))
    }

    /// Whether the rows that a node puts out are others than those of the source.
    fn makes_rows(&self, node: &Node) -> bool {
        match &node.operator {
            Operator::Scan(reader) => !reader.chain().passes_on(),
            Operator::Filter(_) | Operator::Union | Operator::Distinct(_) | Operator::Top(_) => {
                node.inputs.iter().any(|input| self.makes_rows(self.node(*input)))
            }
            _ => true,
        }
    }
}
