//! Tests of the sources: one file for each thing that is promised.

mod indexes;
mod load;
mod model;
mod scans;
mod transactions;

#[cfg(feature = "sqlite")]
#[path = "../../../examples/support/sqlite_tables.rs"]
mod sqlite_tables;
