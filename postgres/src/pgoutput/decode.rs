//! Bytes to messages.

use super::message::{
    Begin, Commit, Delete, Emitted, Insert, Message, OldTuple, Origin, Prepare, RelationBody,
    RelationColumn, RollbackPrepared, StreamAbort, StreamCommit, StreamStart, Truncate, TypeName,
    Update,
};
use super::reader::{DecodeError, Fault, Reader};
use super::tuple::Tuple;
use crate::table::Identity;

/// The least that a column of a relation takes.
const COLUMN_BYTES_MIN: usize = 10;

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads a whole message. `in_stream` says whether it stands between a Stream Start and its Stream
/// Stop, where messages name their transaction. Costs time in proportion to the bytes, and copies
/// no values.
pub fn decode(bytes: &[u8], in_stream: bool) -> Result<Message<'_>> {
    let mut reader = Reader::new(bytes);
    let message = message(&mut reader, in_stream)?;
    reader.end()?;
    Ok(message)
}

fn message<'a>(reader: &mut Reader<'a>, in_stream: bool) -> Result<Message<'a>> {
    let known = b"BMCORYIUDTSEcAbPKrp";
    let kind = reader.tag("kind of the message", |byte| known.contains(&byte).then_some(byte))?;
    let xid = |reader: &mut Reader<'a>| match in_stream {
        true => reader.u32("transaction").map(Some),
        false => Ok(None),
    };
    Ok(match kind {
        b'B' => Message::Begin(begin(reader)?),
        b'M' => Message::Emitted(emitted(xid(reader)?, reader)?),
        b'C' => Message::Commit(commit(reader)?),
        b'O' => Message::Origin(Origin { lsn: reader.lsn("lsn")?, name: reader.string("name")? }),
        b'R' => Message::Relation(relation(xid(reader)?, reader)?),
        b'Y' => Message::Type(TypeName {
            xid: xid(reader)?,
            id: reader.u32("type")?,
            schema: reader.string("schema")?,
            name: reader.string("name")?,
        }),
        b'I' => {
            let (xid, relation) = (xid(reader)?, reader.u32("relation")?);
            Message::Insert(Insert { xid, relation, new: new_tuple(reader)? })
        }
        b'U' => Message::Update(update(xid(reader)?, reader)?),
        b'D' => {
            let (xid, relation) = (xid(reader)?, reader.u32("relation")?);
            Message::Delete(Delete { xid, relation, old: old_tuple(reader)? })
        }
        b'T' => Message::Truncate(truncate(xid(reader)?, reader)?),
        b'S' => Message::StreamStart(StreamStart {
            xid: reader.u32("transaction")?,
            is_first: reader.flag("first segment")?,
        }),
        b'E' => Message::StreamStop,
        b'c' => Message::StreamCommit(StreamCommit {
            xid: reader.u32("transaction")?,
            commit: commit(reader)?,
        }),
        b'A' => Message::StreamAbort(stream_abort(reader)?),
        b'b' => Message::BeginPrepare(prepare(0, reader)?),
        b'P' => Message::Prepare(prepare(reader.u8("flags")?, reader)?),
        b'K' => Message::CommitPrepared(prepare(reader.u8("flags")?, reader)?),
        b'r' => Message::RollbackPrepared(rollback_prepared(reader)?),
        _ => Message::StreamPrepare(prepare(reader.u8("flags")?, reader)?),
    })
}

fn begin(reader: &mut Reader<'_>) -> Result<Begin> {
    Ok(Begin {
        final_lsn: reader.lsn("final lsn")?,
        committed_at: reader.time("commit time")?,
        xid: reader.u32("transaction")?,
    })
}

fn emitted<'a>(xid: Option<u32>, reader: &mut Reader<'a>) -> Result<Emitted<'a>> {
    let transactional = reader.flag("flags")?;
    let (lsn, prefix) = (reader.lsn("lsn")?, reader.string("prefix")?);
    let length = reader.count("length of the content")?;
    let content = reader.take(length, "content")?;
    Ok(Emitted { xid, transactional, lsn, prefix, content })
}

