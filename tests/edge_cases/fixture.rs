//! Tables, writes and results as text.
//!
//! Tables, one per line: `n(id num, v num?!, s text) unique(s) = (1,10,x) (2,∅,'y z')`. The first
//! column is the primary key unless `key(…)` follows; `?` takes null; a column with `!` is shown
//! in results. Types are `num`, `text` and `bool`.
//!
//! Writes, separated by `;`: `+n(9,5,x)` inserts a row, `-n(9)` deletes the row of a key,
//! `~n(9) v=6, id=8` changes columns of one. Texts may be bare words or quoted, with `\n`.
//!
//! Results: each row as its key, then `:` and the value of each shown column, then each related
//! list in brackets: `1:a[10 11][none]`. A singular list is a row, `none`, or `!` where there are
//! two. Changes: `-2` left, `+9` came, `~3` changed in place, `>4` moved; below the root after the
//! way there: `1.cs-10`.

use std::collections::BTreeMap;

use penstock::{
    Change, ColumnType, Database, Entry, Error, Patch, RowInput, RowView, Schema, Table,
    TableSchema, Transaction, Tree, Value, ValueRef,
};

use super::sqlite_tables::sqlite_source;

/// A database made from text, with the means to write to it and to show its results.
pub(crate) struct Fixture {
    pub(crate) db: Database,
    /// The shown columns of each table.
    shown: BTreeMap<String, Vec<String>>,
}

/// What holds the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows {
    InMemory,
    InSqlite,
}

impl Rows {
    pub(crate) const ALL: [Rows; 2] = [Rows::InMemory, Rows::InSqlite];
}

/// A text being read from its start.
struct Scanner<'t> {
    whole: &'t str,
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Scanner<'t> {
        Scanner { whole: text, rest: text.trim() }
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes a text away if it comes next.
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) {
        assert!(self.eat(text), "expected {text:?} before {:?} in {:?}", self.rest, self.whole);
    }

    /// Takes everything up to a delimiter: a bare word.
    fn word(&mut self) -> &'t str {
        let end = self.rest.find([',', '(', ')', ';', '=', '?', '!', ' ']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        assert!(!word.is_empty(), "expected a word before {rest:?} in {:?}", self.whole);
        self.rest = rest.trim_start();
        word
    }

    /// Takes a bare word or a quoted text.
    fn text(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('\'') else { return self.word().to_owned() };
        let (text, rest) = quoted.split_once('\'').expect("a quoted text has an end");
        self.rest = rest.trim_start();
        text.replace("\\n", "\n")
    }

    /// Takes `(a, b, …)`.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.expect("(");
        let mut items = Vec::new();
        while !self.eat(")") {
            items.push(item(self));
            self.eat(",");
        }
        items
    }
}

/// The value of a column that a text stands for.
fn value(column_type: ColumnType, text: &str) -> Value {
    if text == "∅" {
        return Value::Null;
    }
    match column_type {
        ColumnType::Boolean => Value::Bool(text.parse().expect("true or false")),
        // In SQLite a number's column has no type, so that it keeps what it gets.
        ColumnType::Number | ColumnType::Any => match text.parse::<i64>() {
            Ok(integer) => Value::Int(integer),
            Err(_) => Value::Float(text.parse().expect("a number")),
        },
        _ => Value::from(text),
    }
}

fn table<'s>(schema: &'s Schema, name: &str) -> &'s TableSchema {
    let id = schema.table_id(name).unwrap_or_else(|| panic!("there is no table {name:?}"));
    schema.table(id)
}

/// A row, or the start of one, from the texts of its values.
fn row(table: &TableSchema, columns: &[usize], texts: &[String]) -> RowInput {
    assert_eq!(columns.len(), texts.len(), "{texts:?} is no row or key of {}", table.name());
    let columns = columns.iter().map(|&column| &table.columns()[column]);
    let name_and_value = columns
        .zip(texts)
        .map(|(column, text)| (column.name.to_string(), value(column.column_type, text)));
    name_and_value.collect()
}

fn all_columns(table: &TableSchema) -> Vec<usize> {
    (0..table.columns().len()).collect()
}

impl Fixture {
    /// A database in memory with the given tables, which checks itself after every commit.
    pub(crate) fn new(tables: &str) -> Fixture {
        Fixture::over(Rows::InMemory, tables)
    }

    /// A database with the given tables, which checks itself after every commit.
    pub(crate) fn over(kind: Rows, tables: &str) -> Fixture {
        let mut fixture = Vec::new();
        let mut shown = BTreeMap::new();
        let mut rows: Vec<(String, Vec<Vec<String>>)> = Vec::new();
        for line in tables.lines().filter(|line| !line.trim().is_empty()) {
            let mut line = Scanner::new(line);
            let name = line.word().to_owned();
            fixture.push(read_table(&name, &mut line, &mut shown));
            let mut table_rows = Vec::new();
            if line.eat("=") {
                while !line.is_done() {
                    table_rows.push(line.list(Scanner::text));
                }
            }
            rows.push((name, table_rows));
        }
        let schema = Schema::new(fixture).expect("the tables of a test are sound");
        let builder = Database::builder().verify_every_commit(true);
        let db = match kind {
            Rows::InMemory => builder.in_memory(schema),
            Rows::InSqlite => {
                builder.with_source(sqlite_source(&schema).expect("tables in memory"))
            }
        };
        let db = db.expect("a database in memory");
        let schema = db.schema();
        for (name, rows) in rows {
            let table = table(&schema, &name);
            let rows = rows.iter().map(|texts| row(table, &all_columns(table), texts));
            db.load(&name, rows).expect("the rows of a test fit its tables");
        }
        Fixture { db, shown }
    }

