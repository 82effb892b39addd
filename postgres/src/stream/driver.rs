//! The loop that connects, reads, delivers, and connects again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};

use super::continuity::{Continuity, LastTransaction, Resume, Verdict};
use super::fault::{Fault, Lost, StreamError};
use super::polling::Polling;
use super::replication::Replication;
use super::room::weight;
use super::status::{Shared, State};
use super::transport::{Heard, Opened, Transport};
use super::{Delivery, Options, clock};
use crate::assemble::Assembler;
use crate::connect::{Config, ServerError};
use crate::event::{Header, Step};
use crate::lsn::Lsn;
use crate::setup::{Plugin, Setup, Tables, followed_tables, read_types};
use crate::table::Relation;
use crate::types::Catalogue;
use crate::wal2json::LineAssembler;

pub(super) struct Driver {
    pub(super) config: Config,
    pub(super) setup: Setup,
    pub(super) known: Vec<Relation>,
    pub(super) options: Options,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) room: Arc<Semaphore>,
    pub(super) acknowledged: watch::Receiver<Lsn>,
    pub(super) shared: Arc<Shared>,
}

/// What reads messages; it outlives connections, because it knows the tables.
enum Decoding {
    Messages(Assembler),
    Lines(LineAssembler),
}

impl Driver {
    pub(super) async fn run(mut self, mut resume: Resume) {
        let mut backoff = self.options.backoff.clone();
        let mut decoding: Option<Decoding> = None;
        loop {
            self.shared.update(|status| status.state = State::Connecting);
            let before = self.shared.status().received;
            let reason = match self.connection(&mut resume, &mut decoding).await {
                Fault::Passing(reason) => reason,
                Fault::Final(error) => return self.end(*error).await,
                Fault::Dropped => return,
            };
            self.shared.update(|status| status.last_error = Some(reason));
            if self.shared.status().received > before {
                backoff.reset();
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    async fn end(&self, error: StreamError) {
        self.shared.update(|status| {
            status.state = State::Ended;
            status.last_error = Some(error.to_string());
        });
        let _ = self.deliver(Delivery::Ended(error)).await;
    }

    /// One connection, from opening it to its end.
    async fn connection(&mut self, resume: &mut Resume, kept: &mut Option<Decoding>) -> Fault {
        let decoding = match kept.take() {
            Some(decoding) => decoding,
            None => match self.decoding().await {
                Ok(decoding) => decoding,
                Err(fault) => return fault,
            },
        };
        let (config, setup) = (self.config.clone(), self.setup.clone());
        match kept.insert(decoding) {
            Decoding::Messages(assembler) => {
                let silence = self.options.silence_max;
                match Replication::open(&config, &setup, resume, assembler, silence).await {
                    Ok((transport, opened)) => self.pump(transport, opened, resume).await,
                    Err(fault) => fault,
                }
            }
            Decoding::Lines(assembler) => {
                let pause = self.options.poll_pause_max;
                match Polling::open(&config, &setup, resume, assembler, pause).await {
                    Ok((transport, opened)) => self.pump(transport, opened, resume).await,
                    Err(fault) => fault,
                }
            }
        }
    }

    /// Everything is known from the consumer; wal2json says little of tables, so that the server is
    /// asked about others.
    async fn decoding(&self) -> Result<Decoding, Fault> {
        let session = self.config.connect().await?;
        let types: Arc<Catalogue> = Arc::new(read_types(&session).await?);
        let pieces = self.options.pieces;
        match self.setup.plugin {
            Plugin::Pgoutput => {
                let mut assembler = Assembler::new(types, pieces);
                assembler.take_descriptions(self.setup.tables == Tables::All);
                for relation in &self.known {
                    // A type that is gone meanwhile is one that changed: the stream will say so.
                    let _ = assembler.know(relation.clone());
                }
                Ok(Decoding::Messages(assembler))
            }
            Plugin::Wal2json => {
                let mut assembler = LineAssembler::new(types, pieces);
                assembler.take_descriptions(self.setup.tables == Tables::All);
                assembler.ask_for_tables(true);
                assembler.set_origins(origins(&session).await?);
                let of_server = followed_tables(&session, &self.setup).await?;
                for table in of_server {
                    // One of a type that was made just now is asked for at its first change.
                    let _ = assembler.know(table.relation);
                }
                for relation in &self.known {
                    let _ = assembler.know(relation.clone());
                }
                Ok(Decoding::Lines(assembler))
            }
        }
    }

    /// Reads until the connection ends.
    async fn pump(
        &mut self,
        mut transport: impl Transport,
        opened: Opened,
        resume: &mut Resume,
    ) -> Fault {
        resume.timeline = opened.timeline;
        self.shared.update(|status| {
            status.state = State::Streaming;
            status.connections += 1;
        });
        if let Err(fault) = self.deliver(Delivery::Connected { timeline: opened.timeline }).await {
            return fault;
        }
        let mut reading = Reading {
            continuity: Continuity::new(resume.position, resume.last, opened.confirmed),
            resume,
            current: None,
            skipping: false,
            position_at: None,
        };
        let mut confirmed = opened.confirmed;
        let mut steps = Vec::new();
        loop {
            let acknowledged = *self.acknowledged.borrow_and_update();
            if acknowledged > confirmed && reading.continuity.is_verified() {
                confirmed = acknowledged;
                if let Err(fault) = transport.acknowledge(acknowledged).await {
                    return fault;
                }
            }
            let heard = tokio::select! {
                biased;
                changed = self.acknowledged.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Fault::Dropped,
                },
                heard = transport.next(&mut steps) => heard,
            };
            let lost_values = transport.lost_values();
            let outcome = match heard {
                Ok(heard) => self.take(&mut reading, heard, steps.drain(..)).await,
                Err(fault) => Err(fault),
            };
            self.shared.update(|status| status.lost_values = lost_values);
            if let Err(fault) = outcome {
                return fault;
            }
        }
    }

    /// Delivers what is new of what was heard.
    async fn take(
        &self,
        reading: &mut Reading<'_>,
        heard: Heard,
        steps: impl Iterator<Item = Step>,
    ) -> Result<(), Fault> {
        for step in steps {
            if let Some(step) = reading.step(step, &self.shared)? {
                self.deliver(Delivery::Step(step)).await?;
            }
        }
        if let Some(end) = heard.server_end {
            self.shared.update(|status| status.server_end = status.server_end.max(end));
        }
        if let Some(tables) = heard.tables {
            self.shared.tables(tables);
        }
        if let Some(position) = heard.position
            && let Some(position) = reading.position(position, self.options.position_pause)?
        {
            self.shared.received(position);
            self.deliver(Delivery::Position(position)).await?;
        }
        Ok(())
    }

    async fn deliver(&self, delivery: Delivery) -> Result<(), Fault> {
        let room = self.room.acquire_many(weight(&delivery)).await.map_err(|_| Fault::Dropped)?;
        // Whoever takes it gives it back.
        room.forget();
        self.deliveries.send(delivery).await.map_err(|_| Fault::Dropped)
    }
}

/// Where reading from one connection stands.
struct Reading<'a> {
    continuity: Continuity,
    /// What was delivered so far: where the next connection goes on.
    resume: &'a mut Resume,
    /// The transaction under way.
    current: Option<Header>,
    /// Whether the consumer has it already.
    skipping: bool,
    /// When a position was delivered last.
    position_at: Option<Instant>,
}

impl Reading<'_> {
    /// The step, unless the consumer has it already.
    fn step(&mut self, step: Step, shared: &Shared) -> Result<Option<Step>, Lost> {
        match &step {
            Step::Begin(header) => {
                let verdict = self.continuity.judge(header);
                if verdict == Verdict::Diverged {
                    return Err(Lost::Diverged { at: header.commit });
                }
                self.skipping = verdict == Verdict::Known;
                self.current = Some(header.clone());
            }
            Step::Changes(changes) if !self.skipping => {
                shared.update(|status| status.changes += changes.len() as u64);
            }
            Step::Changes(_) => {}
            Step::Commit { end } => {
                let header = self.current.take();
                if std::mem::take(&mut self.skipping) {
                    return Ok(None);
                }
                if let Some(header) = header {
                    let last = LastTransaction { commit: header.commit, xid: header.xid };
                    self.resume.last = Some(last);
                    self.resume.position = self.resume.position.max(*end);
                    self.continuity.delivered(last, self.resume.position);
                    shared.committed(*end, header.committed_at);
                }
            }
            Step::Message(message) if message.lsn < self.resume.position => return Ok(None),
            Step::Message(_) => {}
        }
        Ok((!self.skipping).then_some(step))
    }

    /// The position, if it says something new and the last one was not just now.
    fn position(&mut self, position: Lsn, pause: Duration) -> Result<Option<Lsn>, Lost> {
        match self.continuity.judge_position(position) {
            Verdict::Diverged => Err(Lost::Diverged { at: position }),
            Verdict::Known => Ok(None),
            Verdict::New if self.position_at.is_some_and(|at| at + pause > clock::now()) => {
                Ok(None)
            }
            Verdict::New => {
                self.position_at = Some(clock::now());
                self.resume.position = position;
                self.continuity.reached(position);
                Ok(Some(position))
            }
        }
    }
}

/// The names of replication origins by their numbers.
async fn origins(
    session: &crate::connect::Session,
) -> Result<std::collections::BTreeMap<u32, String>, ServerError> {
    let sql = "SELECT roident::bigint, roname FROM pg_replication_origin";
    let doing = "reading the names of replication origins";
    let rows = session.query(sql, &[]).await.map_err(ServerError::of(doing))?;
    let names =
        rows.iter().filter_map(|row| Some((u32::try_from(row.get::<_, i64>(0)).ok()?, row.get(1))));
    Ok(names.collect())
}