fn commit(reader: &mut Reader<'_>) -> Result<Commit> {
    Ok(Commit {
        flags: reader.u8("flags")?,
        commit_lsn: reader.lsn("commit lsn")?,
        end_lsn: reader.lsn("end lsn")?,
        committed_at: reader.time("commit time")?,
    })
}

fn relation<'a>(xid: Option<u32>, reader: &mut Reader<'a>) -> Result<RelationBody<'a>> {
    let id = reader.u32("relation")?;
    let (schema, name) = (reader.string("schema")?, reader.string("name")?);
    let identity = reader.tag("replica identity", Identity::of_letter)?;
    let count = usize::from(reader.short_count("number of columns")?);
    let mut columns = Vec::with_capacity(count.min(reader.rest().len() / COLUMN_BYTES_MIN));
    for _ in 0..count {
        columns.push(RelationColumn {
            flags: reader.u8("flags of a column")?,
            name: reader.string("name of a column")?,
            type_id: reader.u32("type of a column")?,
            modifier: reader.i32("type modifier of a column")?,
        });
    }
    Ok(RelationBody { xid, id, schema, name, identity, columns })
}

fn new_tuple<'a>(reader: &mut Reader<'a>) -> Result<Tuple<'a>> {
    reader.tag("kind of the row", |byte| (byte == b'N').then_some(()))?;
    Tuple::read(reader)
}

fn old_tuple<'a>(reader: &mut Reader<'a>) -> Result<OldTuple<'a>> {
    let is_key = reader.tag("kind of the row", |byte| match byte {
        b'K' => Some(true),
        b'O' => Some(false),
        _ => None,
    })?;
    let tuple = Tuple::read(reader)?;
    Ok(if is_key { OldTuple::Key(tuple) } else { OldTuple::Full(tuple) })
}

fn update<'a>(xid: Option<u32>, reader: &mut Reader<'a>) -> Result<Update<'a>> {
    let relation = reader.u32("relation")?;
    let old = match reader.rest().first() {
        Some(b'N') => None,
        _ => Some(old_tuple(reader)?),
    };
    Ok(Update { xid, relation, old, new: new_tuple(reader)? })
}

fn truncate(xid: Option<u32>, reader: &mut Reader<'_>) -> Result<Truncate> {
    let count = reader.count("number of relations")?;
    let options = reader.u8("options")?;
    if reader.rest().len() / 4 < count {
        return Err(reader.error("relations", Fault::Ends));
    }
    let relations = (0..count).map(|_| reader.u32("relation")).collect::<Result<_>>()?;
    Ok(Truncate { xid, options, relations })
}

fn stream_abort(reader: &mut Reader<'_>) -> Result<StreamAbort> {
    let (xid, subxid) = (reader.u32("transaction")?, reader.u32("subtransaction")?);
    let aborted = match reader.rest() {
        [] => None,
        _ => Some((reader.lsn("abort lsn")?, reader.time("abort time")?)),
    };
    Ok(StreamAbort { xid, subxid, aborted })
}

fn prepare<'a>(flags: u8, reader: &mut Reader<'a>) -> Result<Prepare<'a>> {
    Ok(Prepare {
        flags,
        lsn: reader.lsn("lsn")?,
        end_lsn: reader.lsn("end lsn")?,
        at: reader.time("time")?,
        xid: reader.u32("transaction")?,
        name: reader.string("name")?,
    })
}

fn rollback_prepared<'a>(reader: &mut Reader<'a>) -> Result<RollbackPrepared<'a>> {
    Ok(RollbackPrepared {
        flags: reader.u8("flags")?,
        prepare_end_lsn: reader.lsn("end lsn of the prepared transaction")?,
        rollback_end_lsn: reader.lsn("end lsn of the rollback")?,
        prepared_at: reader.time("time of the prepared transaction")?,
        rolled_back_at: reader.time("time of the rollback")?,
        xid: reader.u32("transaction")?,
        name: reader.string("name")?,
    })
}
