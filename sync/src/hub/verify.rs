//! Whether what the hub holds is what the database gives.

use std::collections::BTreeMap;

use penstock::operators::row_set::RowIdentity;
use penstock::{Params, Query};

use super::Hub;
use super::group::QueryState;

impl Hub {
    /// Compares every live query with a fresh evaluation, and every group's rows with those of its
    /// queries. For tests, and while nobody writes. Cost: that of evaluating everything.
    ///
    /// # Errors
    /// The first difference.
    pub fn verify(&self) -> Result<(), String> {
        for (_, live) in self.lives.iter().filter(|(_, live)| live.is_complete()) {
            let Ok(ast) = serde_json::from_str(live.key()) else { continue };
            let query = Query::from_ast(&ast).map_err(|error| error.to_string())?;
            let fresh = self.lives.database().query_row_set(&query, &Params::default());
            let fresh = fresh.map_err(|error| error.to_string())?;
            let mut fresh: Vec<String> = fresh.iter().map(|row| format!("{row}")).collect();
            let mut held: Vec<String> = live.rows().values().map(|row| format!("{row}")).collect();
            fresh.sort();
            held.sort();
            if fresh != held {
                return Err(format!("{} is held as {held:?}, and is {fresh:?}", live.key()));
            }
        }
        for group in self.groups.values() {
            let mut uses: BTreeMap<&RowIdentity, u32> = BTreeMap::new();
            for query in group.queries.values() {
                if let QueryState::Live { live, .. } = query.state
                    && let Some(live) = self.lives.get(live)
                {
                    for (identity, row) in live.rows() {
                        *uses.entry(identity).or_default() += 1;
                        let held = group.rows.get(identity).map(|held| held.row.row());
                        if held != Some(row.row()) {
                            return Err(format!("{} holds another {row}", group.id));
                        }
                    }
                }
            }
            let attaching = self.attaching.iter().filter(|(user, _)| user.group == group.id);
            for (_, attaching) in attaching {
                let Some(live) = self.lives.get(attaching.live()) else { continue };
                for (identity, _) in attaching.rows(live) {
                    *uses.entry(identity).or_default() += 1;
                }
            }
            if uses.len() != group.rows.len() {
                let (held, of) = (group.rows.len(), uses.len());
                return Err(format!("{} holds {held} rows, its queries have {of}", group.id));
            }
            for (identity, uses) in uses {
                if group.rows.get(identity).is_none_or(|held| held.uses() != uses) {
                    return Err(format!("{}: a row is counted wrongly", group.id));
                }
            }
        }
        Ok(())
    }
}
