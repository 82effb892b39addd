//! What messages say.

use super::Tuple;
use crate::lsn::Lsn;
use crate::table::Identity;

/// One message. Times are microseconds since 2000-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// `B`: the changes of a committed transaction follow.
    Begin(Begin),
    /// `M`: somebody called `pg_logical_emit_message`.
    Emitted(Emitted<'a>),
    /// `C`: a transaction is complete.
    Commit(Commit),
    /// `O`: the transaction came from elsewhere; follows its Begin.
    Origin(Origin<'a>),
    /// `R`: what a table looks like; comes before its first change and after each of its changes.
    Relation(RelationBody<'a>),
    /// `Y`: the name of a type that is not built in; comes before the relation that has it.
    Type(TypeName<'a>),
    /// `I`: a row was inserted.
    Insert(Insert<'a>),
    /// `U`: a row was updated.
    Update(Update<'a>),
    /// `D`: a row was deleted.
    Delete(Delete<'a>),
    /// `T`: tables were emptied.
    Truncate(Truncate),
    /// `S`: changes of a transaction in progress follow.
    StreamStart(StreamStart),
    /// `E`: they end, for now.
    StreamStop,
    /// `c`: a transaction that was streamed is complete.
    StreamCommit(StreamCommit),
    /// `A`: a transaction that was streamed, or a part of it, is rolled back.
    StreamAbort(StreamAbort),
    /// `b`: the changes of a prepared transaction follow.
    BeginPrepare(Prepare<'a>),
    /// `P`: a transaction is prepared.
    Prepare(Prepare<'a>),
    /// `K`: a prepared transaction is committed; its positions and time are those of the commit.
    CommitPrepared(Prepare<'a>),
    /// `r`: a prepared transaction is rolled back.
    RollbackPrepared(RollbackPrepared<'a>),
    /// `p`: a transaction that was streamed is prepared.
    StreamPrepare(Prepare<'a>),
}

/// `B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The position of the transaction's commit record.
    pub final_lsn: Lsn,
    /// When it was committed.
    pub committed_at: i64,
    /// The transaction id.
    pub xid: u32,
}

/// `M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emitted<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// Whether it is a part of the transaction, and so gone if that is rolled back.
    pub transactional: bool,
    /// The position of the message.
    pub lsn: Lsn,
    /// Says whom it is for.
    pub prefix: &'a str,
    /// What it says.
    pub content: &'a [u8],
}

/// `C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// None are known; 0.
    pub flags: u8,
    /// The position of the commit record.
    pub commit_lsn: Lsn,
    /// The position behind it.
    pub end_lsn: Lsn,
    /// When it was committed.
    pub committed_at: i64,
}

/// `O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The position of the commit at the origin.
    pub lsn: Lsn,
    /// The name of the origin.
    pub name: &'a str,
}

/// `R`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationBody<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// The object id of the table.
    pub id: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The table.
    pub name: &'a str,
    /// What is sent of old rows.
    pub identity: Identity,
    /// The published columns.
    pub columns: Vec<RelationColumn<'a>>,
}

/// A column of `R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// 1: a part of the replica identity.
    pub flags: u8,
    /// The name.
    pub name: &'a str,
    /// The object id of the type.
    pub type_id: u32,
    /// The type's modifier, or -1.
    pub modifier: i32,
}

/// `Y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeName<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// The object id of the type.
    pub id: u32,
    /// The schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The type. For a domain, this may be its base type.
    pub name: &'a str,
}

/// `I`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// The table, which a Relation described before.
    pub relation: u32,
    /// The row.
    pub new: Tuple<'a>,
}

/// `U`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// The table.
    pub relation: u32,
    /// The old row: there if the replica identity is full, or changed.
    pub old: Option<OldTuple<'a>>,
    /// The new row.
    pub new: Tuple<'a>,
}

/// `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// The table.
    pub relation: u32,
    /// The row.
    pub old: OldTuple<'a>,
}

/// An old row. Either form has all columns of the relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldTuple<'a> {
    /// `K`: columns outside of the replica identity are null.
    Key(Tuple<'a>),
    /// `O`: the whole row.
    Full(Tuple<'a>),
}

/// `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncate {
    /// The (sub)transaction, within a stream of one in progress.
    pub xid: Option<u32>,
    /// 1: CASCADE, 2: RESTART IDENTITY.
    pub options: u8,
    /// The tables.
    pub relations: Vec<u32>,
}

/// `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// The transaction.
    pub xid: u32,
    /// Whether nothing of it was streamed before.
    pub is_first: bool,
}

/// `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCommit {
    /// The transaction.
    pub xid: u32,
    /// The rest.
    pub commit: Commit,
}

/// `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamAbort {
    /// The transaction.
    pub xid: u32,
    /// The part that is rolled back; the transaction itself for all of it.
    pub subxid: u32,
    /// The position and time of the abort, with `streaming 'parallel'`.
    pub aborted: Option<(Lsn, i64)>,
}

/// `b`, `P`, `K` and `p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepare<'a> {
    /// None are known; 0. Not in Begin Prepare.
    pub flags: u8,
    /// The position of the record.
    pub lsn: Lsn,
    /// The position behind the transaction.
    pub end_lsn: Lsn,
    /// When.
    pub at: i64,
    /// The transaction id.
    pub xid: u32,
    /// The name that the user gave the transaction.
    pub name: &'a str,
}

/// `r`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackPrepared<'a> {
    /// None are known; 0.
    pub flags: u8,
    /// The position behind the prepared transaction.
    pub prepare_end_lsn: Lsn,
    /// The position behind the rollback.
    pub rollback_end_lsn: Lsn,
    /// When it was prepared.
    pub prepared_at: i64,
    /// When it was rolled back.
    pub rolled_back_at: i64,
    /// The transaction id.
    pub xid: u32,
    /// The name that the user gave the transaction.
    pub name: &'a str,
}

impl Message<'_> {
    /// What the documentation of Postgres calls the message.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Begin(_) => "Begin",
            Message::Emitted(_) => "Message",
            Message::Commit(_) => "Commit",
            Message::Origin(_) => "Origin",
            Message::Relation(_) => "Relation",
            Message::Type(_) => "Type",
            Message::Insert(_) => "Insert",
            Message::Update(_) => "Update",
            Message::Delete(_) => "Delete",
            Message::Truncate(_) => "Truncate",
            Message::StreamStart(_) => "Stream Start",
            Message::StreamStop => "Stream Stop",
            Message::StreamCommit(_) => "Stream Commit",
            Message::StreamAbort(_) => "Stream Abort",
            Message::BeginPrepare(_) => "Begin Prepare",
            Message::Prepare(_) => "Prepare",
            Message::CommitPrepared(_) => "Commit Prepared",
            Message::RollbackPrepared(_) => "Rollback Prepared",
            Message::StreamPrepare(_) => "Stream Prepare",
        }
    }
}
