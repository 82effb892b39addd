//! Sums by which a table of the replica is compared with the server's.
//!
//! A sum does not depend on the order of the rows, so neither side has to sort. It is made of the
//! values as the replica keeps them; whatever reads the server maps its values the same way. Sums
//! are compared within one process only: how rows are hashed is not fixed between versions.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use penstock::{Value, ValueRef};

use super::error::ReplicaError;
use super::value::from_stored;
use super::{Replica, in_transaction};

/// The number of rows of a table, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// How many rows there are.
    pub rows: u64,
    sum: u128,
}

/// The number and, in hexadecimal digits, the sum.
impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows, {:032x}", self.rows, self.sum)
    }
}

impl Checksum {
    /// Takes in a row: values in the order of the table's columns.
    pub fn add(&mut self, row: &[Value]) {
        let mut halves = [DefaultHasher::new(), DefaultHasher::new()];
        for (seed, half) in halves.iter_mut().enumerate() {
            seed.hash(half);
            row.iter().for_each(|value| hash(value.as_ref(), half));
        }
        let [upper, lower] = halves.map(|half| u128::from(half.finish()));
        self.rows += 1;
        self.sum = self.sum.wrapping_add(upper << 64 | lower);
    }

    /// Takes in the rows of another part of the same table.
    pub fn merge(&mut self, other: &Checksum) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The sum of rows.
pub fn checksum_rows<'r>(rows: impl IntoIterator<Item = &'r [Value]>) -> Checksum {
    let mut sum = Checksum::default();
    rows.into_iter().for_each(|row| sum.add(row));
    sum
}

/// Hashes what SQLite stores for a value: it makes no difference between 1, 1.0 and true where the
/// declared types do not.
fn hash(value: ValueRef<'_>, into: &mut DefaultHasher) {
    match value {
        ValueRef::Null => 0_u8.hash(into),
        ValueRef::Bool(value) => (1_u8, i64::from(value)).hash(into),
        ValueRef::Int(value) => (1_u8, value).hash(into),
        ValueRef::Float(value) if value.is_nan() => 0_u8.hash(into),
        ValueRef::Float(value) if value as i64 as f64 == value && value.abs() < 9e18 => {
            (1_u8, value as i64).hash(into);
        }
        ValueRef::Float(value) => (2_u8, value.to_bits()).hash(into),
        ValueRef::Text(text) | ValueRef::Json(text) => (3_u8, text).hash(into),
        ValueRef::Blob(bytes) => (4_u8, bytes).hash(into),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[Vec<Value>]) -> Checksum {
        checksum_rows(rows.iter().map(Vec::as_slice))
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let row = |id: i64, text: &str| vec![Value::Int(id), Value::from(text)];
        let both = sum(&[row(1, "a"), row(2, "b")]);
        assert_eq!(both, sum(&[row(2, "b"), row(1, "a")]));
        for other in [
            vec![row(1, "a")],
            vec![row(1, "b"), row(2, "a")],
            vec![row(1, "a"), row(2, "b"), row(2, "b")],
            vec![vec![Value::from("a"), Value::Int(1)], row(2, "b")],
        ] {
            assert_ne!(both, sum(&other));
        }
    }

    #[test]
    fn what_sqlite_stores_alike_is_alike() {
        let alike = [
            (Value::Bool(true), Value::Int(1)),
            (Value::Float(2.0), Value::Int(2)),
            (Value::Float(-0.0), Value::Float(0.0)),
            (Value::Json("[1]".into()), Value::from("[1]")),
        ];
        for (a, b) in alike {
            assert_eq!(sum(&[vec![a]]), sum(&[vec![b]]));
        }
        assert_ne!(sum(&[vec![Value::Null]]), sum(&[vec![Value::Int(0)]]));
        assert_ne!(sum(&[vec![Value::Float(0.5)]]), sum(&[vec![Value::Int(0)]]));
    }
}
