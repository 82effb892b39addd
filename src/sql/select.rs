//! One SELECT planned: its clauses bound, and the relation that gives its rows.

use std::collections::BTreeSet;

use penstock_operators::expr::Expr;
use sqlparser::ast;

use super::Context;
use super::bind::{Binder, Pending};
use super::bound::Bound;
use super::conjunct::Conjunct;
use super::correlate::{correlate, refuse_outer};
use super::error::{Outcome, Place};
use super::from::{self, From, On, Tree};
use super::group;
use super::join::{Joiner, Joins};
use super::list::{self, List};
use super::order;
use super::rows::{Page, Rows};
use super::scope::Env;
use super::slot::{Slot, for_each_slot};
use super::stage::Stage;

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
    let leads: Vec<Vec<Expr>> = bound.nested.iter().map(|nested| nested.level.leads()).collect();
    let mut used = BTreeSet::new();
    let mut read = |expr: &Expr| {
        for_each_slot(expr, &mut |slot| {
            used.insert(slot);
        })
    };
    bound.outputs.iter().for_each(|(_, output)| read(&output.expr));
    groups.iter().for_each(|group| read(&group.expr));
    having.iter().for_each(|(condition, _)| read(condition));
    order.iter().for_each(|(key, _)| read(key));
    correlation.iter().for_each(|correlation| read(&correlation.inner));
    leads.iter().flatten().for_each(&mut read);
    conditions.iter().for_each(|conjunct| conjunct.for_each_expr(&mut read));
    joins.for_each_condition(&mut |conjunct| conjunct.for_each_expr(&mut read));
    pending.applies.iter().flat_map(|apply| &apply.on).for_each(|(outer, _)| read(outer));
    pending.aggregates.iter().for_each(|call| call.for_each_expr(&mut read));
    let joiner = Joiner { scope: &scope, leaves: &leaves, applies: &pending.applies, used: &used };
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
        leads,
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
