//! Which operator a relation is made by, and the making of joins: their paths and sides.

use std::sync::Arc;

use super::arrange::Arrangement;
use super::chain::{Chain, Reader};
use super::delta_join::{DeltaJoin, Probe};
use super::flow::{Flow, NodeId};
use super::fuse::{Fused, LeafColumn};
use super::join::{Join, Side};
use super::node::Operator;
use super::plan::{JoinKind, Relation};
use crate::source::{Source, SourceError};

/// What one node does of a relation.
#[derive(Debug)]
pub(super) enum MadeOf {
    /// All of it: a table seen through filters and maps.
    Chain(Chain),
    /// A join and what is above it.
    Join(Box<Fused>),
    /// The outermost operator.
    Inputs,
}

impl MadeOf {
    pub(super) fn of(plan: &Relation) -> MadeOf {
        if let Some(chain) = Chain::of(plan) {
            return MadeOf::Chain(chain);
        }
        Fused::of(plan).map_or(MadeOf::Inputs, |fused| MadeOf::Join(Box::new(fused)))
    }

    /// The relations that the node is an operator over.
    pub(super) fn inputs<'p>(&'p self, plan: &'p Relation) -> Vec<&'p Arc<Relation>> {
        match self {
            MadeOf::Chain(_) => Vec::new(),
            MadeOf::Join(fused) => fused.leaves.iter().collect(),
            MadeOf::Inputs => plan.inputs(),
        }
    }
}

impl Flow {
    /// A join over live inputs.
    pub(super) fn make_join(
        &mut self,
        source: &mut dyn Source,
        fused: Fused,
        inputs: &[NodeId],
    ) -> Result<Operator, SourceError> {
        let Fused { kind, leaves, equal, residual, finish } = fused;
        if kind == JoinKind::Left {
            let (left_key, right_key): (Vec<usize>, Vec<usize>) =
                equal.iter().map(|((_, left), (_, right))| (*left, *right)).unzip();
            let left = self.side(source, &leaves[0], inputs[0], &left_key)?;
            let right = match self.side(source, &leaves[1], inputs[1], &right_key) {
                Ok(right) => right,
                Err(error) => {
                    self.release_side(source, left);
                    return Err(error);
                }
            };
            let join = Join { left, right, left_key, right_key, residual, finish };
            return Ok(Operator::LeftJoin(Box::new(join)));
        }
        let mut paths: Vec<Vec<Probe>> = Vec::new();
        for start in 0..leaves.len() {
            paths.push(Vec::new());
            let mut known = vec![start];
            while let Some(step) = next_step(&known, leaves.len(), &equal) {
                known.push(step.leaf);
                match self.side(source, &leaves[step.leaf], inputs[step.leaf], &step.columns) {
                    Ok(side) => paths[start].push(step.probe(side)),
                    Err(error) => {
                        self.release_paths(source, paths);
                        return Err(error);
                    }
                }
            }
        }
        Ok(Operator::DeltaJoin(Box::new(DeltaJoin { paths, finish })))
    }

    /// Gives back the ways to a join's inputs.
    pub(super) fn release_paths(&mut self, source: &mut dyn Source, paths: Vec<Vec<Probe>>) {
        for probe in paths.into_iter().flatten() {
            self.release_side(source, probe.side);
        }
    }

    /// The way to the rows of a side by some of its columns: the source's own index where the side
    /// is a table, the groups of an aggregate by their columns, an arrangement
    /// otherwise.
    pub(super) fn side(
        &mut self,
        source: &mut dyn Source,
        relation: &Relation,
        node: NodeId,
        columns: &[usize],
    ) -> Result<Side, SourceError> {
        if let Some(chain) = Chain::of(relation)
            && let Some(reader) = Reader::prepare(source, &chain, columns, None)?
        {
            return Ok(Side::Read(reader));
        }
        if let Relation::Aggregate { group, .. } = relation
            && !group.is_empty()
            && columns.iter().copied().eq(0..group.len())
        {
            return Ok(Side::Groups(node));
        }
        let arrangements = &mut self.node_mut(node).arrangements;
        let known =
            |kept: &Option<Arrangement>| kept.as_ref().is_some_and(|kept| kept.columns == columns);
        if let Some(slot) = arrangements.iter().position(known) {
            arrangements[slot].iter_mut().for_each(|arrangement| arrangement.users += 1);
            return Ok(Side::Kept { node, slot });
        }
        let arrangement = self.arranged(source, node, Arrangement::new(columns.to_vec()))?;
        let arrangements = &mut self.node_mut(node).arrangements;
        let slot = arrangements.iter().position(Option::is_none).unwrap_or(arrangements.len());
        if slot == arrangements.len() {
            arrangements.push(None);
        }
        arrangements[slot] = Some(arrangement);
        Ok(Side::Kept { node, slot })
    }

    pub(super) fn release_side(&mut self, source: &mut dyn Source, side: Side) {
        match side {
            Side::Read(reader) => reader.release(source),
            Side::Groups(_) => {}
            Side::Kept { node, slot } => {
                let kept = &mut self.node_mut(node).arrangements[slot];
                if let Some(arrangement) = kept {
                    arrangement.users -= 1;
                    if arrangement.users == 0 {
                        *kept = None;
                    }
                }
            }
        }
    }
}

/// A step of a path before the way to its rows is known.
struct Step {
    leaf: usize,
    key: Vec<LeafColumn>,
    columns: Vec<usize>,
    checks: Vec<(LeafColumn, LeafColumn)>,
}

impl Step {
    fn probe(self, side: Side) -> Probe {
        let Step { leaf, key, columns, checks } = self;
        Probe { leaf, side, key, columns, checks }
    }
}

/// The input to look up next: the one that most columns of those known lead to, of these the first.
fn next_step(known: &[usize], leaves: usize, equal: &[(LeafColumn, LeafColumn)]) -> Option<Step> {
    let mut best: Option<Step> = None;
    for leaf in (0..leaves).filter(|leaf| !known.contains(leaf)) {
        let mut step = Step { leaf, key: Vec::new(), columns: Vec::new(), checks: Vec::new() };
        for (one, other) in equal {
            let (from, to) = match (one.0 == leaf, other.0 == leaf) {
                (false, true) => (*one, *other),
                (true, false) => (*other, *one),
                _ => continue,
            };
            if !known.contains(&from.0) {
                continue;
            }
            if step.columns.contains(&to.1) {
                step.checks.push((from, to));
            } else {
                step.key.push(from);
                step.columns.push(to.1);
            }
        }
        if best.as_ref().is_none_or(|best| step.columns.len() > best.columns.len()) {
            best = Some(step);
        }
    }
    best
}
