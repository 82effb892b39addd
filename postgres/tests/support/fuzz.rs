//! The bodies of the fuzz targets of this crate.

use std::sync::Arc;

use penstock::{ColumnType, Value};
use penstock_postgres::assemble::{Assembler, PieceLimits};
use penstock_postgres::pgoutput::{Message, OldTuple, Tuple, decode};
use penstock_postgres::types::{Catalogue, Field, Mapping, Shape, TypeRow};
use penstock_postgres::wal2json::LineAssembler;

/// Types that values are tried with, among them those that lie within each other.
const TYPES: [u32; 30] = [
    16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 829, 869, 1007, 1009, 1022, 1082, 1083, 1114, 1184,
    1185, 1186, 1187, 1266, 1562, 1700, 1231, 2950, 3802, COMPOSITE, COMPOSITES,
];
const COMPOSITE: u32 = 20_000;
const COMPOSITES: u32 = 20_001;

fn catalogue() -> Arc<Catalogue> {
    let field = |name: &str, type_id| Field { name: name.to_owned(), type_id };
    let fields = vec![field("n", 23), field("ts", 1009), field("when \"", 1184), field("j", 1186)];
    Arc::new(Catalogue::new([
        TypeRow { oid: COMPOSITE, name: "made".into(), shape: Shape::Composite(fields) },
        TypeRow {
            oid: COMPOSITES,
            name: "made[]".into(),
            shape: Shape::Array { element: COMPOSITE, delimiter: b',' },
        },
    ]))
}

/// Takes any bytes for a message, alone and in the middle of a stream. What decodes must encode to
/// the same bytes. Tells whether it was a message.
pub(crate) fn pgoutput(bytes: &[u8]) -> bool {
    let mut is_message = false;
    for in_stream in [false, true] {
        let Ok(message) = decode(bytes, in_stream) else { continue };
        is_message = true;
        assert_eq!(message.encode(), bytes, "{message:?}");
        for tuple in tuples(&message) {
            assert_eq!(tuple.iter().count(), tuple.len(), "{message:?}");
        }
    }
    // A stream: messages behind their lengths.
    let limits = PieceLimits { changes_max: 3, message_bytes_max: 100 };
    let mut assembler = Assembler::new(catalogue(), limits);
    let (mut rest, mut steps) = (bytes, Vec::new());
    while let Some((length, behind)) = rest.split_first() {
        let length = usize::from(*length).min(behind.len());
        let (message, behind) = behind.split_at(length);
        rest = behind;
        if assembler.push(message, &mut steps).is_err() {
            assembler.reset();
        }
    }
    is_message
}

fn tuples<'a>(message: &Message<'a>) -> Vec<Tuple<'a>> {
    let of_old = |old: &OldTuple<'a>| match *old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple,
    };
    match message {
        Message::Insert(insert) => vec![insert.new],
        Message::Update(update) => update.old.iter().map(of_old).chain([update.new]).collect(),
        Message::Delete(delete) => vec![of_old(&delete.old)],
        _ => Vec::new(),
    }
}

/// Takes any bytes for a value in text and in binary form; the first byte tells of which type. Tells
/// whether it was one in either form.
pub(crate) fn values(bytes: &[u8]) -> bool {
    let Some((first, bytes)) = bytes.split_first() else { return false };
    let catalogue = catalogue();
    let oid = TYPES[usize::from(*first) % TYPES.len()];
    let mapping = catalogue.mapping(oid).expect("all of them are known");
    let text = str::from_utf8(bytes).ok().and_then(|text| mapping.text(text).ok());
    let binary = mapping.binary(bytes).ok();
    for value in text.iter().chain(&binary) {
        check(mapping, oid, value);
    }
    text.is_some() || binary.is_some()
}

/// A value must be one of the column's type, and JSON that is put together here must be JSON.
fn check(mapping: &Mapping, oid: u32, value: &Value) {
    let column_type = mapping.column_type();
    assert!(value.is_null() || column_type.accepts(value.as_ref()), "{oid}: {value:?}");
    if let (Value::Json(json), ColumnType::Json, false) =
        (value, column_type, [114, 3802].contains(&oid))
    {
        let parsed = serde_json::from_str::<serde_json::Value>(json);
        assert!(parsed.is_ok(), "{oid}: {json} is not JSON");
    }
}

/// Takes any text for lines of wal2json. Tells whether the last was one.
pub(crate) fn wal2json(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let mut lines = LineAssembler::new(catalogue(), PieceLimits::default());
    let (mut steps, mut is_line) = (Vec::new(), false);
    for line in text.lines() {
        is_line = lines.push(line, &mut steps).is_ok();
        if !is_line {
            lines.reset();
        }
    }
    is_line
}
