//! How messages become steps: pieces, descriptions, types that come later, and what does not belong.

use std::sync::Arc;

use penstock::Value;
use penstock_postgres::assemble::{AssembleError, Assembler, PieceLimits};
use penstock_postgres::event::{Cell, Change, Step};
use penstock_postgres::pgoutput::{
    Begin, Commit, Datum, Insert, Message, RelationBody, RelationColumn, StreamStart, Truncate,
    TupleBuffer,
};
use penstock_postgres::types::{Catalogue, Shape, TypeRow};
use penstock_postgres::wal2json::LineAssembler;
use penstock_postgres::{Column, Identity, Lsn, Relation, TableName};

const INTEGER: u32 = 23;
const ENUM: u32 = 20_000;

fn assembler(limits: PieceLimits) -> Assembler {
    Assembler::new(Arc::new(Catalogue::default()), limits)
}

fn begin(position: u64) -> Vec<u8> {
    let begin = Begin { final_lsn: Lsn(position), committed_at: 0, xid: 7 };
    Message::Begin(begin).encode()
}

fn commit(position: u64) -> Vec<u8> {
    let (commit_lsn, end_lsn) = (Lsn(position), Lsn(position + 1));
    Message::Commit(Commit { flags: 0, commit_lsn, end_lsn, committed_at: 0 }).encode()
}

fn described(id: u32, name: &str, columns: &[(&str, u32)]) -> Vec<u8> {
    let columns = columns.iter().map(|(name, type_id)| RelationColumn {
        flags: u8::from(*name == "id"),
        name,
        type_id: *type_id,
        modifier: -1,
    });
    Message::Relation(RelationBody {
        xid: None,
        id,
        schema: "public",
        name,
        identity: Identity::Default,
        columns: columns.collect(),
    })
    .encode()
}

fn insert(relation: u32, values: &[&str]) -> Vec<u8> {
    let data = values.iter().map(|value| Datum::Text(value.as_bytes()));
    let row = TupleBuffer::new(data).expect("a small row");
    Message::Insert(Insert { xid: None, relation, new: row.tuple() }).encode()
}

fn push(assembler: &mut Assembler, messages: &[Vec<u8>]) -> Result<Vec<Step>, AssembleError> {
    let mut steps = Vec::new();
    for message in messages {
        assembler.push(message, &mut steps)?;
    }
    Ok(steps)
}

/// One word per step; of changes how many, of a change of the schema what it is called before.
fn told(steps: &[Step]) -> Vec<String> {
    let of_change = |change: &Change| match change {
        Change::Schema(change) => {
            let before = change.before.as_ref();
            let before = before.map_or("nothing".to_owned(), |table| table.name.table.clone());
            format!("{before} becomes {}", change.table.table)
        }
        Change::Insert { .. } => "insert".to_owned(),
        other => format!("{other:?}"),
    };
    let of_step = |step: &Step| match step {
        Step::Begin(header) => format!("begin {}", header.commit),
        Step::Changes(changes) => changes.iter().map(of_change).collect::<Vec<_>>().join(", "),
        Step::Commit { end } => format!("commit {end}"),
        Step::Message(message) => format!("message {}", message.prefix),
    };
    steps.iter().map(of_step).collect()
}

#[test]
fn a_large_transaction_comes_in_pieces() {
    let limits = PieceLimits { changes_max: 100, message_bytes_max: 1 << 20 };
    let mut assembler = assembler(limits);
    push(&mut assembler, &[begin(1), described(1, "t", &[("id", INTEGER)])]).expect("messages");
    let (mut inserted, mut pieces) = (0, 0);
    for row in 0..10_050 {
        let steps = push(&mut assembler, &[insert(1, &[&row.to_string()])]).expect("a row");
        for step in steps {
            if let Step::Changes(changes) = step {
                assert!(changes.len() <= 100);
                inserted += changes.len();
                pieces += 1;
            }
        }
    }
    let rest = push(&mut assembler, &[commit(1)]).expect("the end");
    let [Step::Changes(last), Step::Commit { end: Lsn(2) }] = rest.as_slice() else {
        panic!("{rest:?}");
    };
    // The first change is the description.
    assert_eq!((inserted + last.len(), pieces), (10_051, 100));
}

#[test]
fn a_piece_ends_by_its_bytes_too() {
    let limits = PieceLimits { changes_max: 100, message_bytes_max: 1000 };
    let mut assembler = assembler(limits);
    push(&mut assembler, &[begin(1), described(1, "t", &[("t", 25)])]).expect("messages");
    let value = "x".repeat(600);
    let rows = vec![insert(1, &[&value]); 5];
    let steps = push(&mut assembler, &rows).expect("rows");
    assert_eq!(told(&steps), ["begin 0/1", "nothing becomes t, insert, insert", "insert, insert"]);
}

