//! The change log: the changes of each transaction, kept in the replica for a while, and their readers.

use penstock::{Transaction, Value};
use rusqlite::params;
use serde_json::{Map, Value as Json};

use super::book::stored;
use super::error::ReplicaError;
use super::spec::TableSpec;
use super::value::to_json;
use super::{Replica, in_transaction};
use crate::event::Header;
use crate::lsn::Lsn;

/// How much the change log keeps. What is older goes, whole transactions at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// The most changes.
    pub changes_max: u64,
    /// The most seconds between a transaction and the latest one.
    pub seconds_max: u64,
}

impl Default for LogLimits {
    /// A million changes, and a week.
    fn default() -> LogLimits {
        LogLimits { changes_max: 1_000_000, seconds_max: 7 * 24 * 60 * 60 }
    }
}

/// How many changes lie between two looks at the limits.
pub(super) const CUT_EVERY: u64 = 1024;

/// One change, as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedChange {
    /// The transaction's position: that of its commit record.
    pub lsn: Lsn,
    /// The place of the change in its transaction, from 0.
    pub seq: u64,
    /// The server's transaction id.
    pub xid: u32,
    /// When it was committed, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at: i64,
    /// The table, `schema.table`.
    pub table: String,
    /// `insert`, `update`, `delete` or `truncate`.
    pub operation: String,
    /// The row before, as an object of its columns.
    pub old: Option<Json>,
    /// The row after.
    pub new: Option<Json>,
    /// Raised whenever the table's columns change.
    pub schema_version: i64,
    /// The replication origin that the transaction came from.
    pub origin: Option<String>,
}

/// What the log knows from a position on.
#[derive(Clone, Debug, PartialEq)]
pub enum LoggedChanges {
    /// These changes, in order; whole transactions.
    Changes {
        /// The changes.
        changes: Vec<LoggedChange>,
        /// Where to read on.
        next: Lsn,
    },
    /// The log does not reach back so far, or a table was copied anew since: take a snapshot of the
    /// tables instead, and read on from here.
    Gap {
        /// The first position from which the log is whole.
        from: Lsn,
    },
}

impl Replica {
    /// The changes of transactions behind a position: that of a commit record that was read before, or
    /// the `next` of an earlier answer. About `most` changes, as transactions are not torn.
    ///
    /// # Errors
    /// A failing file.
    pub fn changes_since(&self, after: Lsn, most: usize) -> Result<LoggedChanges, ReplicaError> {
        if after < self.log_floor || self.options.log.is_none() {
            let end = self.position.as_ref().map_or(Lsn::ZERO, |position| position.end);
            let from = if self.options.log.is_none() { end } else { self.log_floor };
            return Ok(LoggedChanges::Gap { from });
        }
        let changes = in_transaction(&self.db, |tx| {
            Ok(tx.with_connection(|connection| {
                // The transaction that the last of them is in is read to its end.
                let mut statement = connection.prepare_cached(
                    "SELECT * FROM penstock_change_log WHERE lsn > ?1 AND lsn <= coalesce(\
                     (SELECT lsn FROM penstock_change_log WHERE lsn > ?1 \
                      ORDER BY lsn, seq LIMIT 1 OFFSET ?2), ?3) ORDER BY lsn, seq",
                )?;
                let most = i64::try_from(most.max(1) - 1).unwrap_or(i64::MAX);
                let found = statement.query_map(params![stored(after), most, i64::MAX], logged)?;
                found.collect::<rusqlite::Result<Vec<LoggedChange>>>()
            })?)
        })?;
        let next = changes.last().map_or(after, |change| change.lsn);
        Ok(LoggedChanges::Changes { changes, next })
    }

    /// Up to where the log is cut to its limits; and does that.
    pub(super) fn cut_log(&mut self) -> Result<(), ReplicaError> {
        let (Some(limits), Some(position)) = (self.options.log, self.position.clone()) else {
            return Ok(());
        };
        let oldest = position.committed_at.saturating_sub_unsigned(limits.seconds_max * 1_000_000);
        let most = i64::try_from(limits.changes_max).unwrap_or(i64::MAX);
        let floor = in_transaction(&self.db, |tx| {
            let cut: Option<i64> = tx.with_connection(|connection| {
                connection.query_row(
                    "SELECT max(lsn) FROM (SELECT max(lsn) AS lsn FROM penstock_change_log \
                     WHERE committed_at < ?1 UNION ALL SELECT * FROM (SELECT lsn \
                     FROM penstock_change_log ORDER BY lsn DESC, seq DESC LIMIT 1 OFFSET ?2))",
                    params![oldest, most],
                    |row| row.get(0),
                )
            })?;
            let Some(cut) = cut else { return Ok(None) };
            tx.execute("DELETE FROM penstock_change_log WHERE lsn <= ?", [cut])?;
            let floor = Lsn(cut as u64);
            super::book::write_position(tx, &position, floor)?;
            Ok(Some(floor))
        })?;
        self.log_floor = floor.unwrap_or(self.log_floor);
        Ok(())
    }
}

fn logged(row: &rusqlite::Row<'_>) -> rusqlite::Result<LoggedChange> {
    let json = |name: &str| {
        let text: Option<String> = row.get(name)?;
        Ok::<_, rusqlite::Error>(text.and_then(|text| serde_json::from_str(&text).ok()))
    };
    Ok(LoggedChange {
        lsn: Lsn(row.get::<_, i64>("lsn")? as u64),
        seq: row.get::<_, i64>("seq")? as u64,
        xid: row.get("xid")?,
        committed_at: row.get("committed_at")?,
        table: row.get("tbl")?,
        operation: row.get("op")?,
        old: json("old")?,
        new: json("new")?,
        schema_version: row.get("schema_version")?,
        origin: row.get("origin")?,
    })
}

/// A change to be kept.
pub(super) struct Entry<'e> {
    pub(super) header: &'e Header,
    pub(super) seq: u64,
    pub(super) spec: &'e TableSpec,
    pub(super) schema_version: i64,
    pub(super) operation: &'static str,
    pub(super) old: Option<&'e [Value]>,
    pub(super) new: Option<&'e [Value]>,
}

/// Keeps a change.
pub(super) fn keep(tx: &mut Transaction<'_>, entry: &Entry<'_>) -> Result<(), ReplicaError> {
    let object = |values: &[Value]| {
        let columns = entry.spec.relation.columns.iter().zip(values);
        let object: Map<String, Json> =
            columns.map(|(column, value)| (column.name.clone(), to_json(value))).collect();
        Json::Object(object).to_string()
    };
    let values: [Value; 10] = [
        stored(entry.header.commit).into(),
        (entry.seq as i64).into(),
        i64::from(entry.header.xid).into(),
        entry.header.committed_at.into(),
        entry.spec.relation.name.to_string().into(),
        entry.operation.into(),
        entry.old.map(object).into(),
        entry.new.map(object).into(),
        entry.schema_version.into(),
        entry.header.origin.clone().into(),
    ];
    tx.execute("INSERT INTO penstock_change_log VALUES(?,?,?,?,?,?,?,?,?,?)", values)?;
    Ok(())
}
