//! A row against the rules for writing it.

use std::collections::BTreeSet;

use penstock::{Error, Query, Transaction};
use serde_json::{Map, Value as Json, json};

use super::{Policies, Policy, Rules, never, one_of};
use crate::claims::Claims;

/// What is done to a row, and when it is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Stage<'a> {
    /// It was inserted.
    Inserted,
    /// It is going to be updated in these columns.
    BeforeUpdate {
        /// The columns that are written.
        columns: &'a BTreeSet<String>,
    },
    /// It was updated in these columns.
    Updated {
        /// The columns that were written.
        columns: &'a BTreeSet<String>,
        /// The row as it was.
        before: &'a Map<String, Json>,
    },
    /// It is going to be deleted.
    BeforeDelete,
}

/// A row that is written.
#[derive(Clone, Copy, Debug)]
pub struct RowCheck<'a> {
    /// Its table.
    pub table: &'a str,
    /// The values by which it is found, as they are in JSON.
    pub key: &'a Map<String, Json>,
    /// What is done to it.
    pub stage: Stage<'a>,
}

impl Rules {
    /// Whether the user may do that to the row, which is looked at as it is now in the transaction. A
    /// row that is not there may be written only where every row of its table may be.
    ///
    /// Cost: one look-up by the key, and that of the rules' own subqueries.
    ///
    /// # Errors
    /// Rules or a key that do not fit the table, or a failing source.
    pub fn check_write(
        &self,
        tx: &mut Transaction<'_>,
        check: RowCheck<'_>,
        claims: &Claims,
    ) -> Result<bool, Error> {
        if self.everything {
            return Ok(true);
        }
        let Some(rules) = self.tables.get(check.table) else { return Ok(false) };
        let before = match check.stage {
            Stage::Updated { before, .. } => Some(before),
            _ => None,
        };
        let concerns = |column: &String| match check.stage {
            Stage::BeforeUpdate { columns } | Stage::Updated { columns, .. } => {
                columns.contains(column)
            }
            Stage::Inserted | Stage::BeforeDelete => true,
        };
        let mut conditions = Vec::new();
        let row = check.stage.policy(&rules.row);
        let cells = rules.cells.iter().filter(|(column, _)| concerns(column));
        // A column without a rule for this is as its row.
        let cells = cells.map(|(_, cell)| check.stage.policy(cell)).filter(|cell| cell.is_some());
        for policy in std::iter::once(row).chain(cells) {
            match one_of(policy.as_deref().unwrap_or_default(), claims, before) {
                None => {}
                Some(condition) if condition == never() => return Ok(false),
                Some(condition) => conditions.push(condition),
            }
        }
        if conditions.is_empty() {
            return Ok(true);
        }
        conditions.extend(check.key.iter().map(|(column, value)| {
            json!({"type": "simple", "op": "=", "left": {"type": "column", "name": column},
                "right": {"type": "literal", "value": value}})
        }));
        let ast = json!({ "table": check.table, "limit": 1,
            "where": { "type": "and", "conditions": conditions } });
        Ok(!tx.query(&Query::from_ast(&ast)?)?.is_empty())
    }
}

impl Stage<'_> {
    fn policy<'p>(&self, policies: &'p Policies) -> &'p Policy {
        match self {
            Stage::Inserted => &policies.insert,
            Stage::BeforeUpdate { .. } => &policies.update_before,
            Stage::Updated { .. } => &policies.update_after,
            Stage::BeforeDelete => &policies.delete,
        }
    }
}
