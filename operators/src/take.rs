//! `take`: the window of a partition.
//!
//! A window holds the first `offset + limit` rows of a partition in order, or all of them where
//! there is no limit, and an *edge*: every matching row up to the edge is in the window, and
//! nothing is known about rows beyond it. A candidate beyond the edge is refused with one
//! comparison. During a transaction rows come and go freely within the edge; [`Window::settle`]
//! then evicts what is over capacity, or refills from the edge on, once.
//!
//! Contract: after `settle`, `len <= capacity`; the window's rows are the first `capacity`
//! matching rows after the start cursor; the log holds, sorted by key and at most once per key,
//! what differs from the last transaction.
//!
//! Cost: O(log window) per candidate within the edge, one comparison beyond it; a refill is one
//! seek plus the rows read. State: the rows, and the edge.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::key::Key;
use crate::order_by::OrderedRows;
use crate::plan::Extent;
use crate::row::Row;
use crate::skip::Boundary;

mod growing;

/// What happened to one position of a window in one transaction.
#[derive(Clone, Debug)]
pub(crate) struct RowChange {
    pub(crate) key: Key,
    pub(crate) old: Option<Row>,
    pub(crate) new: Option<Row>,
}

/// How far a window knows its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// All matching rows are in the window.
    Open,
    /// All matching rows up to this key are in the window.
    At(Key),
}

/// Where a window begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bounds {
    edge: Edge,
    boundary: Boundary,
    /// Whether rows beyond the edge are still to be read, step by step, up to the limit.
    growing: bool,
}

impl Bounds {
    /// Those of a window that takes and shows everything.
    const NONE: Bounds = Bounds { edge: Edge::Open, boundary: Boundary::Start, growing: false };
}

/// What the transaction in flight has changed, and what undoing it needs besides.
#[derive(Clone, Debug)]
struct Changing {
    log: Log,
    bounds: Bounds,
    was_empty: bool,
}

type Log = SmallVec<[RowChange; 2]>;

/// The ordered, limited rows of a partition.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    rows: OrderedRows,
    /// Absent in a window that takes and shows everything, as most do that have no limit.
    bounds: Option<Box<Bounds>>,
    /// Present from the first change of a transaction to its end.
    changing: Option<Box<Changing>>,
}

impl Extent {
    /// How many rows a window of this extent holds, or `None` for all.
    #[inline]
    pub(crate) fn capacity(&self) -> Option<usize> {
        match self.limit {
            Some(0) => Some(0),
            Some(limit) => Some(limit.saturating_add(self.offset)),
            None => None,
        }
    }
}

impl Window {
    /// A window that has seen nothing yet and takes everything.
    pub(crate) fn new() -> Window {
        Window { rows: OrderedRows::default(), bounds: None, changing: None }
    }

    /// The rows, skipped ones included.
    pub(crate) fn rows(&self) -> &OrderedRows {
        &self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    #[inline]
    fn bounds(&self) -> &Bounds {
        self.bounds.as_deref().unwrap_or(&Bounds::NONE)
    }

    fn set_edge(&mut self, edge: Edge) {
        match &mut self.bounds {
            Some(bounds) => bounds.edge = edge,
            None if edge == Edge::Open => {}
            None => self.bounds = Some(Box::new(Bounds { edge, ..Bounds::NONE })),
        }
    }

    fn set_boundary(&mut self, boundary: Boundary) {
        match &mut self.bounds {
            Some(bounds) => bounds.boundary = boundary,
            None if boundary == Boundary::Start => {}
            None => self.bounds = Some(Box::new(Bounds { boundary, ..Bounds::NONE })),
        }
    }

    pub(crate) fn edge(&self) -> &Edge {
        &self.bounds().edge
    }

    /// The visible rows in order.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        let boundary = &self.bounds().boundary;
        self.rows.iter().skip_while(move |(key, _)| !boundary.shows(key))
    }

    /// Whether a row at this key is visible.
    pub(crate) fn shows(&self, key: &[u8]) -> bool {
        self.bounds().boundary.shows(key) && self.rows.get(key).is_some()
    }

    /// Whether a matching row at this key belongs in the window as far as is known.
    #[inline]
    pub(crate) fn admits(&self, extent: &Extent, key: &[u8]) -> bool {
        if extent.limit == Some(0) {
            return false;
        }
        if let Edge::At(edge) = self.edge()
            && key > &edge[..]
        {
            return false;
        }
        extent.start.as_ref().is_none_or(|start| start.admits(key))
    }

