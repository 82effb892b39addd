//! Snapshots, and the sessions that share them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgwire_replication::ReplicationClient;

use super::mark::{Mark, Visible};
use crate::connect::{Config, ServerError, Session};
use crate::lsn::Lsn;
use crate::setup::{Plugin, Setup, System, create_sql, literal, read_types};
use crate::stream::Resume;
use crate::types::Catalogue;

/// How often it is asked whether older transactions have ended.
const PAUSE: Duration = Duration::from_millis(50);

/// Sessions that see the same snapshot.
pub(super) struct Origin {
    pub(super) mark: Mark,
    /// From where the stream goes on, if the slot was made for it.
    pub(super) resume: Option<Resume>,
    pub(super) sessions: Vec<Session>,
    pub(super) types: Arc<Catalogue>,
}

/// Takes a snapshot: with the slot itself, or of now.
pub(super) async fn open(
    config: &Config,
    setup: &Setup,
    make_slot: bool,
    connections: usize,
) -> Result<Origin, ServerError> {
    let session = config.connect().await?;
    let system = System::read(&session).await?;
    let (mark, sessions) = match setup.plugin {
        Plugin::Pgoutput => {
            exported_by_slot(config, setup, &system, make_slot, connections).await?
        }
        Plugin::Wal2json => {
            exported_by_session(config, setup, &session, make_slot, connections).await?
        }
    };
    let resume = make_slot.then_some(Resume {
        system: system.identifier,
        timeline: system.timeline,
        position: mark.lsn,
        last: None,
    });
    // Not before the snapshot: types may have been made since.
    let types = Arc::new(read_types(&session).await?);
    Ok(Origin { mark, resume, sessions, types })
}

/// The server makes a slot and a snapshot that agree. It waits for transactions that are running.
async fn exported_by_slot(
    config: &Config,
    setup: &Setup,
    system: &System,
    make_slot: bool,
    connections: usize,
) -> Result<(Mark, Vec<Session>), ServerError> {
    let doing = format!("making the replication slot {}", setup.slot);
    let failed = |error: pgwire_replication::PgWireError| match &error {
        pgwire_replication::PgWireError::Server(message) => refused(&doing, message),
        pgwire_replication::PgWireError::Io(_) => {
            ServerError::Lost { doing: doing.clone(), reason: error.to_string() }
        }
        _ => ServerError::unexpected(&doing, error.to_string()),
    };
    // Several copies may be made at the same time, by this process and by others.
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let name = match make_slot {
        true => setup.slot.clone(),
        false => {
            let copy = COPIES.fetch_add(1, Ordering::Relaxed);
            format!("{:.36}_copy_{}_{copy}", setup.slot, std::process::id())
        }
    };
    let sql = create_sql(setup, &name, !make_slot, system.version);
    let replication = config.replication(&name, &setup.publication, &[]).await?;
    let mut client = ReplicationClient::connect_gated(replication).await.map_err(failed)?;
    let rows = client.simple_query(&sql).await.map_err(failed)?;
    let text = |column: usize| -> Result<String, ServerError> {
        let value = rows.first().and_then(|row| row.get(column)?.as_ref());
        let value =
            value.ok_or_else(|| ServerError::unexpected(&doing, "the answer is incomplete"))?;
        Ok(String::from_utf8_lossy(value).into_owned())
    };
    let lsn: Lsn = text(1)?.parse().map_err(|error: crate::lsn::NotAnLsn| {
        ServerError::unexpected(&doing, error.to_string())
    })?;
    // The snapshot goes with the connection, unless others have taken it over.
    let sessions = share(config, &text(2)?, connections).await?;
    drop(client);
    Ok((Mark { lsn, visible: None }, sessions))
}

/// A session exports its snapshot, which says itself what it sees.
async fn exported_by_session(
    config: &Config,
    setup: &Setup,
    session: &Session,
    make_slot: bool,
    connections: usize,
) -> Result<(Mark, Vec<Session>), ServerError> {
    let doing = format!("making the replication slot {}", setup.slot);
    let failed = |error| ServerError::new(&doing, &error);
    let sql = match make_slot {
        true => "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'wal2json')",
        false => "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1",
    };
    let row = session.query_opt(sql, &[&setup.slot]).await.map_err(failed)?;
    let row = row.ok_or_else(|| ServerError::unexpected(&doing, "the slot is gone"))?;
    let lsn = row.get::<_, &str>(0).parse();
    let lsn = lsn.map_err(|_| ServerError::unexpected(&doing, "the slot's position is none"))?;
    older_ended(session).await?;

    let doing = "taking a snapshot";
    let exporting = config.connect().await?;
    begin(&exporting).await?;
    let sql = "SELECT pg_current_snapshot()::text, pg_export_snapshot()";
    let row = exporting.query_one(sql, &[]).await.map_err(ServerError::of(doing))?;
    let visible: Result<Visible, _> = row.get::<_, &str>(0).parse();
    let visible = visible.map_err(|error| ServerError::unexpected(doing, error.to_string()))?;
    let mut sessions = share(config, row.get(1), connections.saturating_sub(1)).await?;
    sessions.push(exporting);
    Ok((Mark { lsn, visible: Some(visible) }, sessions))
}

/// Waits until every transaction that is running now has ended.
async fn older_ended(session: &Session) -> Result<(), ServerError> {
    let doing = "waiting for older transactions to end";
    let ask = async |sql: &str| -> Result<i64, ServerError> {
        let row = session.query_one(sql, &[]).await.map_err(ServerError::of(doing))?;
        Ok(row.get(0))
    };
    let newest = ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").await?;
    while ask("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").await? < newest {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Makes sessions that see an exported snapshot.
async fn share(
    config: &Config,
    snapshot: &str,
    connections: usize,
) -> Result<Vec<Session>, ServerError> {
    let mut sessions = Vec::with_capacity(connections);
    for _ in 0..connections {
        let session = config.connect().await?;
        begin(&session).await?;
        let sql = format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot));
        session.batch_execute(&sql).await.map_err(ServerError::of("sharing a snapshot"))?;
        sessions.push(session);
    }
    Ok(sessions)
}

async fn begin(session: &Session) -> Result<(), ServerError> {
    // Rows that are hidden from the role shall be an error, and a long copy is none.
    let sql = "SET row_security = off; SET statement_timeout = 0; \
               SET idle_in_transaction_session_timeout = 0; \
               BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    session.batch_execute(sql).await.map_err(ServerError::of("beginning a copy"))
}

fn refused(doing: &str, message: &str) -> ServerError {
    let (text, code) = message.rsplit_once(" (SQLSTATE ").unwrap_or((message, "XX000)"));
    ServerError::Refused {
        doing: doing.to_owned(),
        message: text.to_owned(),
        code: code.trim_end_matches(')').to_owned(),
    }
}
