//! What must be there on the server: checked, made, and taken away.
//!
//! [`doctor`] looks at everything at once and changes nothing; [`set_up`] does the same and then
//! makes the publication; [`tear_down`] removes what was made. Slots are made with the snapshot
//! that they agree with, in [`snapshot`](crate::snapshot).

mod doctor;
mod publication;
mod report;
mod schema_events;
mod server_checks;
mod slot;
mod system;
mod table_checks;
mod tables;

pub use doctor::doctor;
pub use report::{Check, Outcome, Report};
pub use schema_events::SCHEMA_EVENT_PREFIX;
pub use slot::{SlotState, WalStatus};
pub use system::{System, TimelineHistory};
pub use tables::{SourceTable, read_types};

pub(crate) use publication::tables_of;
pub(crate) use slot::create_sql;

use std::collections::BTreeSet;

use crate::connect::{Config, ServerError, Session};
use crate::table::TableName;

/// What is to be followed, and by which names it goes on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The name of the publication. Not used with [`Plugin::Wal2json`] unless it is an existing
    /// one.
    pub publication: String,
    /// Which tables.
    pub tables: Tables,
    /// The name of the replication slot: small letters, digits, and underscores.
    pub slot: String,
    /// What writes the stream.
    pub plugin: Plugin,
    /// Whether the slot survives a fail-over to a standby that synchronizes slots (Postgres 17 and
    /// later).
    pub failover: bool,
    /// Whether DDL is reported by an event trigger, where the role may make one.
    pub schema_events: SchemaEvents,
}

/// Which tables are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tables {
    /// All of the database, also those made later.
    All,
    /// These.
    Listed(Vec<TableName>),
    /// Those of a publication that somebody else has made, with its row filters and column lists.
    Published,
}

/// What writes the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// Postgres itself, over a replication connection.
    Pgoutput,
    /// The plugin wal2json, which is asked through SQL: for hosts that refuse replication
    /// connections.
    Wal2json,
}

/// Whether DDL is reported by an event trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaEvents {
    /// No: a changed table is noticed at its next write.
    Off,
    /// If the role may make event triggers; most need a superuser for it.
    IfAllowed,
}

impl Plugin {
    /// The name that the server knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Plugin::Pgoutput => "pgoutput",
            Plugin::Wal2json => "wal2json",
        }
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            publication: "penstock".into(),
            tables: Tables::All,
            slot: "penstock".into(),
            plugin: Plugin::Pgoutput,
            failover: false,
            schema_events: SchemaEvents::Off,
        }
    }
}

/// What stands in the way of following a database.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Things are missing; the report says which SQL to run.
    #[error("the server is not ready to be followed:\n{0}")]
    NotReady(Report),
    /// The server cannot be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// What is followed, once everything is there.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The server.
    pub system: System,
    /// The tables, by name.
    pub tables: Vec<SourceTable>,
    /// Everything that was looked at, warnings among it.
    pub report: Report,
    /// Whether DDL is reported by an event trigger.
    pub schema_events: bool,
}

/// Checks everything, and makes the publication or adds tables to it. Nothing is made if anything
/// is missing. To do it again does no harm.
///
/// # Errors
///
/// All that is missing, at once, or that the server cannot be asked.
pub async fn set_up(config: &Config, setup: &Setup) -> Result<Ready, SetupError> {
    let session = config.connect().await?;
    let report = doctor::examine(&session, config, setup).await?;
    if !report.is_ready() {
        return Err(SetupError::NotReady(report));
    }
    let system = System::read(&session).await?;
    publication::make(&session, setup).await?;
    let schema_events = match setup.schema_events {
        SchemaEvents::Off => false,
        SchemaEvents::IfAllowed => schema_events::make(&session).await?,
    };
    let tables = tables::followed(&session, &system, setup).await?;
    Ok(Ready { system, tables, report, schema_events })
}

/// The tables that are followed, as they are now.
///
/// # Errors
///
/// The server cannot be asked.
pub async fn followed_tables(
    session: &Session,
    setup: &Setup,
) -> Result<Vec<SourceTable>, ServerError> {
    let system = System::read(session).await?;
    tables::followed(session, &system, setup).await
}

/// The object ids of the tables that are followed, as they are now.
pub(crate) async fn followed_ids(
    session: &Session,
    setup: &Setup,
) -> Result<BTreeSet<u32>, ServerError> {
    tables::followed_ids(session, setup).await
}

/// Removes the slot, the publication unless it is somebody else's, and the event trigger. What is
/// not there is no error. Gives what was removed, in words.
///
/// # Errors
///
/// The server cannot be asked, or somebody still reads from the slot.
pub async fn tear_down(config: &Config, setup: &Setup) -> Result<Vec<String>, ServerError> {
    let session = config.connect().await?;
    let mut removed = Vec::new();
    if slot::drop(&session, &setup.slot).await? {
        removed.push(format!("the slot {}", setup.slot));
    }
    if setup.tables != Tables::Published && publication::drop(&session, setup).await? {
        removed.push(format!("the publication {}", setup.publication));
    }
    if schema_events::drop(&session).await? {
        removed.push("the event triggers of the schema penstock".into());
    }
    Ok(removed)
}

/// A name as SQL has it, in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it, in single quotes.
pub(crate) fn literal(text: &str) -> String {
    match text.contains('\\') {
        true => format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

impl TableName {
    /// The name as SQL has it, quoted.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(TableName::new("public", "a\"b").quoted(), "\"public\".\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