    /// Whether a row at this key is in the window; one comparison for keys beyond the edge.
    #[inline]
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Row> {
        match self.edge() {
            Edge::At(edge) if key > &edge[..] => None,
            _ => self.rows.get(key),
        }
    }

    /// The log, begun with the first change of a transaction; `empty` says whether the window was
    /// empty before this one. Called before the edge moves.
    fn log_mut(&mut self, empty: bool) -> &mut Log {
        let bounds = self.bounds.as_deref().unwrap_or(&Bounds::NONE);
        let changing = self.changing.get_or_insert_with(|| {
            Box::new(Changing { log: Log::new(), bounds: bounds.clone(), was_empty: empty })
        });
        &mut changing.log
    }

    /// Puts a row in and logs the change. The caller has asked [`Window::admits`].
    pub(crate) fn insert(&mut self, key: Key, row: Row) {
        let empty = self.rows.is_empty();
        let old = self.rows.insert(&key, row.clone());
        self.log_mut(empty).push(RowChange { key, old, new: Some(row) });
    }

    /// Takes a row out, if it is in, and logs the change.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        if let Edge::At(edge) = self.edge()
            && key > &edge[..]
        {
            return false;
        }
        let Some(old) = self.rows.remove(key) else { return false };
        let change = RowChange { key: Key::from_slice(key), old: Some(old), new: None };
        self.log_mut(false).push(change);
        true
    }

    /// Puts the first rows, in order, in the place of all that the window holds, and logs what
    /// differs; `exhausted` as for [`Window::hydrated`]. Returns whether anything did.
    pub(crate) fn replace(&mut self, rows: Vec<(Key, Row)>, exhausted: bool) -> bool {
        let edge = match (exhausted, rows.last()) {
            (false, Some((last, _))) => Edge::At(last.clone()),
            _ => Edge::Open,
        };
        let mut gone: Vec<Key> = Vec::new();
        let mut come: Vec<(Key, Row)> = Vec::new();
        let mut rows = rows.into_iter().peekable();
        for (key, row) in self.rows.iter() {
            while let Some(before) = rows.next_if(|(other, _)| **other < *key) {
                come.push(before);
            }
            match rows.next_if(|(other, _)| **other == *key) {
                Some((_, same)) if same == *row => {}
                Some(changed) => come.push(changed),
                None => gone.push(Key::from_slice(key)),
            }
        }
        come.extend(rows);
        if gone.is_empty() && come.is_empty() && edge == *self.edge() {
            return false;
        }
        self.log_mut(self.rows.is_empty());
        for key in gone {
            let old = self.rows.remove(&key);
            self.log_mut(false).push(RowChange { key, old, new: None });
        }
        for (key, row) in come {
            self.insert(key, row);
        }
        self.set_edge(edge);
        self.end_growth();
        true
    }

    /// A window of its first rows, in order; `exhausted` says that there are no rows beyond them.
    pub(crate) fn hydrated(extent: &Extent, rows: Vec<(Key, Row)>, exhausted: bool) -> Window {
        let last = rows.last().map(|(key, _)| key.clone());
        let mut window =
            Window { rows: OrderedRows::from_ordered(rows), bounds: None, changing: None };
        if let (false, Some(last)) = (exhausted, last) {
            window.set_edge(Edge::At(last));
        }
        window.set_boundary(Boundary::of(&window.rows, extent));
        window
    }

    /// Evicts what is over capacity. Returns whether rows are missing that lie beyond the edge.
    pub(crate) fn evict(&mut self, extent: &Extent) -> bool {
        let Some(capacity) = extent.capacity() else { return false };
        if self.rows.len() > capacity {
            while self.rows.len() > capacity {
                // The loop condition says that there is a row.
                let Some((key, row)) = self.rows.pop_last() else { break };
                self.log_mut(false).push(RowChange { key, old: Some(row), new: None });
            }
            if let Some(last) = self.rows.last_key() {
                self.set_edge(Edge::At(last));
            }
        }
        self.rows.len() < capacity && *self.edge() != Edge::Open && !self.is_growing()
    }

    /// Ends a refill: the edge moves to the last row, or away where the partition is exhausted.
    pub(crate) fn refilled(&mut self, exhausted: bool) {
        self.log_mut(self.rows.is_empty());
        match (exhausted, self.rows.last_key()) {
            (false, Some(last)) => self.set_edge(Edge::At(last)),
            _ => self.set_edge(Edge::Open),
        }
    }

    /// Consolidates the log and finds the new boundary; the window is within capacity now.
    pub(crate) fn settle(&mut self, extent: &Extent) {
        let Some(changing) = &mut self.changing else { return };
        consolidate(&mut changing.log);
        self.set_boundary(Boundary::of(&self.rows, extent));
        debug_assert!(extent.capacity().is_none_or(|capacity| self.rows.len() <= capacity));
        debug_assert!(self.log().windows(2).all(|pair| pair[0].key < pair[1].key));
    }

    /// What changed in this transaction, among all rows of the window. Only after `settle`.
    pub(crate) fn log(&self) -> &[RowChange] {
        self.changing.as_ref().map_or(&[], |changing| &changing.log)
    }

    /// Whether the window was empty before the transaction.
    pub(crate) fn was_empty(&self) -> bool {
        self.changing.as_ref().map_or(self.rows.is_empty(), |changing| changing.was_empty)
    }

    /// What changed in this transaction among the visible rows, sorted by key.
    pub(crate) fn visible_changes(&self) -> Cow<'_, [RowChange]> {
        let Some(changing) = &self.changing else { return Cow::Borrowed(&[]) };
        let (then, now) = (&changing.bounds.boundary, &self.bounds().boundary);
        if *then == Boundary::Start && *now == Boundary::Start {
            return Cow::Borrowed(&changing.log);
        }
        let mut changes: Vec<RowChange> = changing
            .log
            .iter()
            .map(|change| RowChange {
                key: change.key.clone(),
                old: change.old.clone().filter(|_| then.shows(&change.key)),
                new: change.new.clone().filter(|_| now.shows(&change.key)),
            })
            .filter(|change| change.old.is_some() || change.new.is_some())
            .collect();
        // Rows that did not change themselves but crossed the boundary.
        for (key, row) in self.rows.iter() {
            let (before, after) = (then.shows(key), now.shows(key));
            if before && after {
                break;
            }
            if before != after && self.logged(key).is_none() {
                changes.push(RowChange {
                    key: Key::from_slice(key),
                    old: before.then(|| row.clone()),
                    new: after.then(|| row.clone()),
                });
            }
        }
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        Cow::Owned(changes)
    }

    fn logged(&self, key: &[u8]) -> Option<&RowChange> {
        let log = self.log();
        let at = log.binary_search_by(|change| change.key[..].cmp(key)).ok()?;
        Some(&log[at])
    }

    /// The visible rows as they were before the transaction, in order.
    pub(crate) fn visible_before(&self) -> Vec<(Key, Row)> {
        let Some(changing) = &self.changing else {
            return self.visible().map(|(key, row)| (Key::from_slice(key), row.clone())).collect();
        };
        let mut rows: Vec<(Key, Row)> = self
            .rows
            .iter()
            .filter(|(key, _)| self.logged(key).is_none())
            .map(|(key, row)| (Key::from_slice(key), row.clone()))
            .chain(
                changing
                    .log
                    .iter()
                    .filter_map(|change| Some((change.key.clone(), change.old.clone()?))),
            )
            .filter(|(key, _)| changing.bounds.boundary.shows(key))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// Forgets the log: the transaction is over.
    pub(crate) fn commit(&mut self) {
        self.changing = None;
    }

    /// Puts everything back to where it was before the transaction.
    pub(crate) fn rollback(&mut self) {
        let Some(changing) = self.changing.take() else { return };
        for change in changing.log.into_iter().rev() {
            match change.old {
                Some(row) => drop(self.rows.insert(&change.key, row)),
                None => drop(self.rows.remove(&change.key)),
            }
        }
        match &mut self.bounds {
            Some(bounds) => **bounds = changing.bounds,
            None if changing.bounds == Bounds::NONE => {}
            None => self.bounds = Some(Box::new(changing.bounds)),
        }
    }

    /// Bytes held outside the struct itself, without the rows' own.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.bytes() + self.bounds.as_ref().map_or(0, |_| size_of::<Bounds>())
    }
}

/// Sorts a log by key and merges the entries of one key: the first `old`, the last `new`, and
/// nothing where both are absent or the row is the same.
fn consolidate(log: &mut Log) {
    if log.len() > 1 {
        log.sort_by(|a, b| a.key.cmp(&b.key));
        log.dedup_by(|later, earlier| {
            let same = later.key == earlier.key;
            if same {
                earlier.new = later.new.take();
            }
            same
        });
    }
    log.retain(|change| match (&change.old, &change.new) {
        (None, None) => false,
        (Some(old), Some(new)) => old != new,
        _ => true,
    });
}
