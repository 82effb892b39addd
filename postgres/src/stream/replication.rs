//! The stream over a replication connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgwire_replication::{ReplicationClient, ReplicationEvent};

use super::continuity::Resume;
use super::fault::Fault;
use super::recognise::{Answers, recognise};
use super::transport::{Heard, Opened, Transport};
use crate::assemble::{AssembleError, Assembler};
use crate::connect::{CONNECT_TIMEOUT, Config, ServerError};
use crate::event::Step;
use crate::lsn::Lsn;
use crate::pgoutput::{Begin, Commit, Emitted, Message};
use crate::setup::{Setup, TimelineHistory, literal, read_types};

/// How many messages the connection reads ahead.
const READ_AHEAD: usize = 1024;

/// How long an acknowledgement may wait for others, so that they go in one.
const FEEDBACK_PAUSE: Duration = Duration::from_millis(500);

/// A replication connection, streaming.
pub(super) struct Replication<'a> {
    client: ReplicationClient,
    assembler: &'a mut Assembler,
    config: &'a Config,
    /// A message that is not assembled yet.
    pending: Option<Bytes>,
    silence_max: Duration,
}

impl<'a> Replication<'a> {
    /// Connects, recognises the server, and starts reading from where the slot stands.
    pub(super) async fn open(
        config: &'a Config,
        setup: &Setup,
        resume: &Resume,
        assembler: &'a mut Assembler,
        silence_max: Duration,
    ) -> Result<(Replication<'a>, Opened), Fault> {
        let opening = Replication::try_open(config, setup, resume, assembler, silence_max);
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(Fault::Passing(format!("{} does not answer", config.name()))),
        }
    }

    async fn try_open(
        config: &'a Config,
        setup: &Setup,
        resume: &Resume,
        assembler: &'a mut Assembler,
        silence_max: Duration,
    ) -> Result<(Replication<'a>, Opened), Fault> {
        // The server asks an idle connection for a sign of life after half of its time-out, and
        // ends one that gives none. We give none unasked, so a connection that is alive is never
        // silent.
        let timeout_ms = (silence_max * 2 / 3).as_millis().to_string();
        let settings = [("wal_sender_timeout", timeout_ms.as_str())];
        let replication = config.replication(&setup.slot, &setup.publication, &settings);
        let mut replication = replication.await?;
        replication = replication
            .with_buffer_size(READ_AHEAD)
            .with_status_interval(FEEDBACK_PAUSE)
            .with_wakeup_interval(silence_max * 2);
        let name = config.name();
        let fault = |error| Fault::of_replication(&error, &name, &setup.slot);

        // Which server this is must be known before, and of the connection that is then read from.
        let mut gate = ReplicationClient::connect_gated(replication).await.map_err(fault)?;
        let answers = ask(&mut gate, &setup.slot, resume).await.map_err(|error| match error {
            AskError::Replication(error) => fault(error),
            AskError::Server(error) => error.into(),
            AskError::Standby => Fault::standby(&name),
        })?;
        let opened = recognise(resume, &setup.slot, &answers)?;

        let session = config.connect().await?;
        assembler.reset();
        assembler.set_catalogue(Arc::new(read_types(&session).await?));
        gate.start().await.map_err(fault)?;
        gate.wait_started().await.map_err(fault)?;
        // What we say is durable is nothing until something is acknowledged; and a server that is to stop
        // waits until all that it has sent is durable, be it nothing new.
        gate.update_applied_lsn(pgwire_replication::Lsn::from_u64(opened.confirmed.0));
        let replication =
            Replication { client: gate, assembler, config, pending: None, silence_max };
        Ok((replication, opened))
    }

    async fn assemble(&mut self, message: Bytes, steps: &mut Vec<Step>) -> Result<(), Fault> {
        match self.assembler.push(&message, steps) {
            Err(AssembleError::UnknownType { .. }) => {
                // Kept, should we be interrupted here.
                self.pending = Some(message.clone());
                let session = self.config.connect().await?;
                self.assembler.set_catalogue(Arc::new(read_types(&session).await?));
                self.pending = None;
                Ok(self.assembler.push(&message, steps)?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn hear(&mut self) -> Result<ReplicationEvent, Fault> {
        let silence = format!(
            "{} was silent for {} seconds",
            self.config.name(),
            self.silence_max.as_secs_f32()
        );
        let event = tokio::time::timeout(self.silence_max, self.client.recv()).await;
        let event = event.map_err(|_| Fault::Passing(silence))?;
        let slot = "that is read from";
        let event =
            event.map_err(|error| Fault::of_replication(&error, &self.config.name(), slot))?;
        event.ok_or_else(|| Fault::Passing(format!("{} ended the stream", self.config.name())))
    }
}

impl Transport for Replication<'_> {
    async fn next(&mut self, steps: &mut Vec<Step>) -> Result<Heard, Fault> {
        loop {
            if let Some(message) = self.pending.take() {
                self.assemble(message, steps).await?;
            } else {
                match self.hear().await? {
                    ReplicationEvent::KeepAlive { wal_end, .. } => {
                        let end = Lsn(wal_end.as_u64());
                        let position = (!self.assembler.is_in_transaction()).then_some(end);
                        return Ok(Heard { position, server_end: Some(end), tables: None });
                    }
                    ReplicationEvent::XLogData { data, .. } => self.assemble(data, steps).await?,
                    other => match bytes_of(&other) {
                        Some(message) => self.assemble(message.into(), steps).await?,
                        None => continue,
                    },
                }
            }
            if !steps.is_empty() {
                return Ok(Heard::default());
            }
        }
    }

    async fn acknowledge(&mut self, position: Lsn) -> Result<(), Fault> {
        self.client.update_applied_lsn(pgwire_replication::Lsn::from_u64(position.0));
        Ok(())
    }

    fn lost_values(&self) -> u64 {
        self.assembler.lost_values()
    }
}

/// The message as it came, of those that the connection has read itself.
fn bytes_of(event: &ReplicationEvent) -> Option<Vec<u8>> {
    let message = match event {
        ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => Message::Begin(Begin {
            final_lsn: Lsn(final_lsn.as_u64()),
            committed_at: *commit_time_micros,
            xid: *xid,
        }),
        ReplicationEvent::Commit { lsn, end_lsn, commit_time_micros } => Message::Commit(Commit {
            flags: 0,
            commit_lsn: Lsn(lsn.as_u64()),
            end_lsn: Lsn(end_lsn.as_u64()),
            committed_at: *commit_time_micros,
        }),
        ReplicationEvent::Message { transactional, lsn, prefix, content } => {
            Message::Emitted(Emitted {
                xid: None,
                transactional: *transactional,
                lsn: Lsn(lsn.as_u64()),
                prefix,
                content,
            })
        }
        _ => return None,
    };
    Some(message.encode())
}

enum AskError {
    Replication(pgwire_replication::PgWireError),
    Server(ServerError),
    Standby,
}

impl From<pgwire_replication::PgWireError> for AskError {
    fn from(error: pgwire_replication::PgWireError) -> AskError {
        AskError::Replication(error)
    }
}

/// Asks the server which one it is and how the slot stands.
async fn ask(
    client: &mut ReplicationClient,
    slot: &str,
    resume: &Resume,
) -> Result<Answers, AskError> {
    let doing = "reading which server this is";
    let bad = |what: &str| AskError::Server(ServerError::unexpected(doing, what));
    // A server that starts may be a standby for a moment, on the timeline that it is about to
    // leave.
    let rows = client.simple_query("SELECT pg_catalog.pg_is_in_recovery()").await?;
    if rows.first().and_then(|row| row.first()?.as_deref()) != Some(b"f") {
        return Err(AskError::Standby);
    }
    let system = client.identify_system().await?;
    let identifier = system.system_id.parse().map_err(|_| bad("the identifier is no number"))?;
    let history = match system.timeline == resume.timeline || system.timeline < 2 {
        true => TimelineHistory::default(),
        false => {
            let file = client.timeline_history(system.timeline).await?;
            TimelineHistory::parse(&String::from_utf8_lossy(&file.content))
        }
    };
    let sql = format!(
        "SELECT confirmed_flush_lsn, wal_status FROM pg_catalog.pg_replication_slots WHERE slot_name = {}",
        literal(slot)
    );
    let rows = client.simple_query(&sql).await?;
    let text = |column: usize| {
        let value = rows.first()?.get(column)?.as_ref()?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let confirmed = match (rows.is_empty(), text(0)) {
        (true, _) => None,
        (false, Some(lsn)) => Some(lsn.parse().map_err(|_| bad("the slot's position is none"))?),
        (false, None) => Some(Lsn::ZERO),
    };
    let lost = (confirmed.is_some() && text(1).is_none_or(|status| status == "lost"))
        .then(|| "the log that it needs was removed".to_owned());
    Ok(Answers {
        identifier,
        timeline: system.timeline,
        end: Lsn(system.xlogpos.as_u64()),
        history,
        confirmed,
        slot_lost: lost,
    })
}
