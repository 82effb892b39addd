//! A Postgres database as a stream of whole, positioned transactions, and a replica kept by it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`assemble`] | messages of pgoutput to steps of the stream |
//! | [`connect`] | where the server is and who asks |
//! | [`event`] | what the stream gives its consumer: transactions, schema changes |
//! | [`follow`] | a database that is followed: set up, copied, kept by its stream |
//! | [`lsn`] | positions in the server's write-ahead log |
//! | [`pgoutput`] | the messages of the output plugin pgoutput, decoded and encoded |
//! | [`setup`] | what must be there on the server: checked, made, taken away |
//! | [`replica`] | the database in an SQLite file, kept transaction by transaction |
//! | [`snapshot`] | the initial copy, and copies of single tables later on |
//! | [`stream`] | the changes of a server, from a position on, for as long as it lasts |
//! | [`table`] | tables and columns as the server describes them |
//! | [`types`] | what becomes of the values of each Postgres type |
//! | [`wal2json`] | lines of wal2json to the same steps |

pub mod assemble;
pub mod connect;
mod described;
pub mod event;
pub mod follow;
pub mod lsn;
pub mod pgoutput;
mod pieces;
pub mod replica;
mod schema_report;
pub mod setup;
pub mod snapshot;
pub mod stream;
pub mod table;
pub mod types;
pub mod wal2json;

pub use event::{Change, Header, SchemaChange, Step, Transaction};
pub use lsn::Lsn;
pub use table::{Column, Identity, Relation, TableName};
