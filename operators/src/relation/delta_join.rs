//! `delta join`: the rows of many inputs that match, as an inner join.
//!
//! For each input there is a *path*: an order in which the others are looked up by what is known
//! of those before. A changed row of an input goes along its path, and what is found at the end is
//! put out. Of inputs that changed in the same transaction those further left are looked up as
//! they are after it, those further right as they were before: as they are, without what changed.
//!
//! Cost: one look-up per path and per row found on it. State: none of its own; an input that is a
//! table is read from the source's indexes, any other is arranged by the columns that a path looks
//! it up by. No joined row is kept.

use smallvec::SmallVec;

use super::finish::{Finish, Joined};
use super::flow::Flow;
use super::fuse::LeafColumn;
use super::join::Side;
use super::zset::Changes;
use crate::key::{Direction, Key, KeyBuffer, encode_raw};
use crate::level::FixedMap;
use crate::row::Row;
use crate::source::{Source, SourceError};
use crate::value::RawValue;

/// An inner join of any number of inputs.
#[derive(Debug)]
pub(crate) struct DeltaJoin {
    /// For each input the way through the others.
    pub(crate) paths: Vec<Vec<Probe>>,
    pub(crate) finish: Finish,
}

/// A step of a path: an input looked up.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Which input.
    pub(crate) leaf: usize,
    pub(crate) side: Side,
    /// The columns of inputs further back whose values are looked up.
    pub(crate) key: Vec<LeafColumn>,
    /// The columns of this input that must be equal to them, in the same order.
    pub(crate) columns: Vec<usize>,
    /// Further columns that must be equal: further back, and of this input.
    pub(crate) checks: Vec<(LeafColumn, LeafColumn)>,
}

/// All rows of an input by the columns by which they are looked up.
pub(super) struct Whole<'w> {
    pub(super) rows: FixedMap<Key, SmallVec<[(Row, i64); 1]>>,
    /// Where the rows have the input's columns, if they are not rows of the input as they are.
    pub(super) picked: Option<&'w [usize]>,
}

impl Whole<'_> {
    /// The rows with a key.
    pub(super) fn get(&self, key: &[u8]) -> &[(Row, i64)] {
        self.rows.get(key).map_or(&[], |rows| rows)
    }
}

/// One way of rows along a path.
pub(super) struct Walk<'w> {
    pub(super) flow: &'w Flow,
    pub(super) source: &'w dyn Source,
    pub(super) join: &'w DeltaJoin,
    /// The input at the start.
    pub(super) leaf: usize,
    /// What changed in each input; empty where the inputs are as they are.
    pub(super) changed: &'w [&'w Changes],
    /// For each probe the rows, where they are not looked up one by one.
    pub(super) whole: &'w [Option<Whole<'w>>],
    found: Vec<Found>,
}

/// What a probe last found.
#[derive(Default)]
struct Found {
    key: Option<KeyBuffer>,
    rows: Changes,
    /// How many of the rows are as the side has them; what follows is as the input puts it out.
    looked_up: usize,
}

impl DeltaJoin {
    /// Puts out what changes of the inputs make.
    ///
    /// # Errors
    /// A failing source; what was put out by then is of no use.
    pub(crate) fn apply(
        &self,
        flow: &Flow,
        source: &dyn Source,
        changed: &[&Changes],
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        for (leaf, changes) in changed.iter().enumerate() {
            if changes.is_empty() {
                continue;
            }
            let mut walk = Walk::new(flow, source, self, leaf, changed, &[]);
            for (row, count) in *changes {
                walk.start((row, None), *count, out)?;
            }
        }
        Ok(())
    }
}

