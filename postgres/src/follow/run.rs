//! The loop of a follower.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::FollowOptions;
use super::ask::{Asker, drop_slot};
use super::copies::now;
use super::flow::Flow;
use super::status::{Commit, Phase, SharedStatus};
use super::verify::{Pending, Requests};
use crate::event::{Header, Step};
use crate::lsn::Lsn;
use crate::replica::{Batch, Replica, ReplicaError, TableState};
use crate::setup::{SetupError, set_up};
use crate::snapshot::{CopyError, checksums};
use crate::stream::{Backoff, Delivery, LastTransaction, Resume, Stream, StreamError};

/// How long a pause lasts before it is looked whether it is to be stopped.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How long what was applied may wait to be made durable and acknowledged.
const DURABLE_PAUSE: Duration = Duration::from_millis(100);
/// How often the stream's status is copied.
const STATUS_PAUSE: Duration = Duration::from_millis(200);

/// From so many changes on, no further transaction comes along with others.
const CHANGES_TOGETHER_MAX: u64 = 1000;

/// Why a round came to its end.
pub(super) enum End {
    /// It is to be stopped.
    Stopped,
    /// It may work again after a pause.
    Passing(String),
    /// Everything has to be copied anew.
    Lost(String),
    /// It has given up.
    Failed(String),
}

pub(super) struct Run {
    pub(super) options: FollowOptions,
    pub(super) replica: Replica,
    pub(super) runtime: Runtime,
    pub(super) status: SharedStatus,
    stopping: Arc<AtomicBool>,
    requests: Requests,
    pending: Option<Pending>,
}

impl From<ReplicaError> for End {
    fn from(error: ReplicaError) -> End {
        match error {
            ReplicaError::Server(reason) | ReplicaError::Interrupted(reason) => {
                End::Passing(reason)
            }
            // A full disk may become emptier, and a lock be given back.
            ReplicaError::Database(error) => End::Passing(error.to_string()),
            error => End::Failed(error.to_string()),
        }
    }
}

impl From<CopyError> for End {
    fn from(error: CopyError) -> End {
        match error {
            CopyError::Sink(error) => match error.downcast::<ReplicaError>() {
                Ok(error) => End::from(*error),
                Err(error) => End::Failed(CopyError::Sink(error).to_string()),
            },
            error if error.is_passing() => End::Passing(error.to_string()),
            error => End::Failed(error.to_string()),
        }
    }
}

impl Run {
    pub(super) fn new(
        options: FollowOptions,
        replica: Replica,
        runtime: Runtime,
        status: SharedStatus,
        stopping: Arc<AtomicBool>,
    ) -> Run {
        let (requests, pending) = (Requests::default(), None);
        Run { options, replica, runtime, status, stopping, requests, pending }
    }

