//! Changes of rows.

use penstock::{Transaction, Value};

use super::apply::{Run, describe_key};
use super::error::ReplicaError;
use super::log::{self, Entry};
use super::spec::quoted;
use super::table::Known;
use super::value::{Bound, from_stored};
use crate::event::{Cell, OldRow};

/// From so many rows on a table is emptied at once, and live results are read again.
const TRUNCATED_FOLLOWED_MAX: i64 = 10_000;

/// What was expected of a row and not found; `None` where all is well.
type Problem = Option<String>;

impl Run<'_> {
    pub(super) fn insert(
        &mut self,
        tx: &mut Transaction<'_>,
        known: &Known,
        version: i64,
        new: &[Cell],
    ) -> Result<Problem, ReplicaError> {
        let Some(values) = values(new) else {
            return Ok(Some("a new row came without a value of every column".to_owned()));
        };
        if let Some(problem) = misfit(known, values.len()) {
            return Ok(Some(problem));
        }
        let key: Vec<Value> = known.spec.key.iter().map(|at| values[*at].clone()).collect();
        if let Some(problem) = null_key(known, &key) {
            return Ok(Some(problem));
        }
        let logged = self.logs.then(|| values.clone());
        if tx.execute(&known.insert, values)? == 1 {
            if let Some(values) = logged {
                self.log(tx, known, version, "insert", None, Some(&values))?;
            }
            return Ok(None);
        }
        Ok(Some(format!("the row {} was inserted, and is there", describe_key(known, &key))))
    }

    pub(super) fn update(
        &mut self,
        tx: &mut Transaction<'_>,
        known: &Known,
        version: i64,
        old: Option<&OldRow>,
        new: &[Cell],
    ) -> Result<Problem, ReplicaError> {
        if let Some(problem) = misfit(known, new.len()) {
            return Ok(Some(problem));
        }
        let spec = &known.spec;
        let old_values = old.map(|(OldRow::Key(values) | OldRow::Full(values))| values);
        let old_key = |at: &usize| match (old_values.and_then(|old| old.get(*at)), &new[*at]) {
            (Some(value), _) | (None, Cell::Value(value)) => value.clone(),
            (None, Cell::Unchanged) => Value::Null,
        };
        let key: Vec<Value> = spec.key.iter().map(old_key).collect();
        if let Some(problem) = null_key(known, &key) {
            return Ok(Some(problem));
        }
        let moved = spec.key.iter().zip(&key).any(|(at, old)| match &new[*at] {
            Cell::Value(value) => value != old,
            Cell::Unchanged => false,
        });
        if self.logs {
            let Some(before) = read(tx, known, &key)? else { return Ok(missing(known, &key)) };
            let after: Vec<Value> = new
                .iter()
                .zip(&before)
                .map(|(cell, before)| match cell {
                    Cell::Value(value) => value.clone(),
                    Cell::Unchanged => before.clone(),
                })
                .collect();
            self.log(tx, known, version, "update", Some(&before), Some(&after))?;
        }
        let whole = !moved && known.updated.iter().all(|at| matches!(new[*at], Cell::Value(_)));
        if whole {
            if known.updated.is_empty() {
                return Ok(None);
            }
            let set = known.updated.iter().filter_map(|at| value(&new[*at]));
            let values: Vec<Value> = set.chain(key.iter().cloned()).collect();
            return found(known, &key, tx.execute(&known.update, values)?);
        }
        let changed =
            |at: &usize| matches!(new[*at], Cell::Value(_)) && (moved || !spec.key.contains(at));
        let columns: Vec<usize> = (0..new.len()).filter(changed).collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let set = columns.iter().filter_map(|at| value(&new[*at]));
        let values: Vec<Value> = set.chain(key.iter().cloned()).collect();
        found(known, &key, tx.execute(&spec.update(&columns, moved), values)?)
    }

    pub(super) fn delete(
        &mut self,
        tx: &mut Transaction<'_>,
        known: &Known,
        version: i64,
        old: &OldRow,
    ) -> Result<Problem, ReplicaError> {
        let (OldRow::Key(values) | OldRow::Full(values)) = old;
        if let Some(problem) = misfit(known, values.len()) {
            return Ok(Some(problem));
        }
        let key: Vec<Value> = known.spec.key.iter().map(|at| values[*at].clone()).collect();
        if self.logs {
            let Some(before) = read(tx, known, &key)? else { return Ok(missing(known, &key)) };
            self.log(tx, known, version, "delete", Some(&before), None)?;
        }
        let deleted = tx.execute(&known.delete, key.iter().cloned())?;
        found(known, &key, deleted)
    }

    /// Empties a table. Returns whether that was done at once, so that the transaction is no longer
    /// followed row by row.
    pub(super) fn truncate(
        &mut self,
        tx: &mut Transaction<'_>,
        known: &Known,
        version: i64,
    ) -> Result<bool, ReplicaError> {
        if self.logs {
            self.log(tx, known, version, "truncate", None, None)?;
        }
        let table = quoted(&known.spec.name());
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?1)");
        let rows: i64 = tx.with_connection(|connection| {
            connection.query_row(&count, [TRUNCATED_FOLLOWED_MAX], |row| row.get(0))
        })?;
        self.changes += rows.unsigned_abs();
        let statement = format!("DELETE FROM {table}");
        if rows < TRUNCATED_FOLLOWED_MAX {
            tx.execute_batch(&statement)?;
            return Ok(false);
        }
        tx.change_schema(&statement)?;
        Ok(true)
    }

    fn log(
        &mut self,
        tx: &mut Transaction<'_>,
        known: &Known,
        schema_version: i64,
        operation: &'static str,
        old: Option<&[Value]>,
        new: Option<&[Value]>,
    ) -> Result<(), ReplicaError> {
        let (spec, seq) = (&known.spec, self.logged);
        self.logged += 1;
        let header = &self.header;
        log::keep(tx, &Entry { header, seq, spec, schema_version, operation, old, new })
    }
}

