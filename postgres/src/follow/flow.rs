//! The stream while it is applied.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::event::Step;
use crate::lsn::Lsn;
use crate::replica::ReplicaError;
use crate::stream::{Delivery, Stream, StreamError};

/// How long the follower waits for the stream before it looks around.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The stream, and up to where it is applied.
pub(super) struct Flow {
    pub(super) stream: Stream,
    /// What came within a transaction and ends it, to be looked at after.
    pub(super) ended: Option<Delivery>,
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
}
