#![allow(dead_code)] // Each test file uses a part of it.

//! The same tables in memory, with live queries over them, and in SQLite.

use penstock::{ColumnType, Database, Schema, Subscription, Table, Value, ValueRef, row};
use rusqlite::Connection;
use rusqlite::types::{Value as Sqlite, ValueRef as Stored};
use serde_json::{Map, Value as Json};

/// Tables in memory and in SQLite.
pub(crate) struct Both {
    pub(crate) db: Database,
    pub(crate) sqlite: Connection,
}

const DDL: &str = "
    CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
    CREATE TABLE issue (id INTEGER PRIMARY KEY, title TEXT, owner INTEGER, open BOOLEAN, points REAL);
    CREATE TABLE comment (id INTEGER PRIMARY KEY, issue INTEGER, author INTEGER, body TEXT);
    CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE issue_tag (issue INTEGER, tag INTEGER, PRIMARY KEY (issue, tag));
";

fn schema() -> Schema {
    use ColumnType::{Boolean, Integer, Real, Text};
    Schema::new([
        Table::new("user")
            .column("id", Integer)
            .nullable("name", Text)
            .nullable("age", Integer)
            .primary_key(["id"]),
        Table::new("issue")
            .column("id", Integer)
            .nullable("title", Text)
            .nullable("owner", Integer)
            .nullable("open", Boolean)
            .nullable("points", Real)
            .primary_key(["id"]),
        Table::new("comment")
            .column("id", Integer)
            .nullable("issue", Integer)
            .nullable("author", Integer)
            .nullable("body", Text)
            .primary_key(["id"]),
        Table::new("tag").column("id", Integer).nullable("name", Text).primary_key(["id"]),
        Table::new("issue_tag")
            .column("issue", Integer)
            .column("tag", Integer)
            .primary_key(["issue", "tag"]),
    ])
    .expect("a sound schema")
}

/// A row to be put in, or the key of one to be taken out.
type Write = (&'static str, bool, Vec<(&'static str, Value)>);

fn put(table: &'static str, values: Vec<(&'static str, Value)>) -> Write {
    (table, true, values)
}

fn cut(table: &'static str, values: Vec<(&'static str, Value)>) -> Write {
    (table, false, values)
}

macro_rules! cells {
    ($($name:ident: $value:expr),*) => {
        vec![$((stringify!($name), Value::from($value))),*]
    };
}

const NONE: Option<i64> = None;

/// The transactions of every test, in order.
fn script() -> Vec<Vec<Write>> {
    let user = |id: i64, name: Option<&str>, age: Option<i64>| {
        put("user", cells! { id: id, name: name, age: age })
    };
    let issue = |id: i64, title: &str, owner: Option<i64>, open: bool, points: Option<f64>| {
        put("issue", cells! { id: id, title: title, owner: owner, open: open, points: points })
    };
    let comment = |id: i64, issue: i64, author: Option<i64>| {
        put("comment", cells! { id: id, issue: issue, author: author, body: format!("c{id}") })
    };
    vec![
        vec![
            user(1, Some("Ann"), Some(20)),
            user(2, Some("bob"), Some(30)),
            user(3, Some("ann"), None),
            user(4, None, Some(30)),
            issue(1, "leak", Some(1), true, Some(3.0)),
            issue(2, "crash", Some(1), false, Some(1.5)),
            issue(3, "typo", Some(2), true, None),
            issue(4, "idea", None, true, Some(8.0)),
            comment(1, 1, Some(2)),
            comment(2, 1, None),
            comment(3, 4, Some(1)),
            put("tag", cells! { id: 1, name: "bug" }),
            put("tag", cells! { id: 2, name: "ANN" }),
            put("tag", cells! { id: 3, name: "30" }),
            put("issue_tag", cells! { issue: 1, tag: 1 }),
            put("issue_tag", cells! { issue: 1, tag: 2 }),
            put("issue_tag", cells! { issue: 3, tag: 1 }),
        ],
        vec![user(5, Some("Cid"), Some(41)), issue(5, "slow", Some(3), true, Some(8.0))],
        vec![issue(3, "typo", Some(1), true, Some(2.0)), comment(4, 3, Some(5))],
        vec![cut("issue", cells! { id: 4 })],
        vec![user(1, Some("Zoe"), Some(35)), user(3, Some("ann"), Some(30))],
        vec![cut("user", cells! { id: 2 }), issue(2, "crash", Some(3), false, None)],
        vec![
            issue(6, "new", Some(5), false, Some(0.5)),
            issue(7, "new", Some(5), false, Some(0.5)),
            comment(5, 6, Some(5)),
            cut("comment", cells! { id: 1 }),
        ],
        vec![issue(7, "newer", NONE, true, Some(-1.0)), user(4, Some("Dee"), None)],
        vec![
            cut("issue", cells! { id: 1 }),
            cut("issue", cells! { id: 2 }),
            cut("issue", cells! { id: 3 }),
            cut("issue", cells! { id: 5 }),
            cut("issue", cells! { id: 6 }),
            cut("issue", cells! { id: 7 }),
        ],
        vec![issue(9, "again", Some(1), true, Some(1.0)), comment(9, 9, Some(1))],
    ]
}

