//! A database that the tests of the output formats share.

use penstock::{ColumnType, Database, Query, Related, Schema, Subscription, Table, Value, row};

/// Three tasks, two of them with notes.
pub(crate) fn database() -> Database {
    let schema = Schema::new([
        Table::new("task")
            .column("id", ColumnType::Integer)
            .nullable("title", ColumnType::Text)
            .nullable("due", ColumnType::Real)
            .primary_key(["id"]),
        Table::new("note")
            .column("taskId", ColumnType::Integer)
            .column("text", ColumnType::Text)
            .primary_key(["taskId", "text"]),
    ]);
    let db = Database::in_memory(schema.expect("a schema")).expect("a database");
    let write = db.transaction(|tx| {
        tx.insert("task", row! { id: 1, title: "water the plants", due: 2.5 })?;
        tx.insert("task", row! { id: 2, title: Value::Null, due: 10.0 })?;
        tx.insert("task", row! { id: 30, title: "a \"b\"\nc", due: Value::Null })?;
        tx.insert("note", row! { taskId: 1, text: "not the cactus" })?;
        tx.insert("note", row! { taskId: 1, text: "twice" })?;
        tx.insert("note", row! { taskId: 30, text: "日本" })
    });
    write.expect("a transaction");
    db
}

/// The tasks with their notes, by title.
pub(crate) fn subscribe(db: &Database) -> Subscription {
    let notes = Related::many("note").on("id", "taskId");
    let query = Query::table("task").order_by("title", penstock::Asc).related("notes", notes);
    db.subscribe(query).expect("a query")
}

/// A transaction with every kind of change.
pub(crate) fn change(db: &Database) {
    let write = db.transaction(|tx| {
        tx.delete("task", row! { id: 2 })?;
        tx.update("task", row! { id: 1, title: "zebra", due: 3.0 })?;
        tx.insert("task", row! { id: 4, title: "b", due: 1.0 })?;
        tx.insert("note", row! { taskId: 4, text: "came along" })?;
        tx.delete("note", row! { taskId: 1, text: "twice" })?;
        tx.insert("note", row! { taskId: 30, text: "new" })?;
        tx.update("task", row! { id: 30, due: -1.5 })
    });
    write.expect("a transaction");
}

/// What is written, as text.
pub(crate) fn written(
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}
