//! The stream while it is applied.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::durability::Syncing;
use crate::event::Step;
use crate::lsn::Lsn;
use crate::replica::{Replica, ReplicaError};
use crate::stream::{Delivery, Stream, StreamError};

/// How long the follower waits for the stream before it looks around.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// The same while a sync is under way, of which the server is to be told soon.
const SYNC_PAUSE: Duration = Duration::from_millis(2);
/// How long what was applied may wait until it begins to be made durable.
const DURABLE_PAUSE: Duration = Duration::from_millis(100);

/// The stream, and up to where it is applied.
pub(super) struct Flow {
    pub(super) stream: Stream,
    /// What came within a transaction and ends it, to be looked at after.
    pub(super) ended: Option<Delivery>,
    pub(super) applied: Lsn,
    pub(super) acknowledged: Lsn,
    pub(super) syncing: Syncing,
    pub(super) durable_at: Instant,
    pub(super) status_at: Instant,
}

impl Flow {
    /// What comes next, if it comes soon.
    pub(super) fn next(&mut self) -> Option<Delivery> {
        if let Some(ended) = self.ended.take() {
            return Some(ended);
        }
        let pause = if self.syncing.is_under_way() { SYNC_PAUSE } else { LOOK_PAUSE };
        match self.stream.wait_for(pause) {
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

    /// Has what was applied made durable and acknowledges what is; at once, or now and then.
    pub(super) fn settle(
        &mut self,
        replica: &Replica,
        now: Instant,
        at_once: bool,
    ) -> Result<(), ReplicaError> {
        let durable = match at_once && self.applied > self.acknowledged {
            true => {
                replica.make_durable()?;
                Some(self.applied)
            }
            false => self.syncing.done()?,
        };
        if let Some(durable) = durable.filter(|durable| *durable > self.acknowledged) {
            self.stream.acknowledge(durable);
            self.acknowledged = durable;
        }
        if self.applied > self.acknowledged && now.duration_since(self.durable_at) >= DURABLE_PAUSE
        {
            self.syncing.begin(self.applied);
            self.durable_at = now;
        }
        Ok(())
    }
}