/// How many transactions there are.
pub(crate) fn steps() -> usize {
    script().len()
}

impl Both {
    /// Empty tables.
    pub(crate) fn new() -> Both {
        let db =
            Database::builder().verify_every_commit(true).in_memory(schema()).expect("a database");
        let sqlite = Connection::open_in_memory().expect("SQLite");
        sqlite.execute_batch(DDL).expect("sound tables");
        Both { db, sqlite }
    }

    fn write(&mut self, writes: &[Write]) -> Result<(), String> {
        let transaction = self.sqlite.transaction().map_err(|error| error.to_string())?;
        for (table, put, cells) in writes {
            let names: Vec<&str> = cells.iter().map(|(name, _)| *name).collect();
            let values: Vec<rusqlite::types::Value> =
                cells.iter().map(|(_, value)| sqlite_value(value)).collect();
            let marks = vec!["?"; names.len()].join(", ");
            let statement = if *put {
                format!("INSERT OR REPLACE INTO {table} ({}) VALUES ({marks})", names.join(", "))
            } else {
                format!("DELETE FROM {table} WHERE {} = ?", names[0])
            };
            transaction
                .execute(&statement, rusqlite::params_from_iter(values))
                .map_err(|error| error.to_string())?;
        }
        transaction.commit().map_err(|error| error.to_string())?;
        self.db
            .transaction(|tx| {
                for (table, put, cells) in writes {
                    let mut input = row! {};
                    for (name, value) in cells {
                        input = input.with(*name, value.clone());
                    }
                    if *put {
                        tx.upsert(table, input)?;
                    } else {
                        tx.delete(table, input)?;
                    }
                }
                Ok(())
            })
            .map_err(|error| error.to_string())
    }

    /// Makes one of the transactions.
    pub(crate) fn step(&mut self, step: usize) -> Result<(), String> {
        self.write(&script()[step])
    }

    /// Rows from SQLite as objects of JSON, with a value for `?1`; booleans by the column's name.
    pub(crate) fn objects(&self, sql: &str, key: Option<&Json>) -> Vec<Map<String, Json>> {
        let mut statement = self.sqlite.prepare(sql).expect("SQLite takes the statement");
        let names: Vec<String> = statement.column_names().map(|name| name.to_string()).collect();
        let key = key.map(|key| key.as_i64().map_or(Sqlite::Null, Sqlite::Integer));
        let mut rows =
            statement.query(rusqlite::params_from_iter(key)).expect("SQLite runs the statement");
        let mut found = Vec::new();
        while let Some(row) = rows.next().expect("SQLite reads on") {
            let value = |(at, name): (usize, &String)| {
                let json = match row.get_ref(at).expect("a value") {
                    Stored::Null => Json::Null,
                    Stored::Integer(value) if name == "open" => (value != 0).into(),
                    Stored::Integer(value) => value.into(),
                    Stored::Real(value) => value.into(),
                    Stored::Text(text) => std::str::from_utf8(text).expect("UTF-8").into(),
                    Stored::Blob(_) => panic!("blobs are not compared as JSON"),
                };
                (name.clone(), json)
            };
            found.push(names.iter().enumerate().map(value).collect());
        }
        found
    }

