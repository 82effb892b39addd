//! A node: one operator of the dataflow of relations, with its state.

use std::sync::Arc;

use super::aggregate::Aggregate;
use super::arrange::Arrangement;
use super::chain::Reader;
use super::delta_join::DeltaJoin;
use super::distinct::Distinct;
use super::flow::NodeId;
use super::join::{Join, Side};
use super::map::Projection;
use super::plan::Relation;
use super::top::Top;
use super::zset::Changes;
use crate::expr::Expr;
use crate::row::Row;

/// What a node does.
#[derive(Debug)]
pub(crate) enum Operator {
    /// A table seen through filters and maps: passes on what the routes bring.
    Scan(Reader),
    Rows(Vec<Row>),
    Map(Projection),
    Filter(Expr),
    /// An inner join, with the filters and maps above it.
    DeltaJoin(Box<DeltaJoin>),
    /// A left join, with the filters and maps above it.
    LeftJoin(Box<Join>),
    Aggregate(Box<Aggregate>),
    Distinct(Box<Distinct>),
    Union,
    Top(Box<Top>),
}

/// What a node has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStats {
    /// Transactions that reached the node.
    pub batches: u64,
    /// Changed rows that came in.
    pub changes_in: u64,
    /// Changed rows put out.
    pub changes_out: u64,
}

/// A node of the dataflow.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) plan: Arc<Relation>,
    pub(crate) operator: Operator,
    pub(crate) inputs: Vec<NodeId>,
    /// The nodes that this one is an input of, once for each time.
    pub(crate) parents: Vec<NodeId>,
    /// The derived tables made of the rows out.
    pub(crate) tables: Vec<u32>,
    /// Longest way down to a scan; inputs are processed first.
    pub(crate) height: u32,
    /// By slot; a slot that is not in use is used again.
    pub(crate) arrangements: Vec<Option<Arrangement>>,
    /// What the transaction in flight put out.
    pub(crate) out: Changes,
    /// Whether the transaction in flight has reached the node.
    pub(crate) reached: bool,
    /// Whether it has been taken in, so that undoing has something to undo.
    pub(crate) applied: bool,
    pub(crate) stats: NodeStats,
}

impl Operator {
    /// An empty operator, in the place of one whose state is made anew; `None` where there is no
    /// state.
    pub(crate) fn emptied(&self, plan: &Relation) -> Option<Operator> {
        match (self, plan) {
            (Operator::Aggregate(_), Relation::Aggregate { group, functions, .. }) => {
                let empty = Aggregate::new(group.clone(), functions.clone());
                Some(Operator::Aggregate(Box::new(empty)))
            }
            (Operator::Distinct(_), _) => Some(Operator::Distinct(Box::new(Distinct::new()))),
            (Operator::Top(_), Relation::Top { group, order, offset, limit, .. }) => {
                let empty = Top::new(group.clone(), order.clone(), *offset, *limit);
                Some(Operator::Top(Box::new(empty)))
            }
            _ => None,
        }
    }

    /// Whether it keeps rows of its input.
    pub(crate) fn has_state(&self) -> bool {
        matches!(self, Operator::Aggregate(_) | Operator::Distinct(_) | Operator::Top(_))
    }

    /// Takes in one row, before there is anyone to tell.
    pub(crate) fn load(&mut self, row: &Row, count: i64) {
        match self {
            Operator::Aggregate(aggregate) => aggregate.load(row, count),
            Operator::Distinct(distinct) => distinct.load(row, count),
            Operator::Top(top) => top.load(row, count),
            _ => {}
        }
    }

    /// Ends loading.
    pub(crate) fn loaded(&mut self) {
        match self {
            Operator::Aggregate(aggregate) => aggregate.loaded(),
            Operator::Top(top) => top.loaded(),
            _ => {}
        }
    }

    /// Takes a change of the one input into the state, `sign` times, and puts out what it makes.
    /// Operators without state put nothing out here.
    pub(crate) fn apply(&mut self, input: &[(Row, i64)], sign: i64, out: &mut Changes) {
        match self {
            Operator::Aggregate(aggregate) => aggregate.apply(input, sign, out),
            Operator::Distinct(distinct) => distinct.apply(input, sign, out),
            Operator::Top(top) => top.apply(input, sign, out),
            _ => {}
        }
    }

    /// Whether nothing is kept of an input of a join for it.
    pub(crate) fn reads(&self, input: usize) -> bool {
        let is_read = |side: &Side| matches!(side, Side::Read(_));
        match self {
            Operator::LeftJoin(join) => is_read(if input == 0 { &join.left } else { &join.right }),
            Operator::DeltaJoin(join) => {
                let mut probes = join.paths.iter().flatten().filter(|probe| probe.leaf == input);
                probes.all(|probe| is_read(&probe.side))
            }
            _ => true,
        }
    }

    /// Rows, groups or entries kept, and their bytes without those of rows that others may share.
    fn held(&self) -> (usize, usize) {
        match self {
            Operator::Aggregate(aggregate) => (aggregate.len(), aggregate.bytes()),
            Operator::Distinct(distinct) => (distinct.len(), distinct.bytes()),
            Operator::Top(top) => (top.len(), top.bytes()),
            Operator::Rows(rows) => (rows.len(), rows.capacity() * size_of::<Row>()),
            _ => (0, 0),
        }
    }
}

impl Node {
    /// Rows, groups or entries kept, and their bytes without those of rows that others may share.
    pub(crate) fn held(&self) -> (usize, usize) {
        let arrangements = self.arrangements.iter().flatten();
        arrangements.fold(self.operator.held(), |(rows, bytes), arrangement| {
            (rows + arrangement.len(), bytes + arrangement.bytes())
        })
    }

    /// Visits every row kept, some more than once.
    pub(crate) fn for_each_row(&self, visit: &mut dyn FnMut(&Row)) {
        match &self.operator {
            Operator::Aggregate(aggregate) => aggregate.rows().for_each(&mut *visit),
            Operator::Distinct(distinct) => distinct.for_each_row(visit),
            Operator::Top(top) => top.for_each_row(visit),
            Operator::Rows(rows) => rows.iter().for_each(&mut *visit),
            _ => {}
        }
        let arrangements = self.arrangements.iter().flatten();
        arrangements.for_each(|arrangement| arrangement.for_each_row(visit));
    }

    /// Takes what was put out into the arrangements, `sign` times.
    pub(crate) fn arrange(&mut self, sign: i64) {
        for arrangement in self.arrangements.iter_mut().flatten() {
            for (row, count) in &self.out {
                arrangement.add(row, count * sign);
            }
        }
    }
}
