//! Many live queries, of which few see a change; and many subscribers of one query.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use penstock::{Database, Error, Subscription, Value};

use super::live::{edits, push, take_changes};
use super::queries;
use super::subjects;
use crate::alloc::live_bytes;
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::data::{Data, user_id};
use crate::report::{BYTES, MICROS, Outcome, RATIO};
use crate::setting::Setting;
use crate::sqlite::Plain;

const EDITS: usize = 1_000;
const COPIES: usize = 1_000;

/// The queries of W5, owner by owner and then again.
pub(crate) fn subscribe_owners(
    db: &Database,
    data: &Data,
    queries: usize,
) -> Result<Vec<Subscription>, Error> {
    (0..data.sizes.users)
        .cycle()
        .take(queries)
        .map(|owner| db.subscribe(queries::of_owner(owner)))
        .collect()
}

/// Which of many subscriptions have something to read, as their callbacks note it.
pub(crate) struct Ready(Arc<Mutex<Vec<usize>>>);

impl Ready {
    /// Notes from now on.
    pub(crate) fn of(subscriptions: &mut [Subscription]) -> Ready {
        let ready: Arc<Mutex<Vec<usize>>> = Arc::default();
        for (number, subscription) in subscriptions.iter_mut().enumerate() {
            let ready = Arc::clone(&ready);
            subscription.on_change(move |_| {
                ready.lock().unwrap_or_else(PoisonError::into_inner).push(number);
            });
        }
        Ready(ready)
    }

    /// Reads those and no others; returns how many patches there were.
    pub(crate) fn take_changes(&self, subscriptions: &mut [Subscription]) -> usize {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.drain(..).map(|number| take_changes(&mut subscriptions[number])).sum()
    }
}

/// W5 with `QUERIES` queries. A callback notes which subscriptions have something to read; those
/// and no others are read after each transaction.
pub(super) fn owners<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(&[subjects::OWNER_INDEX])?;
    let db = &opened.db;
    let transactions = edits(db, data, EDITS)?;
    let mut outcome = Outcome::default();

    let timer = CpuTimer::start();
    let mut subscriptions = Vec::with_capacity(QUERIES);
    for owner in (0..data.sizes.users).cycle().take(QUERIES) {
        let subscription = db.subscribe(queries::of_owner(owner))?;
        black_box(subscription.rows());
        subscriptions.push(subscription);
    }
    let hydrated = timer.micros() / QUERIES as f64;
    outcome.push("hydrate_per_query_cpu", hydrated, MICROS);
    let select_all = |plain: &Plain| {
        (0..data.sizes.users).cycle().take(QUERIES).try_for_each(|owner| {
            let owner = [Value::from(user_id(owner))];
            plain.select(subjects::SELECT_OF_OWNER, &owner).map(|rows| drop(black_box(rows)))
        })
    };
    if let Some(plain) = &opened.plain {
        let timer = CpuTimer::start();
        select_all(plain)?;
        let selected = timer.micros() / QUERIES as f64;
        outcome.push("select_per_query_cpu", selected, MICROS);
        outcome.push("hydrate_vs_select", hydrated / selected, RATIO);
    }

    let ready = Ready::of(&mut subscriptions);
    let mut patches = 0;
    push(&opened, transactions, &mut outcome, Some(&select_all), || {
        patches += ready.take_changes(&mut subscriptions);
    })?;
    // Every edit moves its issue to the head of its owner's list.
    let owners = data.sizes.users as usize;
    if QUERIES >= owners && patches != EDITS * (QUERIES / owners) {
        return Err(Error::abort(format!("{patches} patches arrived")));
    }
    db.verify()?;
    let mut check = Check::default();
    subscriptions.iter().for_each(|subscription| check.tree(&subscription.rows()));
    outcome.check = Some(check);
    Ok(outcome)
}

/// What the live queries of W5 hold, beyond tables and indexes.
pub(super) fn owners_bytes<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let opened = setting.open(&[subjects::OWNER_INDEX])?;
    let db = &opened.db;
    // Keeps the index that the queries share, so that it does not count as theirs.
    let owner = data.sizes.users;
    let _index = db.subscribe(queries::of_owner(owner))?;
    let (measured, counted) = (live_bytes(), db.memory_usage()?.queries);
    let subscriptions = subscribe_owners(db, data, QUERIES)?;
    let measured = (live_bytes() - measured) as f64;
    let counted = db.memory_usage()?.queries.saturating_sub(counted) as f64;
    let mut outcome = Outcome::default();
    outcome.push("bytes_per_live_query", counted / subscriptions.len() as f64, BYTES);
    outcome.push("bytes_per_live_query_measured", measured / subscriptions.len() as f64, BYTES);
    Ok(outcome)
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
