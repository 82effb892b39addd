//! W0, W1 and W4 by hand.

use std::sync::Arc;

use penstock::Error;

use super::top::{Moves, Place, Top, place};
use super::{Map, edited_rows, hydrate, issue_rows, push};
use crate::check::Check;
use crate::data::{Data, Issue, issue_edits, issue_id};
use crate::report::Outcome;

/// A row that left, came, or changed in its place.
#[derive(Debug)]
pub enum Change {
    /// A row came.
    Insert(Place, Arc<Issue>),
    /// A row left.
    Remove(Place),
}

/// W0: a hash map takes the rows.
///
/// # Errors
/// None.
pub fn w0(data: &Data) -> Result<Outcome, Error> {
    let mut rows = issue_rows(data);
    let mut outcome = Outcome { check: Some(Check::default()), ..Outcome::default() };
    let edits = edited_rows(data, &issue_edits(data, 10_000));
    push(edits, &mut outcome, |(id, row)| rows.insert(id, row));
    Ok(outcome)
}

/// W1: 100 rows out of a warm index.
///
/// # Errors
/// None.
pub fn w1(data: &Data) -> Result<Outcome, Error> {
    let rows = issue_rows(data);
    let top = Top::of_open(&rows, 100);
    let mut outcome = Outcome::default();
    hydrate(200, &mut outcome, || {
        let row = |place: &Place| rows.get(&place.1).map(Arc::clone);
        top.read().filter_map(row).collect::<Vec<Arc<Issue>>>()
    });
    outcome.check = Some(check(&top));
    Ok(outcome)
}

/// W4: the index, the window and the rows follow each edit.
///
/// # Errors
/// None.
pub fn w4(data: &Data) -> Result<Outcome, Error> {
    let mut rows = issue_rows(data);
    let mut top = Top::of_open(&rows, 100);
    let mut outcome = Outcome::default();
    let edits = edited_rows(data, &issue_edits(data, 10_000));
    push(edits, &mut outcome, |(id, row)| {
        let new = row.open.then(|| place(id, &row));
        let old = rows.insert(id, row).filter(|old| old.open).map(|old| place(id, &old));
        patch(&rows, &top.change(old, new))
    });
    outcome.check = Some(check(&top));
    Ok(outcome)
}

/// The patch that hands the moves to a consumer.
pub(super) fn patch(rows: &Map<u32, Arc<Issue>>, moves: &Moves) -> Vec<Change> {
    let left = moves.left.iter().flatten().map(|place| Change::Remove(*place));
    let came = moves.came.iter().flatten();
    let came = came.filter_map(|place| Some(Change::Insert(*place, rows.get(&place.1)?.clone())));
    left.chain(came).collect()
}

fn check(top: &Top) -> Check {
    let mut check = Check::default();
    top.window.iter().for_each(|(_, id)| check.entry(&issue_id(*id)));
    check
}
