//! How a stream stands.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::WallClock;
use crate::lsn::Lsn;
use crate::setup::SlotState;

/// How many transactions that wait for their acknowledgement are remembered for the lag.
const WAITING_MAX: usize = 4096;

/// How a stream stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// Everything before this position was received.
    pub received: Lsn,
    /// Everything before this position is durable at the consumer.
    pub acknowledged: Lsn,
    /// Where the server's log ended when it was last heard of.
    pub server_end: Lsn,
    /// For how long, in milliseconds, the oldest transaction received has been waiting for its
    /// acknowledgement, from its commit on; 0 if none waits. Relies on both machines' clocks.
    pub lag_ms: u64,
    /// The slot, when it was last looked at.
    pub slot: Option<SlotState>,
    /// The object ids of the tables that the stream has, when they were last looked at; the same
    /// allocation for as long as they are the same.
    pub tables: Option<Arc<BTreeSet<u32>>>,
    /// How many connections were made.
    pub connections: u64,
    /// How many transactions were delivered whole.
    pub transactions: u64,
    /// How many changes were delivered.
    pub changes: u64,
    /// How many values became null because no value stands for them.
    pub lost_values: u64,
    /// Why the last connection broke, or did not come about.
    pub last_error: Option<String>,
}

/// What a stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is connecting, or waits before it tries again.
    Connecting,
    /// It reads.
    Streaming,
    /// It is over.
    Ended,
}

impl Status {
    /// How many bytes of log lie between what is durable and the server's end; what others write
    /// counts.
    pub fn lag_bytes(&self) -> u64 {
        self.server_end.since(self.acknowledged)
    }

    /// How many bytes of log the server keeps because of the slot, when it was last looked at.
    pub fn retained_bytes(&self) -> Option<u64> {
        self.slot.as_ref().map(|slot| slot.retained_bytes)
    }
}

#[derive(Debug)]
pub(super) struct Shared(Mutex<Inner>, WallClock);

#[derive(Debug)]
struct Inner {
    status: Status,
    /// The ends of transactions and when they were committed, in milliseconds since 1970.
    waiting: VecDeque<(Lsn, i64)>,
}

impl Shared {
    pub(super) fn new(position: Lsn, clock: WallClock) -> Shared {
        let inner = Inner {
            status: Status {
                state: State::Connecting,
                received: position,
                acknowledged: position,
                server_end: position,
                lag_ms: 0,
                slot: None,
                tables: None,
                connections: 0,
                transactions: 0,
                changes: 0,
                lost_values: 0,
                last_error: None,
            },
            waiting: VecDeque::new(),
        };
        Shared(Mutex::new(inner), clock)
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.lock();
        let mut status = inner.status.clone();
        let waited =
            inner.waiting.front().map(|(_, committed)| self.1.unix_ms().saturating_sub(*committed));
        status.lag_ms = waited.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        status
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
    }

    /// The stream has these tables.
    pub(super) fn tables(&self, tables: BTreeSet<u32>) {
        self.update(|status| {
            if status.tables.as_deref() != Some(&tables) {
                status.tables = Some(Arc::new(tables));
            }
        });
    }

    /// Everything before this position was received.
    pub(super) fn received(&self, position: Lsn) {
        self.update(|status| {
            status.received = status.received.max(position);
            status.server_end = status.server_end.max(position);
        });
    }

    /// A transaction was received whole.
    pub(super) fn committed(&self, end: Lsn, committed_at_us: i64) {
        let mut inner = self.lock();
        inner.status.transactions += 1;
        inner.status.received = inner.status.received.max(end);
        inner.status.server_end = inner.status.server_end.max(end);
        if inner.waiting.len() < WAITING_MAX {
            inner.waiting.push_back((end, committed_at_us / 1000));
        }
    }

    /// The consumer has everything before this position.
    pub(super) fn acknowledged(&self, position: Lsn) {
        let mut inner = self.lock();
        inner.status.acknowledged = inner.status.acknowledged.max(position);
        while inner.waiting.front().is_some_and(|(end, _)| *end <= position) {
            inner.waiting.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
