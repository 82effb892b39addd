//! Copies of tables into the replica.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use penstock::Value;

use super::ask::Asker;
use super::status::SharedStatus;
use crate::replica::{Describer as _, Position, Replica, ReplicaError, TableCopy, TableSpec};
use crate::setup::{Setup, SourceTable};
use crate::snapshot::{CopySink, Mark, Progress, SinkError};
use crate::stream::Resume;
use crate::table::TableName;

/// Takes copies of tables into a replica.
pub(super) struct Sink<'r> {
    pub(super) replica: &'r mut Replica,
    pub(super) asker: Asker<'r>,
    pub(super) setup: &'r Setup,
    pub(super) status: &'r SharedStatus,
    copies: BTreeMap<TableName, TableCopy>,
    started: Instant,
}

impl<'r> Sink<'r> {
    pub(super) fn new(
        replica: &'r mut Replica,
        asker: Asker<'r>,
        setup: &'r Setup,
        status: &'r SharedStatus,
    ) -> Sink<'r> {
        Sink { replica, asker, setup, status, copies: BTreeMap::new(), started: now() }
    }

    /// What is to be known of a table to copy it.
    fn spec(&mut self, table: &SourceTable) -> Result<TableSpec, ReplicaError> {
        let (relation, name) = (&table.relation, &table.relation.name);
        let ask = ReplicaError::Server;
        // It is copied again, as it is then.
        let gone = || {
            let table = name.to_string();
            ReplicaError::Server(format!("{table} was dropped or altered while it was copied"))
        };
        let described = self.asker.describe(relation.id).map_err(ask)?.ok_or_else(gone)?;
        let number = |column: &crate::table::Column| {
            let mut columns = described.columns.iter();
            columns.find(|other| other.name == column.name).map(|other| other.number)
        };
        let numbers: Option<Vec<i16>> = relation.columns.iter().map(number).collect();
        let catalogue = self.asker.catalogue().map_err(ask)?;
        let numbers = numbers.ok_or_else(gone)?;
        TableSpec::new(Arc::new(relation.clone()), numbers, &table.key, &catalogue)
    }
}

impl CopySink for Sink<'_> {
    fn slot_made(&mut self, resume: &Resume) -> Result<(), SinkError> {
        let (commit, end) = (resume.position, resume.position);
        self.replica.start(Position {
            system_id: resume.system,
            timeline: resume.timeline,
            slot: self.setup.slot.clone(),
            commit,
            end,
            xid: None,
            committed_at: 0,
        })?;
        self.status.update(|status| status.applied = end);
        Ok(())
    }

    fn begin(&mut self, table: &SourceTable) -> Result<(), SinkError> {
        let name = table.relation.name.clone();
        match self.spec(table) {
            Ok(spec) => {
                let copy = self.replica.begin_copy(spec)?;
                self.copies.insert(name, copy);
            }
            Err(ReplicaError::Refused { reason, .. }) => {
                self.replica.refuse(&name, table.relation.id, reason.clone())?;
                self.status.update(|status| status.refused.push((name, reason)));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn rows(&mut self, table: &TableName, rows: Vec<Vec<Value>>) -> Result<(), SinkError> {
        match self.copies.get(table) {
            Some(copy) => Ok(copy.add(&rows)?),
            // It is refused.
            None => Ok(()),
        }
    }

    fn end(&mut self, table: &SourceTable, mark: &Mark) -> Result<(), SinkError> {
        let Some(copy) = self.copies.remove(&table.relation.name) else { return Ok(()) };
        match self.replica.finish_copy(copy, mark.clone()) {
            Ok(()) => self.status.update(|status| status.copies += 1),
            Err(ReplicaError::Refused { table, reason }) => {
                self.status.update(|status| status.refused.push((table, reason)));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        self.status.update(|status| {
            status.copy.table = self.copies.keys().next().cloned();
            status.copy.tables = progress.tables as u64;
            status.copy.tables_done = progress.tables_done as u64;
            status.copy.rows = progress.rows();
            status.copy.rows_estimated = progress.rows_estimated().unwrap_or(0);
            status.copy.bytes = progress.bytes();
            status.copy.bytes_estimated = progress.bytes_estimated();
            let elapsed = self.started.elapsed().as_millis();
            status.copy.elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        });
    }
}

/// The time, for progress only.
#[expect(clippy::disallowed_methods, reason = "no result depends on it")]
pub(super) fn now() -> Instant {
    Instant::now()
}
