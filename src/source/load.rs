//! Bulk loading of a table in memory.

use penstock_operators::key::Key;
use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::source::ApplyError;

use super::table::{TableStore, check, duplicate};

impl TableStore {
    /// Adds rows, all or none, outside of a transaction; returns how many.
    pub(super) fn load(
        &mut self,
        schema: &TableSchema,
        rows: impl Iterator<Item = Row>,
    ) -> Result<usize, ApplyError> {
        let mut entries: Vec<(Key, Row)> = Vec::with_capacity(rows.size_hint().0);
        for row in rows {
            check(schema, &row)?;
            entries.push((schema.primary_key_spec().key(&row), row));
        }
        // Stable, so that of two rows with one key the later is the one reported.
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(twins) = entries.windows(2).find(|twins| twins[0].0 == twins[1].0) {
            return Err(duplicate(schema, &twins[1].1));
        }
        let added = entries.len();
        if self.rows.len() == 0 {
            self.fill(schema, entries)?;
        } else {
            self.add(schema, entries)?;
        }
        Ok(added)
    }

    fn fill(&mut self, schema: &TableSchema, entries: Vec<(Key, Row)>) -> Result<(), ApplyError> {
        self.replace_all(entries);
        let outcome = match self.unique.is_empty() {
            true => Ok(()),
            false => self
                .rows
                .entries()
                .try_for_each(|(key, row)| self.check_unique_row(schema, key, row)),
        };
        if outcome.is_err() {
            self.replace_all(Vec::new());
        }
        outcome
    }

    fn add(&mut self, schema: &TableSchema, entries: Vec<(Key, Row)>) -> Result<(), ApplyError> {
        if let Some((_, row)) = entries.iter().find(|(key, _)| self.rows.get(key).is_some()) {
            return Err(duplicate(schema, row));
        }
        for (key, row) in &entries {
            self.set(key.clone(), Some(row.clone()));
        }
        let outcome =
            entries.iter().try_for_each(|(key, row)| self.check_unique_row(schema, key, row));
        if outcome.is_err() {
            for (key, _) in entries {
                self.set(key, None);
            }
        }
        outcome
    }
}
