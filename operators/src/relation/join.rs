//! `join`: the pairs of rows that match, and for a left join the left rows that match nothing.
//!
//! With L and R the sides after a transaction, L' and R' before it: what the left side changed is
//! joined with R, and what the right side changed with L'. L' at a key is L at the key without
//! what changed there. Where a left join's row had no match and has one now, or the reverse, its
//! row with nulls goes or comes.
//!
//! Cost: one look-up per changed key and side, and the pairs; a left join looks both sides up.
//! State: none of its own; see [`Side`].

use std::ops::ControlFlow;

use super::chain::Reader;
use super::flow::{Flow, NodeId};
use super::plan::JoinKind;
use super::zset::{Changes, Keyed, keyed, run_of, runs};
use crate::expr::Expr;
use crate::key::write_columns_non_null;
use crate::row::Row;
use crate::source::{At, Source, SourceError};

/// A join with the ways to its sides.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) left_key: Vec<usize>,
    pub(crate) right_key: Vec<usize>,
    pub(crate) left_width: usize,
    pub(crate) right_width: usize,
    pub(crate) residual: Option<Expr>,
}

/// How the rows of a side with a key are found.
#[derive(Debug)]
pub(crate) enum Side {
    /// They are read from the source: the side is a table, seen through filters and maps.
    Read(Reader),
    /// They are kept by the side's node.
    Kept {
        /// The node.
        node: NodeId,
        /// Which of its arrangements.
        slot: usize,
    },
}

impl Flow {
    /// Appends the rows of a side with a key, after the transaction, until there are more than
    /// `bound`.
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
            Side::Read(reader) => {
                let mut found = 0;
                reader.read(source, At::After, key, None, false, &mut |row| {
                    out.push((row.clone(), 1));
                    found += 1;
                    if found > bound { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
            }
        }
    }
}

impl Join {
    /// The changes of a side by key; those without a key are left out.
    fn keyed<'a>(columns: &[usize], changes: &'a [(Row, i64)]) -> Vec<Keyed<'a>> {
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
                self.pair(change.row, change.count, &matches, out);
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
            let own = run_of(&changed_left, key);
            partners.extend(own.iter().map(|change| (change.row.clone(), -change.count)));
            if partners.is_empty() {
                continue;
            }
            matches.clear();
            if self.kind == JoinKind::Left {
                // Without a residual, only whether there are any matters, before and after.
                let net: i64 = run.iter().map(|change| change.count).sum();
                let bound = if self.residual.is_some() { i64::MAX } else { net.max(0) };
                flow.look_up(source, &self.right, key, bound, &mut matches)?;
            }
            for (row, count) in &partners {
                self.rematch(row, *count, run, &matches, out);
            }
        }
        Ok(())
    }

    /// A left row beside a right one, or beside nulls. Tables may have got more columns since the
    /// join was made, so the widths are those of the plan.
    fn paired(&self, left: &Row, right: Option<&Row>) -> Row {
        Row::pair((left, self.left_width), (right, self.right_width))
    }

    /// The row of a pair, if it matches.
    fn pair_row(&self, left: &Row, right: &Row) -> Option<Row> {
        let row = self.paired(left, Some(right));
        self.residual.as_ref().is_none_or(|residual| residual.holds(&row)).then_some(row)
    }

    /// Puts out all that a left row makes with the right rows of its key.
    pub(crate) fn pair(&self, left: &Row, count: i64, right: &[(Row, i64)], out: &mut Changes) {
        let mut matched = false;
        for (other, times) in right {
            if let Some(row) = self.pair_row(left, other) {
                matched = true;
                out.push((row, count * times));
            }
        }
        if !matched && self.kind == JoinKind::Left {
            out.push((self.paired(left, None), count));
        }
    }

    /// Puts out the left rows that a null keeps from matching anything.
    pub(crate) fn put_unmatchable(&self, left: &[(Row, i64)], out: &mut Changes) {
        if self.kind == JoinKind::Left {
            let unmatchable = |row: &Row| self.left_key.iter().any(|column| row.is_null(*column));
            let rows = left.iter().filter(|(row, _)| unmatchable(row));
            out.extend(rows.map(|(row, count)| (self.paired(row, None), *count)));
        }
    }

    /// Puts out what changes of the right side at a key mean for a left row.
    fn rematch(
        &self,
        left: &Row,
        count: i64,
        changed: &[Keyed<'_>],
        after: &[(Row, i64)],
        out: &mut Changes,
    ) {
        let mut net = 0;
        for change in changed {
            if let Some(row) = self.pair_row(left, change.row) {
                net += change.count;
                out.push((row, count * change.count));
            }
        }
        if self.kind == JoinKind::Inner || net == 0 {
            return;
        }
        let matching =
            |right: &Row| self.residual.is_none() || self.pair_row(left, right).is_some();
        let after: i64 =
            after.iter().filter(|(right, _)| matching(right)).map(|(_, times)| times).sum();
        match (after - net == 0, after == 0) {
            (true, false) => out.push((self.paired(left, None), -count)),
            (false, true) => out.push((self.paired(left, None), count)),
            _ => {}
        }
    }
}
