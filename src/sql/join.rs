//! Joins planned: conditions brought down to where they can be decided, tables joined one after
//! the other on keys, with all pairs only where nothing relates them.

use std::collections::BTreeSet;
use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::relation::plan::{JoinKind, Relation};

use super::apply::Apply;
use super::conjunct::{Conjunct, deep_uses};
use super::error::Outcome;
use super::scope::Scope;
use super::slot::{Slot, for_each_slot};
use super::work::Work;

/// A tree of joins whose conditions have been bound.
#[derive(Debug)]
pub(super) enum Joins {
    Leaf(usize),
    Group(Vec<Joins>, Vec<Conjunct>),
    Left(Box<Joins>, Box<Joins>, Vec<Conjunct>),
}

impl Joins {
    /// Calls with every condition.
    pub(super) fn for_each_condition(&self, visit: &mut dyn FnMut(&Conjunct)) {
        match self {
            Joins::Leaf(_) => {}
            Joins::Group(members, on) => {
                on.iter().for_each(&mut *visit);
                members.iter().for_each(|member| member.for_each_condition(visit));
            }
            Joins::Left(left, right, on) => {
                on.iter().for_each(&mut *visit);
                left.for_each_condition(visit);
                right.for_each_condition(visit);
            }
        }
    }
}

/// Plans trees of joins over the items of one scope.
pub(super) struct Joiner<'j> {
    pub(super) scope: &'j Scope,
    pub(super) leaves: &'j [Work],
    pub(super) applies: &'j [Apply],
    /// The slots that anything reads.
    pub(super) used: &'j BTreeSet<usize>,
}

impl Joiner<'_> {
    /// The rows of a tree that satisfy further conditions.
    pub(super) fn plan(&self, tree: &Joins, conjuncts: Vec<Conjunct>) -> Outcome<Work> {
        match tree {
            Joins::Leaf(item) => Ok(self.leaf(*item, conjuncts)),
            Joins::Group(members, on) => {
                let all = on.iter().cloned().chain(conjuncts).collect();
                self.group(members, all)
            }
            Joins::Left(left, right, on) => self.left(left, right, on, conjuncts),
        }
    }

    /// The items of a tree.
    fn items(tree: &Joins) -> BTreeSet<usize> {
        match tree {
            Joins::Leaf(item) => BTreeSet::from([*item]),
            Joins::Group(members, _) => members.iter().flat_map(Joiner::items).collect(),
            Joins::Left(left, right, _) => {
                Joiner::items(left).into_iter().chain(Joiner::items(right)).collect()
            }
        }
    }

    /// The items that an expression is about, with those that subqueries in it are about.
    fn items_of(&self, expr: &Expr) -> BTreeSet<usize> {
        let mut items = BTreeSet::new();
        for_each_slot(expr, &mut |slot| match Slot::of(slot) {
            Slot::From(slot) => {
                items.extend(self.scope.items.iter().rposition(|item| item.start <= slot));
            }
            Slot::Subquery(number) => {
                let apply = self.applies.iter().find(|apply| apply.provides(number).is_some());
                for (outer, _) in apply.iter().flat_map(|apply| &apply.on) {
                    items.extend(self.items_of(outer));
                }
            }
            _ => {}
        });
        items
    }

    fn has_subquery(&self, expr: &Expr) -> bool {
        deep_uses(expr, self.applies).subquery
    }

    fn leaf(&self, item: usize, conjuncts: Vec<Conjunct>) -> Work {
        let mut work = self.leaves[item].clone();
        self.restrict(&mut work, conjuncts);
        if self.leaves.len() > 1 {
            work.keep(self.used);
        }
        work
    }

    /// Applies conditions to rows that have all they are about.
    fn restrict(&self, work: &mut Work, conjuncts: Vec<Conjunct>) {
        let mut tests = Vec::new();
        for conjunct in conjuncts {
            if !hold_equal(work, &conjunct) {
                tests.push(conjunct.expr);
            }
        }
        let (late, early): (Vec<Expr>, Vec<Expr>) =
            tests.into_iter().partition(|test| self.has_subquery(test));
        work.filter(early);
        work.attach(&late, self.applies);
        work.filter(late);
    }

    fn group(&self, members: &[Joins], conjuncts: Vec<Conjunct>) -> Outcome<Work> {
        let items: Vec<BTreeSet<usize>> = members.iter().map(Joiner::items).collect();
        let mut own: Vec<Vec<Conjunct>> = members.iter().map(|_| Vec::new()).collect();
        let (mut between, mut late) = (Vec::new(), Vec::new());
        for conjunct in conjuncts {
            let about = self.items_of(&conjunct.expr);
            let within = items.iter().position(|items| about.is_subset(items));
            match within {
                _ if self.has_subquery(&conjunct.expr) => late.push(conjunct),
                Some(member) if !about.is_empty() => own[member].push(conjunct),
                _ if about.is_empty() => late.push(conjunct),
                _ => between.push(conjunct),
            }
        }
        let mut rest: Vec<Option<Work>> = members
            .iter()
            .zip(own)
            .map(|(member, own)| self.plan(member, own).map(Some))
            .collect::<Outcome<_>>()?;
        let first = rest.iter().position(|work| work.as_ref().is_some_and(is_held)).unwrap_or(0);
        let Some(mut joined) = rest.get_mut(first).and_then(Option::take) else {
            let mut unit = Work::unit();
            self.restrict(&mut unit, late);
            return Ok(unit);
        };
        while rest.iter().any(Option::is_some) {
            let mut keyed = rest.iter().enumerate().filter(|(_, work)| {
                work.as_ref().is_some_and(|work| {
                    between.iter().any(|conjunct| pair(conjunct, &joined, work).is_some())
                })
            });
            let next = keyed.next().map(|(at, _)| at);
            let next = next.or_else(|| rest.iter().position(Option::is_some)).unwrap_or(0);
            let Some(mut right) = rest[next].take() else { break };
            let mut pairs = Vec::new();
            between.retain(|conjunct| match pair(conjunct, &joined, &right) {
                Some(pair) => {
                    pairs.push(pair);
                    false
                }
                None => true,
            });
            let on = key_columns(&mut joined, &mut right, pairs);
            joined.join(JoinKind::Inner, right, on, None);
            let (ready, waiting): (Vec<_>, Vec<_>) =
                between.into_iter().partition(|conjunct| joined.has(&conjunct.expr));
            between = waiting;
            joined.filter(ready.into_iter().map(|conjunct| conjunct.expr).collect());
        }
        late.extend(between);
        self.restrict(&mut joined, late);
        Ok(joined)
    }

    fn left(
        &self,
        left: &Joins,
        right: &Joins,
        on: &[Conjunct],
        above: Vec<Conjunct>,
    ) -> Outcome<Work> {
        let (left_items, right_items) = (Joiner::items(left), Joiner::items(right));
        let (mut left_own, mut right_own, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for conjunct in above {
            let about = self.items_of(&conjunct.expr);
            let of_left = !about.is_empty() && about.is_subset(&left_items);
            if of_left { left_own.push(conjunct) } else { after.push(conjunct) }
        }
        let (mut keys, mut residual) = (Vec::new(), Vec::new());
        for conjunct in on {
            let about = self.items_of(&conjunct.expr);
            if !about.iter().all(|item| left_items.contains(item) || right_items.contains(item)) {
                return conjunct
                    .place
                    .refuse("this ON refers to a table that is joined later; move it there");
            }
            if !about.is_empty() && about.is_subset(&right_items) {
                right_own.push(conjunct.clone());
            } else if conjunct.equal.is_some() && !self.has_subquery(&conjunct.expr) {
                keys.push(conjunct.clone());
            } else {
                residual.push(conjunct.clone());
            }
        }
        let mut left = self.plan(left, left_own)?;
        let mut right = self.plan(right, right_own)?;
        let mut pairs = Vec::new();
        for conjunct in keys {
            match pair(&conjunct, &left, &right) {
                Some(pair) => pairs.push(pair),
                None => residual.push(conjunct),
            }
        }
        for conjunct in &residual {
            // What a subquery says of the left row is known before the join.
            if self.has_subquery(&conjunct.expr) {
                if !self.items_of(&conjunct.expr).is_subset(&left_items) {
                    return conjunct.place.refuse(
                        "a subquery in the ON of a LEFT JOIN cannot be about both of its sides",
                    );
                }
                left.attach([&conjunct.expr], self.applies);
            }
        }
        let on = key_columns(&mut left, &mut right, pairs);
        let residual: Vec<Expr> = residual.into_iter().map(|conjunct| conjunct.expr).collect();
        let residual = (!residual.is_empty()).then(|| super::bound::all(residual));
        left.join(JoinKind::Left, right, on, residual);
        self.restrict(&mut left, after);
        Ok(left)
    }
}