    /// Follows a statement through all writes, comparing with SQLite at every step.
    pub(crate) fn follow(&mut self, sql: &str) -> Result<(), String> {
        let early = self.db.subscribe_sql(sql, ()).map_err(|error| error.to_string())?;
        self.compare(sql, &early).map_err(|problem| format!("empty: {problem}"))?;
        for (step, writes) in script().iter().enumerate() {
            self.write(writes).map_err(|problem| format!("step {step}: {problem}"))?;
            self.compare(sql, &early).map_err(|problem| format!("step {step}: {problem}"))?;
            let late = self.db.subscribe_sql(sql, ()).map_err(|error| error.to_string())?;
            self.compare(sql, &late).map_err(|problem| format!("fresh {step}: {problem}"))?;
        }
        drop(early);
        let memory = self.db.memory_usage().map_err(|error| error.to_string())?;
        match (memory.levels, memory.partitions) {
            (0, 0) => Ok(()),
            left => Err(format!("state is left: {left:?}")),
        }
    }

    /// Compares a live result with what SQLite says, in order.
    pub(crate) fn compare(&self, sql: &str, live: &Subscription) -> Result<(), String> {
        let (names, expected) = self.ask(sql);
        let tree = live.rows();
        let found: Vec<Vec<Value>> = tree
            .iter()
            .map(|entry| {
                let row = entry.row();
                row.table().values(row.row()).map(|(_, value)| plain(value)).collect()
            })
            .collect();
        if let Some(entry) = tree.iter().next() {
            let row = entry.row();
            let columns = row.table().columns().iter();
            let found: Vec<String> = columns.map(|column| column.name.clone()).collect();
            // Columns of one name are told apart as SQLite tells those of a subquery apart.
            let names = distinct(&names);
            if found != names {
                return Err(format!("columns {found:?}, SQLite has {names:?}"));
            }
        }
        let same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(found, expected)| {
                found.len() == expected.len()
                    && found
                        .iter()
                        .zip(expected)
                        .all(|(a, b)| a == b && a.type_name() == b.type_name())
            });
        if same {
            Ok(())
        } else {
            Err(format!("\n      {found:?}\n    SQLite:\n      {expected:?}"))
        }
    }

    fn ask(&self, sql: &str) -> (Vec<String>, Vec<Vec<Value>>) {
        let mut statement = self.sqlite.prepare(sql).expect("SQLite takes the statement");
        let names: Vec<String> = statement.column_names().map(|n| n.to_string()).collect();
        let mut rows = statement.query([]).expect("SQLite runs the statement");
        let mut found = Vec::new();
        while let Some(row) = rows.next().expect("SQLite reads on") {
            let value = |at| match row.get_ref(at).expect("a value") {
                Stored::Null => Value::Null,
                Stored::Integer(value) => Value::Int(value),
                Stored::Real(value) => Value::Float(value),
                Stored::Text(text) => std::str::from_utf8(text).expect("UTF-8").into(),
                Stored::Blob(bytes) => bytes.to_vec().into(),
            };
            found.push((0..names.len()).map(value).collect());
        }
        (names, found)
    }
}

fn distinct(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let repeated = taken.iter().filter(|other| *other == name).count();
        taken.push(if repeated > 0 { format!("{name}:{repeated}") } else { name.clone() });
    }
    taken
}

/// A value as SQLite has it: booleans are integers.
fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Bool(value) => Value::Int(value.into()),
        other => other.to_owned(),
    }
}

fn sqlite_value(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => Sqlite::Null,
        Value::Bool(value) => Sqlite::Integer((*value).into()),
        Value::Int(value) => Sqlite::Integer(*value),
        Value::Float(value) => Sqlite::Real(*value),
        Value::Text(text) | Value::Json(text) => Sqlite::Text(text.to_string()),
        Value::Blob(bytes) => Sqlite::Blob(bytes.to_vec()),
    }
}
