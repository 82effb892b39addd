//! The stream by asking a slot of wal2json through SQL, again and again.
//!
//! A poll reads everything from where the slot stands. So that nothing is read twice, the slot is
//! advanced as far as was acknowledged before each poll, and a poll that brought something is
//! followed by the next one when that was acknowledged.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_postgres::RowStream;
use tokio_postgres::types::ToSql;

use super::clock;
use super::continuity::Resume;
use super::fault::Fault;
use super::recognise::{Answers, recognise};
use super::transport::{Heard, Opened, Transport};
use crate::assemble::AssembleError;
use crate::connect::{Config, ServerError, Session};
use crate::event::{Change, Step};
use crate::lsn::Lsn;
use crate::setup::{
    Setup, SlotState, SourceTable, System, Tables, TimelineHistory, followed_tables, literal,
    read_types, tables_of,
};
use crate::table::TableName;
use crate::wal2json::{LineAssembler, OPTIONS};

/// The pause after a poll that brought nothing; it doubles from one to the next.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// A poll ends with the transaction in which it has read more lines than this.
const LINES_MAX: i32 = 20_000;

/// A session that polls.
pub(super) struct Polling<'a> {
    config: &'a Config,
    session: Session,
    assembler: &'a mut LineAssembler,
    setup: &'a Setup,
    sql: String,
    /// The tables of a publication that is somebody else's, as they were when `sql` was made.
    published: BTreeSet<TableName>,
    /// Their object ids, until they are told.
    untold: Option<BTreeSet<u32>>,
    /// The poll under way, and up to where it reads at least, if that is known.
    rows: Option<Pin<Box<RowStream>>>,
    head: Option<Lsn>,
    lines: i32,
    /// A line that is not assembled yet.
    pending: Option<String>,
    /// Where the slot stands, and where it may be advanced to.
    confirmed: Lsn,
    acknowledged: Lsn,
    /// Whether a table was described anew since the columns to leave out were read.
    described_anew: bool,
    pause: Duration,
    pause_max: Duration,
    poll_at: Instant,
}

impl<'a> Polling<'a> {
    /// Connects and recognises the server.
    pub(super) async fn open(
        config: &'a Config,
        setup: &'a Setup,
        resume: &Resume,
        assembler: &'a mut LineAssembler,
        pause_max: Duration,
    ) -> Result<(Polling<'a>, Opened), Fault> {
        let session = config.connect().await?;
        let system = System::read(&session).await?;
        if system.in_recovery {
            return Err(Fault::standby(&config.name()));
        }
        let history = match system.timeline == resume.timeline {
            true => TimelineHistory::default(),
            false => history(&session, system.timeline).await,
        };
        let state = SlotState::read(&session, &setup.slot).await?;
        let answers = Answers {
            identifier: system.identifier,
            timeline: system.timeline,
            end: system.end,
            history,
            confirmed: state.as_ref().map(|state| state.confirmed),
            slot_lost: state.as_ref().and_then(SlotState::why_lost),
        };
        let opened = recognise(resume, &setup.slot, &answers)?;
        assembler.reset();
        assembler.set_catalogue(Arc::new(read_types(&session).await?));
        let published = published(&session, setup).await?;
        let tables = leave_out(&session, setup, assembler).await?;
        let sql = poll_sql(setup, &tables);
        let untold = (setup.tables == Tables::Published).then(|| ids(&tables));
        let polling = Polling {
            config,
            session,
            assembler,
            setup,
            sql,
            published,
            untold,
            rows: None,
            head: None,
            lines: 0,
            pending: None,
            confirmed: opened.confirmed,
            acknowledged: opened.confirmed,
            described_anew: false,
            pause: PAUSE_MIN,
            pause_max,
            poll_at: clock::now(),
        };
        Ok((polling, opened))
    }

