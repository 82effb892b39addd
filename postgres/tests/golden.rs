//! Recorded streams of real servers, 14 to 18: what they say is what stands beside them.
//! `examples/record_golden.rs` tells how they are made.

#[path = "support/golden.rs"]
mod golden;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use golden::Recording;
use penstock::Value;
use penstock_postgres::event::{Cell, Change};
use penstock_postgres::pgoutput::{Datum, Fault, Message, Tuple, decode};
use penstock_postgres::types::Catalogue;
use penstock_postgres::{Relation, Step};

const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];

fn majors() -> Vec<(u32, PathBuf)> {
    MAJORS.map(|major| (major, golden::folder().join(major.to_string()))).into()
}

fn recordings() -> Vec<(u32, PathBuf, Recording)> {
    let mut recordings = Vec::new();
    for (major, folder) in majors() {
        let entries = std::fs::read_dir(&folder).expect("a folder for each major version");
        let mut cases: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".messages").map(str::to_owned))
            .collect();
        cases.sort();
        assert!(cases.len() >= 4, "{major} has the cases {cases:?}");
        for case in cases {
            recordings.push((major, folder.clone(), Recording::read(&folder, &case)));
        }
    }
    recordings
}

#[test]
fn recordings_say_what_stands_beside_them() {
    for (major, folder, recording) in recordings() {
        let path = folder.join(format!("{}.txt", recording.case));
        let expected = std::fs::read_to_string(&path).expect("the readable form");
        let found = recording.readable();
        for (at, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{major} {}, line {}", recording.case, at + 1);
        }
        assert_eq!(found, expected, "{major} {}", recording.case);
    }
}

#[test]
fn encoding_what_was_decoded_gives_the_same_bytes() {
    let mut kinds = BTreeSet::new();
    for (major, _, recording) in recordings() {
        for ((_, message), bytes) in recording.decoded().iter().zip(&recording.messages) {
            kinds.insert(message.name());
            assert_eq!(&message.encode(), bytes, "{major} {}: {message:?}", recording.case);
        }
    }
    assert_eq!(kinds.len(), 19, "{kinds:?}");
}

