//! What a store has not been told yet of a group.

use std::collections::{BTreeMap, BTreeSet};

use penstock::RowView;
use penstock::operators::row_set::RowIdentity;

use super::Now;
use super::group::{Client, Group, GroupQuery, QueryState};
use super::stored::{ChangedRow, GroupChanges, StoredClient, StoredHead, StoredQuery, StoredRow};
use crate::protocol::downstream::deleted_row;
use crate::protocol::upstream::Wanted;

/// How many histories of a group are kept.
const HISTORIES: usize = 32;

/// What has changed since a store was last told.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// Everything: the store knows nothing of the group, or it is not known what.
    pub(crate) is_whole: bool,
    /// What the group has one of.
    pub(crate) head: bool,
    pub(crate) schema: bool,
    pub(crate) is_pruned: bool,
    pub(crate) clients: BTreeSet<String>,
    pub(crate) queries: BTreeSet<String>,
    pub(crate) gone: BTreeSet<String>,
    /// As they were put or deleted last.
    rows: BTreeMap<RowIdentity, ChangedRow>,
    /// Rows of which nothing but the key is known, deleted.
    left: Vec<StoredRow>,
}

impl Unsaved {
    /// Everything.
    pub(crate) fn whole() -> Unsaved {
        Unsaved { is_whole: true, ..Unsaved::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let parts = [&self.clients, &self.queries, &self.gone];
        !(self.is_whole || self.head || self.schema || self.is_pruned)
            && parts.iter().all(|part| part.is_empty())
            && self.rows.is_empty()
            && self.left.is_empty()
    }

    /// A row was put or deleted at a version.
    pub(crate) fn row(&mut self, identity: &RowIdentity, row: &RowView, is_held: bool, at: u64) {
        if !self.is_whole {
            self.rows.insert(identity.clone(), ChangedRow::known(row.clone(), is_held, at));
        }
    }

    /// A row of which nothing but the key is known was deleted.
    pub(crate) fn left(&mut self, row: StoredRow) {
        self.left.push(row);
    }
}

impl Group {
    /// What a store has to be told; nothing is left to be told afterwards.
    pub(crate) fn take_unsaved(&mut self, now: Now) -> GroupChanges {
        let unsaved = std::mem::take(&mut self.unsaved);
        let whole = unsaved.is_whole;
        let rows = match whole {
            true => {
                let held = self.rows.values();
                let held = held.map(|held| ChangedRow::known(held.row.clone(), true, held.put_at));
                let left = self.tombstones.iter().filter_map(|(op, at)| {
                    let row = StoredRow { key: deleted_row(op)?, sum: None, at: *at };
                    Some(ChangedRow::stored(row))
                });
                held.chain(left).collect()
            }
            false => {
                let left = unsaved.left.into_iter().map(ChangedRow::stored);
                left.chain(unsaved.rows.into_values()).collect()
            }
        };
        fn named<'n, V>(
            whole: bool,
            all: &'n BTreeMap<String, V>,
            changed: &'n BTreeSet<String>,
        ) -> Vec<&'n String> {
            if whole { all.keys().collect() } else { changed.iter().collect() }
        }
        let clients = named(whole, &self.clients, &unsaved.clients).into_iter();
        let clients = clients.map(|id| (id.clone(), self.clients.get(id).map(Client::stored)));
        let queries = named(whole, &self.queries, &unsaved.queries).into_iter();
        let queries =
            queries.map(|hash| (hash.clone(), self.queries.get(hash).map(GroupQuery::stored)));
        let gone = named(whole, &self.gone, &unsaved.gone).into_iter();
        let gone = gone.map(|hash| (hash.clone(), self.gone.get(hash).copied()));
        GroupChanges {
            id: self.id.to_string(),
            is_whole: whole,
            head: self.head(now),
            schema: (whole || unsaved.schema).then(|| self.schema.clone()),
            is_pruned: unsaved.is_pruned,
            clients: clients.collect(),
            queries: queries.collect(),
            gone: gone.collect(),
            rows,
        }
    }

    fn head(&self, now: Now) -> StoredHead {
        let earlier = self.earlier.iter().map(|(tag, until)| (tag.0, *until));
        let mut histories: Vec<(u32, u64)> = earlier.collect();
        histories.push((self.tag.0, self.version));
        histories.drain(..histories.len().saturating_sub(HISTORIES));
        StoredHead {
            user: self.user.clone(),
            version: self.version,
            histories,
            floor: self.floor,
            active_ms: self.clock.read(now),
        }
    }
}

impl Client {
    fn stored(&self) -> StoredClient {
        let desires = self.desires.iter();
        let desires =
            desires.map(|(hash, desire)| (hash.clone(), (desire.ttl, desire.inactive_since)));
        StoredClient {
            desires: desires.collect(),
            last_mutation_id: self.last_mutation_id,
            told_at: self.told_at,
        }
    }
}

impl GroupQuery {
    fn stored(&self) -> StoredQuery {
        let got_at = match self.state {
            QueryState::Live { got_at, .. } => got_at,
            QueryState::Pending | QueryState::Failed => 0,
        };
        match &self.what {
            Wanted::Ast(ast) => StoredQuery { ast: Some(ast.clone()), named: None, got_at },
            Wanted::Named { name, args } => {
                StoredQuery { ast: None, named: Some((name.clone(), args.clone())), got_at }
            }
        }
    }
}
