//! From a plan to operators: which of its relations are made by one node.
//!
//! Filters and maps over a join are part of it, and inner joins of inner joins are one join of
//! many inputs. So no row is made that is not put out.

use std::sync::Arc;

use super::chain::{composed, substituted};
use super::finish::{Finish, Test};
use super::plan::{JoinKind, Relation};
use crate::expr::Expr;

/// A column of an input of a join.
pub(crate) type LeafColumn = (usize, usize);

/// A join with all that is done in the same node.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) kind: JoinKind,
    /// The inputs; two for a left join.
    pub(crate) leaves: Vec<Arc<Relation>>,
    /// Columns that must be equal, those of the input further left first.
    pub(crate) equal: Vec<(LeafColumn, LeafColumn)>,
    /// What else makes a pair of a left join match.
    pub(crate) residual: Option<Test>,
    pub(crate) finish: Finish,
}

/// Takes in a side of a join, of so many columns, and gives its columns.
type TakeIn<'t> = dyn FnMut(&mut Builder, &Arc<Relation>, usize) -> Option<Vec<Expr>> + 't;

#[derive(Default)]
struct Builder {
    leaves: Vec<Arc<Relation>>,
    /// All columns of all inputs: conditions and columns out are over these.
    all: Vec<LeafColumn>,
    equal: Vec<(LeafColumn, LeafColumn)>,
    conditions: Vec<Expr>,
}

impl Fused {
    /// The join that a relation is, with filters and maps above it or without.
    pub(crate) fn of(plan: &Relation) -> Option<Fused> {
        let mut builder = Builder::default();
        let (kind, residual, columns) = builder.root(plan)?;
        let residual = residual.map(|residual| Test::new(&residual, &builder.all));
        let finish = Finish::new(&builder.all, builder.conditions, &columns);
        Some(Fused { kind, leaves: builder.leaves, equal: builder.equal, residual, finish })
    }
}

impl Builder {
    /// The kind of join, its residual where that is kept apart, and its columns.
    fn root(&mut self, plan: &Relation) -> Option<(JoinKind, Option<Expr>, Vec<Expr>)> {
        match plan {
            Relation::Filter { input, condition } => {
                let (kind, residual, columns) = self.root(input)?;
                self.conditions.push(substituted(condition, &columns)?);
                Some((kind, residual, columns))
            }
            Relation::Map { input, columns: outer } => {
                let (kind, residual, columns) = self.root(input)?;
                Some((kind, residual, composed(outer, &columns)?))
            }
            Relation::Join { kind: JoinKind::Left, residual, .. } => {
                let columns =
                    self.pair(plan, &mut |builder, side, width| Some(builder.leaf(side, width)))?;
                Some((JoinKind::Left, residual.clone(), columns))
            }
            Relation::Join { kind: JoinKind::Inner, .. } => {
                Some((JoinKind::Inner, None, self.inner(plan)?))
            }
            _ => None,
        }
    }

    /// The columns of a tree of inner joins.
    fn inner(&mut self, plan: &Relation) -> Option<Vec<Expr>> {
        match plan {
            Relation::Filter { input, condition } => {
                let columns = self.inner(input)?;
                self.conditions.push(substituted(condition, &columns)?);
                Some(columns)
            }
            Relation::Map { input, columns: outer } => {
                let columns = self.inner(input)?;
                composed(outer, &columns)
            }
            Relation::Join { residual, .. } => {
                let columns =
                    self.pair(plan, &mut |builder, side, width| match is_inner(side) {
                        true => builder.inner(side),
                        false => Some(builder.leaf(side, width)),
                    })?;
                if let Some(residual) = residual {
                    self.conditions.push(substituted(residual, &columns)?);
                }
                Some(columns)
            }
            _ => None,
        }
    }

    /// The columns of a join's sides, each taken in by `side`.
    fn pair(&mut self, join: &Relation, side: &mut TakeIn<'_>) -> Option<Vec<Expr>> {
        let Relation::Join { left, left_width, right, right_width, on, .. } = join else {
            return None;
        };
        let mut columns = side(self, left, *left_width)?;
        let of_right = side(self, right, *right_width)?;
        for (left, right) in on {
            let column = |columns: &[Expr], at: usize| match columns.get(at) {
                Some(Expr::Column(number)) => Some(self.all[*number]),
                _ => None,
            };
            let pair = (column(&columns, *left)?, column(&of_right, *right)?);
            if !self.equal.contains(&pair) {
                self.equal.push(pair);
            }
        }
        columns.extend(of_right);
        Some(columns)
    }

    fn leaf(&mut self, relation: &Arc<Relation>, width: usize) -> Vec<Expr> {
        let (leaf, start) = (self.leaves.len(), self.all.len());
        self.leaves.push(Arc::clone(relation));
        self.all.extend((0..width).map(|column| (leaf, column)));
        (start..start + width).map(Expr::Column).collect()
    }
}

/// Whether a relation is an inner join, seen through filters and through maps that pick columns.
fn is_inner(relation: &Relation) -> bool {
    match relation {
        Relation::Join { kind, .. } => *kind == JoinKind::Inner,
        Relation::Filter { input, .. } => is_inner(input),
        Relation::Map { input, columns } => {
            is_inner(input) && columns.iter().all(|column| matches!(column, Expr::Column(_)))
        }
        _ => false,
    }
}
