//! Replication slots.

use std::time::Duration;

use crate::connect::{ServerError, Session};
use crate::lsn::Lsn;
use crate::setup::{Setup, quoted};

/// How long a slot may still be held by a connection that has just ended.
const RELEASE_TRIES: u32 = 50;
const RELEASE_PAUSE: Duration = Duration::from_millis(100);

/// How the log that a slot needs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalStatus {
    /// All of it is there, within what the server keeps anyway.
    Reserved,
    /// All of it is there, more than the server keeps otherwise.
    Extended,
    /// It is more than `max_slot_wal_keep_size` allows, and will go at the next checkpoint.
    Unreserved,
    /// Some is gone: the slot is of no use any more.
    Lost,
}

/// A slot as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// The output plugin.
    pub plugin: String,
    /// The database that it belongs to.
    pub database: String,
    /// Whether it goes with its connection.
    pub temporary: bool,
    /// The process that reads from it.
    pub active_process: Option<i32>,
    /// What was acknowledged: reading goes on from here.
    pub confirmed: Lsn,
    /// From where the server keeps its log.
    pub restart: Lsn,
    /// How the log stands.
    pub wal_status: WalStatus,
    /// How many more bytes may be written before the slot may be lost; none without a limit.
    pub safe_bytes: Option<i64>,
    /// Why the server has given it up, from Postgres 16 on.
    pub invalidation: Option<String>,
    /// How many bytes of log the server keeps because of it.
    pub retained_bytes: u64,
}

impl SlotState {
    /// Asks the server; none if there is no such slot.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn read(session: &Session, name: &str) -> Result<Option<SlotState>, ServerError> {
        let doing = "reading the state of the slot";
        let version = session
            .query_one("SELECT current_setting('server_version_num')::int", &[])
            .await
            .map_err(ServerError::of(doing))?;
        let sql = SlotState::sql(version.get::<_, i32>(0).cast_unsigned());
        let row = session.query_opt(&sql, &[&name]).await.map_err(ServerError::of(doing))?;
        let Some(row) = row else { return Ok(None) };
        let lsn = |column| -> Result<Lsn, ServerError> {
            let text: Option<&str> = row.get(column);
            text.map_or(Ok(Lsn::ZERO), str::parse)
                .map_err(|error| ServerError::unexpected(doing, error.to_string()))
        };
        let (restart, end) = (lsn(5)?, lsn(9)?);
        let wal_status = match row.get::<_, Option<&str>>(6) {
            Some("reserved") => WalStatus::Reserved,
            Some("extended") => WalStatus::Extended,
            Some("unreserved") => WalStatus::Unreserved,
            _ => WalStatus::Lost,
        };
        let text = |column| row.get::<_, Option<String>>(column).unwrap_or_default();
        Ok(Some(SlotState {
            plugin: text(0),
            database: text(1),
            temporary: row.get(2),
            active_process: row.get(3),
            confirmed: lsn(4)?,
            restart,
            wal_status,
            safe_bytes: row.get(7),
            invalidation: row.get(8),
            retained_bytes: if restart == Lsn::ZERO { 0 } else { end.since(restart) },
        }))
    }

    /// Whether nothing can be read from it any more, and why.
    pub fn why_lost(&self) -> Option<String> {
        match (&self.invalidation, self.wal_status) {
            (Some(reason), _) => Some(reason.clone()),
            (None, WalStatus::Lost) => Some("the log that it needs was removed".into()),
            (None, _) => None,
        }
    }

    fn sql(version: u32) -> String {
        let invalidation = match version {
            170_000.. => "invalidation_reason",
            160_000.. => "CASE WHEN conflicting THEN 'it conflicts with recovery' END",
            _ => "NULL::text",
        };
        format!(
            "SELECT plugin::text, database::text, temporary, active_pid, confirmed_flush_lsn::text, \
             restart_lsn::text, wal_status, safe_wal_size, {invalidation}, \
             CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text \
             FROM pg_replication_slots WHERE slot_name = $1"
        )
    }
}

/// The command of the replication protocol that makes a slot; it gives the name, the position from
/// which it will read, and the name of the exported snapshot.
pub(crate) fn create_sql(setup: &Setup, name: &str, temporary: bool, version: u32) -> String {
    let temporary_word = if temporary { " TEMPORARY" } else { "" };
    let failover = setup.failover && !temporary && version >= 170_000;
    // The form with parentheses came with 15.
    let options = match (version, failover) {
        (..150_000, _) => "EXPORT_SNAPSHOT",
        (_, false) => "(SNAPSHOT 'export')",
        (_, true) => "(SNAPSHOT 'export', FAILOVER)",
    };
    format!("CREATE_REPLICATION_SLOT {}{temporary_word} LOGICAL pgoutput {options}", quoted(name))
}

/// Drops a slot; whether there was one.
pub(super) async fn drop(session: &Session, name: &str) -> Result<bool, ServerError> {
    let mut tries = RELEASE_TRIES;
    loop {
        let Some(state) = SlotState::read(session, name).await? else { return Ok(false) };
        let doing = match state.active_process {
            Some(process) => {
                format!("dropping the slot {name}, which process {process} reads from")
            }
            None => format!("dropping the slot {name}"),
        };
        let error = match session.execute("SELECT pg_drop_replication_slot($1)", &[&name]).await {
            Ok(_) => return Ok(true),
            Err(error) => ServerError::new(doing, &error),
        };
        // In use: perhaps by a connection that is just ending.
        if error.code() != Some("55006") || tries == 0 {
            return Err(error);
        }
        tries -= 1;
        tokio::time::sleep(RELEASE_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_made_as_each_version_has_it() {
        let plain = Setup::default();
        let failover = Setup { failover: true, ..Setup::default() };
        let cases = [
            (
                &plain,
                false,
                140_000,
                "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput EXPORT_SNAPSHOT",
            ),
            (
                &failover,
                true,
                150_000,
                "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')",
            ),
            (
                &failover,
                false,
                160_000,
                "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'export')",
            ),
            (
                &failover,
                false,
                170_002,
                "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER)",
            ),
        ];
        for (setup, temporary, version, sql) in cases {
            assert_eq!(create_sql(setup, "s", temporary, version), sql);
        }
    }
}