    pub(super) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Follows until it is stopped or gives up.
    pub(super) fn run(mut self) {
        let mut backoff = self.options.stream.backoff.clone();
        let last = loop {
            let end = self.round(&mut backoff);
            let _ = self.replica.make_durable();
            self.pending = None;
            self.requests.give_up("the connection broke meanwhile");
            match end {
                End::Stopped => break Phase::Stopped,
                End::Failed(reason) => break Phase::Failed(reason),
                End::Passing(reason) => {
                    self.status.update(|status| {
                        status.phase = Phase::Connecting;
                        status.last_error = Some(reason);
                    });
                    self.pause(backoff.pause());
                }
                End::Lost(reason) => {
                    self.status.update(|status| {
                        status.phase = Phase::Connecting;
                        status.restarts += 1;
                        status.last_error = Some(format!("{reason}; everything is copied again"));
                    });
                    if let Err(reason) = self.give_slot_up() {
                        self.status.update(|status| status.last_error = Some(reason));
                        self.pause(backoff.pause());
                    }
                }
            }
        };
        self.status.update(|status| status.phase = last);
        self.runtime.shutdown_background();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn pause(&self, pause: Duration) {
        let end = now() + pause;
        while now() < end && !self.is_stopping() {
            std::thread::sleep(LOOK_PAUSE.min(end.saturating_duration_since(now())));
        }
    }

    /// Notes that the stream has to begin anew, and drops a slot that is of no use.
    fn give_slot_up(&mut self) -> Result<(), String> {
        let (config, slot) = (&self.options.config, &self.options.setup.slot);
        self.replica.give_up(slot).map_err(|error| error.to_string())?;
        let dropped = self.runtime.block_on(async {
            let session = config.connect().await?;
            drop_slot(&session, slot).await
        });
        dropped.map_err(|error| error.to_string())
    }

    /// Sets up, copies what is not copied, and applies the stream until something ends it.
    fn round(&mut self, backoff: &mut Backoff) -> End {
        if self.is_stopping() {
            return End::Stopped;
        }
        if let Some(prepare) = self.options.prepare.take() {
            let done = self.runtime.block_on(prepare.run(self.options.config.clone()));
            if let Err(error) = done {
                self.options.prepare = Some(prepare);
                return match error.is_passing() {
                    true => End::Passing(error.to_string()),
                    false => End::Failed(error.to_string()),
                };
            }
        }
        let ready = self.runtime.block_on(set_up(&self.options.config, &self.options.setup));
        let ready = match ready {
            Ok(ready) => ready,
            Err(SetupError::Server(error)) if error.is_passing() => {
                return End::Passing(error.to_string());
            }
            Err(error) => return End::Failed(error.to_string()),
        };
        match self.copied(ready.tables).and_then(|()| self.stream(backoff)) {
            Ok(end) | Err(end) => end,
        }
    }

    /// Applies the stream until it ends.
    fn stream(&mut self, backoff: &mut Backoff) -> Result<End, End> {
        let position = self.replica.position().cloned();
        let position = position.ok_or_else(|| End::Lost("there is no position".to_owned()))?;
        let (commit, timeline) = (position.commit, position.timeline);
        let last = position.xid.map(|xid| LastTransaction { commit, xid });
        let resume = Resume { system: position.system_id, timeline, position: position.end, last };
        let known = self.replica.tables().filter_map(|(id, ..)| self.replica.spec(id));
        let known = known.map(|spec| (*spec.relation).clone()).collect();
        let FollowOptions { config, setup, stream, .. } = &self.options;
        let stream = Stream::start(config.clone(), setup.clone(), resume, known, stream.clone());
        let stream = stream.map_err(|error| End::Failed(error.to_string()))?;
        self.status.follows(stream.status_reader());
        let mut flow = Flow {
            stream,
            ended: None,
            ahead: VecDeque::new(),
            applied: position.end,
            acknowledged: position.end,
            durable_at: now(),
            status_at: now(),
            tables: None,
            compared: None,
        };
        self.status.update(|status| status.applied = position.end);
        loop {
            if flow.applied > position.end {
                // Not a connection by itself: what is applied may fail every time.
                backoff.reset();
            }
            if self.is_stopping() {
                self.settle(&mut flow, true)?;
                return Ok(End::Stopped);
            }
            self.settle(&mut flow, false)?;
            self.keep_tables(&mut flow)?;
            if self.requests.take_up() {
                self.sum_up()?;
            }
            match flow.next() {
                None => {}
                Some(Delivery::Connected { timeline }) => {
                    self.replica.set_timeline(timeline)?;
                    self.status.update(|status| status.phase = Phase::Streaming);
                }
                Some(Delivery::Step(Step::Begin(header))) => {
                    self.transaction(&mut flow, &header)?
                }
                Some(Delivery::Step(_)) => {}
                Some(Delivery::Position(position)) => {
                    self.compare(position, None)?;
                    self.replica.advance(position)?;
                    flow.applied = flow.applied.max(position);
                }
                Some(Delivery::Ended(error)) => {
                    self.settle(&mut flow, true)?;
                    return Ok(ended(error));
                }
            }
        }
    }

    /// Applies one transaction.
    fn transaction(&mut self, flow: &mut Flow, header: &Header) -> Result<(), End> {
        self.compare(header.commit, Some(header.xid))?;
        let config = &self.options.config;
        let mut asker = Asker { runtime: &self.runtime, config, session: None };
        let stopping = Arc::clone(&self.stopping);
        // Sums are compared at the state between two transactions.
        let together = if self.pending.is_some() { 1 } else { self.options.together };
        let flow_of_both = RefCell::new(&mut *flow);
        let mut next = || flow_of_both.borrow_mut().step(&stopping);
        let mut more = |batch: Batch| {
            let has_room = batch.transactions < together && batch.changes < CHANGES_TOGETHER_MAX;
            if has_room { flow_of_both.borrow_mut().whole() } else { None }
        };
        let (position, at_us) = (header.commit, header.committed_at);
        self.status.committing(Some(Commit { position, at_us }));
        let applied = self.replica.apply_several(header, &mut next, &mut more, &mut asker);
        self.status.committing(None);
        let applied = match applied {
            Ok(applied) => applied,
            // The transaction comes again, from its beginning.
            Err(ReplicaError::Interrupted(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        flow.applied = flow.applied.max(applied.end);
        self.status.update(|status| {
            status.applied = applied.end;
            if applied.has_wanted {
                // Nobody may take the replica for complete before these copies are.
                status.phase = Phase::Copying;
            }
            status.committed_at = applied.committed_at;
            status.transactions += applied.transactions;
            status.changes += applied.changes;
            status.divergences += applied.divergences.len() as u64;
            if let Some(divergence) = applied.divergences.last() {
                status.last_error = Some(divergence.to_string());
            }
        });
        if applied.has_wanted {
            self.copy_wanted(None)?;
            self.status.update(|status| status.phase = Phase::Streaming);
        }
        Ok(())
    }

    /// Sums up the server's tables, to be compared with the replica's.
    fn sum_up(&mut self) -> Result<(), End> {
        let copied: Vec<u32> = self
            .replica
            .tables()
            .filter(|(.., state)| matches!(state, TableState::Copied { .. }))
            .map(|(id, ..)| id)
            .collect();
        let mut tables = self.source_tables()?;
        tables.retain(|table| copied.contains(&table.relation.id));
        let FollowOptions { config, setup, connections, .. } = &self.options;
        let sums = checksums(config, setup, tables, *connections)?;
        self.pending = Some(Pending::new(sums));
        Ok(())
    }

    /// Compares what is due before a transaction, or at a position.
    fn compare(&mut self, reached: Lsn, xid: Option<u32>) -> Result<(), End> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if pending.compare(&self.replica, reached, xid)?
            && let Some(pending) = self.pending.take()
        {
            self.requests.answer(Ok(pending.verified()));
        }
        Ok(())
    }

    /// Makes what was applied durable and acknowledges it, now and then.
    fn settle(&mut self, flow: &mut Flow, at_once: bool) -> Result<(), End> {
        let now = now();
        if flow.applied > flow.acknowledged
            && (at_once || now.duration_since(flow.durable_at) >= DURABLE_PAUSE)
        {
            self.replica.make_durable()?;
            flow.stream.acknowledge(flow.applied);
            (flow.acknowledged, flow.durable_at) = (flow.applied, now);
        }
        if at_once || now.duration_since(flow.status_at) >= STATUS_PAUSE {
            flow.status_at = now;
            let stream = flow.stream.status();
            flow.tables.clone_from(&stream.tables);
            let applied = flow.applied;
            self.status.update(|status| {
                status.applied = applied;
                status.stream = Some(stream);
            });
        }
        Ok(())
    }
}

fn ended(error: StreamError) -> End {
    match error {
        StreamError::Lost(lost) => End::Lost(lost.to_string()),
        StreamError::Server(error) if error.is_passing() => End::Passing(error.to_string()),
        error => End::Failed(error.to_string()),
    }
}
