//! A table of a replica while it is kept.

use std::sync::Arc;

use super::spec::{TableSpec, TableState};
use crate::table::{Relation, TableName};

/// A table of the server, and where its copy stands.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The server's object id.
    pub(super) id: u32,
    pub(super) name: TableName,
    /// How it is described; absent until it is copied for the first time.
    pub(super) known: Option<Arc<Known>>,
    pub(super) state: TableState,
    /// How often it was copied.
    pub(super) generation: i64,
}

/// A description with the statements that come of it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) spec: TableSpec,
    pub(super) insert: String,
    /// Of all columns but the key.
    pub(super) update: String,
    /// The columns that `update` sets.
    pub(super) updated: Vec<usize>,
    pub(super) delete: String,
}

impl Known {
    pub(super) fn new(spec: TableSpec) -> Known {
        let all = 0..spec.relation.columns.len();
        let updated: Vec<usize> = all.filter(|at| !spec.key.contains(at)).collect();
        let insert = format!("{} ON CONFLICT DO NOTHING", spec.insert(&spec.name()));
        Known { update: spec.update(&updated, false), delete: spec.delete(), insert, updated, spec }
    }

    /// Whether a description of the stream is the one known, but for what does not matter to rows.
    pub(super) fn fits(&self, relation: &Arc<Relation>) -> bool {
        let own = &self.spec.relation;
        Arc::ptr_eq(own, relation) || (own.name == relation.name && own.columns == relation.columns)
    }
}

impl Table {
    /// One that has to be copied.
    pub(super) fn wanted(id: u32, name: TableName, reason: impl Into<String>) -> Table {
        let state = TableState::Wanted { reason: reason.into() };
        Table { id, name, known: None, state, generation: 0 }
    }

    /// From here on the stream's changes of it are passed over until it is copied again.
    pub(super) fn want(&mut self, reason: impl Into<String>) {
        self.state = TableState::Wanted { reason: reason.into() };
    }
}
