//! An issue tracker: its tables, its rows, its queries, and a server over it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use super::client::{Client, Query};
use super::driver::fresh_name;
use crate::support::server::{Folder, Server};

const TABLES: &str = "
    PRAGMA journal_mode = wal;
    CREATE TABLE user(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, role TEXT);
    CREATE TABLE issue(
        id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, open BOOLEAN NOT NULL,
        rank REAL NOT NULL, owner_id TEXT, meta JSON);
    CREATE TABLE label(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL);
    CREATE TABLE issue_label(
        issue_id TEXT NOT NULL, label_id TEXT NOT NULL, PRIMARY KEY(issue_id, label_id));
    CREATE TABLE comment(
        id TEXT PRIMARY KEY NOT NULL, issue_id TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL);
    CREATE INDEX comment_issue ON comment(issue_id, at);
    INSERT INTO user VALUES ('u1', 'Ada', 'admin'), ('u2', 'Grace', NULL);
    INSERT INTO label VALUES ('bug', 'Bug'), ('ui', 'Interface');
";

/// A database with ten issues in a folder of its own.
pub(crate) struct Tracker {
    folder: Folder,
}

impl Tracker {
    pub(crate) fn new() -> Self {
        let tracker = Self { folder: Folder::new(&format!("tracker-{}", fresh_name())) };
        let mut sql = String::from(TABLES);
        for n in 1..=10 {
            let (open, owner) = (n % 2, n % 2 + 1);
            sql.push_str(&format!(
                "INSERT INTO issue VALUES ('i{n}', 'Issue {n}', {open}, {n}, 'u{owner}', '{{\"n\":{n}}}');"
            ));
            for c in 1..=3 {
                sql.push_str(&format!(
                    "INSERT INTO comment VALUES ('c{n}-{c}', 'i{n}', 'Comment {c}', {c});"
                ));
            }
        }
        sql.push_str(
            "INSERT INTO issue_label VALUES ('i1', 'bug'), ('i1', 'ui'), ('i3', 'bug'), ('i4', 'ui');",
        );
        tracker.write(&sql);
        tracker
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.file("app.db")
    }

    /// Where the server may keep its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.file("state.db")
    }

    /// A connection as another program has one.
    pub(crate) fn connect(&self) -> Connection {
        connect(&self.file())
    }

    /// Runs SQL as another program, as one transaction.
    pub(crate) fn write(&self, sql: &str) {
        let connection = self.connect();
        let (before, sql) = match sql.trim_start().strip_prefix("PRAGMA journal_mode = wal;") {
            Some(rest) => ("PRAGMA journal_mode = wal;", rest),
            None => ("", sql),
        };
        let written =
            connection.execute_batch(&format!("{before} BEGIN IMMEDIATE; {sql}; COMMIT;"));
        written.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// A server that lets everybody read and write everything, and keeps its state.
    pub(crate) fn serve(&self) -> Server {
        let state = self.state();
        let state = state.to_string_lossy();
        Server::sqlite(&self.file(), &["--allow-all", "--state", &state])
    }
}

/// Opens a file as another program does, patient with who else writes.
pub(crate) fn connect(file: &Path) -> Connection {
    let connection = Connection::open(file).expect("the file");
    connection.busy_timeout(crate::support::server::LONG).expect("a timeout");
    connection
}

/// A client's schema of tables `(name, columns, primary key)`; a column is `(name, type)`.
type Columns<'a> = &'a [(&'a str, &'a str)];

fn table(name: &str, columns: Columns<'_>, key: &[&str]) -> Json {
    let columns = columns.iter().map(|(name, of)| {
        let optional = matches!(*name, "role" | "owner_id" | "meta");
        ((*name).to_owned(), json!({"type": of, "optional": optional}))
    });
    let columns: serde_json::Map<String, Json> = columns.collect();
    json!({"name": name, "columns": columns, "primaryKey": key})
}

/// The schema as `createSchema` makes it.
pub(crate) fn schema() -> Json {
    let text = "string";
    let issue = [
        ("id", text),
        ("title", text),
        ("open", "boolean"),
        ("rank", "number"),
        ("owner_id", text),
        ("meta", "json"),
    ];
    let comment = [("id", text), ("issue_id", text), ("body", text), ("at", "number")];
    json!({
        "tables": {
            "user": table("user", &[("id", text), ("name", text), ("role", text)], &["id"]),
            "issue": table("issue", &issue, &["id"]),
            "label": table("label", &[("id", text), ("name", text)], &["id"]),
            "issue_label": table("issue_label",
                &[("issue_id", text), ("label_id", text)], &["issue_id", "label_id"]),
            "comment": table("comment", &comment, &["id"]),
        },
        "relationships": {},
        "enableLegacyQueries": true,
        "enableLegacyMutators": true,
    })
}

/// Options of a client of a user; `more` is added to them.
pub(crate) fn options(user: &str, more: Json) -> Json {
    let mut options = json!({"schema": schema(), "storageKey": fresh_name()});
    if !user.is_empty() {
        options["userID"] = user.into();
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        options[name] = value.clone();
    }
    options
}

/// A client of its own group.
pub(crate) fn client(server: &str) -> Client {
    Client::open(server, options("u1", json!({})))
}

/// A condition that a column is a value.
pub(crate) fn is(column: &str, op: &str, value: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
        "right": {"type": "literal", "value": value}})
}

/// A subquery of rows of `table` whose `child` is the parent's `parent`.
pub(crate) fn related(alias: &str, (parent, child): (&str, &str), mut subquery: Json) -> Json {
    subquery["alias"] = alias.into();
    json!({"correlation": {"parentField": [parent], "childField": [child]}, "subquery": subquery,
        "system": "client"})
}

/// EXISTS over the same.
pub(crate) fn exists(alias: &str, on: (&str, &str), subquery: Json) -> Json {
    let related = related(&format!("zsubq_{alias}"), on, subquery);
    json!({"type": "correlatedSubquery", "op": "EXISTS", "related": related})
}

/// The issues with the highest ranks.
pub(crate) fn top(limit: u64) -> Query {
    Query::new(json!({"table": "issue", "orderBy": [["rank", "desc"]], "limit": limit}))
}

/// The names of the users.
pub(crate) fn users() -> Query {
    Query::new(json!({"table": "user"}))
}

/// A column of each row of a list.
pub(crate) fn column(rows: &Json, name: &str) -> Vec<Json> {
    rows.as_array().expect("a list").iter().map(|row| row[name].clone()).collect()
}
