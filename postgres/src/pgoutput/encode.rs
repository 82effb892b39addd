//! Messages to bytes.

use super::message::{Commit, Message, OldTuple, Prepare, RelationBody};
use crate::lsn::Lsn;

impl Message<'_> {
    /// The bytes of the message, which [`decode`](super::decode()) reads as the same message, with
    /// `in_stream` where the message names its transaction. A relation's columns and an emitted
    /// message's content are taken to fit the protocol's lengths, which those received do; what is
    /// beyond them is not written.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        match self {
            Message::Begin(begin) => {
                out.u8(b'B').lsn(begin.final_lsn).time(begin.committed_at).u32(begin.xid);
            }
            Message::Emitted(emitted) => {
                let length = emitted.content.len().min(i32::MAX as usize);
                let out = out.u8(b'M').xid(emitted.xid).u8(emitted.transactional.into());
                out.lsn(emitted.lsn).string(emitted.prefix).u32(length as u32);
                out.0.extend(&emitted.content[..length]);
            }
            Message::Commit(commit) => {
                out.u8(b'C').commit(commit);
            }
            Message::Origin(origin) => {
                out.u8(b'O').lsn(origin.lsn).string(origin.name);
            }
            Message::Relation(relation) => {
                out.u8(b'R').relation(relation);
            }
            Message::Type(name) => {
                out.u8(b'Y').xid(name.xid).u32(name.id).string(name.schema).string(name.name);
            }
            Message::Insert(insert) => {
                out.u8(b'I').xid(insert.xid).u32(insert.relation).u8(b'N');
                insert.new.write(&mut out.0);
            }
            Message::Update(update) => {
                out.u8(b'U').xid(update.xid).u32(update.relation);
                if let Some(old) = update.old {
                    out.old(old);
                }
                out.u8(b'N');
                update.new.write(&mut out.0);
            }
            Message::Delete(delete) => {
                out.u8(b'D').xid(delete.xid).u32(delete.relation).old(delete.old);
            }
            Message::Truncate(truncate) => {
                let count = truncate.relations.len().min(i32::MAX as usize);
                out.u8(b'T').xid(truncate.xid).u32(count as u32).u8(truncate.options);
                for relation in &truncate.relations[..count] {
                    out.u32(*relation);
                }
            }
            Message::StreamStart(start) => {
                out.u8(b'S').u32(start.xid).u8(start.is_first.into());
            }
            Message::StreamStop => {
                out.u8(b'E');
            }
            Message::StreamCommit(stream) => {
                out.u8(b'c').u32(stream.xid).commit(&stream.commit);
            }
            Message::StreamAbort(abort) => {
                out.u8(b'A').u32(abort.xid).u32(abort.subxid);
                if let Some((lsn, at)) = abort.aborted {
                    out.lsn(lsn).time(at);
                }
            }
            Message::BeginPrepare(prepare) => {
                out.u8(b'b').prepare(prepare);
            }
            Message::Prepare(prepare) => {
                out.u8(b'P').u8(prepare.flags).prepare(prepare);
            }
            Message::CommitPrepared(prepare) => {
                out.u8(b'K').u8(prepare.flags).prepare(prepare);
            }
            Message::RollbackPrepared(rollback) => {
                let out = out.u8(b'r').u8(rollback.flags);
                out.lsn(rollback.prepare_end_lsn).lsn(rollback.rollback_end_lsn);
                out.time(rollback.prepared_at).time(rollback.rolled_back_at);
                out.u32(rollback.xid).string(rollback.name);
            }
            Message::StreamPrepare(prepare) => {
                out.u8(b'p').u8(prepare.flags).prepare(prepare);
            }
        }
        out.0
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) -> &mut Writer {
        self.0.push(value);
        self
    }

    fn u32(&mut self, value: u32) -> &mut Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn xid(&mut self, xid: Option<u32>) -> &mut Writer {
        match xid {
            Some(xid) => self.u32(xid),
            None => self,
        }
    }

    fn lsn(&mut self, lsn: Lsn) -> &mut Writer {
        self.0.extend(lsn.0.to_be_bytes());
        self
    }

    fn time(&mut self, time: i64) -> &mut Writer {
        self.0.extend(time.to_be_bytes());
        self
    }

    fn string(&mut self, text: &str) -> &mut Writer {
        self.0.extend(text.as_bytes());
        self.u8(0)
    }

    fn commit(&mut self, commit: &Commit) -> &mut Writer {
        self.u8(commit.flags).lsn(commit.commit_lsn).lsn(commit.end_lsn).time(commit.committed_at)
    }

    fn prepare(&mut self, prepare: &Prepare<'_>) -> &mut Writer {
        self.lsn(prepare.lsn).lsn(prepare.end_lsn).time(prepare.at);
        self.u32(prepare.xid).string(prepare.name)
    }

    fn old(&mut self, old: OldTuple<'_>) {
        let (kind, tuple) = match old {
            OldTuple::Key(tuple) => (b'K', tuple),
            OldTuple::Full(tuple) => (b'O', tuple),
        };
        self.u8(kind);
        tuple.write(&mut self.0);
    }

    fn relation(&mut self, relation: &RelationBody<'_>) -> &mut Writer {
        self.xid(relation.xid).u32(relation.id).string(relation.schema).string(relation.name);
        self.u8(relation.identity.letter());
        let count = relation.columns.len().min(i16::MAX as usize);
        self.0.extend((count as u16).to_be_bytes());
        for column in &relation.columns[..count] {
            self.u8(column.flags).string(column.name).u32(column.type_id);
            self.0.extend(column.modifier.to_be_bytes());
        }
        self
    }
}
