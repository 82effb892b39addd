//! Running conformance cases: a small database, a query, transactions, and the result before the
//! first transaction and after each.
//!
//! Results are computed from a case's inputs alone; its expectations are only looked at
//! afterwards. `cases` reads files, `run` computes results, `compare` holds them against what is
//! expected, `command` is the command line.

pub(crate) mod cases;
pub(crate) mod command;
pub(crate) mod compare;
pub(crate) mod datasets;
pub(crate) mod run;
#[path = "../sqlite_tables.rs"]
pub(crate) mod sqlite_tables;
