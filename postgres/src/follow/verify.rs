//! Comparing the replica with the server while it is followed.
//!
//! The server's tables are summed up as a snapshot sees them. The stream waits meanwhile, so the
//! replica is not behind the snapshot's position afterwards; it is summed up when everything that the
//! snapshot holds has been applied and before anything else is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::lsn::Lsn;
use crate::replica::{Replica, ReplicaError, TableState};
use crate::snapshot::{Checksum, Mark};
use crate::table::TableName;

/// The sums of a table on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The table.
    pub table: TableName,
    /// The server's sum.
    pub server: Checksum,
    /// The replica's.
    pub replica: Checksum,
}

impl Verified {
    /// Whether both sides have the same rows.
    pub fn is_equal(&self) -> bool {
        self.server == self.replica
    }
}

/// What was asked for, and the answer.
#[derive(Debug, Default)]
pub(super) enum Request {
    #[default]
    None,
    Asked,
    Running,
    Done(Result<Vec<Verified>, String>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Arc<Mutex<Request>>);

impl Requests {
    pub(super) fn lock(&self) -> MutexGuard<'_, Request> {
        // Each change under the lock is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what was asked for.
    pub(super) fn take_up(&self) -> bool {
        let mut request = self.lock();
        let asked = matches!(*request, Request::Asked);
        if asked {
            *request = Request::Running;
        }
        asked
    }

    pub(super) fn answer(&self, answer: Result<Vec<Verified>, String>) {
        *self.lock() = Request::Done(answer);
    }

    /// Says that what is under way came to nothing.
    pub(super) fn give_up(&self, reason: &str) {
        let mut request = self.lock();
        if matches!(*request, Request::Asked | Request::Running) {
            *request = Request::Done(Err(reason.to_owned()));
        }
    }
}

/// Sums of the server that wait for the replica.
pub(super) struct Pending {
    sums: BTreeMap<TableName, (Checksum, Mark)>,
    done: Vec<Verified>,
}

impl Pending {
    pub(super) fn new(sums: BTreeMap<TableName, (Checksum, Mark)>) -> Pending {
        Pending { sums, done: Vec::new() }
    }

    /// Sums up tables of the replica before a transaction that their snapshots do not hold; or, without
    /// one, where everything before a position is applied. Returns whether all are done.
    pub(super) fn compare(
        &mut self,
        replica: &Replica,
        reached: Lsn,
        xid: Option<u32>,
    ) -> Result<bool, ReplicaError> {
        let is_due = |mark: &Mark| match xid {
            Some(xid) => !mark.holds(reached, xid),
            None => reached >= mark.lsn,
        };
        let due: Vec<TableName> = self
            .sums
            .iter()
            .filter(|(_, (_, mark))| is_due(mark))
            .map(|(name, _)| name.clone())
            .collect();
        for table in due {
            let Some((server, _)) = self.sums.remove(&table) else { continue };
            let found = replica.tables().find(|(_, name, state)| {
                **name == table && matches!(state, TableState::Copied { .. })
            });
            let Some((id, ..)) = found else { continue };
            if let Some(replica) = replica.checksum(id)? {
                self.done.push(Verified { table, server, replica });
            }
        }
        Ok(self.sums.is_empty())
    }

    /// What was compared, by name.
    pub(super) fn verified(mut self) -> Vec<Verified> {
        self.done.sort_by(|a, b| a.table.cmp(&b.table));
        self.done
    }
}
