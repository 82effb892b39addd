//! Which tables are copied, and when.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::FollowOptions;
use super::ask::{Asker, drop_slot};
use super::copies::Sink;
use super::flow::Flow;
use super::run::{End, Run};
use super::status::Phase;
use crate::replica::TableState;
use crate::setup::{SlotState, SourceTable, followed_tables};
use crate::snapshot::{copy_all, copy_tables};

impl Run {
    /// Copies what is not copied yet: everything, with a new slot, if there is nothing to go on from.
    pub(super) fn copied(&mut self, tables: Vec<SourceTable>) -> Result<(), End> {
        // After a failing file what is known of it may be incomplete.
        self.replica.refresh()?;
        let slot = &self.options.setup.slot;
        if self.replica.position().is_none_or(|position| position.slot != *slot) {
            self.copy_everything(tables)?;
            // Some may have been made or dropped while the slot was made.
            return self.copy_wanted(None);
        }
        self.copy_wanted(Some(tables))
    }

    /// Makes the slot and copies all tables.
    fn copy_everything(&mut self, tables: Vec<SourceTable>) -> Result<(), End> {
        let (config, setup) = (&self.options.config, &self.options.setup);
        let given_up = self.replica.has_given_up(&setup.slot);
        let slot = self.runtime.block_on(async {
            let session = config.connect().await?;
            let slot = SlotState::read(&session, &setup.slot).await?;
            if given_up && slot.as_ref().is_some_and(|slot| slot.active_process.is_none()) {
                drop_slot(&session, &setup.slot).await?;
                return Ok(None);
            }
            Ok::<_, crate::connect::ServerError>(slot)
        });
        let slot = slot.map_err(|error| End::Passing(error.to_string()))?;
        match slot {
            // Should we end between the two, the slot is known to be ours.
            None => self.replica.give_up(&self.options.setup.slot)?,
            Some(SlotState { active_process: Some(process), .. }) => {
                return Err(End::Passing(format!(
                    "the replication slot {} is in use by process {process}; stop that, or choose another name",
                    setup.slot
                )));
            }
            Some(_) => {
                return Err(End::Failed(format!(
                    "the replication slot {0} is there already, and this replica does not know it: it may belong to \
                     another one; choose another name, or if it is of no use run SELECT pg_drop_replication_slot('{0}')",
                    setup.slot
                )));
            }
        }
        self.copy(tables, true)
    }

    /// Copies the tables that are not copied yet, and drops those that the server has no more.
    pub(super) fn copy_wanted(&mut self, tables: Option<Vec<SourceTable>>) -> Result<(), End> {
        let tables = match tables {
            Some(tables) => tables,
            None => self.source_tables()?,
        };
        let known: Vec<u32> = self.replica.tables().map(|(id, ..)| id).collect();
        // Of a table without an object id only the name is known: it may be one that was renamed.
        let is_one_unknown = known.contains(&0);
        for id in known {
            if !tables.iter().any(|table| table.relation.id == id) {
                self.replica.forget(id)?;
            }
        }
        let is_wanted = |table: &SourceTable| {
            let found = self.replica.tables().find(|(id, ..)| *id == table.relation.id);
            found.is_none_or(|(_, name, state)| {
                matches!(state, TableState::Wanted { .. })
                    || is_one_unknown && *name != table.relation.name
            })
        };
        let wanted: Vec<SourceTable> = tables.into_iter().filter(is_wanted).collect();
        for table in &wanted {
            let (id, name) = (table.relation.id, &table.relation.name);
            let found = self.replica.tables().find(|(known, ..)| *known == id);
            match found.map(|(.., state)| matches!(state, TableState::Wanted { .. })) {
                None => self.replica.want(id, name, "it is new")?,
                Some(false) => self.replica.want(id, name, "it was renamed")?,
                Some(true) => {}
            }
        }
        if wanted.is_empty() { Ok(()) } else { self.copy(wanted, false) }
    }

    /// Copies tables that the stream has and the replica has not, and drops those that it has no more:
    /// without this they would be noticed with their next change, which may never come.
    pub(super) fn keep_tables(&mut self, flow: &mut Flow) -> Result<(), End> {
        let same = |a: &Arc<BTreeSet<u32>>, b: &Arc<BTreeSet<u32>>| Arc::ptr_eq(a, b);
        let tables = match (&flow.tables, &flow.compared) {
            (None, _) => return Ok(()),
            (Some(tables), Some(compared)) if same(tables, compared) => return Ok(()),
            (Some(tables), _) => Arc::clone(tables),
        };
        let ours: BTreeSet<u32> = self.replica.tables().map(|(id, ..)| id).collect();
        if ours != *tables {
            let phase = self.status.get().phase;
            self.copy_wanted(None)?;
            self.status.update(|status| status.phase = phase);
        }
        flow.compared = Some(tables);
        Ok(())
    }

    pub(super) fn source_tables(&self) -> Result<Vec<SourceTable>, End> {
        let (config, setup) = (&self.options.config, &self.options.setup);
        let tables = self.runtime.block_on(async {
            let session = config.connect().await?;
            followed_tables(&session, setup).await
        });
        tables.map_err(|error| End::Passing(error.to_string()))
    }

    fn copy(&mut self, tables: Vec<SourceTable>, make_slot: bool) -> Result<(), End> {
        self.status.update(|status| {
            status.phase = Phase::Copying;
            status.copy = super::CopyProgress { tables: tables.len() as u64, ..Default::default() };
        });
        let FollowOptions { config, setup, connections, .. } = &self.options;
        let asker = Asker { runtime: &self.runtime, config, session: None };
        let mut sink = Sink::new(&mut self.replica, asker, setup, &self.status);
        match make_slot {
            true => copy_all(config, setup, tables, *connections, &mut sink).map(drop)?,
            false => copy_tables(config, setup, tables, *connections, &mut sink)?,
        }
        self.replica.make_durable()?;
        self.status.update(|status| status.copy.table = None);
        Ok(())
    }
}
