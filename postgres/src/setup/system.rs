//! Which server this is.

use crate::connect::{ServerError, Session};
use crate::lsn::Lsn;

/// Which server this is, and where its log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// What `initdb` drew: copies and standbys share it, a server made anew has another.
    pub identifier: u64,
    /// Which of its histories it is on: the number rises with each fail-over and each recovery from
    /// a backup.
    pub timeline: u32,
    /// Up to where its log is written.
    pub end: Lsn,
    /// `server_version_num`, such as 150018.
    pub version: u32,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// The database's encoding, such as `UTF8`.
    pub encoding: String,
}

impl System {
    /// The major version.
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }

    /// Asks the server.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn read(session: &Session) -> Result<System, ServerError> {
        // The checkpoint's timeline is that of the last checkpoint, so the running one is read off
        // the name of the file that is written to; a standby has no such file.
        let sql = "SELECT (SELECT system_identifier FROM pg_control_system()), \
                   (SELECT timeline_id FROM pg_control_checkpoint()), \
                   CASE WHEN pg_is_in_recovery() THEN NULL \
                     ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                     ELSE pg_current_wal_lsn() END::text, \
                   current_setting('server_version_num')::int, pg_is_in_recovery(), \
                   getdatabaseencoding()::text";
        let doing = "reading which server this is";
        let row = session.query_one(sql, &[]).await.map_err(ServerError::of(doing))?;
        let bad = |what: &str| ServerError::unexpected(doing, what);
        let of_checkpoint: i32 = row.get(1);
        let timeline = match row.get::<_, Option<&str>>(2) {
            Some(digits) => {
                u32::from_str_radix(digits, 16).map_err(|_| bad("the log file has no timeline"))?
            }
            None => of_checkpoint.cast_unsigned(),
        };
        let end: &str = row.get(3);
        Ok(System {
            identifier: row.get::<_, i64>(0).cast_unsigned(),
            timeline,
            end: end.parse().map_err(|_| bad("the position is none"))?,
            version: row.get::<_, i32>(4).cast_unsigned(),
            in_recovery: row.get(5),
            encoding: row.get(6),
        })
    }
}

/// Where a server's timelines branched off: the history file of its current one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineHistory {
    /// Earlier timelines, and where each was left.
    pub left_at: Vec<(u32, Lsn)>,
}

impl TimelineHistory {
    /// Reads a history file: a line for each earlier timeline, with its number and the position at
    /// which it was left. Other lines are passed over.
    pub fn parse(text: &str) -> TimelineHistory {
        let lines = text.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let timeline = fields.next()?.parse().ok()?;
            Some((timeline, fields.next()?.parse().ok()?))
        });
        TimelineHistory { left_at: lines.collect() }
    }

    /// Whether what was read on `timeline` up to `position` is a part of this history.
    pub fn holds(&self, timeline: u32, position: Lsn) -> bool {
        self.left_at.iter().any(|(left, at)| *left == timeline && position <= *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_holds_what_was_read_before_a_timeline_was_left() {
        let text =
            "1\t0/3000110\tno recovery target specified\n\n# remark\n2\t0/5000000\tbefore 2000\n";
        let history = TimelineHistory::parse(text);
        assert_eq!(history.left_at, [(1, Lsn(0x300_0110)), (2, Lsn(0x500_0000))]);
        assert!(history.holds(1, Lsn(0x300_0110)) && history.holds(2, Lsn(0x400_0000)));
        assert!(!history.holds(1, Lsn(0x300_0111)) && !history.holds(3, Lsn(1)));
    }
}
