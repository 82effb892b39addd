//! The codec of pgoutput, over messages of every kind that are made at random.

use penstock_postgres::pgoutput::{
    Begin, Commit, Datum, Delete, Emitted, Insert, Message, OldTuple, Origin, Prepare,
    RelationBody, RelationColumn, RollbackPrepared, StreamAbort, StreamCommit, StreamStart,
    Truncate, TupleBuffer, TypeName, Update, decode,
};
use penstock_postgres::{Identity, Lsn};
use proptest::prelude::*;

/// What messages of any kind are made of.
#[derive(Clone, Debug)]
struct Parts {
    kind: usize,
    in_stream: bool,
    numbers: [u64; 3],
    times: [i64; 2],
    ids: [u32; 3],
    byte: u8,
    flag: bool,
    texts: [String; 3],
    bytes: Vec<u8>,
    identity: Identity,
    columns: Vec<(u8, String, u32, i32)>,
    list: Vec<u32>,
    new: TupleBuffer,
    old: Option<(bool, TupleBuffer)>,
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

fn tuple() -> impl Strategy<Value = TupleBuffer> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let datum = prop_oneof![
        Just((0, Vec::new())),
        Just((1, Vec::new())),
        bytes().prop_map(|bytes| (2, bytes)),
        bytes().prop_map(|bytes| (3, bytes)),
    ];
    prop::collection::vec(datum, 0..6).prop_map(|data| {
        let data = data.iter().map(|(kind, bytes)| match kind {
            0 => Datum::Null,
            1 => Datum::Unchanged,
            2 => Datum::Text(bytes),
            _ => Datum::Binary(bytes),
        });
        TupleBuffer::new(data).expect("a small row")
    })
}

const KINDS: usize = 19;

fn parts() -> impl Strategy<Value = Parts> {
    let identity = prop_oneof![
        Just(Identity::Default),
        Just(Identity::Nothing),
        Just(Identity::Full),
        Just(Identity::Index),
    ];
    let column = (any::<u8>(), text(), any::<u32>(), any::<i32>());
    let first = (
        0..KINDS,
        any::<bool>(),
        any::<[u64; 3]>(),
        any::<[i64; 2]>(),
        any::<[u32; 3]>(),
        any::<u8>(),
        any::<bool>(),
    );
    let second = (
        [text(), text(), text()],
        prop::collection::vec(any::<u8>(), 0..40),
        identity,
        prop::collection::vec(column, 0..5),
        prop::collection::vec(any::<u32>(), 0..5),
        tuple(),
        prop::option::of((any::<bool>(), tuple())),
    );
    (first, second).prop_map(|(first, second)| {
        let (kind, in_stream, numbers, times, ids, byte, flag) = first;
        let (texts, bytes, identity, columns, list, new, old) = second;
        Parts {
            kind,
            in_stream,
            numbers,
            times,
            ids,
            byte,
            flag,
            texts,
            bytes,
            identity,
            columns,
            list,
            new,
            old,
        }
    })
}