fn value(cell: &Cell) -> Option<Value> {
    match cell {
        Cell::Value(value) => Some(value.clone()),
        Cell::Unchanged => None,
    }
}

/// The values of a row that has all of them.
fn values(cells: &[Cell]) -> Option<Vec<Value>> {
    cells.iter().map(value).collect()
}

fn misfit(known: &Known, found: usize) -> Problem {
    let width = known.spec.relation.columns.len();
    (found != width).then(|| format!("a row came with {found} columns and not {width}"))
}

/// Comparisons with null find nothing, and the replica's keys have none.
fn null_key(known: &Known, key: &[Value]) -> Problem {
    let null = key.iter().any(Value::is_null);
    null.then(|| format!("a row has a null in its key: {}", describe_key(known, key)))
}

fn missing(known: &Known, key: &[Value]) -> Problem {
    Some(format!("the row {} was changed, and is not there", describe_key(known, key)))
}

/// Checks that a statement has met one row.
fn found(known: &Known, key: &[Value], rows: usize) -> Result<Problem, ReplicaError> {
    Ok(if rows == 1 { None } else { missing(known, key) })
}

/// A row as it is, by its key.
fn read(
    tx: &mut Transaction<'_>,
    known: &Known,
    key: &[Value],
) -> Result<Option<Vec<Value>>, ReplicaError> {
    let (select, declared) = (known.spec.select(), &known.spec.declared);
    Ok(tx.with_connection(|connection| {
        let mut statement = connection.prepare_cached(&select)?;
        let mut rows = statement.query(rusqlite::params_from_iter(key.iter().map(Bound)))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let values = declared.iter().enumerate();
        let values = values.map(|(at, declared)| Ok(from_stored(row.get_ref(at)?, declared)));
        values.collect::<rusqlite::Result<Vec<Value>>>().map(Some)
    })?)
}
