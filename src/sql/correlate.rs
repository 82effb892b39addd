//! What relates a subquery to the SELECT around it, taken out of its conditions.

use penstock_operators::expr::Expr;

use super::Context;
use super::bind::Pending;
use super::conjunct::Conjunct;
use super::error::{Outcome, Place};
use super::join::Joins;
use super::slot::Slot;

/// The correlation of a subquery: a value of its rows that equals one of the row around.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    pub(super) inner: Expr,
    /// In the slots of the SELECT around.
    pub(super) outer: Expr,
}

type Correlated = (Joins, Vec<Conjunct>, Vec<Correlation>, Vec<Expr>);

/// Takes what relates a subquery to the row around out of its conditions.
pub(super) fn correlate(
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

pub(super) fn refuse_outer(expr: &Expr, pending: &Pending, at: Place) -> Outcome<()> {
    if !super::conjunct::deep_uses(expr, &pending.applies).outer {
        return Ok(());
    }
    at.refuse(
        "a subquery can use columns of the SELECT around it only in equalities of its WHERE, not \
         in what it selects or sorts by",
    )
}
