//! An order of a table: the places of its rows by a key that is distinct for each.

use std::ops::{Bound, ControlFlow};
use std::sync::OnceLock;

use penstock_operators::key::{Key, KeySpec};
use penstock_operators::packed::PackedTree;
use penstock_operators::row::Row;
use penstock_operators::source::Visitor;

use super::pending::Pending;
use super::rows::{Place, Rows};
use super::span::Span;

/// The keys whose entry differs between before and after the transaction in flight, sorted, each
/// with the row that it had before, if any.
type Before = Vec<(Key, Option<Row>)>;

/// Places of rows by key, in ascending order of the key's bytes.
#[derive(Debug, Default)]
pub(super) struct Tree {
    map: PackedTree<Place>,
    /// Made by the first read of the earlier state, forgotten at the next write.
    before: OnceLock<Before>,
}

impl Tree {
    /// The rows in the order that `spec` gives. Costs O(n log n), O(n) if they are sorted.
    pub(super) fn of(rows: &Rows, spec: &KeySpec) -> Tree {
        let mut entries: Vec<(Key, Place)> =
            rows.iter().map(|(place, row)| (spec.key(row), place)).collect();
        // No two rows have one key.
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Tree { map: PackedTree::from_sorted(entries), before: OnceLock::new() }
    }

    /// Puts a place under a key that is free.
    pub(super) fn insert(&mut self, key: &[u8], place: Place) {
        self.map.insert(key, place);
    }

    /// Takes the place under a key out.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.map.remove(key);
    }

    /// Moves a place from one key to another, which is free.
    pub(super) fn rekey(&mut self, from: &[u8], to: &[u8], place: Place) {
        self.map.rekey(from, to, place);
    }

    /// The places of rows whose key begins with `prefix`, in order.
    pub(super) fn with_prefix<'a, 'p>(
        &'a self,
        prefix: &'p [u8],
    ) -> impl Iterator<Item = Place> + use<'a, 'p> {
        self.map
            .range((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, place)| *place)
    }

    /// Bytes of the order. Costs O(n), a small part of a step for each row.
    pub(super) fn bytes(&self) -> usize {
        self.map.bytes()
    }

    /// Drops what was kept for reads of the earlier state; due at every write, and at the end of a
    /// transaction.
    pub(super) fn forget_before(&mut self) {
        self.before.take();
    }

    /// Visits the rows in a span as they are now.
    pub(super) fn visit(&self, rows: &Rows, span: &Span, visit: &mut Visitor<'_>) {
        let mut range = self.map.range(span.bounds());
        let _ = if span.descending {
            range.rev().try_for_each(|(_, place)| visit(rows.at(*place)))
        } else {
            range.try_for_each(|(_, place)| visit(rows.at(*place)))
        };
    }

    /// Visits the rows in a span as they were before the pending changes. `spec` makes this tree's
    /// keys from rows.
    ///
    /// The first read after a write costs O(p log p) for p pending changes of the table; the
    /// others cost what [`Tree::visit`] does and O(log p).
    pub(super) fn visit_before(
        &self,
        rows: &Rows,
        pending: &Pending,
        spec: &KeySpec,
        span: &Span,
        visit: &mut Visitor<'_>,
    ) {
        let before = self.before.get_or_init(|| differences(pending, spec));
        let now = self.map.range(span.bounds());
        let now = now.map(|(key, place)| (key, rows.at(*place)));
        let then = span.cut(before);
        let _ = if span.descending {
            merge(now.rev(), then.iter().rev(), |a, b| a > b, visit)
        } else {
            merge(now, then.iter(), |a, b| a < b, visit)
        };
    }
}

/// The entries of a tree that the pending changes have added, removed or replaced.
fn differences(pending: &Pending, spec: &KeySpec) -> Before {
    let mut before = Before::with_capacity(pending.len());
    for (_, change) in pending.iter() {
        let old_key = change.old.as_ref().map(|row| spec.key(row));
        if let Some(new_key) = change.new.as_ref().map(|row| spec.key(row))
            && old_key.as_ref() != Some(&new_key)
        {
            before.push((new_key, None));
        }
        if let Some(old_key) = old_key {
            before.push((old_key, change.old.clone()));
        }
    }
    // Every key holds the primary key, so no two rows share one and the order is complete.
    before.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    before
}

/// Visits `now` with the entries of `then` put over it: where both have a key, that of `then`
/// counts, and `None` there means no row. `precedes` is the order of both.
fn merge<'a>(
    now: impl Iterator<Item = (&'a [u8], &'a Row)>,
    then: impl Iterator<Item = &'a (Key, Option<Row>)>,
    precedes: impl Fn(&[u8], &[u8]) -> bool,
    visit: &mut Visitor<'_>,
) -> ControlFlow<()> {
    let mut then = then.peekable();
    for (key, row) in now {
        while let Some((_, earlier)) = then.next_if(|(other, _)| precedes(other, key)) {
            if let Some(earlier) = earlier {
                visit(earlier)?;
            }
        }
        match then.next_if(|(other, _)| **other == *key) {
            Some((_, Some(earlier))) => visit(earlier)?,
            Some((_, None)) => {}
            None => visit(row)?,
        }
    }
    then.try_for_each(|(_, earlier)| {
        earlier.as_ref().map_or(ControlFlow::Continue(()), &mut *visit)
    })
}