#[test]
fn a_description_is_told_before_the_next_row_and_only_if_it_is_news() {
    let mut assembler = assembler(PieceLimits::default());
    let (narrow, wide): (&[_], &[_]) = (&[("id", INTEGER)], &[("id", INTEGER), ("n", INTEGER)]);
    let steps = push(
        &mut assembler,
        &[
            begin(1),
            described(1, "t", narrow),
            described(2, "part", narrow),
            insert(1, &["1"]),
            described(1, "t", wide),
            described(1, "t", narrow),
            insert(1, &["2"]),
            described(1, "u", wide),
            insert(1, &["3", "3"]),
            commit(1),
        ],
    );
    let steps = steps.expect("messages");
    let changes = "nothing becomes t, insert, insert, t becomes u, insert";
    assert_eq!(told(&steps), ["begin 0/1", changes, "commit 0/2"]);
}

#[test]
fn a_table_that_is_known_is_no_news() {
    let column = Column { name: "id".into(), key: true, type_id: INTEGER, modifier: -1 };
    let relation = Relation {
        id: 1,
        name: TableName::new("public", "t"),
        identity: Identity::Default,
        columns: vec![column],
    };
    let mut assembler = assembler(PieceLimits::default());
    assembler.know(relation).expect("known types");
    let columns: &[_] = &[("id", INTEGER)];
    let messages = [begin(1), described(1, "t", columns), insert(1, &["1"]), commit(1)];
    let steps = push(&mut assembler, &messages).expect("messages");
    assert_eq!(told(&steps), ["begin 0/1", "insert", "commit 0/2"]);
    // Made anew under the same name.
    let messages = [begin(3), described(2, "t", columns), insert(2, &["1"]), commit(3)];
    let steps = push(&mut assembler, &messages).expect("messages");
    assert_eq!(told(&steps), ["begin 0/3", "t becomes t, insert", "commit 0/4"]);
}

#[test]
fn what_was_told_in_a_transaction_that_broke_off_is_told_again() {
    let limits = PieceLimits { changes_max: 1, ..PieceLimits::default() };
    let mut assembler = assembler(limits);
    let first = [begin(1), described(1, "t", &[("id", INTEGER)]), insert(1, &["1"])];
    let steps = push(&mut assembler, &first).expect("messages");
    assert_eq!(told(&steps), ["begin 0/1", "nothing becomes t"]);
    assembler.reset();
    assert!(!assembler.is_in_transaction());
    let steps = push(&mut assembler, &[first.as_slice(), &[commit(1)]].concat());
    let expected = ["begin 0/1", "nothing becomes t", "insert", "commit 0/2"];
    assert_eq!(told(&steps.expect("messages")), expected);
    let steps = push(&mut assembler, &[first.as_slice(), &[commit(1)]].concat());
    assert_eq!(told(&steps.expect("messages")), ["begin 0/1", "insert", "commit 0/2"]);
}

#[test]
fn a_type_that_is_unknown_is_named_and_may_be_learnt() {
    let mut assembler = assembler(PieceLimits::default());
    push(&mut assembler, &[begin(1)]).expect("a beginning");
    let table = described(1, "t", &[("id", INTEGER), ("mood", ENUM)]);
    let error = push(&mut assembler, std::slice::from_ref(&table)).expect_err("an unknown type");
    let text = error.to_string();
    assert!(text.contains("column \"mood\" of table public.t"), "{text}");
    assert!(text.contains("SELECT 20000::regtype"), "{text}");
    let row = TypeRow { oid: ENUM, name: "mood".into(), shape: Shape::Enum };
    assembler.set_catalogue(Arc::new(Catalogue::new([row])));
    let steps = push(&mut assembler, &[table, insert(1, &["1", "ok"]), commit(1)]);
    let steps = steps.expect("messages");
    assert_eq!(told(&steps), ["begin 0/1", "nothing becomes t, insert", "commit 0/2"]);
}

