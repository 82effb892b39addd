//! A Postgres database as a stream of whole, positioned transactions, and a replica kept by it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`event`] | what the stream gives its consumer: transactions, schema changes |
//! | [`lsn`] | positions in the server's write-ahead log |
//! | [`table`] | tables and columns as the server describes them |

pub mod event;
pub mod lsn;
pub mod table;

pub use event::{Change, SchemaChange, Transaction};
pub use lsn::Lsn;
pub use table::{Column, Identity, Relation, TableName};