    /// Advances the slot as far as was acknowledged, and asks for what comes after.
    async fn poll(&mut self) -> Result<(), Fault> {
        tokio::time::sleep_until(self.poll_at.into()).await;
        if self.acknowledged > self.confirmed {
            let target = self.acknowledged;
            let sql = format!("SELECT pg_replication_slot_advance($1, '{target}'::pg_lsn)::text");
            let advanced = self.session.query(&sql, &[&self.setup.slot]).await;
            advanced.map_err(|error| self.fault(&error))?;
            self.confirmed = target;
        }
        if std::mem::take(&mut self.described_anew) {
            leave_out(&self.session, self.setup, self.assembler).await?;
            self.assembler.forget_unseen();
        }
        // What is written to a table before it is asked for lies before its copy, which comes when it is
        // told, or with its first change from then on.
        let published = published(&self.session, self.setup).await?;
        if published != self.published {
            let tables = leave_out(&self.session, self.setup, self.assembler).await?;
            self.assembler.set_catalogue(Arc::new(read_types(&self.session).await?));
            let is_new = |table: &&SourceTable| !self.published.contains(&table.relation.name);
            for table in tables.iter().filter(is_new) {
                self.assembler.know(table.relation.clone())?;
            }
            (self.sql, self.published) = (poll_sql(self.setup, &tables), published);
            self.untold = Some(ids(&tables));
        }
        // Log may be flushed to the middle of a record: of a commit, it might be, which the poll
        // does not see, and which a slot that is advanced so far would never give. Insertions end
        // with a record.
        let sql = "SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text";
        let row = self.session.query_one(sql, &[]).await.map_err(|error| self.fault(&error))?;
        let lsn = |column| row.get::<_, &str>(column).parse().unwrap_or(Lsn::ZERO);
        let (inserted, flushed) = (lsn(0), lsn(1));
        let head = (inserted <= flushed).then_some(inserted);
        let parameters: [&(dyn ToSql + Sync); 1] = [&self.setup.slot];
        let rows = self.session.query_raw(&self.sql, parameters).await;
        self.rows = Some(Box::pin(rows.map_err(|error| self.fault(&error))?));
        (self.head, self.lines) = (head, 0);
        Ok(())
    }

    fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        let slot = &self.setup.slot;
        match ServerError::new(format!("polling the replication slot {slot}"), error) {
            ServerError::Refused { message, code, .. } => Fault::of_code(&code, message, slot),
            other => other.into(),
        }
    }

    async fn assemble(&mut self, line: String, steps: &mut Vec<Step>) -> Result<(), Fault> {
        match self.assembler.push(&line, steps) {
            Err(AssembleError::UnknownType { .. }) => {
                // Kept, should we be interrupted here. The session itself is busy with the poll.
                self.pending = Some(line.clone());
                let session = self.config.connect().await?;
                self.assembler.set_catalogue(Arc::new(read_types(&session).await?));
                self.pending = None;
                Ok(self.assembler.push(&line, steps)?)
            }
            Err(AssembleError::NewTable { table: name }) => {
                self.pending = Some(line.clone());
                let session = self.config.connect().await?;
                // The types after the tables, so that theirs are among them.
                let tables = leave_out(&session, self.setup, self.assembler).await?;
                self.assembler.set_catalogue(Arc::new(read_types(&session).await?));
                for table in tables {
                    // Others may have had other names where the stream is now.
                    if table.relation.name == name {
                        self.assembler.know(table.relation)?;
                    }
                }
                self.assembler.looked_for(name);
                self.pending = None;
                Ok(self.assembler.push(&line, steps)?)
            }
            outcome => Ok(outcome?),
        }
    }
}

