//! Live queries: state a query once, and its result — an ordered, limited tree of rows — is kept
//! exactly equal to a fresh evaluation after every transaction, at a cost that follows what
//! changed.
//!
//! ```
//! use penstock::{ColumnType::*, Database, Desc, Query, Related, Schema, Table, col, row};
//!
//! let schema = Schema::new([
//!     Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
//!     Table::new("issue")
//!         .column("id", Integer)
//!         .column("title", Text)
//!         .column("open", Boolean)
//!         .column("modified", Integer)
//!         .column("ownerId", Integer)
//!         .primary_key(["id"])
//!         .one("owner", "user", ["ownerId"], ["id"]),
//! ])?;
//! let db = Database::in_memory(schema)?;
//! db.transaction(|tx| {
//!     tx.insert("user", row! { id: 1, name: "Ada" })?;
//!     tx.insert("issue", row! { id: 7, title: "leak", open: true, modified: 10, ownerId: 1 })
//! })?;
//!
//! let mut issues = db.subscribe(
//!     Query::table("issue")
//!         .filter(col("open").eq(true))
//!         .order_by("modified", Desc)
//!         .related("owner", Related::one("user").on("ownerId", "id"))
//!         .limit(100),
//! )?;
//! for issue in issues.rows() {
//!     let owner = issue.one("owner")?;
//!     assert_eq!(owner.and_then(|owner| owner.get("name")?.as_str().map(str::to_owned)), Some("Ada".into()));
//! }
//!
//! db.transaction(|tx| tx.update("issue", row! { id: 7, open: false }))?;
//! for patch in issues.changes() {
//!     println!("{patch}"); // - id: 7, title: "leak", …
//! }
//! # Ok::<(), penstock::Error>(())
//! ```
//!
//! Where to look: [`Database`] opens and writes; [`Query`] and the functions in
//! [`query`] state what to keep; [`Subscription`] is a live result, [`Tree`] and [`Patch`] what it
//! hands out. The dataflow itself is in the crate `penstock_operators`, re-exported as
//! [`operators`].

#[cfg(test)]
extern crate self as penstock;

mod budget;
mod database;
mod de;
mod engine;
mod error;
mod explain;
mod feed;
mod following;
pub mod json;
mod memory_usage;
mod notice;
mod patch;
pub mod query;
mod row_input;
mod schema_change;
mod shared;
pub mod source;
mod sql;
#[cfg(feature = "stream")]
mod stream;
mod subscription;
#[cfg(feature = "tool")]
pub mod tool;
mod transaction;
mod tree;

pub use penstock_operators as operators;
pub use penstock_operators::row::Row;
pub use penstock_operators::schema::{Schema, SchemaError, Table, TableId, TableSchema};
pub use penstock_operators::source::{ApplyError, Source, SourceError, TableRule};
pub use penstock_operators::value::{ColumnType, Value, ValueRef};

pub use budget::Budget;
pub use database::{Database, DatabaseBuilder, MAX_PENDING_BYTES, MAX_PENDING_PATCHES};
pub use error::Error;
pub use explain::Explain;
pub use following::Following;
pub use memory_usage::MemoryUsage;
pub use patch::{Change, Changes, Patch, Path, RowChanges, Step};
pub use query::{
    Asc, Desc, Direction, Params, Query, QueryError, Related, and, col, exists, exists_where, not,
    not_exists, not_exists_where, or, param,
};
pub use row_input::RowInput;
pub use source::MemorySource;
#[cfg(feature = "sqlite")]
pub use source::{Attached, SqliteOptions, SqliteSource};
pub use sql::{SqlParam, SqlParams};
pub use subscription::Subscription;
pub use transaction::Transaction;
pub use tree::{Entries, Entry, RowView, Tree};

/// The examples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
