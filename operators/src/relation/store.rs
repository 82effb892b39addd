//! The stored rows of a derived table, by key and in the orders that levels read.
//!
//! A relation promises that no two of its rows have the same key. Where two have nevertheless, the
//! table shows the first of them by its bytes, so that it is a function of the data all the same.
//!
//! Cost: O(log n) per changed row and order. State: every row once per order; by its key as well
//! where the relation does not show that there is one each.

use std::ops::{Bound, ControlFlow};

use super::bag::Bag;
use super::zset::{Keyed, keyed, runs};
use crate::delta::Delta;
use crate::key::{Direction, Key, KeyBuffer, KeySpec};
use crate::level::{FixedMap, fixed_hasher};
use crate::packed::PackedTree;
use crate::row::Row;
use crate::source::{Cursor, ScanShape, Visitor};

/// The rows of a derived table.
#[derive(Debug)]
pub(crate) struct Store {
    key: KeySpec,
    rows: Kept,
    /// By slot; a slot that is not in use is used again.
    orders: Vec<Option<Order>>,
}

/// What is kept beside the orders.
#[derive(Debug)]
enum Kept {
    /// Rows by their key: nothing but the data says that there is one each.
    ByKey(FixedMap<Key, Bag>),
    /// No two rows can have one key. Rows are kept here until there is an order.
    Orders(Vec<Row>),
}

/// The rows in an order.
#[derive(Debug)]
struct Order {
    /// The columns held equal, then those of the order.
    spec: KeySpec,
    users: usize,
    rows: PackedTree<Row>,
}

impl Store {
    /// An empty one; `is_unique` says that no two rows can have the same key.
    pub(crate) fn new(key: KeySpec, is_unique: bool) -> Store {
        let rows = match is_unique {
            true => Kept::Orders(Vec::new()),
            false => Kept::ByKey(FixedMap::with_hasher(fixed_hasher())),
        };
        Store { key, rows, orders: Vec::new() }
    }

    /// An empty one with the same orders.
    pub(crate) fn emptied(&self) -> Store {
        let empty = |order: &Order| Order {
            spec: order.spec.clone(),
            users: order.users,
            rows: PackedTree::new(),
        };
        let orders = self.orders.iter().map(|order| order.as_ref().map(empty)).collect();
        let is_unique = matches!(self.rows, Kept::Orders(_));
        Store { orders, ..Store::new(self.key.clone(), is_unique) }
    }

    /// Takes in one row, before there is anyone to tell. [`Store::loaded`] follows.
    pub(crate) fn load(&mut self, row: &Row, count: i64) {
        match &mut self.rows {
            Kept::ByKey(rows) => rows.entry(self.key.key(row)).or_default().add(row, count),
            Kept::Orders(rows) => rows.push(row.clone()),
        }
    }

    /// Ends loading.
    pub(crate) fn loaded(&mut self) {
        let Store { rows, orders, .. } = self;
        if orders.iter().all(Option::is_none) {
            return;
        }
        for order in orders.iter_mut().flatten() {
            order.load(rows.iter());
        }
        if let Kept::Orders(rows) = rows {
            *rows = Vec::new();
        }
    }

    /// Counts one more user of an order, which is made where there is none. Returns its slot.
    pub(crate) fn acquire(&mut self, shape: &ScanShape) -> usize {
        let equal = shape.equal.iter().map(|column| (*column, Direction::Asc));
        let spec = KeySpec::new(equal.chain(shape.order.iter().copied()).collect());
        let known = |order: &Option<Order>| order.as_ref().is_some_and(|order| order.spec == spec);
        if let Some(slot) = self.orders.iter().position(known) {
            self.orders[slot].iter_mut().for_each(|order| order.users += 1);
            return slot;
        }
        let mut order = Order { spec, users: 1, rows: PackedTree::new() };
        match self.orders.iter().flatten().next() {
            Some(other) if matches!(self.rows, Kept::Orders(_)) => {
                order.load(other.rows.iter().map(|(_, row)| row))
            }
            _ => order.load(self.rows.iter()),
        }
        if let Kept::Orders(rows) = &mut self.rows {
            *rows = Vec::new();
        }
        match self.orders.iter().position(Option::is_none) {
            Some(slot) => {
                self.orders[slot] = Some(order);
                slot
            }
            None => {
                self.orders.push(Some(order));
                self.orders.len() - 1
            }
        }
    }

    /// Gives back one use of an order; it goes with the last.
    pub(crate) fn release(&mut self, slot: usize) {
        let Some(Some(order)) = self.orders.get_mut(slot) else { return };
        order.users -= 1;
        if order.users == 0 {
            self.orders[slot] = None;
        }
    }

    /// Whether no order is in use.
    pub(crate) fn is_unused(&self) -> bool {
        self.orders.iter().all(Option::is_none)
    }

    /// Takes in a change, `sign` times, and tells what it means for the table.
    pub(crate) fn apply(&mut self, changes: &[(Row, i64)], sign: i64, tell: &mut dyn FnMut(Delta)) {
        let keyed = keyed(changes, sign, |row, key| {
            self.key.write(row, key);
            true
        });
        for run in runs(&keyed) {
            let (before, after) = self.rows.change(run);
            if before == after {
                continue;
            }
            for order in self.orders.iter_mut().flatten() {
                order.replace(before.as_ref(), after.as_ref());
            }
            delta(before, after).into_iter().for_each(&mut *tell);
        }
    }

