//! What the stream gives its consumer.

use std::sync::Arc;

use penstock::Value;

use crate::lsn::Lsn;
use crate::table::{Relation, TableName};

/// One piece of the stream. A transaction is a [`Step::Begin`], any number of [`Step::Changes`] and
/// a [`Step::Commit`], so that one of a million rows needs no more memory than one of a thousand.
/// Transactions do not overlap; they come in the order in which they were committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A transaction begins.
    Begin(Header),
    /// Some of its changes, in the order in which they were made; never none.
    Changes(Vec<Change>),
    /// It is complete.
    Commit {
        /// The position behind the transaction: what is acknowledged once it is durable.
        end: Lsn,
    },
    /// A message that belongs to no transaction. Only between transactions.
    Message(Message),
}

/// What is known of a transaction before its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The position of the commit record: what tells transactions apart.
    pub commit: Lsn,
    /// The server's transaction id.
    pub xid: u32,
    /// When it was committed, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at: i64,
    /// The replication origin that it came from, for transactions replayed from elsewhere.
    pub origin: Option<String>,
}

/// What somebody wrote into the log with `pg_logical_emit_message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The position of the message.
    pub lsn: Lsn,
    /// Says whom it is for.
    pub prefix: String,
    /// What it says.
    pub content: Vec<u8>,
}

/// One committed transaction, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// The position of the commit record: what tells transactions apart.
    pub commit: Lsn,
    /// The position behind the transaction: what is acknowledged once it is durable.
    pub end: Lsn,
    /// The server's transaction id.
    pub xid: u32,
    /// When it was committed, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at: i64,
    /// The replication origin that it came from, for transactions replayed from elsewhere.
    pub origin: Option<String>,
    /// Its changes, in the order in which they were made.
    pub changes: Vec<Change>,
}

impl Transaction {
    /// A whole transaction out of its pieces.
    pub fn new(header: Header, end: Lsn, changes: Vec<Change>) -> Transaction {
        let Header { commit, xid, committed_at, origin } = header;
        Transaction { commit, end, xid, committed_at, origin, changes }
    }
}

/// One change of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new row.
    Insert {
        /// The table, as it was described last.
        relation: Arc<Relation>,
        /// Values in the order of the relation's columns.
        new: Vec<Cell>,
    },
    /// A new version of a row.
    Update {
        /// The table.
        relation: Arc<Relation>,
        /// The old row, if its identity was changed or all of it is sent.
        old: Option<OldRow>,
        /// Values in the order of the relation's columns.
        new: Vec<Cell>,
    },
    /// A row is gone.
    Delete {
        /// The table.
        relation: Arc<Relation>,
        /// What was sent of it.
        old: OldRow,
    },
    /// All rows of these tables are gone.
    Truncate {
        /// The tables.
        relations: Vec<Arc<Relation>>,
    },
    /// A table looks different from here on.
    Schema(SchemaChange),
    /// A message that was written as a part of the transaction.
    Message(Message),
}

/// A value of a new row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// This value (perhaps null).
    Value(Value),
    /// What it was: a large value that the update did not touch, which the server does not send.
    Unchanged,
}

/// What is known of an old row.
#[derive(Clone, Debug, PartialEq)]
pub enum OldRow {
    /// The columns of the replica identity; others are null.
    Key(Vec<Value>),
    /// All columns.
    Full(Vec<Value>),
}

/// A change of a table's description, at its place among the changes of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaChange {
    /// The position of the transaction in which it was noticed.
    pub lsn: Lsn,
    /// The table as it was, if it was known.
    pub before: Option<Arc<Relation>>,
    /// The table as it is, unless it was dropped.
    pub after: Option<Arc<Relation>>,
    /// Its name, now or last.
    pub table: TableName,
}
