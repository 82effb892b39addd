//! One SELECT planned: its clauses bound, and the relation that gives its rows.

use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::key::Direction;
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, Relation};
use sqlparser::ast;

use super::Context;
use super::bind::{Binder, Pending};
use super::bound::Bound;
use super::conjunct::Conjunct;
use super::error::{Outcome, Place};
use super::from::{self, From, On, Tree};
use super::group;
use super::join::{Joiner, Joins};
use super::level::Level;
use super::list::{self, List};
use super::order;
use super::rows::{Nested, Output, Page, Rows};
use super::scope::Env;
use super::slot::{Slot, rewrite};
use super::work::Work;

/// What may be in the SELECT list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Columns and nested lists: a result.
    Result,
    /// Columns only: a subquery.
    Subquery,
    /// The columns only, nested lists left out: a look at a result.
    Flat,
}

/// The correlation of a subquery: a value of its rows that equals one of the row around.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    pub(super) inner: Expr,
    /// In the slots of the SELECT around.
    pub(super) outer: Expr,
}

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

/// Plans a SELECT.
pub(super) fn select(
    context: Context<'_>,
    select: &ast::Select,
    order_by: &[ast::OrderByExpr],
    page: Page,
    form: Form,
) -> Outcome<Rows> {
    let at = Place::start(select.select_token.0.span);
    refuse_clauses(select, at)?;
    let From { scope, leaves, tree } = from::read(context, &select.from, at)?;
    let env = Env { scope: &scope, outer: context.outer };
    let mut pending = Pending::default();
    let List { items, aliases } = list::read(context, env, select, at)?;

    let mut binder =
        Binder { context, env, pending: &mut pending, no_aggregates: Some("ON"), aliases: &[], at };
    let joins = bind_tree(&mut binder, &tree)?;
    binder.no_aggregates = Some("WHERE");
    binder.aliases = &aliases;
    let conditions = match &select.selection {
        Some(condition) => binder.conjuncts(condition)?,
        None => Vec::new(),
    };
    binder.aliases = &[];
    binder.no_aggregates = None;
    let bound = list::bind(&mut binder, &items, form)?;
    let groups = group::terms(&mut binder, &select.group_by, &aliases, &bound)?;
    binder.no_aggregates = None;
    binder.aliases = &aliases;
    let having = match &select.having {
        Some(condition) => Some((binder.condition(condition)?, Place::of(condition).or(at))),
        None => None,
    };
    binder.aliases = &[];
    let order = order::terms(&mut binder, order_by, &aliases, &bound)?;

    let (joins, conditions, correlation, outer) = correlate(joins, conditions, &pending, context)?;
    for (_, output) in &bound.outputs {
        refuse_outer(&output.expr, &pending, at)?;
    }
    for (key, _) in &order {
        refuse_outer(key, &pending, at)?;
    }
    let joiner = Joiner { scope: &scope, leaves: &leaves, applies: &pending.applies };
    let work = joiner.plan(&joins, conditions)?;

    let aggregated = !groups.is_empty() || !pending.aggregates.is_empty();
    if let Some((_, place)) = &having
        && !aggregated
    {
        return place.refuse("HAVING is for aggregates and groups; use WHERE");
    }
    let of_nothing = group::of_nothing(&bound.outputs, &groups, &pending);
    if let Some((_, place)) = &having
        && of_nothing.is_some()
        && !correlation.is_empty()
    {
        return place.refuse(
            "HAVING without GROUP BY in a correlated subquery is not supported; add GROUP BY",
        );
    }
    let fresh = pending.aggregates.len();
    let mut stage = Stage {
        work,
        pending,
        outputs: bound.outputs,
        having: having.map(|(condition, _)| condition),
        order,
        correlation,
        leads: bound.nested.iter().map(|nested| nested.level.leads()).collect(),
        fresh,
    };
    if aggregated {
        group::aggregate(&mut stage, &groups, &scope, at)?;
    }
    stage.finish_rows();
    if matches!(select.distinct, Some(ast::Distinct::Distinct)) {
        if !bound.nested.is_empty() {
            return at.refuse("DISTINCT and nested lists do not go together; use GROUP BY");
        }
        stage.distinct(at)?;
    }
    let nested = bound.nested.into_iter();
    Ok(stage.rows(
        nested.map(|nested| (nested.name, nested.level)).collect(),
        page,
        outer,
        of_nothing,
    ))
}

