//! Sums by which a table of the replica is compared with the server's.

use super::error::ReplicaError;
use super::value::from_stored;
use super::{Replica, in_transaction};
use crate::snapshot::Checksum;

impl Replica {
    /// The sum of a table that was copied; `None` of any other. Reads all of its rows.
    ///
    /// # Errors
    /// A failing file.
    pub fn checksum(&self, id: u32) -> Result<Option<Checksum>, ReplicaError> {
        let Some(spec) = self.spec(id) else { return Ok(None) };
        let select = spec.select_all();
        let sum = in_transaction(&self.db, |tx| {
            Ok(tx.with_connection(|connection| {
                let mut statement = connection.prepare(&select)?;
                let mut rows = statement.query([])?;
                let mut sum = Checksum::default();
                let mut values = Vec::with_capacity(spec.declared.len());
                while let Some(row) = rows.next()? {
                    values.clear();
                    for (at, declared) in spec.declared.iter().enumerate() {
                        values.push(from_stored(row.get_ref(at)?, declared));
                    }
                    sum.add(&values);
                }
                Ok(sum)
            })?)
        })?;
        Ok(Some(sum))
    }
}