#[test]
fn values_that_cannot_be_read_are_named_and_those_without_counterpart_are_counted() {
    let mut assembler = assembler(PieceLimits::default());
    let table = described(1, "t", &[("id", INTEGER), ("f", 701)]);
    push(&mut assembler, &[begin(1), table]).expect("messages");
    let error = push(&mut assembler, &[insert(1, &["x", "1"])]).expect_err("x is no integer");
    assert!(error.to_string().contains("column \"id\" of table public.t"), "{error}");
    let error = push(&mut assembler, &[insert(1, &["1"])]).expect_err("a column is missing");
    assert_eq!(error.to_string(), "a row of table public.t has 1 columns instead of 2");
    assert_eq!(assembler.lost_values(), 0);
    let steps = push(&mut assembler, &[insert(1, &["1", "NaN"]), commit(1)]).expect("a row");
    let Step::Changes(changes) = &steps[1] else { panic!("{steps:?}") };
    let Change::Insert { new, .. } = &changes[1] else { panic!("{changes:?}") };
    assert_eq!(*new, [Cell::Value(Value::Int(1)), Cell::Value(Value::Null)]);
    assert_eq!(assembler.lost_values(), 1);
}

#[test]
fn what_does_not_belong_is_refused() {
    let mut assembler = assembler(PieceLimits::default());
    let truncate = Truncate { xid: None, options: 0, relations: vec![9] };
    let cases = [
        (vec![commit(1)], "the message Commit does not belong here"),
        (vec![insert(1, &["1"])], "the message Insert does not belong here"),
        (vec![described(1, "t", &[])], "the message Relation does not belong here"),
        (vec![begin(1), begin(2)], "the message Begin does not belong here"),
        (vec![begin(1), insert(8, &["1"])], "the table with the object id 8 is changed"),
        (vec![begin(1), Message::Truncate(truncate).encode()], "the table with the object id 9"),
        (
            vec![Message::StreamStart(StreamStart { xid: 1, is_first: true }).encode()],
            "the message Stream Start does not belong here",
        ),
        (vec![begin(1), vec![b'?']], "cannot be read at byte 0, kind of the message"),
    ];
    for (messages, expected) in cases {
        assembler.reset();
        let error = push(&mut assembler, &messages).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn lines_of_wal2json_show_dropped_columns_and_large_values() {
    let mut lines = LineAssembler::new(Arc::new(Catalogue::default()), PieceLimits::default());
    let column = |name: &str, type_id| Column {
        name: name.into(),
        key: name == "id",
        type_id,
        modifier: -1,
    };
    let known = Relation {
        id: 5,
        name: TableName::new("public", "t"),
        identity: Identity::Default,
        columns: vec![column("id", INTEGER), column("n", INTEGER), column("body", 25)],
    };
    lines.know(known).expect("known types");
    lines.leave_out(TableName::new("public", "t"), ["g".to_owned()].into());
    let of_table = r#""schema":"public","table":"t""#;
    let id = |value: u32| format!(r#"{{"name":"id","typeoid":23,"value":{value}}}"#);
    let (one, generated) = (id(1), r#"{"name":"g","typeoid":23,"value":2}"#);
    let texts = [
        r#"{"action":"B","xid":7,"timestamp":"2000-01-01 01:00:00+01","lsn":"0/1","nextlsn":"0/2"}"#
            .to_owned(),
        format!(
            r#"{{"action":"U",{of_table},"columns":[{one},{generated},{{"name":"n","typeoid":23,"value":4}}],"identity":[{one}],"pk":[{{"name":"id","typeoid":23}}]}}"#
        ),
        format!(
            r#"{{"action":"U",{of_table},"columns":[{one}],"identity":[{}],"pk":[{{"name":"id","typeoid":23}}]}}"#,
            id(2)
        ),
        r#"{"action":"C","xid":7,"lsn":"0/1","nextlsn":"0/2"}"#.to_owned(),
    ];
    let mut steps = Vec::new();
    for text in &texts {
        lines.push(text, &mut steps).expect("a line");
    }
    let [Step::Begin(header), Step::Changes(changes), Step::Commit { end: Lsn(2) }] =
        steps.as_slice()
    else {
        panic!("{steps:?}");
    };
    assert_eq!((header.commit, header.committed_at), (Lsn(1), 946_684_800_000_000));
    let [Change::Update { old: None, new, .. }, Change::Schema(schema), last] = changes.as_slice()
    else {
        panic!("{changes:?}");
    };
    let [first, second] = [1, 4].map(|value| Cell::Value(Value::Int(value)));
    assert_eq!(*new, [first.clone(), second, Cell::Unchanged]);
    let after = schema.after.as_ref().expect("the table is still there");
    let names: Vec<&str> = after.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, after.id), (vec!["id", "body"], 5));
    let Change::Update { old: Some(_), new, .. } = last else { panic!("{last:?}") };
    assert_eq!(*new, [first, Cell::Unchanged]);
}
