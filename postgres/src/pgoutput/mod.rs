//! The messages of the output plugin pgoutput, protocol versions 1 to 4.
//!
//! A message is what one `CopyData` of a replication stream carries behind its header, or one row of
//! `pg_logical_slot_get_binary_changes`. [`decode()`] reads one, [`Message::encode`] is its inverse:
//! what was decoded encodes to the same bytes. Nothing here does I/O, panics on any input, or
//! allocates more than in proportion to the input; rows are borrowed from it.
//!
//! Numbers are big-endian, `i16` for the number of columns included. A *string* ends with a zero
//! byte and is UTF-8. An *lsn* is 8 bytes; a *time* is 8 bytes of microseconds since 2000-01-01 UTC.
//! Every message begins with a byte that is its kind. Messages marked with * begin, between Stream
//! Start and Stream Stop only, with the `u32` of their (sub)transaction behind that byte.
//!
//! | kind | message | layout behind the kind | since |
//! |---|---|---|---|
//! | `B` | [`Begin`] | final lsn, commit time, `u32` xid | 1 |
//! | `M` | [`Emitted`] * | `u8` flags (1: transactional), lsn, string prefix, `i32` length, bytes | 1 |
//! | `C` | [`Commit`] | `u8` flags, commit lsn, end lsn, commit time | 1 |
//! | `O` | [`Origin`] | lsn of the commit at the origin, string name | 1 |
//! | `R` | [`RelationBody`] * | `u32` id, string schema, string name, `u8` identity, `i16` columns; for each `u8` flags (1: key), string name, `u32` type, `i32` modifier | 1 |
//! | `Y` | [`TypeName`] * | `u32` id, string schema, string name | 1 |
//! | `I` | [`Insert`] * | `u32` relation, `N`, tuple | 1 |
//! | `U` | [`Update`] * | `u32` relation, perhaps `K` or `O` and a tuple, `N`, tuple | 1 |
//! | `D` | [`Delete`] * | `u32` relation, `K` or `O`, tuple | 1 |
//! | `T` | [`Truncate`] * | `i32` relations, `u8` options (1: CASCADE, 2: RESTART IDENTITY), `u32` each | 1 |
//! | `S` | [`StreamStart`] | `u32` xid, `u8` whether it is the first of the transaction | 2 |
//! | `E` | Stream Stop | nothing | 2 |
//! | `c` | [`StreamCommit`] | `u32` xid, then as Commit | 2 |
//! | `A` | [`StreamAbort`] | `u32` xid, `u32` xid of the subtransaction; with `streaming 'parallel'` (4) also lsn and time | 2 |
//! | `b` | [`Prepare`] (Begin Prepare) | prepare lsn, end lsn, prepare time, `u32` xid, string name | 3 |
//! | `P` | [`Prepare`] | `u8` flags, then as Begin Prepare | 3 |
//! | `K` | [`Prepare`] (Commit Prepared) | `u8` flags, commit lsn, end lsn, commit time, `u32` xid, string name | 3 |
//! | `r` | [`RollbackPrepared`] | `u8` flags, end lsn of the prepare, end lsn of the rollback, both times, `u32` xid, string name | 3 |
//! | `p` | [`Prepare`] (Stream Prepare) | `u8` flags, then as Begin Prepare | 3 |
//!
//! A tuple is an `i16` number of columns and for each a byte: `n` null, `u` a large value that did not
//! change and is not sent, `t` text or `b` the binary form, both with an `i32` length and the bytes.

mod decode;
mod encode;
mod message;
mod reader;
mod tuple;

pub use decode::decode;
pub use message::{
    Begin, Commit, Delete, Emitted, Insert, Message, OldTuple, Origin, Prepare, RelationBody,
    RelationColumn, RollbackPrepared, StreamAbort, StreamCommit, StreamStart, Truncate, TypeName,
    Update,
};
pub use reader::{DecodeError, Fault};
pub use tuple::{Datum, Tuple, TupleBuffer, TupleTooLarge};

/// From 1970-01-01, where [`crate::event`] counts from, to 2000-01-01, where messages do.
pub const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;
