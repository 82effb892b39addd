//! Bulk loading of a table in memory.

use penstock_operators::key::Key;
use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::source::ApplyError;

use super::rows::Rows;
use super::table::{TableStore, check, duplicate};

impl TableStore {
    /// Adds rows, all or none, outside of a transaction; returns how many.
    pub(super) fn load(
        &mut self,
        schema: &TableSchema,
        rows: impl Iterator<Item = Row>,
    ) -> Result<usize, ApplyError> {
        let earlier = self.rows.len();
        let mut added: Vec<Key> = Vec::with_capacity(rows.size_hint().0);
        self.rows.reserve(rows.size_hint().0);
        let mut outcome = Ok(());
        // Where the table was empty its orders are built once all rows are there.
        for row in rows {
            outcome = check(schema, &row).and_then(|()| {
                let key = schema.primary_key_spec().key(&row);
                let new = match earlier {
                    0 => self.rows.insert(&key, row.clone()).is_some(),
                    _ => self.add(&key, &row),
                };
                if !new {
                    return Err(duplicate(schema, &row));
                }
                added.push(key);
                Ok(())
            });
            if outcome.is_err() {
                break;
            }
        }
        if earlier == 0 && outcome.is_ok() {
            self.reindex();
        }
        if outcome.is_ok() && !self.unique.is_empty() {
            outcome = added.iter().try_for_each(|key| match self.rows.get(key) {
                Some(row) => self.check_unique_row(schema, key, row),
                None => Ok(()),
            });
        }
        match outcome {
            Ok(()) => Ok(added.len()),
            Err(error) if earlier == 0 => {
                self.rows = Rows::new(schema.primary_key_spec().clone());
                self.reindex();
                Err(error)
            }
            Err(error) => {
                for key in added {
                    self.remove(&key);
                }
                Err(error)
            }
        }
    }
}
