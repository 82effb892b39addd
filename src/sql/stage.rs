//! What follows a SELECT's FROM and WHERE: HAVING, DISTINCT, and the columns of its rows.

use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::key::Direction;
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, Relation};

use super::bind::Pending;
use super::bound::Bound;
use super::correlate::Correlation;
use super::error::{Outcome, Place};
use super::level::Level;
use super::rows::{Nested, Output, Page, Rows};
use super::slot::{Slot, rewrite};
use super::work::Work;

/// What a SELECT still has to do with its rows.
pub(super) struct Stage {
    pub(super) work: Work,
    pub(super) pending: Pending,
    pub(super) outputs: Vec<(String, Bound)>,
    pub(super) having: Option<Expr>,
    pub(super) order: Vec<(Expr, Direction)>,
    pub(super) correlation: Vec<Correlation>,
    /// What leads to the rows of each nested list.
    pub(super) leads: Vec<Vec<Expr>>,
    /// The next slot for a value that a stage computes.
    pub(super) fresh: usize,
}

impl Stage {
    /// Attaches the subqueries that are still needed, and drops the groups that HAVING refuses.
    pub(super) fn finish_rows(&mut self) {
        if let Some(having) = self.having.take() {
            self.work.attach([&having], &self.pending.applies);
            self.work.filter(vec![having]);
        }
        let outputs = self.outputs.iter().map(|(_, output)| &output.expr);
        let order = self.order.iter().map(|(key, _)| key);
        let inner = self.correlation.iter().map(|correlation| &correlation.inner);
        let needed: Vec<Expr> =
            outputs.chain(order).chain(inner).chain(self.leads.iter().flatten()).cloned().collect();
        self.work.attach(&needed, &self.pending.applies);
    }

    /// A slot for a value that a stage computes.
    pub(super) fn fresh(&mut self) -> usize {
        self.fresh += 1;
        Slot::Aggregate(self.fresh - 1).number()
    }

    /// Keeps one of equal rows.
    pub(super) fn distinct(&mut self, at: Place) -> Outcome<()> {
        let inner: Vec<Expr> = self.correlation.iter().map(|c| c.inner.clone()).collect();
        let shown: Vec<Expr> = self.outputs.iter().map(|(_, output)| output.expr.clone()).collect();
        let keys: Vec<Expr> = self.outputs.iter().map(|(_, output)| output.clone().key()).collect();
        let plain = shown == keys;
        let (width, first) = (inner.len() + shown.len(), inner.len());
        if plain {
            self.work.project(inner.into_iter().chain(shown.iter().cloned()).collect());
            let input = Arc::clone(&self.work.relation);
            self.work.relation = Arc::new(Relation::Distinct { input });
            self.work.key = (0..width).collect();
        } else {
            let all = inner.into_iter().chain(keys).chain(shown.iter().cloned()).collect();
            self.work.project(all);
            let any = |column| AggregateCall {
                function: AggregateFunction::Any,
                distinct: false,
                column: Some(column),
                collation: Collation::Binary,
                filter: None,
            };
            self.work.relation = Arc::new(Relation::Aggregate {
                input: Arc::clone(&self.work.relation),
                group: (0..width).collect(),
                functions: (width..width + shown.len()).map(any).collect(),
            });
            self.work.key = (0..width).collect();
            self.work.width = width + shown.len();
        }
        let values = if plain { first } else { width };
        for at in 0..self.correlation.len() {
            let slot = self.fresh();
            self.work.slots.insert(slot, at);
            self.correlation[at].inner = Expr::Column(slot);
        }
        let mut columns = Vec::with_capacity(shown.len());
        for at in 0..shown.len() {
            let slot = self.fresh();
            self.work.slots.insert(slot, values + at);
            self.outputs[at].1.expr = Expr::Column(slot);
            columns.push(slot);
        }
        for (key, _) in &mut self.order {
            *key = rewrite(key, &mut |part| {
                let at = shown.iter().position(|output| output == part)?;
                Some(Expr::Column(columns[at]))
            });
            if !self.work.has(key) {
                return at.refuse(
                    "a SELECT DISTINCT can only be ordered by what it selects: other values \
                     differ among the rows that it makes one",
                );
            }
        }
        Ok(())
    }

    /// The rows as planned: outputs, sort keys, correlation and key, each column once.
    pub(super) fn rows(
        mut self,
        nested: Vec<(String, Level)>,
        page: Page,
        outer: Vec<Expr>,
        of_nothing: Option<Vec<Expr>>,
    ) -> Rows {
        let mut columns: Vec<Expr> = Vec::new();
        let mut put = |expr: Expr| match columns.iter().position(|other| *other == expr) {
            Some(at) => at,
            None => {
                columns.push(expr);
                columns.len() - 1
            }
        };
        let work = &self.work;
        let outputs = std::mem::take(&mut self.outputs)
            .into_iter()
            .map(|(name, bound)| Output {
                name,
                traits: bound.traits,
                position: put(work.place(&bound.expr)),
            })
            .collect();
        let order =
            self.order.iter().map(|(key, way)| (put(work.place(key)), *way)).collect::<Vec<_>>();
        let correlation = std::mem::take(&mut self.correlation)
            .into_iter()
            .map(|correlation| (correlation.outer, put(work.place(&correlation.inner))))
            .collect();
        let nested = nested
            .into_iter()
            .zip(&self.leads)
            .map(|((name, level), leads)| Nested {
                name,
                level,
                columns: leads.iter().map(|lead| put(work.place(lead))).collect(),
            })
            .collect();
        let key = work.key.iter().map(|position| put(Expr::Column(*position))).collect();
        let width = columns.len();
        let relation = super::work::map(&self.work.relation, self.work.width, columns);
        Rows { relation, width, outputs, key, order, page, correlation, outer, of_nothing, nested }
    }
}