pub(super) fn refuse_clauses(select: &ast::Select, at: Place) -> Outcome<()> {
    let refused = [
        (matches!(select.distinct, Some(ast::Distinct::On(_))), "DISTINCT ON"),
        (select.top.is_some(), "TOP"),
        (select.into.is_some(), "INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.value_table_mode.is_some(), "SELECT AS"),
        (select.select_modifiers.is_some(), "a modifier after SELECT"),
    ];
    if let Some((_, what)) = refused.iter().find(|(present, _)| *present) {
        return at.refuse(format!("{what} is not of SQLite"));
    }
    if let Some(window) = select.named_window.first() {
        return Place::start(window.0.span).or(at).refuse(
            "window functions (WINDOW) are not supported in live queries; use GROUP BY, or \
             ORDER BY … LIMIT",
        );
    }
    Ok(())
}

/// Binds the conditions of a tree of joins.
fn bind_tree(binder: &mut Binder<'_>, tree: &Tree<'_>) -> Outcome<Joins> {
    Ok(match tree {
        Tree::Leaf(item) => Joins::Leaf(*item),
        Tree::Group(members, on) => {
            let members =
                members.iter().map(|member| bind_tree(binder, member)).collect::<Outcome<_>>()?;
            Joins::Group(members, bind_on(binder, on)?)
        }
        Tree::Left(left, right, on) => {
            let (left, right) = (bind_tree(binder, left)?, bind_tree(binder, right)?);
            Joins::Left(Box::new(left), Box::new(right), bind_on(binder, on)?)
        }
    })
}

fn bind_on(binder: &mut Binder<'_>, on: &[On<'_>]) -> Outcome<Vec<Conjunct>> {
    let mut conjuncts = Vec::new();
    for condition in on {
        match condition {
            On::Condition(condition) => conjuncts.extend(binder.conjuncts(condition)?),
            On::Columns(left, right) => {
                let scope = binder.env.scope;
                let column = |slot: usize| {
                    let (item, at) = scope.item_of(slot)?;
                    Some(Bound::slot(Slot::From(slot), item.columns[at].traits))
                };
                if let (Some(left), Some(right)) = (column(*left), column(*right)) {
                    conjuncts.push(Conjunct::equality(&left, &right, binder.at));
                }
            }
        }
    }
    Ok(conjuncts)
}

type Correlated = (Joins, Vec<Conjunct>, Vec<Correlation>, Vec<Expr>);

/// Takes what relates a subquery to the row around out of its conditions.
fn correlate(
    mut joins: Joins,
    conditions: Vec<Conjunct>,
    pending: &Pending,
    context: Context<'_>,
) -> Outcome<Correlated> {
    if context.outer.is_none() {
        return Ok((joins, conditions, Vec::new(), Vec::new()));
    }
    let mut all = conditions;
    if let Joins::Group(members, on) = &mut joins {
        all.splice(0..0, std::mem::take(on));
        members.iter().try_for_each(|member| refuse_outer_joins(member, pending))?;
    }
    let (mut own, mut correlation, mut outer) = (Vec::new(), Vec::new(), Vec::new());
    for conjunct in all {
        let uses = conjunct.uses(&pending.applies);
        if !uses.outer {
            own.push(conjunct);
        } else if !uses.inner {
            outer.push(outward(&conjunct.expr));
        } else {
            correlation.push(correlated(&conjunct, pending)?);
        }
    }
    Ok((joins, own, correlation, outer))
}

fn refuse_outer_joins(joins: &Joins, pending: &Pending) -> Outcome<()> {
    let refuse =
        |on: &[Conjunct]| match on.iter().find(|conjunct| conjunct.uses(&pending.applies).outer) {
            Some(conjunct) => conjunct.place.refuse(
                "the ON of a LEFT JOIN in a subquery cannot refer to the SELECT around it; put \
                 the condition into WHERE",
            ),
            None => Ok(()),
        };
    match joins {
        Joins::Leaf(_) => Ok(()),
        Joins::Group(members, on) => {
            refuse(on)?;
            members.iter().try_for_each(|member| refuse_outer_joins(member, pending))
        }
        Joins::Left(left, right, on) => {
            refuse(on)?;
            refuse_outer_joins(left, pending)?;
            refuse_outer_joins(right, pending)
        }
    }
}

fn correlated(conjunct: &Conjunct, pending: &Pending) -> Outcome<Correlation> {
    let uses = |expr: &Expr| super::conjunct::deep_uses(expr, &pending.applies);
    if let Some((left, right)) = &conjunct.equal {
        for (inner, outer) in [(left, right), (right, left)] {
            if !uses(inner).outer && !uses(outer).inner {
                return Ok(Correlation { inner: inner.clone(), outer: outward(outer) });
            }
        }
    }
    conjunct.place.refuse(
        "a subquery can be related to the SELECT around it only by equalities, as in \
         inner.column = outer.column",
    )
}

/// An expression over outer slots in the slots of the SELECT around.
fn outward(expr: &Expr) -> Expr {
    super::slot::map_slots(expr, &mut |slot| match Slot::of(slot) {
        Slot::Outer(slot) => slot,
        other => other.number(),
    })
}

fn refuse_outer(expr: &Expr, pending: &Pending, at: Place) -> Outcome<()> {
    if !super::conjunct::deep_uses(expr, &pending.applies).outer {
        return Ok(());
    }
    at.refuse(
        "a subquery can use columns of the SELECT around it only in equalities of its WHERE, not \
         in what it selects or sorts by",
    )
}

impl Stage {
    /// Attaches the subqueries that are still needed, and drops the groups that HAVING refuses.
    fn finish_rows(&mut self) {
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
    fn distinct(&mut self, at: Place) -> Outcome<()> {
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
    fn rows(
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