impl Parts {
    fn old(&self) -> Option<OldTuple<'_>> {
        self.old.as_ref().map(|(is_key, tuple)| match is_key {
            true => OldTuple::Key(tuple.tuple()),
            false => OldTuple::Full(tuple.tuple()),
        })
    }

    fn prepare(&self, flags: u8) -> Prepare<'_> {
        let [lsn, end_lsn, _] = self.numbers.map(Lsn);
        Prepare { flags, lsn, end_lsn, at: self.times[0], xid: self.ids[0], name: &self.texts[0] }
    }

    fn commit(&self) -> Commit {
        let [commit_lsn, end_lsn, _] = self.numbers.map(Lsn);
        Commit { flags: self.byte, commit_lsn, end_lsn, committed_at: self.times[0] }
    }

    fn message(&self) -> Message<'_> {
        let xid = self.in_stream.then_some(self.ids[2]);
        let [lsn, second_lsn, _] = self.numbers.map(Lsn);
        let ([first, second, _], relation) = (&self.texts, self.ids[0]);
        let new = self.new.tuple();
        match self.kind {
            0 => Message::Begin(Begin {
                final_lsn: lsn,
                committed_at: self.times[0],
                xid: self.ids[0],
            }),
            1 => Message::Emitted(Emitted {
                xid,
                transactional: self.flag,
                lsn,
                prefix: first,
                content: &self.bytes,
            }),
            2 => Message::Commit(self.commit()),
            3 => Message::Origin(Origin { lsn, name: first }),
            4 => {
                let columns = self.columns.iter().map(|(flags, name, type_id, modifier)| {
                    RelationColumn { flags: *flags, name, type_id: *type_id, modifier: *modifier }
                });
                Message::Relation(RelationBody {
                    xid,
                    id: relation,
                    schema: first,
                    name: second,
                    identity: self.identity,
                    columns: columns.collect(),
                })
            }
            5 => Message::Type(TypeName { xid, id: relation, schema: first, name: second }),
            6 => Message::Insert(Insert { xid, relation, new }),
            7 => Message::Update(Update { xid, relation, old: self.old(), new }),
            8 => {
                let old = self.old().unwrap_or(OldTuple::Full(new));
                Message::Delete(Delete { xid, relation, old })
            }
            9 => Message::Truncate(Truncate {
                xid,
                options: self.byte,
                relations: self.list.clone(),
            }),
            10 => Message::StreamStart(StreamStart { xid: self.ids[0], is_first: self.flag }),
            11 => Message::StreamStop,
            12 => Message::StreamCommit(StreamCommit { xid: self.ids[0], commit: self.commit() }),
            13 => Message::StreamAbort(StreamAbort {
                xid: self.ids[0],
                subxid: self.ids[1],
                aborted: self.flag.then_some((lsn, self.times[0])),
            }),
            14 => Message::BeginPrepare(self.prepare(0)),
            15 => Message::Prepare(self.prepare(self.byte)),
            16 => Message::CommitPrepared(self.prepare(self.byte)),
            17 => Message::RollbackPrepared(RollbackPrepared {
                flags: self.byte,
                prepare_end_lsn: lsn,
                rollback_end_lsn: second_lsn,
                prepared_at: self.times[0],
                rolled_back_at: self.times[1],
                xid: self.ids[0],
                name: first,
            }),
            _ => Message::StreamPrepare(self.prepare(self.byte)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_decodes_to_the_same(parts in parts()) {
        let message = parts.message();
        let bytes = message.encode();
        prop_assert_eq!(decode(&bytes, parts.in_stream), Ok(message));
    }

    #[test]
    fn what_ends_too_early_is_an_error(parts in parts(), at in any::<prop::sample::Index>()) {
        let message = parts.message();
        let bytes = message.encode();
        let end = at.index(bytes.len());
        // What servers send that do not stream in parallel.
        let is_abort = matches!(message, Message::StreamAbort(_)) && end == 9;
        let decoded = decode(&bytes[..end], parts.in_stream);
        prop_assert_eq!(decoded.is_ok(), is_abort, "{:?}", decoded);
    }

    #[test]
    fn what_decodes_encodes_to_the_same(parts in parts(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = parts.message().encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = decode(&bytes, parts.in_stream) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), in_stream in any::<bool>()) {
        if let Ok(message) = decode(&bytes, in_stream) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}

#[test]
fn errors_name_the_field_and_its_place() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "at byte 0, kind of the message: the message ends here"),
        (b"Z", "at byte 0, kind of the message: the byte 0x5a is not known here"),
        (b"I\0\0\0\x01X", "at byte 5, kind of the row: the byte 0x58 is not known here"),
        (b"I\0\0\0\x01N\0\x01q", "at byte 8, kind of a value: the byte 0x71"),
        (
            b"I\0\0\0\x01N\0\x01t\xff\xff\xff\xff",
            "at byte 9, length of a value: -1 is not a length",
        ),
        (b"I\0\0\0\x01N\xff\xff", "at byte 6, number of columns: -1 is not a length"),
        (b"E\0", "at byte 1, end: 1 bytes are left over"),
        (b"O\0\0\0\0\0\0\0\0\xff\0", "at byte 9, name: it is not UTF-8"),
        (b"T\x7f\xff\xff\xff\0", "at byte 6, relations: the message ends here"),
    ];
    for (bytes, expected) in cases {
        let error = decode(bytes, false).expect_err("it is no message").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