    /// Visits rows in an order, as [`Source::scan`](crate::source::Source::scan) does.
    pub(crate) fn read(
        &self,
        slot: usize,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) {
        let Some(Some(order)) = self.orders.get(slot) else { return };
        let mut position = KeyBuffer::from_slice(equal);
        position.extend_from_slice(from.map_or(&[][..], |from| from.key));
        let at = |inclusive: bool| match inclusive {
            true => Bound::Included(&position[..]),
            false => Bound::Excluded(&position[..]),
        };
        let inclusive = from.is_none_or(|from| from.inclusive);
        let within = |(key, _): &(&[u8], &Row)| key.starts_with(equal);
        if !reverse {
            let rows = order.rows.range((at(inclusive), Bound::Unbounded));
            for (_, row) in rows.take_while(within) {
                if let ControlFlow::Break(()) = visit(row) {
                    return;
                }
            }
            return;
        }
        let end = successor(equal);
        let upper = match (from.is_some(), &end) {
            (true, _) => at(inclusive),
            (false, Some(end)) => Bound::Excluded(&end[..]),
            (false, None) => Bound::Unbounded,
        };
        let rows = order.rows.range((Bound::Unbounded, upper));
        for (_, row) in rows.rev().take_while(within) {
            if let ControlFlow::Break(()) = visit(row) {
                return;
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match (&self.rows, self.orders.iter().flatten().next()) {
            (Kept::ByKey(rows), _) => rows.len(),
            (Kept::Orders(_), Some(order)) => order.rows.len(),
            (Kept::Orders(rows), None) => rows.len(),
        }
    }

    /// Visits every row kept, some more than once.
    pub(crate) fn for_each_row(&self, visit: &mut dyn FnMut(&Row)) {
        match &self.rows {
            Kept::ByKey(rows) => {
                rows.values().flat_map(Bag::iter).for_each(|(row, _)| visit(row));
            }
            Kept::Orders(rows) => {
                rows.iter().for_each(&mut *visit);
                let order = self.orders.iter().flatten().next();
                let rows = order.iter().flat_map(|order| order.rows.iter());
                rows.for_each(|(_, row)| visit(row));
            }
        }
    }

    /// Bytes of state, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let kept = match &self.rows {
            Kept::Orders(rows) => rows.capacity() * size_of::<Row>(),
            Kept::ByKey(rows) => {
                let table = rows.capacity() * (size_of::<Key>() + size_of::<Bag>() + 1);
                let within = rows.iter().map(|(key, bag)| key.heap_bytes() + bag.bytes());
                table + within.sum::<usize>()
            }
        };
        let orders = self.orders.iter().flatten().map(|order| order.rows.bytes());
        kept + orders.sum::<usize>()
    }
}

impl Kept {
    fn iter(&self) -> impl Iterator<Item = &Row> {
        let (by_key, rows) = match self {
            Kept::ByKey(rows) => (Some(rows.values().filter_map(Bag::first)), None),
            Kept::Orders(rows) => (None, Some(rows.iter())),
        };
        by_key.into_iter().flatten().chain(rows.into_iter().flatten())
    }

    /// The row of a key before and after a change.
    fn change(&mut self, run: &[Keyed<'_>]) -> (Option<Row>, Option<Row>) {
        match self {
            Kept::Orders(_) => change_of(run),
            Kept::ByKey(rows) => {
                let key = &run[0].key;
                let bag = rows.entry(key.clone()).or_default();
                let before = bag.first().cloned();
                run.iter().for_each(|change| bag.add(change.row, change.count));
                let after = bag.first().cloned();
                if bag.is_empty() {
                    rows.remove(key);
                }
                (before, after)
            }
        }
    }
}

/// The row of a key before and after a change, where there is one row at a time.
pub(crate) fn change_of(run: &[Keyed<'_>]) -> (Option<Row>, Option<Row>) {
    let of = |sign: i64| run.iter().find(|change| change.count.signum() == sign);
    let row = |sign: i64| of(sign).map(|change| change.row.clone());
    (row(-1), row(1))
}

impl Order {
    fn load<'r>(&mut self, rows: impl Iterator<Item = &'r Row>) {
        let mut entries: Vec<(Key, Row)> =
            rows.map(|row| (self.spec.key(row), row.clone())).collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.rows = PackedTree::from_sorted(entries);
    }

    fn replace(&mut self, before: Option<&Row>, after: Option<&Row>) {
        let (mut from, mut to) = (KeyBuffer::new(), KeyBuffer::new());
        match (before, after) {
            (Some(before), Some(after)) => {
                self.spec.write(before, &mut from);
                self.spec.write(after, &mut to);
                if from == to {
                    self.rows.insert(&to, after.clone());
                } else {
                    self.rows.rekey(&from, &to, after.clone());
                }
            }
            (Some(before), None) => {
                self.spec.write(before, &mut from);
                self.rows.remove(&from);
            }
            (None, Some(after)) => {
                self.spec.write(after, &mut to);
                self.rows.insert(&to, after.clone());
            }
            (None, None) => {}
        }
    }
}

/// What became of the row of a key.
pub(crate) fn delta(before: Option<Row>, after: Option<Row>) -> Option<Delta> {
    match (before, after) {
        (None, None) => None,
        (Some(row), None) => Some(Delta::delete(row)),
        (None, Some(row)) => Some(Delta::insert(row)),
        (Some(old), Some(new)) => Delta::update(old, new),
    }
}

/// The first key after all that begin like this one; `None` where there is no such key.
fn successor(prefix: &[u8]) -> Option<KeyBuffer> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = KeyBuffer::from_slice(&prefix[..=last]);
    next[last] += 1;
    Some(next)
}
