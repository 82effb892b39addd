//! Live queries under a stream of transactions.

use std::hint::black_box;

use penstock::operators::source::Change;
use penstock::{Database, Error, Query, Subscription, row};

use super::beside::{self, Requery};
use super::queries;
use super::subjects::{self, Subject};
use super::watched::requery;
use crate::check::Check;
use crate::cpu::{CpuTimer, Laps};
use crate::data::{Data, comment_adds, issue_edits, issue_id, label_toggles};
use crate::report::{MICROS, Outcome};
use crate::setting::{Opened, Setting};
use crate::sqlite::Plain;
use crate::tables::{comment_changes, edit_changes, toggle_changes};

pub(super) const EDITS: usize = 10_000;
pub(super) const ADDS: usize = 10_000;
pub(super) const TOGGLES: usize = 5_000;

/// Applies the transactions one by one; `take` is called after each and receives what it changed.
/// The figures are per change. Over SQLite, SQLite does the same in turns with it.
pub(super) fn push(
    opened: &Opened,
    transactions: Vec<Vec<Change>>,
    outcome: &mut Outcome,
    requery: Option<Requery<'_>>,
    mut take: impl FnMut(),
) -> Result<(), Error> {
    let db = &opened.db;
    if let Some(plain) = &opened.plain {
        return beside::push(db, plain, transactions, outcome, requery, take);
    }
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
pub(crate) fn take_changes(subscription: &mut Subscription) -> usize {
    let patches = subscription.changes();
    patches.map(|patch| black_box(patch.list().ops.len())).filter(|ops| *ops > 0).count()
}

/// Each change a transaction of its own.
pub(crate) fn singly(changes: Vec<Change>) -> Vec<Vec<Change>> {
    changes.into_iter().map(|change| vec![change]).collect()
}

/// One live query under the transactions; ends with the check of its result, which is also
/// compared with a fresh evaluation and over SQLite with what SQLite itself returns.
pub(super) fn live(
    opened: &Opened,
    subject: &Subject,
    transactions: Vec<Vec<Change>>,
) -> Result<(Outcome, Subscription), Error> {
    let mut subscription = opened.db.subscribe(subject.query.clone())?;
    black_box(subscription.rows());
    let mut outcome = Outcome::default();
    if opened.plain.is_none() {
        requery(&opened.db, std::iter::once(subject.query.clone()), 1, &mut outcome)?;
    }
    let mut patches = 0;
    let requery =
        |plain: &Plain| plain.select(subject.select, &[]).map(|rows| drop(black_box(rows)));
    let take = || patches += take_changes(&mut subscription);
    push(opened, transactions, &mut outcome, Some(&requery), take)?;
    if patches == 0 {
        return Err(Error::abort("no patch arrived"));
    }
    opened.db.verify()?;
    let check = subject.check(&subscription.rows());
    expect_of_sqlite(opened, subject, check)?;
    outcome.check = Some(check);
    Ok((outcome, subscription))
}

/// Compares with what SQLite itself returns, over SQLite.
pub(super) fn expect_of_sqlite(
    opened: &Opened,
    subject: &Subject,
    ours: Check,
) -> Result<(), Error> {
    let Some(plain) = &opened.plain else { return Ok(()) };
    let theirs = plain.check(subject.select, subject.columns)?;
    if theirs == ours {
        return Ok(());
    }
    Err(Error::abort(format!("the result's check is {ours}, that of SQLite's SELECT {theirs}")))
}

/// The *issue edits*, each a transaction.
pub(crate) fn edits(db: &Database, data: &Data, count: usize) -> Result<Vec<Vec<Change>>, Error> {
    Ok(singly(edit_changes(&db.schema(), data, &issue_edits(data, count))?))
}

/// The *comment adds*, each a transaction. Half of them go to the issues in view of W2.
pub(crate) fn adds(db: &Database, data: &Data, count: usize) -> Result<Vec<Vec<Change>>, Error> {
    let view = db.query(&queries::list())?;
    let in_view: Vec<u32> = view.iter().filter_map(|entry| number(&entry)).collect();
    Ok(singly(comment_changes(&db.schema(), &comment_adds(data, &in_view, count))?))
}

/// The *label toggles*, each a transaction.
pub(crate) fn toggles(db: &Database, data: &Data, count: usize) -> Result<Vec<Vec<Change>>, Error> {
    Ok(singly(toggle_changes(&db.schema(), &label_toggles(data, count))?))
}

/// The number in an entry's id.
fn number(entry: &penstock::Entry) -> Option<u32> {
    entry.get("id")?.as_str()?.get(1..)?.parse().ok()
}

/// A query under issue edits.
fn edited(setting: &Setting, subject: &Subject) -> Result<Outcome, Error> {
    let opened = setting.open(subject.indexes)?;
    Ok(live(&opened, subject, edits(&opened.db, &setting.data, EDITS)?)?.0)
}

/// A query under added comments.
fn commented(setting: &Setting, subject: &Subject) -> Result<Outcome, Error> {
    let opened = setting.open(subject.indexes)?;
    let adds = adds(&opened.db, &setting.data, ADDS)?;
    Ok(live(&opened, subject, adds)?.0)
}

/// W0.
pub(super) fn edits_only(setting: &Setting) -> Result<Outcome, Error> {
    let opened = setting.open(subjects::NO_INDEXES)?;
    let mut outcome = Outcome { check: Some(Check::default()), ..Outcome::default() };
    push(&opened, edits(&opened.db, &setting.data, EDITS)?, &mut outcome, None, || ())?;
    Ok(outcome)
}

/// W4.
pub(super) fn w4(setting: &Setting) -> Result<Outcome, Error> {
    let (data, subject) = (&setting.data, subjects::list());
    let opened = setting.open(subject.indexes)?;
    let (mut outcome, mut subscription) = live(&opened, &subject, edits(&opened.db, data, EDITS)?)?;
    let further = issue_edits(data, 2 * EDITS);
    let further: Vec<_> =
        further[EDITS..].iter().map(|edit| (issue_id(edit.issue), edit)).collect();
    let timer = CpuTimer::start();
    for (id, edit) in &further {
        let row = row! { id: id.as_str(), modified: edit.modified, open: edit.open };
        opened.db.transaction(|tx| tx.update("issue", row))?;
        take_changes(&mut subscription);
    }
    outcome.push("push_named_cpu", timer.micros() / further.len() as f64, MICROS);
    Ok(outcome)
}

/// W4b.
pub(super) fn w4b(setting: &Setting) -> Result<Outcome, Error> {
    edited(setting, &subjects::tree())
}

/// W4c.
pub(super) fn w4c(setting: &Setting) -> Result<Outcome, Error> {
    commented(setting, &subjects::tree())
}

/// W4d.
pub(super) fn w4d(setting: &Setting) -> Result<Outcome, Error> {
    edited(setting, &subjects::open())
}

/// W4d100.
pub(super) fn w4d100(setting: &Setting) -> Result<Outcome, Error> {
    let subject = subjects::open();
    let opened = setting.open(subject.indexes)?;
    let changes = edits(&opened.db, &setting.data, EDITS)?.concat();
    let transactions = changes.chunks(100).map(<[Change]>::to_vec).collect();
    Ok(live(&opened, &subject, transactions)?.0)
}

/// W8.
pub(super) fn w8(setting: &Setting) -> Result<Outcome, Error> {
    edited(setting, &subjects::any_of_three())
}

/// W8b.
pub(super) fn w8b(setting: &Setting) -> Result<Outcome, Error> {
    let subject = subjects::any_of_three();
    let opened = setting.open(subject.indexes)?;
    let toggles = toggles(&opened.db, &setting.data, TOGGLES)?;
    Ok(live(&opened, &subject, toggles)?.0)
}

/// An aggregate, as the builder states it and then, from the start, as the SELECT does: the figures
/// of the second are `push_select_cpu`. Both must come to the same result.
fn both(
    setting: &Setting,
    subject: &Subject,
    run: fn(&Setting, &Subject) -> Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    let mut outcome = run(setting, subject)?;
    let select = Subject { query: Query::sql(subject.select), ..subject.clone() };
    let as_select = run(setting, &select)?;
    if as_select.check != outcome.check {
        return Err(Error::abort("the builder's query and the SELECT have different results"));
    }
    if let Some(push) = as_select.value("push_cpu") {
        outcome.push("push_select_cpu", push, MICROS);
    }
    Ok(outcome)
}

/// W9.
pub(super) fn w9(setting: &Setting) -> Result<Outcome, Error> {
    both(setting, &subjects::by_owner(), edited)
}

/// W10.
pub(super) fn w10(setting: &Setting) -> Result<Outcome, Error> {
    both(setting, &subjects::open_discussion(), edited)
}

/// W10c.
pub(super) fn w10c(setting: &Setting) -> Result<Outcome, Error> {
    both(setting, &subjects::open_discussion(), commented)
}

/// W11.
pub(super) fn w11(setting: &Setting) -> Result<Outcome, Error> {
    both(setting, &subjects::most_discussed(), commented)
}
