//! The stream while it is applied.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::event::{Step, Transaction};
use crate::lsn::Lsn;
use crate::replica::ReplicaError;
use crate::stream::{Delivery, Stream, StreamError};

/// How long the follower waits for the stream before it looks around.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Of how many pieces a transaction may be that is taken whole.
const WHOLE_PIECES_MAX: usize = 8;

/// The stream, and up to where it is applied.
pub(super) struct Flow {
    pub(super) stream: Stream,
    /// What came within a transaction and ends it, to be looked at after.
    pub(super) ended: Option<Delivery>,
    /// What was taken from the stream before its turn.
    pub(super) ahead: VecDeque<Delivery>,
    pub(super) applied: Lsn,
    pub(super) acknowledged: Lsn,
    pub(super) durable_at: Instant,
    pub(super) status_at: Instant,
    /// The tables of the stream as they were last looked at, and those that the replica was last
    /// compared with.
    pub(super) tables: Option<Arc<BTreeSet<u32>>>,
    pub(super) compared: Option<Arc<BTreeSet<u32>>>,
}

impl Flow {
    /// What comes next, if it comes soon.
    pub(super) fn next(&mut self) -> Option<Delivery> {
        if let Some(ended) = self.ended.take() {
            return Some(ended);
        }
        if let Some(delivery) = self.ahead.pop_front() {
            return Some(delivery);
        }
        match self.stream.wait_for(LOOK_PAUSE) {
            None => None,
            Some(Some(delivery)) => Some(delivery),
            Some(None) => {
                let error = crate::connect::ServerError::unexpected("streaming", "it has ended");
                Some(Delivery::Ended(StreamError::Server(error)))
            }
        }
    }

    /// The next piece of the transaction under way.
    pub(super) fn step(&mut self, stopping: &AtomicBool) -> Result<Step, ReplicaError> {
        loop {
            match self.next() {
                Some(Delivery::Step(step)) => return Ok(step),
                Some(other) => {
                    self.ended = Some(other);
                    return Err(ReplicaError::Interrupted("the connection broke".to_owned()));
                }
                None if stopping.load(Ordering::Acquire) => {
                    return Err(ReplicaError::Interrupted("it is to be stopped".to_owned()));
                }
                None => {}
            }
        }
    }

    /// The next transaction, if it is small and all of it is there already.
    pub(super) fn whole(&mut self) -> Option<Transaction> {
        let is_open = |delivery: &Delivery| {
            matches!(delivery, Delivery::Step(Step::Begin(_) | Step::Changes(_)))
        };
        // What is ahead is a transaction as far as it has come, or one delivery of another kind.
        while self.ended.is_none()
            && self.ahead.len() < WHOLE_PIECES_MAX
            && self.ahead.back().is_none_or(is_open)
        {
            self.ahead.push_back(self.stream.try_next()?);
        }
        let is_whole = matches!(self.ahead.back(), Some(Delivery::Step(Step::Commit { .. })));
        if !is_whole || self.ended.is_some() {
            return None;
        }
        let Some(Delivery::Step(Step::Begin(header))) = self.ahead.pop_front() else { return None };
        let mut all = Vec::new();
        for delivery in std::mem::take(&mut self.ahead) {
            match delivery {
                Delivery::Step(Step::Changes(changes)) => all.extend(changes),
                Delivery::Step(Step::Commit { end }) => {
                    return Some(Transaction::new(header, end, all));
                }
                _ => {}
            }
        }
        None
    }
}
