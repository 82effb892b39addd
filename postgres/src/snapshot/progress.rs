//! How far a copy is.

use std::collections::BTreeMap;

use crate::setup::SourceTable;
use crate::table::TableName;

/// How far a copy is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many tables are to be copied.
    pub tables: usize,
    /// How many are complete.
    pub tables_done: usize,
    /// Each of the tables.
    pub by_table: BTreeMap<TableName, TableProgress>,
}

/// How far the copy of one table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableProgress {
    /// Rows received.
    pub rows: u64,
    /// How many rows there are: what the planner believes, and once they are copied how many it was;
    /// none if the table was never analysed.
    pub rows_estimated: Option<u64>,
    /// Bytes received.
    pub bytes: u64,
    /// How many bytes there are: what the rows take on the server, which is more or less than what it
    /// sends, and once they are copied how many it was.
    pub bytes_estimated: u64,
}

impl Progress {
    /// Of tables of which nothing is copied yet.
    pub(super) fn of(tables: &[SourceTable]) -> Progress {
        let mut progress = Progress { tables: tables.len(), ..Progress::default() };
        tables.iter().for_each(|table| progress.begin(table));
        progress
    }

    /// A table begins, from nothing.
    pub(super) fn begin(&mut self, table: &SourceTable) {
        let (rows_estimated, bytes_estimated) = (table.rows_estimated, table.bytes);
        let fresh = TableProgress { rows_estimated, bytes_estimated, ..TableProgress::default() };
        self.by_table.insert(table.relation.name.clone(), fresh);
    }

    /// Some more of a table is there.
    pub(super) fn add(&mut self, table: &TableName, rows: u64, bytes: u64) {
        if let Some(table) = self.by_table.get_mut(table) {
            table.rows += rows;
            table.bytes += bytes;
        }
    }

    /// A table is complete.
    pub(super) fn end(&mut self, table: &TableName) {
        self.tables_done += 1;
        if let Some(table) = self.by_table.get_mut(table) {
            table.rows_estimated = Some(table.rows);
            table.bytes_estimated = table.bytes;
        }
    }

    /// Rows received so far.
    pub fn rows(&self) -> u64 {
        self.by_table.values().map(|table| table.rows).sum()
    }

    /// About how many rows there are; none unless something is known of every table.
    pub fn rows_estimated(&self) -> Option<u64> {
        self.by_table.values().map(|table| Some(table.rows_estimated?.max(table.rows))).sum()
    }

    /// Bytes received so far.
    pub fn bytes(&self) -> u64 {
        self.by_table.values().map(|table| table.bytes).sum()
    }

    /// About how many bytes there are.
    pub fn bytes_estimated(&self) -> u64 {
        self.by_table.values().map(|table| table.bytes_estimated.max(table.bytes)).sum()
    }

    /// Which share is there, from 0 to 1, by rows where their number is about known, else by bytes.
    pub fn share(&self) -> f64 {
        let (done, all) = match self.rows_estimated() {
            Some(rows) => (self.rows(), rows),
            None => (self.bytes(), self.bytes_estimated()),
        };
        if all == 0 { 0.0 } else { done as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Identity, Relation};

    fn table(name: &str, rows_estimated: Option<u64>, bytes: u64) -> SourceTable {
        let name = TableName::new("public", name);
        SourceTable {
            relation: Relation { id: 1, name, identity: Identity::Default, columns: Vec::new() },
            key: Vec::new(),
            not_null: Vec::new(),
            types: Vec::new(),
            left_out: Vec::new(),
            partitioned: false,
            filter: None,
            rows_estimated,
            bytes,
        }
    }

    #[test]
    fn what_was_estimated_gives_way_to_what_was_found() {
        let (a, b) = (table("a", Some(10), 1000), table("b", Some(30), 3000));
        let (of_a, of_b) = (a.relation.name.clone(), b.relation.name.clone());
        let mut progress = Progress::of(&[a, b]);
        assert_eq!((progress.rows_estimated(), progress.bytes_estimated()), (Some(40), 4000));
        progress.add(&of_a, 5, 400);
        assert_eq!((progress.rows(), progress.bytes(), progress.share()), (5, 400, 0.125));
        // More than was believed.
        progress.add(&of_a, 15, 1200);
        assert_eq!((progress.rows_estimated(), progress.bytes_estimated()), (Some(50), 4600));
        progress.end(&of_a);
        progress.add(&of_b, 4, 100);
        progress.end(&of_b);
        assert_eq!((progress.rows_estimated(), progress.bytes_estimated()), (Some(24), 1700));
        assert_eq!((progress.share(), progress.tables_done), (1.0, 2));
    }

    #[test]
    fn bytes_tell_the_share_where_a_table_was_never_analysed() {
        let (a, b) = (table("a", Some(10), 1000), table("b", None, 3000));
        let name = b.relation.name.clone();
        let mut progress = Progress::of(&[a, b.clone()]);
        progress.add(&name, 7, 1000);
        assert_eq!((progress.rows_estimated(), progress.share()), (None, 0.25));
        // It was altered, and comes again.
        progress.begin(&b);
        assert_eq!((progress.rows(), progress.bytes()), (0, 0));
        assert_eq!(Progress::default().share(), 0.0);
    }
}
