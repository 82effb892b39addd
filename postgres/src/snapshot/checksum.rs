//! Sums of tables, to compare a replica with its server.

use std::collections::BTreeMap;

use penstock::Value;

use super::{CopyError, CopySink, Mark, SinkError, copy_tables};
use crate::connect::Config;
use crate::setup::{Setup, SourceTable};
use crate::stream::Resume;
use crate::table::TableName;

/// The sum of a table's rows, whatever their order. Tables with equal sums have, for all practical
/// purposes, equal rows. It is of values as a replica holds them, so both sides are summed up by
/// this library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// How many rows.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

impl Checksum {
    /// Adds a row. Costs time in proportion to its bytes.
    pub fn add(&mut self, row: &[Value]) {
        let mut hash = Hash::default();
        for value in row {
            hash.value(value);
        }
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash.0);
    }
}

/// FNV-1a of 128 bits: simple, and the same everywhere.
struct Hash(u128);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Hash {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.part(0, &[]),
            Value::Bool(truth) => self.part(1, &[u8::from(*truth)]),
            Value::Int(number) => self.part(2, &number.to_be_bytes()),
            // Negative zero equals zero.
            Value::Float(number) => self.part(3, &(number + 0.0).to_bits().to_be_bytes()),
            Value::Text(text) => self.part(4, text.as_bytes()),
            Value::Blob(bytes) => self.part(5, bytes),
            Value::Json(text) => self.part(6, text.as_bytes()),
        }
    }

    fn part(&mut self, kind: u8, bytes: &[u8]) {
        self.byte(kind);
        for byte in (bytes.len() as u64).to_be_bytes().iter().chain(bytes) {
            self.byte(*byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.0 =
            (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
}

/// Reads tables on the server as they are now and sums them up, each with the mark of the snapshot:
/// a replica can be compared when it has everything that the mark holds and nothing else. Costs as
/// much as a copy. Not to be called from within a runtime.
///
/// # Errors
///
/// The server's.
pub fn checksums(
    config: &Config,
    setup: &Setup,
    tables: Vec<SourceTable>,
    connections: usize,
) -> Result<BTreeMap<TableName, (Checksum, Mark)>, CopyError> {
    let mut summing = Summing::default();
    copy_tables(config, setup, tables, connections, &mut summing)?;
    Ok(summing.complete)
}

#[derive(Default)]
struct Summing {
    open: BTreeMap<TableName, Checksum>,
    complete: BTreeMap<TableName, (Checksum, Mark)>,
}

impl CopySink for Summing {
    fn slot_made(&mut self, _: &Resume) -> Result<(), SinkError> {
        Ok(())
    }

    fn begin(&mut self, table: &SourceTable) -> Result<(), SinkError> {
        self.open.insert(table.relation.name.clone(), Checksum::default());
        Ok(())
    }

    fn rows(&mut self, table: &TableName, rows: Vec<Vec<Value>>) -> Result<(), SinkError> {
        let sum = self.open.get_mut(table).ok_or("rows of a table that did not begin")?;
        rows.iter().for_each(|row| sum.add(row));
        Ok(())
    }

    fn end(&mut self, table: &SourceTable, mark: &Mark) -> Result<(), SinkError> {
        let name = &table.relation.name;
        let sum = self.open.remove(name).ok_or("the end of a table that did not begin")?;
        self.complete.insert(name.clone(), (sum, mark.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Value]]) -> Checksum {
        let mut sum = Checksum::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let text = |text: &str| Value::Text(text.into());
        let (a, b) = (&[Value::Int(1), text("x")][..], &[Value::Int(2), Value::Null][..]);
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        assert_ne!(sum(&[a]), sum(&[a, a]));
        assert_ne!(sum(&[&[text("ab"), text("c")]]), sum(&[&[text("a"), text("bc")]]));
        assert_ne!(sum(&[&[text("1")]]), sum(&[&[Value::Int(1)]]));
        assert_ne!(sum(&[&[Value::Null]]), sum(&[&[text("")]]));
        assert_eq!(sum(&[&[Value::Float(-0.0)]]), sum(&[&[Value::Float(0.0)]]));
    }
}
