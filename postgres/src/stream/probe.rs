//! Looking at the slot now and then.

use std::sync::Arc;
use std::time::Duration;

use super::status::Shared;
use crate::connect::{Config, ServerError, Session};
use crate::lsn::Lsn;
use crate::setup::SlotState;

/// Keeps the slot's part of the status. What goes wrong here is no matter: the stream itself
/// notices.
pub(super) async fn run(config: Config, slot: String, pause: Duration, shared: Arc<Shared>) {
    let mut kept: Option<Session> = None;
    loop {
        let session = match kept.take().filter(|session| !session.is_closed()) {
            Some(session) => Ok(session),
            None => config.connect().await,
        };
        if let Ok(session) = session
            && let Ok(Ok((state, end))) =
                tokio::time::timeout(pause.max(PATIENCE), look(&session, &slot)).await
        {
            shared.update(|status| {
                status.slot = state;
                status.server_end = status.server_end.max(end);
            });
            kept = Some(session);
        }
        tokio::time::sleep(pause).await;
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

async fn look(session: &Session, slot: &str) -> Result<(Option<SlotState>, Lsn), ServerError> {
    let state = SlotState::read(session, slot).await?;
    let sql = "SELECT pg_current_wal_lsn()::text";
    let row = session.query_one(sql, &[]).await.map_err(ServerError::of(sql))?;
    Ok((state, row.get::<_, &str>(0).parse().unwrap_or(Lsn::ZERO)))
}