/// Whether rows are those of a table with columns held equal to constants.
fn is_held(work: &Work) -> bool {
    let mut relation = &*work.relation;
    loop {
        match relation {
            Relation::Filter { input, .. } | Relation::Map { input, .. } => relation = input,
            Relation::Scan { equal, .. } => return !equal.is_empty(),
            _ => return false,
        }
    }
}

/// Holds a column of a table equal to a constant, where the condition says so and the rows are
/// those of a table yet.
fn hold_equal(work: &mut Work, conjunct: &Conjunct) -> bool {
    let Some((slot, value)) = conjunct.constant() else { return false };
    let Some(&column) = work.slots.get(&slot) else { return false };
    let Relation::Scan { table, equal } = &*work.relation else { return false };
    match equal.iter().find(|(held, _)| *held == column) {
        Some((_, same)) => *same == value && same.type_name() == value.type_name(),
        None => {
            let mut equal = equal.clone();
            equal.push((column, value));
            equal.sort_by_key(|(column, _)| *column);
            work.relation = Arc::new(Relation::Scan { table: *table, equal });
            true
        }
    }
}

/// The sides of an equality between two relations, the one for the left first.
fn pair(conjunct: &Conjunct, left: &Work, right: &Work) -> Option<(Expr, Expr)> {
    let (one, other) = conjunct.equal.as_ref()?;
    let constant = |expr: &Expr| super::slot::Uses::of(expr).is_constant();
    if constant(one) || constant(other) {
        return None;
    }
    if left.has(one) && right.has(other) {
        Some((one.clone(), other.clone()))
    } else if left.has(other) && right.has(one) {
        Some((other.clone(), one.clone()))
    } else {
        None
    }
}

/// The columns that two relations are joined on.
fn key_columns(left: &mut Work, right: &mut Work, pairs: Vec<(Expr, Expr)>) -> Vec<(usize, usize)> {
    let (of_left, of_right): (Vec<Expr>, Vec<Expr>) = pairs.into_iter().unzip();
    let (of_left, of_right) = (left.columns(&of_left), right.columns(&of_right));
    let mut on: Vec<(usize, usize)> = Vec::with_capacity(of_left.len());
    for pair in of_left.into_iter().zip(of_right) {
        if !on.contains(&pair) {
            on.push(pair);
        }
    }
    on
}
