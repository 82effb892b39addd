//! Screens as text, read over by hand.

use penstock::{ColumnType, Database, Query, Related, Schema, Subscription, Table, row};

use super::*;

fn database() -> Database {
    let schema = Schema::new([
        Table::new("task")
            .column("id", ColumnType::Integer)
            .nullable("title", ColumnType::Text)
            .column("done", ColumnType::Boolean)
            .primary_key(["id"]),
        Table::new("note")
            .column("id", ColumnType::Integer)
            .column("taskId", ColumnType::Integer)
            .column("text", ColumnType::Text)
            .primary_key(["id"]),
    ]);
    let db = Database::in_memory(schema.expect("a schema")).expect("a database");
    let write = db.transaction(|tx| {
        for id in 1..=12 {
            tx.insert("task", row! { id: id, title: format!("task {id}"), done: id % 3 == 0 })?;
        }
        tx.update("task", row! { id: 2, title: "日本語のタスク: a long title that needs room" })?;
        tx.insert("note", row! { id: 1, taskId: 1, text: "two\nlines" })
    });
    write.expect("a transaction");
    db
}

fn subscribe(db: &Database) -> Subscription {
    let notes = Related::many("note").on("id", "taskId");
    db.subscribe(Query::table("task").related("notes", notes)).expect("a query")
}

/// The lines as text, with the marked pieces in brackets.
fn shown(screen: &mut Screen, width: usize, height: usize, seconds: u64) -> String {
    let mut text = String::new();
    for line in screen.lines(width, height, Duration::from_secs(seconds)) {
        let total: usize = line.iter().map(|(text, _)| self::width(text)).sum();
        assert!(total <= width, "{line:?} is {total} wide");
        let mut whole = String::new();
        for (piece, look) in &line {
            whole += &match look {
                Look::New => format!("+{piece}+"),
                Look::Changed => format!("[{piece}]"),
                _ => piece.clone(),
            };
        }
        text += whole.trim_end();
        text.push('\n');
    }
    text
}

#[test]
fn a_result_fills_the_screen() {
    let mut screen = Screen::new("tasks.db", "SELECT *\n  FROM task", subscribe(&database()).rows());
    assert_eq!(shown(&mut screen, 72, 8, 0), "");
}
