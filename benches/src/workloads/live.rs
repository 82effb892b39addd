//! Live queries under a stream of transactions.

use std::hint::black_box;

use penstock::operators::source::Change;
use penstock::{Database, Error, Query, Subscription, row};

use super::queries;
use crate::check::Check;
use crate::cpu::{CpuTimer, Laps};
use crate::data::{Data, comment_adds, issue_edits, issue_id, label_toggles};
use crate::report::{MICROS, Outcome};
use crate::tables::{comment_changes, database, edit_changes, toggle_changes};

const EDITS: usize = 10_000;
const TOGGLES: usize = 5_000;

/// Applies the transactions one by one; `take` is called after each and receives what it changed.
/// The figures are per change.
pub(super) fn push(
    db: &Database,
    transactions: Vec<Vec<Change>>,
    outcome: &mut Outcome,
    mut take: impl FnMut(),
) -> Result<(), Error> {
    let changes: usize = transactions.iter().map(Vec::len).sum();
    let per_transaction = changes as f64 / transactions.len() as f64;
    let mut laps = Laps::start(transactions.len());
    let timer = CpuTimer::start();
    for transaction in transactions {
        black_box(db.apply(transaction)?);
        take();
        laps.lap();
    }
    let micros = timer.micros();
    let [p50, p99] = laps.percentiles([0.5, 0.99]);
    outcome.push("push_cpu", micros / changes as f64, MICROS);
    outcome.push("push_p50", p50 / per_transaction, MICROS);
    outcome.push("push_p99", p99 / per_transaction, MICROS);
    Ok(())
}

/// Takes the patches of a subscription, looks at each, and returns how many there were.
#[inline]
pub(super) fn take_changes(subscription: &mut Subscription) -> usize {
    let patches = subscription.changes();
    patches.map(|patch| black_box(patch.list().ops.len())).filter(|ops| *ops > 0).count()
}

/// Each change a transaction of its own.
pub(super) fn singly(changes: Vec<Change>) -> Vec<Vec<Change>> {
    changes.into_iter().map(|change| vec![change]).collect()
}

/// One live query under the transactions; ends with the check of its result, which is also
/// compared with a fresh evaluation.
fn live(
    db: &Database,
    query: Query,
    transactions: Vec<Vec<Change>>,
) -> Result<(Outcome, Subscription), Error> {
    let mut subscription = db.subscribe(query)?;
    black_box(subscription.rows());
    let mut outcome = Outcome::default();
    let mut patches = 0;
    push(db, transactions, &mut outcome, || patches += take_changes(&mut subscription))?;
    if patches == 0 {
        return Err(Error::abort("no patch arrived"));
    }
    db.verify()?;
    let mut check = Check::default();
    check.tree(&subscription.rows());
    outcome.check = Some(check);
    Ok((outcome, subscription))
}

fn edits(data: &Data, count: usize) -> Result<Vec<Vec<Change>>, Error> {
    Ok(singly(edit_changes(data, &issue_edits(data, count))?))
}

/// W0.
pub(super) fn edits_only(data: &Data) -> Result<Outcome, Error> {
    let mut outcome = Outcome { check: Some(Check::default()), ..Outcome::default() };
    push(&database(data)?, edits(data, EDITS)?, &mut outcome, || ())?;
    Ok(outcome)
}

/// W4.
pub(super) fn w4(data: &Data) -> Result<Outcome, Error> {
    let db = database(data)?;
    let (mut outcome, mut subscription) = live(&db, queries::list(), edits(data, EDITS)?)?;
    let further = issue_edits(data, 2 * EDITS);
    let further: Vec<_> =
        further[EDITS..].iter().map(|edit| (issue_id(edit.issue), edit)).collect();
    let timer = CpuTimer::start();
    for (id, edit) in &further {
        let row = row! { id: id.as_str(), modified: edit.modified, open: edit.open };
        db.transaction(|tx| tx.update("issue", row))?;
        take_changes(&mut subscription);
    }
    outcome.push("push_named_cpu", timer.micros() / further.len() as f64, MICROS);
    Ok(outcome)
}

/// W4b.
pub(super) fn w4b(data: &Data) -> Result<Outcome, Error> {
    Ok(live(&database(data)?, queries::tree(), edits(data, EDITS)?)?.0)
}

/// W4c.
pub(super) fn w4c(data: &Data) -> Result<Outcome, Error> {
    let db = database(data)?;
    let in_view: Vec<u32> =
        db.query(&queries::list())?.iter().filter_map(|entry| number(&entry)).collect();
    let changes = comment_changes(&comment_adds(data, &in_view, EDITS))?;
    Ok(live(&db, queries::tree(), singly(changes))?.0)
}

/// The number in an entry's id.
fn number(entry: &penstock::Entry) -> Option<u32> {
    entry.get("id")?.as_str()?.get(1..)?.parse().ok()
}

/// W4d.
pub(super) fn w4d(data: &Data) -> Result<Outcome, Error> {
    Ok(live(&database(data)?, queries::open(), edits(data, EDITS)?)?.0)
}

/// W4d100.
pub(super) fn w4d100(data: &Data) -> Result<Outcome, Error> {
    let changes = edit_changes(data, &issue_edits(data, EDITS))?;
    let transactions = changes.chunks(100).map(<[Change]>::to_vec).collect();
    Ok(live(&database(data)?, queries::open(), transactions)?.0)
}

/// W8.
pub(super) fn w8(data: &Data) -> Result<Outcome, Error> {
    Ok(live(&database(data)?, queries::any_of_three(), edits(data, EDITS)?)?.0)
}

/// W8b.
pub(super) fn w8b(data: &Data) -> Result<Outcome, Error> {
    let changes = toggle_changes(&label_toggles(data, TOGGLES))?;
    Ok(live(&database(data)?, queries::any_of_three(), singly(changes))?.0)
}