impl<'w> Walk<'w> {
    pub(super) fn new(
        flow: &'w Flow,
        source: &'w dyn Source,
        join: &'w DeltaJoin,
        leaf: usize,
        changed: &'w [&'w Changes],
        whole: &'w [Option<Whole<'w>>],
    ) -> Walk<'w> {
        let mut found = Vec::new();
        found.resize_with(join.paths[leaf].len(), Found::default);
        Walk { flow, source, join, leaf, changed, whole, found }
    }

    /// Takes a row of the first input along the path, with where it has the input's columns.
    pub(super) fn start(
        &mut self,
        (row, picked): (&Row, Option<&[usize]>),
        count: i64,
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        self.step(0, &Joined { leaf: self.leaf, row, picked, rest: None }, count, out)
    }

    fn step(
        &mut self,
        depth: usize,
        joined: &Joined<'_>,
        count: i64,
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        let join = self.join;
        let Some(probe) = join.paths[self.leaf].get(depth) else {
            put(out, join.finish.row(joined), count);
            return Ok(());
        };
        let mut key = KeyBuffer::new();
        if !write(joined, &probe.key, &mut key) {
            return Ok(());
        }
        if let Some(Some(whole)) = self.whole.get(depth) {
            for (row, times) in whole.get(&key) {
                self.next(probe, depth, joined, (row, whole.picked), count * times, out)?;
            }
            return Ok(());
        }
        let mut found = std::mem::take(&mut self.found[depth]);
        if found.key.as_ref() != Some(&key) {
            self.look_up(probe, &key, &mut found)?;
            found.key = Some(key);
        }
        let picked = probe.side.picked();
        for (at, (row, times)) in found.rows.iter().enumerate() {
            let picked = if at < found.looked_up { picked } else { None };
            self.next(probe, depth, joined, (row, picked), count * times, out)?;
        }
        self.found[depth] = found;
        Ok(())
    }

    fn next(
        &mut self,
        probe: &Probe,
        depth: usize,
        joined: &Joined<'_>,
        (row, picked): (&Row, Option<&[usize]>),
        count: i64,
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        let joined = Joined { leaf: probe.leaf, row, picked, rest: Some(joined) };
        let equal = |(one, other): &(LeafColumn, LeafColumn)| {
            let (mut a, mut b) = (KeyBuffer::new(), KeyBuffer::new());
            write(&joined, &[*one], &mut a) && write(&joined, &[*other], &mut b) && a == b
        };
        if !probe.checks.iter().all(equal) {
            return Ok(());
        }
        self.step(depth + 1, &joined, count, out)
    }

    /// Finds the rows of a probe with a key, as they are for what is at the start.
    fn look_up(&self, probe: &Probe, key: &[u8], found: &mut Found) -> Result<(), SourceError> {
        found.rows.clear();
        self.flow.look_up(self.source, &probe.side, key, i64::MAX, &mut found.rows)?;
        found.looked_up = found.rows.len();
        let Some(changes) = self.changed.get(probe.leaf).filter(|_| probe.leaf > self.leaf) else {
            return Ok(());
        };
        let mut own = KeyBuffer::new();
        for (row, count) in *changes {
            own.clear();
            let has_key = crate::key::write_columns_non_null(row, &probe.columns, &mut own);
            if has_key && own[..] == *key {
                found.rows.push((row.clone(), -count));
            }
        }
        Ok(())
    }
}

/// Appends the encodings of columns; false where one is null.
fn write(joined: &Joined<'_>, columns: &[LeafColumn], key: &mut KeyBuffer) -> bool {
    for column in columns {
        let value = joined.stored(*column).map_or(RawValue::Null, |(row, at)| row.get_raw(at));
        if matches!(value, RawValue::Null) {
            return false;
        }
        encode_raw(key, value, Direction::Asc);
    }
    true
}

/// Puts out a row; the same row again adds to its count.
fn put(out: &mut Changes, row: Option<Row>, count: i64) {
    let Some(row) = row else { return };
    match out.last_mut() {
        Some((last, total)) if last.ptr_eq(&row) => *total += count,
        _ => out.push((row, count)),
    }
}