impl Transport for Polling<'_> {
    async fn next(&mut self, steps: &mut Vec<Step>) -> Result<Heard, Fault> {
        loop {
            let Some(rows) = &mut self.rows else {
                self.poll().await?;
                if let Some(tables) = self.untold.take() {
                    return Ok(Heard { tables: Some(tables), ..Heard::default() });
                }
                continue;
            };
            let line = match self.pending.take() {
                Some(line) => Some(line),
                None => match rows.next().await {
                    Some(row) => {
                        self.lines = self.lines.saturating_add(1);
                        let row = row.map_err(|error| self.fault(&error))?;
                        Some(row.try_get(0).map_err(|error| self.fault(&error))?)
                    }
                    None => None,
                },
            };
            let Some(line) = line else {
                self.rows = None;
                let complete = self.lines < LINES_MAX;
                self.pause = match self.lines {
                    0 => (self.pause * 2).min(self.pause_max),
                    _ => PAUSE_MIN,
                };
                // What was read and is not acknowledged yet would be read again.
                let pause = if self.lines == 0 { self.pause } else { self.pause_max };
                self.poll_at = clock::now() + pause;
                return Ok(Heard {
                    position: self.head.filter(|_| complete),
                    server_end: self.head,
                    tables: None,
                });
            };
            self.assemble(line, steps).await?;
            if !steps.is_empty() {
                self.described_anew |= steps.iter().any(is_description);
                return Ok(Heard::default());
            }
        }
    }

    async fn acknowledge(&mut self, position: Lsn) -> Result<(), Fault> {
        self.acknowledged = position;
        self.poll_at = self.poll_at.min(clock::now() + self.pause);
        Ok(())
    }

    fn lost_values(&self) -> u64 {
        self.assembler.lost_values()
    }
}

/// The tables of the publication, if it is somebody else's, who may change it at any time.
async fn published(session: &Session, setup: &Setup) -> Result<BTreeSet<TableName>, ServerError> {
    match setup.tables {
        Tables::Published => tables_of(session, &setup.publication).await,
        Tables::All | Tables::Listed(_) => Ok(BTreeSet::new()),
    }
}

fn ids(tables: &[SourceTable]) -> BTreeSet<u32> {
    tables.iter().map(|table| table.relation.id).collect()
}

/// What asks for the changes of some tables.
fn poll_sql(setup: &Setup, tables: &[SourceTable]) -> String {
    let mut options: Vec<String> =
        OPTIONS.iter().map(|(name, value)| format!("'{name}', '{value}'")).collect();
    if setup.tables != Tables::All {
        let names: Vec<String> = tables.iter().map(|table| escaped(&table.relation.name)).collect();
        options.push(format!("'add-tables', {}", literal(&names.join(","))));
    }
    format!(
        "SELECT data FROM pg_logical_slot_peek_changes($1, NULL, {LINES_MAX}, {})",
        options.join(", ")
    )
}

/// Has columns passed over that are not followed: the plugin sends generated ones, and knows no
/// column lists. Gives the tables.
async fn leave_out(
    session: &Session,
    setup: &Setup,
    assembler: &mut LineAssembler,
) -> Result<Vec<SourceTable>, ServerError> {
    let tables = followed_tables(session, setup).await?;
    for table in &tables {
        let columns = table.left_out.iter().cloned().collect();
        assembler.leave_out(table.relation.name.clone(), columns);
    }
    Ok(tables)
}

fn is_description(step: &Step) -> bool {
    let Step::Changes(changes) = step else { return false };
    changes.iter().any(|change| matches!(change, Change::Schema(_)))
}

/// The name of a table as the plugin has it in lists.
fn escaped(name: &TableName) -> String {
    let escape = |part: &str| {
        let special = |c: char| matches!(c, ' ' | '\'' | ',' | '.' | '*' | '\\');
        part.chars().fold(String::new(), |mut text, c| {
            if special(c) {
                text.push('\\');
            }
            text.push(c);
            text
        })
    };
    format!("{}.{}", escape(&name.schema), escape(&name.table))
}

/// The history of a timeline, if the role may read the server's files; else none.
async fn history(session: &Session, timeline: u32) -> TimelineHistory {
    let sql = format!("SELECT pg_read_file('pg_wal/{timeline:08X}.history')");
    let text = session.query_one(&sql, &[]).await;
    let text = text.ok().and_then(|row| row.try_get::<_, String>(0).ok()).unwrap_or_default();
    TimelineHistory::parse(&text)
}
