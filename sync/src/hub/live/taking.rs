//! One live query: what was committed is taken in, patch by patch, or read anew.

use std::collections::BTreeMap;

use penstock::operators::row_set::RowIdentity;
use penstock::{Error, RowView};

use super::{Live, identity};

impl Live {
    /// Takes in what was committed up to a version, noting how rows were before. Returns whether it is at
    /// that version, and not perhaps ahead of it.
    pub(super) fn advance(
        &mut self,
        version: u64,
        before: &mut BTreeMap<RowIdentity, Option<RowView>>,
    ) -> Result<bool, Error> {
        let mut at = 0;
        while at < self.later.len() {
            let patch = &self.later[at];
            if patch.reset_tree().is_some() {
                self.later.clear();
                self.replace(before)?;
                return Ok(false);
            }
            if patch.version().is_some_and(|of| of > version) {
                break;
            }
            at += 1;
        }
        for patch in self.later.drain(..at) {
            let Some(changes) = patch.rows() else { continue };
            for row in changes.deletes {
                let identity = identity(&row);
                let old = self.rows.remove(&identity);
                before.entry(identity).or_insert(old);
            }
            for row in changes.puts {
                let identity = identity(&row);
                let old = self.rows.insert(identity.clone(), row);
                before.entry(identity).or_insert(old);
            }
        }
        Ok(true)
    }

    /// Reads the set anew, where patches were not kept.
    fn replace(
        &mut self,
        before: &mut BTreeMap<RowIdentity, Option<RowView>>,
    ) -> Result<(), Error> {
        let rows = self.subscription.row_set_within(self.budget)?.into_iter();
        let rows = rows.map(|row| (identity(&row), row)).collect();
        let old = std::mem::replace(&mut self.rows, rows);
        let entered = self.rows.keys().filter(|identity| !old.contains_key(*identity)).cloned();
        for identity in entered.collect::<Vec<_>>() {
            before.entry(identity).or_insert(None);
        }
        for (identity, row) in old {
            before.entry(identity).or_insert(Some(row));
        }
        Ok(())
    }
}
