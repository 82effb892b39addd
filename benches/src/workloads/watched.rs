//! Many live queries of which few see a change. A callback notes which have something to read;
//! those and no others are read after each transaction.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use penstock::{Database, Error, Query, Subscription};

use super::live::take_changes;
use crate::alloc::live_bytes;
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::report::{BYTES, MICROS, Outcome};

/// At most so many queries are evaluated again to learn what all of them would cost,
const REQUERIES: usize = 100;
/// and no more after so many microseconds.
const REQUERY_MICROS: f64 = 1e6;

/// Live queries and what arrived for them.
pub(crate) struct Watched {
    /// The live queries, in the order in which they were subscribed to.
    pub(crate) subscriptions: Vec<Subscription>,
    /// How many patches were read.
    pub(crate) patches: usize,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Watched {
    /// Subscribes to all queries and copies their trees out, which is `hydrate_per_query_cpu`.
    pub(crate) fn subscribe(
        db: &Database,
        queries: impl Iterator<Item = Query>,
        outcome: &mut Outcome,
    ) -> Result<Watched, Error> {
        let mut subscriptions = Vec::with_capacity(queries.size_hint().0);
        let timer = CpuTimer::start();
        for query in queries {
            let subscription = db.subscribe(query)?;
            black_box(subscription.rows());
            subscriptions.push(subscription);
        }
        let micros = timer.micros() / subscriptions.len() as f64;
        outcome.push("hydrate_per_query_cpu", micros, MICROS);
        let ready: Arc<Mutex<Vec<usize>>> = Arc::default();
        for (number, subscription) in subscriptions.iter_mut().enumerate() {
            let ready = Arc::clone(&ready);
            subscription.on_change(move |_| {
                ready.lock().unwrap_or_else(PoisonError::into_inner).push(number);
            });
        }
        Ok(Watched { subscriptions, patches: 0, ready })
    }

    /// Reads what the last transaction changed.
    pub(crate) fn take(&mut self) {
        for number in self.ready.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.patches += take_changes(&mut self.subscriptions[number]);
        }
    }

    /// The check of all results.
    pub(super) fn check(&self) -> Check {
        let mut check = Check::default();
        self.subscriptions.iter().for_each(|subscription| check.tree(&subscription.rows()));
        check
    }

    /// How many row deltas have reached the levels of these queries since they are live; a level
    /// that several share counts once. Cost: O(queries · partitions).
    pub(super) fn deltas_in(&self) -> u64 {
        let mut levels = HashMap::new();
        for subscription in &self.subscriptions {
            let explain = subscription.explain();
            let mut reports = vec![explain.report()];
            while let Some(report) = reports.pop() {
                levels.insert(Arc::as_ptr(&report.plan), report.stats.deltas_in);
                reports.extend(&report.children);
            }
        }
        levels.values().sum()
    }
}

/// What evaluating all `count` queries again costs, from as many of them as there is time for, evenly
/// spread: `requery_cpu`, the price of one change where nothing is maintained.
pub(super) fn requery(
    db: &Database,
    queries: impl Iterator<Item = Query>,
    count: usize,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let sample: Vec<Query> = queries.step_by(count.div_ceil(REQUERIES).max(1)).collect();
    let mut evaluated = 0;
    let timer = CpuTimer::start();
    for query in &sample {
        black_box(db.query(query)?);
        evaluated += 1;
        if timer.micros() > REQUERY_MICROS {
            break;
        }
    }
    let each = timer.micros() / f64::from(evaluated.max(1));
    outcome.push("requery_cpu", each * count as f64, MICROS);
    Ok(())
}

/// What the live queries hold beyond tables and indexes, as the engine counts and as the allocator
/// does. Another query of their shape should be live, so that the indexes do not count as theirs.
pub(super) fn bytes(db: &Database, queries: impl Iterator<Item = Query>) -> Result<Outcome, Error> {
    let mut subscriptions = Vec::with_capacity(queries.size_hint().0);
    let counted =
        |db: &Database| db.memory_usage().map(|usage| usage.queries + usage.subscriptions);
    let (measured, before) = (live_bytes(), counted(db)?);
    for query in queries {
        subscriptions.push(db.subscribe(query)?);
    }
    // The list itself holds the subscriptions.
    let list = subscriptions.capacity() * size_of::<Subscription>();
    let measured = (live_bytes() - measured) as f64 + list as f64;
    let counted = counted(db)?.saturating_sub(before) as f64;
    let mut outcome = Outcome::default();
    outcome.push("bytes_per_live_query", counted / subscriptions.len() as f64, BYTES);
    outcome.push("bytes_per_live_query_measured", measured / subscriptions.len() as f64, BYTES);
    Ok(outcome)
}
