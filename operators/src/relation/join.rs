//! `left join`: the pairs of rows that match, and the left rows that match nothing beside nulls.
//! Inner joins are in `delta_join`.
//!
//! With L and R the sides after a transaction, L' and R' before it: what the left side changed is
//! joined with R, and what the right side changed with L'. L' at a key is L at the key without
//! what changed there. Where a left row had no match and has one now, or the reverse, its row with
//! nulls goes or comes.
//!
//! Cost: one look-up per changed key and side, and the pairs. State: none of its own; see [`Side`].

use super::chain::Reader;
use super::finish::{Finish, Joined, Test};
use super::flow::{Flow, NodeId};
use super::node::Operator;
use super::zset::{Changes, Keyed, KeyedChanges, keyed, run_of, runs};
use crate::key::write_columns_non_null;
use crate::row::Row;
use crate::source::{Source, SourceError};

/// The inputs of a left join.
const LEFT: usize = 0;
const RIGHT: usize = 1;

/// A left join with the ways to its sides.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) left_key: Vec<usize>,
    pub(crate) right_key: Vec<usize>,
    pub(crate) residual: Option<Test>,
    pub(crate) finish: Finish,
}

/// How the rows of an input with a key are found.
#[derive(Debug)]
pub(crate) enum Side {
    /// They are read from the source: the input is a table, seen through filters and maps.
    Read(Reader),
    /// They are kept by the input's node.
    Kept {
        /// The node.
        node: NodeId,
        /// Which of its arrangements.
        slot: usize,
    },
    /// The input's node aggregates, and its groups are looked up.
    Groups(NodeId),
}

/// A row of a side, with where it has the side's columns if it is one of the source.
#[derive(Clone, Copy)]
struct Found<'a>(&'a Row, Option<&'a [usize]>);

impl Side {
    /// Where rows found have the input's columns, if they are not rows of the input as they are.
    pub(crate) fn picked(&self) -> Option<&[usize]> {
        match self {
            Side::Read(reader) => reader.picked(),
            Side::Kept { .. } | Side::Groups(_) => None,
        }
    }
}

impl Flow {
    /// Appends the rows of a side with a key, after the transaction, until there are more than
    /// `bound`. [`Side::picked`] says where they have the side's columns.
    pub(crate) fn look_up(
        &self,
        source: &dyn Source,
        side: &Side,
        key: &[u8],
        bound: i64,
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        match side {
            Side::Kept { node, slot } => {
                if let Some(arrangement) = &self.node(*node).arrangements[*slot] {
                    arrangement.look_up(key, bound, out);
                }
                Ok(())
            }
            Side::Groups(node) => {
                if let Operator::Aggregate(aggregate) = &self.node(*node).operator {
                    out.extend(aggregate.get(key).map(|row| (row.clone(), 1)));
                }
                Ok(())
            }
            Side::Read(reader) => reader.find(source, key, bound, out),
        }
    }
}

