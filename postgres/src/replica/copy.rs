//! Copies of whole tables.
//!
//! A table is copied into one beside it, in transactions of many rows, while the one that is there
//! stays as it is. Then, in one transaction, indexes are built, the new table takes the place of the
//! old one, and the snapshot that it shows is noted. What breaks off before leaves only a table that
//! the next copy begins anew.

use std::sync::Arc;

use penstock::{Database, Value};

use super::book;
use super::error::ReplicaError;
use super::spec::{TableSpec, TableState, quoted};
use super::table::{Known, Table};
use super::value::Bound;
use super::{Replica, in_transaction};
use crate::lsn::Lsn;
use crate::snapshot::Mark;

/// A copy of a table that is being made. Several may be made at a time, from several threads.
#[derive(Clone)]
pub struct TableCopy {
    db: Database,
    spec: TableSpec,
    insert: String,
    width: usize,
}

impl TableCopy {
    /// The table.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// Adds rows, as one transaction: a few thousand at a time cost least.
    ///
    /// # Errors
    /// A row that SQLite refuses, or a failing disk; then none of the rows are added.
    pub fn add(&self, rows: &[Vec<Value>]) -> Result<(), ReplicaError> {
        if let Some(row) = rows.iter().find(|row| row.len() != self.width) {
            let (found, width) = (row.len(), self.width);
            return Err(self.refused(format!("a row has {found} values and not {width}")));
        }
        in_transaction(&self.db, |tx| {
            tx.with_connection(|connection| {
                let mut statement = connection.prepare_cached(&self.insert)?;
                for row in rows {
                    for (at, value) in row.iter().enumerate() {
                        statement.raw_bind_parameter(at + 1, Bound(value))?;
                    }
                    statement.raw_execute()?;
                }
                Ok(())
            })
            .map_err(|error| self.refused(format!("copying rows: {error}")))
        })
    }

    fn refused(&self, reason: String) -> ReplicaError {
        ReplicaError::Refused { table: self.spec.relation.name.clone(), reason }
    }
}

fn side_name(id: u32) -> String {
    format!("penstock_copy_{id}")
}

impl Replica {
    /// Begins to copy a table, from nothing.
    ///
    /// # Errors
    /// A failing file.
    pub fn begin_copy(&mut self, spec: TableSpec) -> Result<TableCopy, ReplicaError> {
        let side = side_name(spec.relation.id);
        let statements =
            format!("DROP TABLE IF EXISTS {0}; {1}", quoted(&side), spec.create(&side));
        in_transaction(&self.db, |tx| Ok(tx.change_schema(&statements)?))?;
        let (insert, width) = (spec.insert(&side), spec.relation.columns.len());
        Ok(TableCopy { db: self.db.clone(), spec, insert, width })
    }

    /// Puts a finished copy in place of what there was of the table. The mark says what
    /// of the stream it holds already.
    ///
    /// # Errors
    /// A failing file, or rows that their key does not tell apart: then the copy is dropped and the
    /// table is refused.
    pub fn finish_copy(&mut self, copy: TableCopy, mark: Mark) -> Result<(), ReplicaError> {
        let spec = copy.spec;
        let (id, name) = (spec.relation.id, spec.relation.name.clone());
        let generation = self.tables.get(&id).map_or(0, |table| table.generation) + 1;
        let side = side_name(id);
        if let Some(index) = spec.index(&side, generation) {
            let built = in_transaction(&self.db, |tx| Ok(tx.change_schema(&index)?));
            if let Err(error) = built {
                let text = error.to_string();
                if !text.contains("UNIQUE") {
                    return Err(error);
                }
                let reason = "several of its rows have the same key here: a numeric key beyond 2^53 or NaN; \
                     use REPLICA IDENTITY USING INDEX with a unique index of other columns";
                self.refuse(&name, id, reason.to_owned())?;
                return Err(ReplicaError::Refused { table: name, reason: reason.to_owned() });
            }
        }
        let old_names = self.names_to_replace(id, &spec.name());
        let table = Table {
            id,
            name,
            known: Some(Arc::new(Known::new(spec))),
            state: TableState::Copied { mark: Some(mark) },
            generation,
        };
        let (new, replaced) = (in_replica(&table), self.occupants(id, &table));
        // Whoever reads the change log cannot know what the copy has changed.
        let floor = self.position.as_ref().map_or(Lsn::ZERO, |position| position.end);
        let done = in_transaction(&self.db, |tx| {
            let mut indexes = Vec::new();
            for old in &old_names {
                if tx.with_connection(|connection| book::exists(connection, old))? {
                    indexes
                        .extend(tx.with_connection(|connection| book::indexes(connection, old))?);
                    tx.change_schema(&format!("DROP TABLE {}", quoted(old)))?;
                }
            }
            tx.change_schema(&format!("ALTER TABLE {} RENAME TO {}", quoted(&side), quoted(&new)))?;
            for index in indexes {
                // One over columns that are gone is of no use any more.
                let _ = tx.change_schema(&index);
            }
            for other in &replaced {
                book::forget_table(tx, *other)?;
            }
            book::write_table(tx, &table)?;
            if let Some(position) = &self.position {
                book::write_position(tx, position, floor)?;
            }
            Ok(())
        });
        done?;
        self.log_floor = floor;
        replaced.iter().for_each(|other| drop(self.tables.remove(other)));
        self.tables.insert(id, table);
        Ok(())
    }

    /// Notes that a table cannot be kept, and drops what there is of it.
    ///
    /// # Errors
    /// A failing file.
    pub fn refuse(
        &mut self,
        name: &crate::table::TableName,
        id: u32,
        reason: String,
    ) -> Result<(), ReplicaError> {
        let mut table =
            self.tables.get(&id).cloned().unwrap_or_else(|| Table::wanted(id, name.clone(), ""));
        let gone = table.known.take().map(|known| known.spec.name());
        table.state = TableState::Refused { reason };
        let names = [Some(side_name(id)), gone];
        in_transaction(&self.db, |tx| {
            for name in names.iter().flatten() {
                tx.change_schema(&format!("DROP TABLE IF EXISTS {}", quoted(name)))?;
            }
            book::write_table(tx, &table)
        })?;
        self.tables.insert(id, table);
        Ok(())
    }

    /// Under which names there may be a table that a copy takes the place of.
    fn names_to_replace(&self, id: u32, new: &str) -> Vec<String> {
        let old = self.tables.get(&id).and_then(|table| table.known.as_ref());
        let mut names: Vec<String> = old.iter().map(|known| known.spec.name()).collect();
        if !names.iter().any(|name| name.eq_ignore_ascii_case(new)) {
            names.push(new.to_owned());
        }
        names
    }

    /// Other tables of the server that had this one's name: they were dropped or renamed, or differ
    /// in case only.
    fn occupants(&self, id: u32, table: &Table) -> Vec<u32> {
        let new = in_replica(table);
        let others = self.tables.values().filter(|other| other.id != id && other.known.is_some());
        others.filter(|other| in_replica(other).eq_ignore_ascii_case(&new)).map(|o| o.id).collect()
    }
}

fn in_replica(table: &Table) -> String {
    table.known.as_ref().map_or_else(|| table.name.in_replica(), |known| known.spec.name())
}
