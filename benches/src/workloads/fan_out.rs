//! Many live queries, of which few see a change; and many subscribers of one query.

use std::hint::black_box;

use penstock::{Error, Query, Subscription, Value};

use super::live::{edits, push, singly, take_changes};
use super::watched::{self, Watched, requery};
use super::{queries, subjects};
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::data::{Data, user_id};
use crate::report::{MICROS, Outcome, RATIO};
use crate::scratch::shapes::discussion_adds;
use crate::setting::Setting;
use crate::sqlite::Plain;
use crate::tables::comment_changes;

const EDITS: usize = 1_000;
const COPIES: usize = 1_000;

/// The queries of W5: each owner in turn.
pub(crate) fn owner_queries(data: &Data, count: usize) -> impl Iterator<Item = Query> {
    (0..data.sizes.users).cycle().take(count).map(queries::of_owner)
}

/// W5 with `QUERIES` queries.
pub(super) fn owners<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(&[subjects::OWNER_INDEX])?;
    let db = &opened.db;
    let transactions = edits(db, data, EDITS)?;
    let mut outcome = Outcome::default();
    let mut watched = Watched::subscribe(db, owner_queries(data, QUERIES), &mut outcome)?;
    let select_all = |plain: &Plain| {
        (0..data.sizes.users).cycle().take(QUERIES).try_for_each(|owner| {
            let owner = [Value::from(user_id(owner))];
            plain.select(subjects::SELECT_OF_OWNER, &owner).map(|rows| drop(black_box(rows)))
        })
    };
    match &opened.plain {
        Some(plain) => {
            let timer = CpuTimer::start();
            select_all(plain)?;
            let selected = timer.micros() / QUERIES as f64;
            outcome.push("select_per_query_cpu", selected, MICROS);
            let hydrated = outcome.value("hydrate_per_query_cpu").unwrap_or_default();
            outcome.push("hydrate_vs_select", hydrated / selected, RATIO);
        }
        None => requery(db, owner_queries(data, QUERIES), QUERIES, &mut outcome)?,
    }
    push(&opened, transactions, &mut outcome, Some(&select_all), || watched.take())?;
    // Every edit moves its issue to the head of its owner's list.
    let owners = data.sizes.users as usize;
    if QUERIES >= owners && watched.patches != EDITS * (QUERIES / owners) {
        return Err(Error::abort(format!("{} patches arrived", watched.patches)));
    }
    db.verify()?;
    outcome.check = Some(watched.check());
    Ok(outcome)
}

/// What the live queries of W5 hold.
pub(super) fn owners_bytes<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(&[subjects::OWNER_INDEX])?;
    let _index = opened.db.subscribe(queries::of_owner(data.sizes.users))?;
    watched::bytes(&opened.db, owner_queries(data, QUERIES))
}

/// The queries of W5c: each issue in turn.
fn discussions(data: &Data, count: usize) -> impl Iterator<Item = Query> {
    (0..data.sizes.issues).cycle().take(count).map(queries::discussion)
}

/// W5c with `QUERIES` queries.
pub(super) fn issues<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(subjects::NO_INDEXES)?;
    let db = &opened.db;
    let mut outcome = Outcome::default();
    let adds = comment_changes(&db.schema(), &discussion_adds(data, QUERIES))?;
    let mut watched = Watched::subscribe(db, discussions(data, QUERIES), &mut outcome)?;
    requery(db, discussions(data, QUERIES), QUERIES, &mut outcome)?;
    push(&opened, singly(adds), &mut outcome, None, || watched.take())?;
    db.verify()?;
    outcome.check = Some(watched.check());
    Ok(outcome)
}

/// What the live queries of W5c hold.
pub(super) fn issues_bytes<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(subjects::NO_INDEXES)?;
    let _index = opened.db.subscribe(queries::discussion(data.sizes.issues))?;
    watched::bytes(&opened.db, discussions(data, QUERIES))
}

/// W6. Every subscriber is read after every transaction.
pub(super) fn w6(setting: &Setting) -> Result<Outcome, Error> {
    let (data, subject) = (&setting.data, subjects::list());
    let opened = setting.open(subject.indexes)?;
    let db = &opened.db;
    let mut subscriptions = (0..COPIES)
        .map(|_| db.subscribe(subject.query.clone()))
        .collect::<Result<Vec<Subscription>, Error>>()?;
    let transactions = edits(db, data, EDITS)?;
    let mut outcome = Outcome::default();
    let mut patches = 0;
    let requery = |plain: &Plain| {
        (0..COPIES)
            .try_for_each(|_| plain.select(subject.select, &[]).map(|rows| drop(black_box(rows))))
    };
    push(&opened, transactions, &mut outcome, Some(&requery), || {
        patches += subscriptions.iter_mut().map(take_changes).sum::<usize>();
    })?;
    if patches == 0 || patches % COPIES != 0 {
        return Err(Error::abort(format!("{patches} patches arrived for {COPIES} subscribers")));
    }
    db.verify()?;
    let mut check = Check::default();
    subscriptions.iter().for_each(|subscription| check.tree(&subscription.rows()));
    outcome.check = Some(check);
    Ok(outcome)
}
