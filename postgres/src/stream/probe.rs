//! Looking at the slot and at the tables now and then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::status::Shared;
use crate::connect::{Config, ServerError, Session};
use crate::lsn::Lsn;
use crate::setup::{Plugin, Setup, SlotState, Tables, followed_ids};

const PATIENCE: Duration = Duration::from_secs(5);

/// What was seen.
struct Seen {
    slot: Option<SlotState>,
    end: Lsn,
    tables: Option<BTreeSet<u32>>,
}

/// Keeps the part of the status that is asked for. What goes wrong here is no matter: the stream itself
/// notices.
pub(super) async fn run(config: Config, setup: Setup, pause: Duration, shared: Arc<Shared>) {
    let mut kept: Option<Session> = None;
    loop {
        let session = match kept.take().filter(|session| !session.is_closed()) {
            Some(session) => Ok(session),
            None => config.connect().await,
        };
        if let Ok(session) = session
            && let Ok(Ok(seen)) =
                tokio::time::timeout(pause.max(PATIENCE), look(&session, &setup)).await
        {
            shared.update(|status| {
                status.slot = seen.slot;
                status.server_end = status.server_end.max(seen.end);
            });
            if let Some(tables) = seen.tables {
                shared.tables(tables);
            }
            kept = Some(session);
        }
        tokio::time::sleep(pause).await;
    }
}

async fn look(session: &Session, setup: &Setup) -> Result<Seen, ServerError> {
    let slot = SlotState::read(session, &setup.slot).await?;
    let sql = "SELECT pg_current_wal_lsn()::text";
    let row = session.query_one(sql, &[]).await.map_err(ServerError::of(sql))?;
    let end = row.get::<_, &str>(0).parse().unwrap_or(Lsn::ZERO);
    let tables = match (setup.plugin, &setup.tables) {
        (Plugin::Pgoutput, _) | (Plugin::Wal2json, Tables::All) => {
            Some(followed_ids(session, setup).await?)
        }
        // Polls name the tables that they ask for, so that only they know since when one is among them.
        (Plugin::Wal2json, Tables::Listed(_) | Tables::Published) => None,
    };
    Ok(Seen { slot, end, tables })
}
