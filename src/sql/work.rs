//! Relations in the making: which column of the rows stands for which slot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::relation::plan::{JoinKind, Relation};

use super::apply::Apply;
use super::slot::{Slot, for_each_slot, map_slots};

/// A relation whose columns stand for slots.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) relation: Arc<Relation>,
    pub(super) width: usize,
    /// The position of each slot.
    pub(super) slots: BTreeMap<usize, usize>,
    /// The positions of the values that tell rows apart; none where there is one row at most.
    pub(super) key: Vec<usize>,
}

impl Work {
    /// One row without columns: what a SELECT without FROM reads.
    pub(super) fn unit() -> Work {
        Work {
            relation: Arc::new(Relation::Rows(vec![Vec::new()])),
            width: 0,
            slots: BTreeMap::new(),
            key: Vec::new(),
        }
    }

    /// Whether all slots of an expression are there.
    pub(super) fn has(&self, expr: &Expr) -> bool {
        let mut has = true;
        for_each_slot(expr, &mut |slot| has &= self.slots.contains_key(&slot));
        has
    }

    /// An expression over the columns. Its slots have to be there.
    pub(super) fn place(&self, expr: &Expr) -> Expr {
        map_slots(expr, &mut |slot| self.slots.get(&slot).copied().unwrap_or(slot))
    }

    /// Keeps the rows for which a condition is true.
    pub(super) fn filter(&mut self, conditions: Vec<Expr>) {
        if conditions.is_empty() {
            return;
        }
        let conditions = conditions.iter().map(|condition| self.place(condition)).collect();
        let condition = super::bound::all(conditions);
        let input = Arc::clone(&self.relation);
        self.relation = Arc::new(Relation::Filter { input, condition });
    }

    /// The columns of expressions, computed where they are not columns yet.
    pub(super) fn columns(&mut self, exprs: &[Expr]) -> Vec<usize> {
        let exprs: Vec<Expr> = exprs.iter().map(|expr| self.place(expr)).collect();
        let mut computed: Vec<Expr> = Vec::new();
        let mut positions = Vec::with_capacity(exprs.len());
        for expr in exprs {
            positions.push(match expr {
                Expr::Column(position) => position,
                expr => match computed.iter().position(|other| *other == expr) {
                    Some(at) => self.width + at,
                    None => {
                        computed.push(expr);
                        self.width + computed.len() - 1
                    }
                },
            });
        }
        if !computed.is_empty() {
            let width = self.width + computed.len();
            let columns = (0..self.width).map(Expr::Column).chain(computed).collect();
            self.relation = map(&self.relation, self.width, columns);
            self.width = width;
        }
        positions
    }

    /// Joins another relation on pairs of columns.
    pub(super) fn join(
        &mut self,
        kind: JoinKind,
        right: Work,
        on: Vec<(usize, usize)>,
        residual: Option<Expr>,
    ) {
        let left_width = self.width;
        self.slots.extend(right.slots.iter().map(|(slot, at)| (*slot, left_width + at)));
        self.key.extend(right.key.iter().map(|at| left_width + at));
        self.width += right.width;
        let residual = residual.map(|residual| self.place(&residual));
        self.relation = Arc::new(Relation::Join {
            kind,
            left: Arc::clone(&self.relation),
            left_width,
            right: right.relation,
            right_width: right.width,
            on,
            residual,
        });
    }

    /// Attaches the subqueries whose results expressions need and that are not there yet.
    pub(super) fn attach<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        applies: &[Apply],
    ) {
        let mut needed: Vec<usize> = Vec::new();
        for expr in exprs {
            for_each_slot(expr, &mut |slot| {
                if !self.slots.contains_key(&slot) {
                    needed.push(slot);
                }
            });
        }
        for slot in needed {
            self.attach_slot(slot, applies);
        }
    }

    fn attach_slot(&mut self, slot: usize, applies: &[Apply]) {
        let Slot::Subquery(number) = Slot::of(slot) else { return };
        let apply = applies.iter().find(|apply| apply.provides(number).is_some());
        let Some(apply) = apply.filter(|_| !self.slots.contains_key(&slot)) else { return };
        let (outer, inner): (Vec<Expr>, Vec<usize>) = apply.on.iter().cloned().unzip();
        self.attach(&outer, applies);
        let outer = self.columns(&outer);
        let provided = apply.columns.iter().enumerate();
        let right = Work {
            relation: Arc::clone(&apply.relation),
            width: apply.width,
            slots: provided
                .map(|(at, column)| (Slot::Subquery(apply.first + at).number(), *column))
                .collect(),
            // There is one row for each row around, so it adds nothing to the key.
            key: Vec::new(),
        };
        self.join(apply.kind, right, outer.into_iter().zip(inner).collect(), None);
    }

    /// Keeps the columns of these slots and of the key only. Rows that a join keeps are smaller
    /// for it, and columns that a table gets later do not move those of a join.
    pub(super) fn keep(&mut self, used: &BTreeSet<usize>) {
        self.slots.retain(|slot, _| used.contains(slot));
        let mut kept: Vec<usize> = Vec::new();
        for position in self.slots.values().chain(&self.key) {
            if !kept.contains(position) {
                kept.push(*position);
            }
        }
        let moved = |position: &usize| kept.iter().position(|old| old == position).unwrap_or(0);
        self.slots.values_mut().for_each(|position| *position = moved(position));
        self.key.iter_mut().for_each(|position| *position = moved(position));
        let columns = kept.iter().copied().map(Expr::Column).collect();
        self.relation = map(&self.relation, self.width, columns);
        self.width = kept.len();
    }

    /// Rows of these columns only. The slots are gone; the key has to be among them to stay.
    pub(super) fn project(&mut self, exprs: Vec<Expr>) {
        let exprs = exprs.iter().map(|expr| self.place(expr)).collect::<Vec<_>>();
        let width = exprs.len();
        self.relation = map(&self.relation, self.width, exprs);
        self.width = width;
        self.slots.clear();
    }
}

/// A map over a relation of a width; none where it would change nothing, and one instead of two
/// where that computes nothing twice.
pub(super) fn map(input: &Arc<Relation>, width: usize, columns: Vec<Expr>) -> Arc<Relation> {
    let same = columns.len() == width
        && columns.iter().enumerate().all(|(at, column)| *column == Expr::Column(at));
    // A table may get further columns while it is read, which are not to be seen.
    if same && !matches!(**input, Relation::Scan { .. } | Relation::Filter { .. }) {
        return Arc::clone(input);
    }
    if let Relation::Map { input: inner, columns: computed } = &**input {
        let mut uses = vec![0_usize; computed.len()];
        for column in &columns {
            for_each_slot(column, &mut |at| uses[at] += 1);
        }
        let cheap = computed
            .iter()
            .zip(&uses)
            .all(|(expr, uses)| *uses <= 1 || matches!(expr, Expr::Column(_) | Expr::Literal(_)));
        if cheap {
            let columns = columns
                .iter()
                .map(|column| {
                    super::slot::rewrite(column, &mut |part| match part {
                        Expr::Column(at) => Some(computed[*at].clone()),
                        _ => None,
                    })
                })
                .collect();
            return Arc::new(Relation::Map { input: Arc::clone(inner), columns });
        }
    }
    Arc::new(Relation::Map { input: Arc::clone(input), columns })
}