#[test]
fn a_message_that_ends_too_early_is_an_error() {
    for (major, _, recording) in recordings() {
        for (in_stream, message) in recording.decoded().iter().step_by(7) {
            let bytes = message.encode();
            for end in 0..bytes.len() {
                // What servers up to 15 send, and others without parallel streaming.
                if matches!(message, Message::StreamAbort(_)) && end == 9 {
                    continue;
                }
                let error = decode(&bytes[..end], *in_stream).expect_err("its end is missing");
                assert_eq!(error.fault, Fault::Ends, "{major}: {message:?} up to {end}");
                assert!(error.offset <= end);
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert!(decode(&longer, *in_stream).is_err(), "{major}: {message:?} and a byte");
        }
    }
}

/// Names and types of columns.
type Columns = Vec<(String, u32)>;

/// The rows that were inserted, each with the name and the columns of its table.
fn inserted(recording: &Recording) -> Vec<(String, Columns, Tuple<'_>)> {
    let (mut tables, mut rows) = (BTreeMap::new(), Vec::new());
    for (_, message) in recording.decoded() {
        match message {
            Message::Relation(relation) => {
                let columns = relation.columns.iter();
                let columns = columns.map(|column| (column.name.to_owned(), column.type_id));
                tables
                    .insert(relation.id, (relation.name.to_owned(), columns.collect::<Columns>()));
            }
            Message::Insert(insert) => {
                let (name, columns) = tables[&insert.relation].clone();
                rows.push((name, columns, insert.new));
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn text_and_binary_forms_give_the_same_values() {
    for (major, folder) in majors() {
        let text = Recording::read(&folder, "types");
        let binary = Recording::read(&folder, "types_binary");
        let (text_types, binary_types) = (text.catalogue(), binary.catalogue());
        let (texts, binaries) = (inserted(&text), inserted(&binary));
        assert_eq!(texts.len(), binaries.len());
        let mut compared = BTreeSet::new();
        for ((table, columns, texts), (_, binary_columns, binaries)) in texts.iter().zip(&binaries)
        {
            let both = texts.iter().zip(binaries.iter()).zip(columns.iter().zip(binary_columns));
            for ((text, binary), ((column, text_type), (_, binary_type))) in both {
                let mapping = text_types.mapping(*text_type).expect("a known type");
                let binary_mapping = binary_types.mapping(*binary_type).expect("a known type");
                let read = |datum: Datum<'_>| match datum {
                    Datum::Null => Some(Value::Null),
                    Datum::Text(bytes) => {
                        let text = str::from_utf8(bytes).expect("UTF-8");
                        Some(mapping.text(text).expect("a value"))
                    }
                    Datum::Binary(_) if mapping.copy_as_text() => None,
                    Datum::Binary(bytes) => Some(binary_mapping.binary(bytes).expect("a value")),
                    Datum::Unchanged => panic!("a new row has all values"),
                };
                if let Some(value) = read(binary) {
                    // Compared as they print: 0 and -0 are equal, and an integer and a double.
                    let (text, value) = (format!("{:?}", read(text)), format!("{:?}", Some(value)));
                    assert_eq!(text, value, "{major}: {table}.{column}");
                    compared.insert((table.clone(), column.clone()));
                }
            }
        }
        assert!(compared.len() >= 45, "{major}: {compared:?}");
    }
}

/// What was written, by name of table and column, without what only one plugin tells.
fn written(steps: &[Step]) -> Vec<(String, BTreeMap<String, String>)> {
    let mut written = Vec::new();
    let mut add = |kind: &str, relation: &Relation, cells: &[Cell]| {
        let named = relation.columns.iter().zip(cells).filter(|(column, _)| column.name != "g");
        let named = named.map(|(column, cell)| (column.name.clone(), format!("{cell:?}")));
        if !relation.name.table.starts_with("parted") {
            written.push((format!("{kind} {}", relation.name), named.collect()));
        }
    };
    for step in steps {
        let Step::Changes(changes) = step else { continue };
        for change in changes {
            match change {
                Change::Insert { relation, new } => add("insert", relation, new),
                Change::Update { relation, new, .. } => add("update", relation, new),
                Change::Delete { relation, .. } => add("delete", relation, &[]),
                _ => {}
            }
        }
    }
    written
}

#[test]
fn wal2json_tells_the_same_as_pgoutput() {
    let folder = golden::folder().join("15");
    for (case, rows_min) in [("rows", 25), ("types", 30)] {
        let recording = Recording::read(&folder, case);
        let (of_messages, of_lines) =
            (written(&recording.steps()), written(&recording.line_steps()));
        assert!(of_messages.len() >= rows_min, "{case}: {}", of_messages.len());
        assert_eq!(of_messages.len(), of_lines.len(), "{case}");
        for ((kind, message), (line_kind, line)) in of_messages.iter().zip(&of_lines) {
            assert_eq!(kind, line_kind, "{case}");
            for (column, value) in message {
                let is_lost = kind.ends_with(".numbers") && value.contains("inf");
                let expected = if is_lost { "Value(Null)" } else { value };
                assert_eq!(line.get(column).map(String::as_str), Some(expected), "{kind} {column}");
            }
        }
    }
}

#[test]
fn built_in_types_are_those_of_the_servers() {
    let known = Catalogue::default();
    let mut unknown_arrays = BTreeSet::new();
    for (major, folder) in majors() {
        let text = std::fs::read_to_string(folder.join("builtin.types")).expect("recorded types");
        let mut seen = 0;
        for line in text.lines() {
            let [oid, name, kind, element, delimiter] = line.split(' ').collect::<Vec<_>>()[..]
            else {
                panic!("{line}")
            };
            let oid = oid.parse().expect("an object id");
            let Ok(mapping) = known.mapping(oid) else {
                if kind == "a" {
                    unknown_arrays.insert(name.to_owned());
                }
                continue;
            };
            seen += 1;
            if kind == "a" {
                let element = known.mapping(element.parse().expect("an object id"));
                let element = element.expect("of a known array the elements are known");
                assert_eq!(mapping.type_name(), format!("{}[]", element.type_name()), "{major}");
                assert_eq!(delimiter, if element.type_name() == "box" { ";" } else { "," });
            } else {
                assert_eq!(mapping.type_name(), name, "{major}: {oid}");
            }
        }
        assert!(seen > 140, "{major} has {seen} of the built-in types");
    }
    // Nobody makes such columns; if they do, the catalogue is read with these types in it.
    let expected = ["_cstring", "_pg_attribute", "_pg_class", "_pg_proc", "_pg_type"];
    assert_eq!(unknown_arrays, expected.map(str::to_owned).into());
}
