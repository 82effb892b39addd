//! A list of tasks, in a file or in Postgres, and queries over it.

use std::path::Path;

use penstock_sync::validate::Store;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::support::raw::{Raw, Who};
use crate::support::server::{Folder, LONG, Server};

/// A folder with a database of three tasks.
pub(crate) fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    write(
        &folder.file("app.db"),
        "PRAGMA journal_mode = wal;
         CREATE TABLE task(id TEXT PRIMARY KEY NOT NULL, done BOOLEAN NOT NULL, note TEXT);
         INSERT INTO task VALUES ('a', 0, 'one'), ('b', 1, 'two'), ('c', 0, 'three');",
    );
    folder
}

/// The path of a file as an argument.
pub(crate) fn path(folder: &Folder, name: &str) -> String {
    folder.file(name).to_string_lossy().into_owned()
}

/// Serves the database of a folder, keeping its clients' state there.
pub(crate) fn serve(folder: &Folder, more: &[&str]) -> Server {
    let state = path(folder, "state.db");
    let more = [&["--allow-all", "--state", &state], more].concat();
    Server::sqlite(&folder.file("app.db"), &more)
}

pub(crate) fn write(file: &Path, sql: &str) {
    let connection = Connection::open(file).expect("the file");
    connection.busy_timeout(LONG).expect("a timeout");
    connection.execute_batch(sql).expect("SQL");
}

/// The first column of the first row, as text.
pub(crate) fn value(file: &Path, sql: &str) -> String {
    let connection = Connection::open(file).expect("the file");
    connection.busy_timeout(LONG).expect("a timeout");
    let value =
        connection.query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), (), |row| row.get(0));
    value.expect("a value")
}

pub(crate) fn schema() -> Json {
    let columns = json!({"id": {"type": "string"}, "done": {"type": "boolean"},
        "note": {"type": "string"}});
    json!({"tables": {"task": {"columns": columns, "primaryKey": ["id"]}}})
}

pub(crate) fn put(hash: &str, ast: Json) -> Json {
    json!([{"op": "put", "hash": hash, "ttl": 0, "ast": ast}])
}

pub(crate) fn all() -> Json {
    put("all", json!({"table": "task"}))
}

/// Tasks with a note.
pub(crate) fn noted(hash: &str, note: &str) -> Json {
    let test = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "note"},
        "right": {"type": "literal", "value": note}});
    put(hash, json!({"table": "task", "where": test}))
}

/// Tasks that are not done.
pub(crate) fn open() -> Json {
    let test = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "done"},
        "right": {"type": "literal", "value": false}});
    put("open", json!({"table": "task", "where": test}))
}

/// The operations of a mutation that inserts a task.
pub(crate) fn insert(id: &str, note: &str) -> Json {
    json!([{"op": "insert", "tableName": "task", "primaryKey": ["id"],
        "value": {"id": id, "done": false, "note": note}}])
}

pub(crate) async fn connect(server: &Server, who: &Who, store: Store, queries: Json) -> Raw {
    Raw::connect(server.port(), who, store, queries).await.expect("the server accepts")
}

/// A client in a group with others.
pub(crate) fn member(group: &str, name: &str) -> Who {
    Who { group: group.to_owned(), alone: false, ..Who::new(name, schema()) }
}
