//! Recorded streams: their files, and what they say in readable form.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_postgres::assemble::{Assembler, PieceLimits};
use penstock_postgres::event::{Cell, Change, OldRow};
use penstock_postgres::pgoutput::{Message, decode};
use penstock_postgres::types::{Catalogue, TypeRow};
use penstock_postgres::wal2json::LineAssembler;
use penstock_postgres::{Relation, Step};

/// Of more messages of one kind in a row only the first are told.
const ALIKE_MAX: usize = 16;

/// A line longer than this is cut.
const LINE_CHARS_MAX: usize = 600;

/// One recording: the messages that a server made of a case's SQL.
pub(crate) struct Recording {
    /// The name of the case, which is that of its SQL file.
    pub(crate) case: String,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) types: Vec<TypeRow>,
    /// The lines that wal2json made of the same, if it was installed.
    pub(crate) lines: Vec<String>,
}

/// The folder of all recordings, with one folder for each major version.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(digit).collect()
}

/// A row of `types::CATALOGUE_SQL` as a JSON object.
pub(crate) fn type_row(json: &str) -> TypeRow {
    let row: serde_json::Value = serde_json::from_str(json).expect("a JSON object");
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    let number = |name: &str| row[name].as_i64().expect("a number");
    let list = |name: &str| row[name].as_array().expect("a list").clone();
    let names =
        list("field_names").into_iter().map(|name| name.as_str().expect("a text").to_owned());
    let types = list("field_types").into_iter().map(|id| id.as_i64().expect("a number")).collect();
    let (oid, of) = (number("oid"), number("of"));
    TypeRow::new(oid, &text("name"), &text("kind"), of, &text("delimiter"), names.collect(), types)
}

impl Recording {
    /// Reads the files of a case.
    pub(crate) fn read(major: &Path, case: &str) -> Recording {
        let text = |ending: &str| std::fs::read_to_string(major.join(format!("{case}.{ending}")));
        let messages = text("messages").expect("the recorded messages");
        let types = text("types").expect("the recorded types");
        let lines = text("wal2json").unwrap_or_default();
        Recording {
            case: case.to_owned(),
            messages: messages.lines().map(unhex).collect(),
            types: types.lines().map(type_row).collect(),
            lines: lines.lines().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::new(Catalogue::new(self.types.clone()))
    }

    /// Decodes all messages, those within streams with their transaction.
    pub(crate) fn decoded(&self) -> Vec<(bool, Message<'_>)> {
        let mut in_stream = false;
        let mut decoded = Vec::new();
        for bytes in &self.messages {
            let message = decode(bytes, in_stream);
            let message = message.unwrap_or_else(|error| panic!("{}: {error}", self.case));
            decoded.push((in_stream, message.clone()));
            match message {
                Message::StreamStart(_) => in_stream = true,
                Message::StreamStop => in_stream = false,
                _ => {}
            }
        }
        decoded
    }

    /// Whether messages become steps: they are of plain transactions, with values in text form.
    pub(crate) fn has_steps(&self) -> bool {
        ["rows", "types"].contains(&self.case.as_str())
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut assembler = Assembler::new(self.catalogue(), PieceLimits::default());
        let mut steps = Vec::new();
        for message in &self.messages {
            let pushed = assembler.push(message, &mut steps);
            pushed.unwrap_or_else(|error| panic!("{}: {error}", self.case));
        }
        assert!(!assembler.is_in_transaction());
        steps
    }

    /// The steps of wal2json's lines, no table being known before.
    pub(crate) fn line_steps(&self) -> Vec<Step> {
        let mut assembler = LineAssembler::new(self.catalogue(), PieceLimits::default());
        let mut steps = Vec::new();
        for line in &self.lines {
            let pushed = assembler.push(line, &mut steps);
            pushed.unwrap_or_else(|error| panic!("{}: {error}", self.case));
        }
        assert!(!assembler.is_in_transaction());
        steps
    }

    /// What the recording says, for people to read.
    pub(crate) fn readable(&self) -> String {
        let mut text = String::from("messages of pgoutput\n");
        let mut told = Told::default();
        for (_, message) in self.decoded() {
            told.line(&mut text, message.name(), &format!("{message:?}"));
        }
        told.end(&mut text);
        if self.has_steps() {
            text.push_str("\nsteps\n");
            tell_steps(&mut text, &self.steps());
        }
        if !self.lines.is_empty() {
            text.push_str("\nsteps of wal2json\n");
            tell_steps(&mut text, &self.line_steps());
        }
        text
    }
}

/// Tells lines, but not too many of one kind.
#[derive(Default)]
struct Told {
    kind: String,
    alike: usize,
}

impl Told {
    fn line(&mut self, text: &mut String, kind: &str, line: &str) {
        if self.kind != kind {
            self.end(text);
            self.kind = kind.to_owned();
        }
        self.alike += 1;
        if self.alike <= ALIKE_MAX {
            let _ = writeln!(text, "  {}", shortened(line));
        }
    }

    fn end(&mut self, text: &mut String) {
        if self.alike > ALIKE_MAX {
            let _ = writeln!(text, "  … {} more of {}", self.alike - ALIKE_MAX, self.kind);
        }
        self.alike = 0;
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}… ({} characters)", &line[..at], line.chars().count()),
        None => line.to_owned(),
    }
}

fn tell_steps(text: &mut String, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Changes(changes) => {
                let mut told = Told::default();
                for change in changes {
                    let line = change_line(change);
                    told.line(text, line.split(' ').next().unwrap_or(""), &format!("  {line}"));
                }
                told.end(text);
            }
            step => {
                let _ = writeln!(text, "  {}", shortened(&format!("{step:?}")));
            }
        }
    }
}

fn change_line(change: &Change) -> String {
    match change {
        Change::Insert { relation, new } => format!("insert {}: {}", relation.name, cells(new)),
        Change::Update { relation, old: None, new } => {
            format!("update {}: {}", relation.name, cells(new))
        }
        Change::Update { relation, old: Some(old), new } => {
            format!("update {}: {} -> {}", relation.name, old_row(old), cells(new))
        }
        Change::Delete { relation, old } => format!("delete {}: {}", relation.name, old_row(old)),
        Change::Truncate { relations } => {
            let names: Vec<String> = relations.iter().map(|table| table.name.to_string()).collect();
            format!("truncate {}", names.join(", "))
        }
        Change::Schema(change) => {
            let described = |relation: &Option<Arc<Relation>>| match relation {
                Some(relation) => description(relation),
                None => "unknown".to_owned(),
            };
            format!(
                "schema {}: {} -> {}",
                change.table,
                described(&change.before),
                described(&change.after)
            )
        }
        Change::Message(message) => format!("message {message:?}"),
    }
}

fn description(relation: &Relation) -> String {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| {
            let key = if column.key { " key" } else { "" };
            format!("{} {} {}{key}", column.name, column.type_id, column.modifier)
        })
        .collect();
    format!("{} {} {:?} ({})", relation.id, relation.name, relation.identity, columns.join(", "))
}

fn cells(cells: &[Cell]) -> String {
    let cells = cells.iter().map(|cell| match cell {
        Cell::Value(value) => format!("{value:?}"),
        Cell::Unchanged => "unchanged".to_owned(),
    });
    format!("[{}]", cells.collect::<Vec<_>>().join(", "))
}

fn old_row(old: &OldRow) -> String {
    match old {
        OldRow::Key(values) => format!("key {values:?}"),
        OldRow::Full(values) => format!("full {values:?}"),
    }
}
