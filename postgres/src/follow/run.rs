//! The loop of a follower.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::FollowOptions;
use super::ask::{Asker, drop_slot};
use super::copies::{Sink, now};
use super::durability::Syncing;
use super::flow::Flow;
use super::status::{Phase, SharedStatus};
use super::verify::{Pending, Requests};
use crate::event::{Header, Step};
use crate::lsn::Lsn;
use crate::replica::{Replica, ReplicaError, TableState};
use crate::setup::{SetupError, SlotState, SourceTable, followed_tables, set_up};
use crate::snapshot::{CopyError, checksums, copy_all, copy_tables};
use crate::stream::{Backoff, Delivery, LastTransaction, Resume, Stream, StreamError};

/// How long a pause lasts before it is looked whether it is to be stopped.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How often the stream's status is copied.
const STATUS_PAUSE: Duration = Duration::from_millis(200);

/// Why a round came to its end.
enum End {
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
    options: FollowOptions,
    replica: Replica,
    runtime: Runtime,
    status: SharedStatus,
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
        match error.is_passing() {
            true => End::Passing(error.to_string()),
            false => End::Failed(error.to_string()),
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
        self.replica.give_up().map_err(|error| error.to_string())?;
        let (config, slot) = (&self.options.config, &self.options.setup.slot);
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
        let ready = self.runtime.block_on(set_up(&self.options.config, &self.options.setup));
        let ready = match ready {
            Ok(ready) => ready,
            Err(SetupError::Server(error)) if error.is_passing() => {
                return End::Passing(error.to_string());
            }
            Err(error) => return End::Failed(error.to_string()),
        };
        let slot = self.options.setup.slot.clone();
        let known = self.replica.position().is_some_and(|position| position.slot == slot);
        if !known {
            if let Err(end) = self.copy_everything(ready.tables) {
                return end;
            }
        } else if let Err(end) = self.copy_wanted(Some(ready.tables)) {
            return end;
        }
        match self.stream(backoff) {
            Ok(end) | Err(end) => end,
        }
    }

    /// Makes the slot and copies all tables.
    fn copy_everything(&mut self, tables: Vec<SourceTable>) -> Result<(), End> {
        let (config, setup) = (&self.options.config, &self.options.setup);
        let given_up = self.replica.position().is_some_and(|position| position.slot.is_empty());
        let slot = self.runtime.block_on(async {
            let session = config.connect().await?;
            let slot = SlotState::read(&session, &setup.slot).await?;
            if given_up && slot.as_ref().is_some_and(|slot| slot.active_process.is_none()) {
                drop_slot(&session, &setup.slot).await?;
                return Ok(None);
            }
            Ok::<_, crate::connect::ServerError>(slot)
        });
        let slot = slot.map_err(|error| End::Passing(error.to_string()))?;
        match slot {
            None => {}
            Some(SlotState { active_process: Some(process), .. }) => {
                return Err(End::Passing(format!(
                    "the replication slot {} is in use by process {process}; stop that, or choose another name",
                    setup.slot
                )));
            }
            Some(_) => {
                return Err(End::Failed(format!(
                    "the replication slot {0} is there already, and this replica does not know it: it may belong to \
                     another one; choose another name, or if it is of no use run SELECT pg_drop_replication_slot('{0}')",
                    setup.slot
                )));
            }
        }
        self.copy(tables, true)
    }

    /// Copies the tables that are not copied yet, and drops those that the server has no more.
    fn copy_wanted(&mut self, tables: Option<Vec<SourceTable>>) -> Result<(), End> {
        let tables = match tables {
            Some(tables) => tables,
            None => self.source_tables()?,
        };
        let known: Vec<u32> = self.replica.tables().map(|(id, ..)| id).collect();
        for id in known {
            if !tables.iter().any(|table| table.relation.id == id) {
                self.replica.forget(id)?;
            }
        }
        let is_wanted = |table: &SourceTable| {
            let found = self.replica.tables().find(|(id, ..)| *id == table.relation.id);
            found.is_none_or(|(.., state)| matches!(state, TableState::Wanted { .. }))
        };
        let wanted: Vec<SourceTable> = tables.into_iter().filter(is_wanted).collect();
        for table in &wanted {
            let (id, name) = (table.relation.id, &table.relation.name);
            if self.replica.tables().all(|(known, ..)| known != id) {
                self.replica.want(id, name, "it is new")?;
            }
        }
        if wanted.is_empty() { Ok(()) } else { self.copy(wanted, false) }
    }

    fn source_tables(&self) -> Result<Vec<SourceTable>, End> {
        let (config, setup) = (&self.options.config, &self.options.setup);
        let tables = self.runtime.block_on(async {
            let session = config.connect().await?;
            followed_tables(&session, setup).await
        });
        tables.map_err(|error| End::Passing(error.to_string()))
    }

    fn copy(&mut self, tables: Vec<SourceTable>, make_slot: bool) -> Result<(), End> {
        self.status.update(|status| {
            status.phase = Phase::Copying;
            status.copy = super::CopyProgress { tables: tables.len() as u64, ..Default::default() };
        });
        let FollowOptions { config, setup, connections, .. } = &self.options;
        let asker = Asker { runtime: &self.runtime, config, session: None };
        let mut sink = Sink::new(&mut self.replica, asker, setup, &self.status);
        match make_slot {
            true => copy_all(config, setup, tables, *connections, &mut sink).map(drop)?,
            false => copy_tables(config, setup, tables, *connections, &mut sink)?,
        }
        self.replica.make_durable()?;
        self.status.update(|status| status.copy.table = None);
        Ok(())
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
        let syncing = Syncing::start(self.replica.durable());
        let syncing = syncing.map_err(|error| End::Failed(format!("no thread: {error}")))?;
        let mut flow = Flow {
            stream,
            ended: None,
            applied: position.end,
            acknowledged: position.end,
            syncing,
            durable_at: now(),
            status_at: now(),
        };
        self.status.update(|status| status.applied = position.end);
        loop {
            if self.is_stopping() {
                self.settle(&mut flow, true)?;
                return Ok(End::Stopped);
            }
            self.settle(&mut flow, false)?;
            if self.requests.take_up() {
                self.sum_up()?;
            }
            match flow.next() {
                None => {}
                Some(Delivery::Connected { timeline }) => {
                    self.replica.set_timeline(timeline)?;
                    backoff.reset();
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
        let mut next = || flow.step(&stopping);
        let applied = match self.replica.apply(header, &mut next, &mut asker) {
            Ok(applied) => applied,
            // The transaction comes again, from its beginning.
            Err(ReplicaError::Interrupted(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        flow.applied = flow.applied.max(applied.end);
        self.status.update(|status| {
            status.applied = applied.end;
            status.committed_at = header.committed_at;
            status.transactions += u64::from(!applied.is_repeated);
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
        flow.settle(&self.replica, now, at_once)?;
        if at_once || now.duration_since(flow.status_at) >= STATUS_PAUSE {
            flow.status_at = now;
            let stream = flow.stream.status();
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
