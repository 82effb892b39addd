//! ORDER BY, LIMIT and OFFSET.

use penstock_operators::expr::Expr;
use penstock_operators::key::Direction;
use penstock_operators::value::Value;
use sqlparser::ast;

use super::Context;
use super::aggregate::sort_keys;
use super::bind::{Aliases, Binder, Pending, collation, ordinal};
use super::bound::Bound;
use super::constant;
use super::error::{Outcome, Place};
use super::list::BoundList;
use super::rows::Page;
use super::scope::{Env, Scope, same};
use super::slot::Uses;

/// The terms of an ORDER BY.
pub(super) fn order_by(query: &ast::Query, at: Place) -> Outcome<&[ast::OrderByExpr]> {
    match &query.order_by {
        None => Ok(&[]),
        Some(order) => match &order.kind {
            ast::OrderByKind::Expressions(terms) if order.interpolate.is_none() => Ok(terms),
            _ => Place::of(order).or(at).refuse("ORDER BY ALL is not of SQLite; name the columns"),
        },
    }
}

/// The sort keys of the terms of a SELECT's ORDER BY: an alias, a number of the list, or any
/// expression.
pub(super) fn terms(
    binder: &mut Binder<'_>,
    terms: &[ast::OrderByExpr],
    aliases: &Aliases<'_>,
    list: &BoundList,
) -> Outcome<Vec<(Expr, Direction)>> {
    let mut keys: Vec<(Expr, Direction)> = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let place = Place::of(term).or(binder.at);
        let (expr, stated) = without_collation(&term.expr);
        let mut bound = if let Some(ordinal) = ordinal(expr) {
            output(list, ordinal, index, "ORDER BY", place)?
        } else if let Some(bound) = alias(binder, expr, aliases)? {
            bound
        } else {
            binder.bind(expr)?
        };
        if let Some(name) = stated {
            bound.traits.collation = Some(collation(name, place)?);
            bound.traits.explicit = true;
        }
        // What is the same for every row sorts nothing.
        if !Uses::of(&bound.expr).is_constant() {
            keys.extend(sort_keys(bound, &term.options, place)?);
        }
    }
    Ok(keys)
}

/// A term without the COLLATE around it.
pub(super) fn without_collation(expr: &ast::Expr) -> (&ast::Expr, Option<&ast::ObjectName>) {
    match expr {
        ast::Expr::Collate { expr, collation } => (expr, Some(collation)),
        other => (other, None),
    }
}

/// The output that a number in ORDER BY or GROUP BY means.
pub(super) fn output(
    list: &BoundList,
    ordinal: i64,
    index: usize,
    clause: &str,
    place: Place,
) -> Outcome<Bound> {
    let at = usize::try_from(ordinal).ok().and_then(|ordinal| ordinal.checked_sub(1));
    match at.and_then(|at| list.items.get(at)) {
        Some(Some(output)) => Ok(list.outputs[*output].1.clone()),
        Some(None) => place
            .refuse(format!("term {} of {clause} is a nested list, which has no order", index + 1)),
        None => place.refuse(format!(
            "term {} of {clause} is {ordinal}, but the SELECT list has {} items",
            index + 1,
            list.items.len()
        )),
    }
}

/// The expression of the SELECT list that a term names by its alias, which goes before columns.
fn alias(
    binder: &mut Binder<'_>,
    expr: &ast::Expr,
    aliases: &Aliases<'_>,
) -> Outcome<Option<Bound>> {
    let ast::Expr::Identifier(name) = expr else { return Ok(None) };
    match aliases.iter().find(|(alias, _)| same(alias, &name.value)) {
        Some((_, meant)) => Ok(Some(binder.bind(meant)?)),
        None => Ok(None),
    }
}

/// LIMIT and OFFSET: constants.
pub(super) fn page(context: Context<'_>, query: &ast::Query, at: Place) -> Outcome<Page> {
    let (limit, offset) = match &query.limit_clause {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
            if !limit_by.is_empty() {
                return at.refuse("LIMIT BY is not of SQLite; use a nested ARRAY(SELECT …)");
            }
            (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
        }
        Some(ast::LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
    };
    if query.fetch.is_some() {
        return at.refuse("FETCH is not of SQLite; use LIMIT");
    }
    let limit = match limit {
        Some(expr) => count(context, expr, "LIMIT", at)?,
        None => None,
    };
    let offset = match offset {
        Some(expr) => count(context, expr, "OFFSET", at)?.unwrap_or(0),
        None => 0,
    };
    Ok(Page { limit, offset })
}

/// A number of rows; none for one below zero.
fn count(
    context: Context<'_>,
    expr: &ast::Expr,
    clause: &'static str,
    at: Place,
) -> Outcome<Option<usize>> {
    let place = Place::of(expr).or(at);
    let scope = Scope::default();
    let mut pending = Pending::default();
    let mut binder = Binder {
        context: context.alone(),
        env: Env { scope: &scope, outer: None },
        pending: &mut pending,
        no_aggregates: Some(clause),
        aliases: &[],
        at: place,
    };
    let bound = match binder.bind(expr) {
        Ok(bound) if pending.applies.is_empty() => bound,
        Ok(_) => return place.refuse(format!("{clause} cannot depend on rows; give a constant")),
        Err(error) if mentions_rows(expr) => {
            drop(error);
            return place.refuse(format!("{clause} cannot depend on rows; give a constant"));
        }
        Err(error) => return Err(error),
    };
    let value = constant::value(&bound.expr).unwrap_or(Value::Null);
    let number = match &value {
        Value::Text(text) => text.trim().parse::<i64>().ok(),
        other => other.as_i64(),
    };
    match number {
        Some(number) => Ok(usize::try_from(number).ok()),
        None if value.is_null() => Ok(None),
        None => place.refuse(format!("{clause} needs an integer, found {value}")),
    }
}

fn mentions_rows(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_))
}