impl Join {
    /// The changes of a side by key; those without a key are left out.
    fn keyed<'a>(columns: &[usize], changes: &'a [(Row, i64)]) -> KeyedChanges<'a> {
        keyed(changes, 1, |row, key| write_columns_non_null(row, columns, key))
    }

    /// Puts out what changes of the sides make.
    ///
    /// # Errors
    /// A failing source; what was put out by then is of no use.
    pub(crate) fn apply(
        &self,
        flow: &Flow,
        source: &dyn Source,
        left: &[(Row, i64)],
        right: &[(Row, i64)],
        out: &mut Changes,
    ) -> Result<(), SourceError> {
        let mut matches = Changes::new();
        let changed_left = Join::keyed(&self.left_key, left);
        if changed_left.len() < left.len() {
            self.put_unmatchable(left, out);
        }
        for run in runs(&changed_left) {
            matches.clear();
            flow.look_up(source, &self.right, &run[0].key, i64::MAX, &mut matches)?;
            for change in run {
                self.pair(change.row, change.count, (&matches, self.right.picked()), out);
            }
        }
        if right.is_empty() {
            return Ok(());
        }
        let changed_right = Join::keyed(&self.right_key, right);
        let mut partners = Changes::new();
        for run in runs(&changed_right) {
            let key = &run[0].key;
            partners.clear();
            flow.look_up(source, &self.left, key, i64::MAX, &mut partners)?;
            let looked_up = partners.len();
            let own = run_of(&changed_left, key);
            partners.extend(own.iter().map(|change| (change.row.clone(), -change.count)));
            if partners.is_empty() {
                continue;
            }
            // Without a residual, only whether there are any matters, before and after.
            let net: i64 = run.iter().map(|change| change.count).sum();
            let bound = if self.residual.is_some() { i64::MAX } else { net.max(0) };
            matches.clear();
            flow.look_up(source, &self.right, key, bound, &mut matches)?;
            for (at, (row, count)) in partners.iter().enumerate() {
                let picked = if at < looked_up { self.left.picked() } else { None };
                self.rematch(Found(row, picked), *count, run, &matches, out);
            }
        }
        Ok(())
    }

    /// A left row beside a right one, or beside nulls.
    fn with<T>(
        left: Found<'_>,
        right: Option<Found<'_>>,
        make: impl FnOnce(&Joined<'_>) -> T,
    ) -> T {
        let left = Joined { leaf: LEFT, row: left.0, picked: left.1, rest: None };
        match right {
            None => make(&left),
            Some(Found(row, picked)) => {
                make(&Joined { leaf: RIGHT, row, picked, rest: Some(&left) })
            }
        }
    }

    fn matches(&self, left: Found<'_>, right: Found<'_>) -> bool {
        let Some(residual) = &self.residual else { return true };
        Join::with(left, Some(right), |joined| residual.holds(joined))
    }

    fn put(&self, left: Found<'_>, right: Option<Found<'_>>, count: i64, out: &mut Changes) {
        let row = Join::with(left, right, |joined| self.finish.row(joined));
        out.extend(row.map(|row| (row, count)));
    }

    /// Puts out all that a left row makes with the right rows of its key; `picked` says where those
    /// have the side's columns.
    pub(crate) fn pair(
        &self,
        left: &Row,
        count: i64,
        (right, picked): (&[(Row, i64)], Option<&[usize]>),
        out: &mut Changes,
    ) {
        let (left, mut matched) = (Found(left, None), false);
        for (other, times) in right {
            let other = Found(other, picked);
            if self.matches(left, other) {
                matched = true;
                self.put(left, Some(other), count * times, out);
            }
        }
        if !matched {
            self.put(left, None, count, out);
        }
    }

    /// Puts out the left rows that a null keeps from matching anything.
    pub(crate) fn put_unmatchable(&self, left: &[(Row, i64)], out: &mut Changes) {
        for (row, count) in left {
            if self.left_key.iter().any(|column| row.is_null(*column)) {
                self.put(Found(row, None), None, *count, out);
            }
        }
    }

    /// Puts out what changes of the right side at a key mean for a left row.
    fn rematch(
        &self,
        left: Found<'_>,
        count: i64,
        changed: &[Keyed<'_>],
        after: &[(Row, i64)],
        out: &mut Changes,
    ) {
        let mut net = 0;
        for change in changed {
            let right = Found(change.row, None);
            if self.matches(left, right) {
                net += change.count;
                self.put(left, Some(right), count * change.count, out);
            }
        }
        if net == 0 {
            return;
        }
        let right = after.iter().filter(|(right, _)| {
            self.residual.is_none() || self.matches(left, Found(right, self.right.picked()))
        });
        let after: i64 = right.map(|(_, times)| times).sum();
        match (after - net == 0, after == 0) {
            (true, false) => self.put(left, None, -count, out),
            (false, true) => self.put(left, None, count, out),
            _ => {}
        }
    }
}
