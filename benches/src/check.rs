//! The checksum of a result, by which engines in any language are compared.

use std::fmt;

use penstock::{Entry, Tree, ValueRef};

/// The number of entries of results and the FNV-1a hash (32 bits) of their ids, each followed by
/// byte 10, depth first: an entry before its children, the children relationship by relationship.
/// Displayed as `<rows>:<hash>`.
///
/// Of rows with computed columns, [`Check::computed`] takes instead of the id the columns that
/// matter, as decimal numbers or text with `|` between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    rows: u64,
    hash: u32,
}

impl Default for Check {
    fn default() -> Self {
        Check { rows: 0, hash: 0x811c_9dc5 }
    }
}

impl Check {
    /// Adds an entry by its id.
    pub fn entry(&mut self, id: &str) {
        self.rows += 1;
        for byte in id.bytes().chain([10]) {
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Adds a result with all its related rows, in the order in which the query names them.
    pub fn tree(&mut self, tree: &Tree) {
        for entry in tree {
            self.node(&entry);
        }
    }

    /// Adds a flat result by the values of some columns.
    pub fn computed(&mut self, tree: &Tree, columns: &[&str]) {
        for entry in tree {
            let text = |column: &&str| entry.get(column).map(text).unwrap_or_default();
            self.entry(&columns.iter().map(text).collect::<Vec<_>>().join("|"));
        }
    }

    fn node(&mut self, entry: &Entry) {
        self.entry(entry.get("id").and_then(ValueRef::as_str).unwrap_or(""));
        for name in entry.relationships() {
            if let Some(related) = entry.related(name) {
                self.tree(&related);
            }
        }
    }

    /// The number of entries.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

/// Text and integers as they are read; nothing else is checked.
fn text(value: ValueRef<'_>) -> String {
    match value.as_i64() {
        Some(number) => number.to_string(),
        None => value.as_str().unwrap_or_default().to_owned(),
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:08x}", self.rows, self.hash)
    }
}