    /// Makes writes, as one transaction.
    pub(crate) fn try_write(&self, writes: &str) -> Result<(), Error> {
        self.db.transaction(|tx| {
            let mut writes = Scanner::new(writes);
            while !writes.is_done() {
                write(tx, &mut writes)?;
                writes.eat(";");
            }
            Ok(())
        })
    }

    /// Makes writes that succeed.
    pub(crate) fn write(&self, writes: &str) {
        self.try_write(writes).unwrap_or_else(|error| panic!("{writes}: {error}"));
    }

    /// A result as text.
    pub(crate) fn tree(&self, tree: &Tree) -> String {
        let is_list = match tree.to_json() {
            Ok(json) => json.is_array(),
            Err(_) => tree.one().is_ok(),
        };
        if is_list {
            let entries: Vec<String> = tree.iter().map(|entry| self.entry(&entry)).collect();
            return entries.join(" ");
        }
        match tree.one() {
            Ok(Some(entry)) => self.entry(&entry),
            Ok(None) => "none".to_owned(),
            Err(_) => "!".to_owned(),
        }
    }

    fn entry(&self, entry: &Entry) -> String {
        let row = entry.row();
        let mut text = key(&row);
        for column in self.shown.get(row.table().name()).into_iter().flatten() {
            let value = row.get(column).expect("a shown column is a column");
            text.push(':');
            text.push_str(&shown_value(value));
        }
        for name in entry.relationships() {
            let related = entry.related(name).expect("a relationship has a list");
            text.push_str(&format!("[{}]", self.tree(&related)));
        }
        text
    }
}

fn read_table(
    name: &str,
    line: &mut Scanner<'_>,
    shown: &mut BTreeMap<String, Vec<String>>,
) -> Table {
    let mut names = Vec::new();
    let columns = line.list(|line| {
        let column = line.word().to_owned();
        let column_type = match line.word() {
            "num" => ColumnType::Number,
            "text" => ColumnType::Text,
            "bool" => ColumnType::Boolean,
            other => panic!("unknown type {other:?}"),
        };
        let nullable = line.eat("?");
        if line.eat("!") {
            shown.entry(name.to_owned()).or_default().push(column.clone());
        }
        names.push(column.clone());
        (column, column_type, nullable)
    });
    let mut table = Table::new(name);
    for (column, column_type, nullable) in columns {
        table = match nullable {
            true => table.nullable(column, column_type),
            false => table.column(column, column_type),
        };
    }
    if line.eat("unique") {
        table = table.unique(line.list(Scanner::text));
    }
    let key = if line.eat("key") { line.list(Scanner::text) } else { names[..1].to_vec() };
    table.primary_key(key)
}

fn write(tx: &mut Transaction<'_>, writes: &mut Scanner<'_>) -> Result<(), Error> {
    let schema = tx.schema().clone();
    let operator = ["+", "-", "~"].into_iter().find(|operator| writes.eat(operator));
    let name = writes.word();
    let table = table(&schema, name);
    let texts = writes.list(Scanner::text);
    match operator.unwrap_or_else(|| panic!("no write: {:?}", writes.whole)) {
        "+" => tx.insert(name, row(table, &all_columns(table), &texts)),
        "-" => tx.delete(name, row(table, table.primary_key(), &texts)),
        _ => {
            let mut changes = RowInput::new();
            while !writes.is_done() && !writes.rest.starts_with(';') {
                let column = writes.word();
                writes.expect("=");
                let at = table.column_index(column).expect("a column of the table");
                let column_type = table.columns()[at].column_type;
                changes = changes.with(column, value(column_type, &writes.text()));
                writes.eat(",");
            }
            tx.update_at(name, row(table, table.primary_key(), &texts), changes)
        }
    }
}

fn shown_value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "∅".to_owned(),
        ValueRef::Text(text) => text.to_owned(),
        other => other.to_string(),
    }
}

/// A row's primary key as text.
fn key(row: &RowView) -> String {
    let values = row.table().primary_key().iter().map(|&column| row.row().get(column));
    values.map(shown_value).collect::<Vec<_>>().join("/")
}

/// What patches change, as text.
pub(crate) fn changes(patches: &[Patch]) -> String {
    let changes = patches.iter().flat_map(Patch::changes).map(|change| {
        let (path, sign, row) = match &change {
            Change::Remove { path, row } => (path, '-', row.clone()),
            Change::Insert { path, entry } => (path, '+', entry.row()),
            Change::Update { path, row, .. } => (path, '~', row.clone()),
            Change::Move { path, row, .. } => (path, '>', row.clone()),
        };
        let steps: Vec<String> = path
            .steps()
            .iter()
            .map(|step| format!("{}.{}", key(&step.row), step.relationship))
            .collect();
        format!("{}{sign}{}", steps.join("."), key(&row))
    });
    changes.collect::<Vec<_>>().join(" ")
}
