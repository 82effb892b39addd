//! Screens as text, read over by hand.

use penstock::{ColumnType, Database, Query, Related, Schema, Subscription, Table, Value, row};

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

fn change(screen: &mut Screen, live: &mut Subscription, seconds: u64) {
    let patches: Vec<Patch> = live.changes().collect();
    screen.change(&patches, Duration::from_secs(seconds));
}

#[test]
fn a_result_fills_the_screen() {
    let mut screen =
        Screen::new("tasks.db", "SELECT *\n  FROM task", subscribe(&database()).rows());
    assert_eq!(
        shown(&mut screen, 72, 8, 0),
        "\
tasks.db                                        12 rows · 0 transactions
SELECT * FROM task
id  title                                      done   notes
 1  task 1                                     false  (1) 1 1 two\\nlines
 2  日本語のタスク: a long title that needs …  false  (0)
 3  task 3                                     true   (0)
 4  task 4                                     false  (0)
q quit   ↑ ↓ PgUp PgDn Home End rows   ← → columns             1–4 of 12
"
    );
}

#[test]
fn what_changed_is_marked_for_a_moment() {
    let db = database();
    let mut live = subscribe(&db);
    let mut screen = Screen::new("tasks.db", "SELECT * FROM task", live.rows());
    db.transaction(|tx| {
        tx.delete("task", row! { id: 1 })?;
        tx.update("task", row! { id: 3, title: Value::Null })?;
        tx.insert("note", row! { id: 2, taskId: 4, text: "new" })?;
        tx.insert("task", row! { id: 0, title: "first", done: true })
    })
    .expect("a transaction");
    change(&mut screen, &mut live, 10);
    assert_eq!(
        shown(&mut screen, 69, 8, 12),
        "\
tasks.db             12 rows · 1 transaction · last +1 -1 ~2, 2 s ago
SELECT * FROM task
id  title                                         done   notes
+ 0++  ++first                                       ++  ++true ++  ++(0)        +
 2  日本語のタスク: a long title that needs room  false  (0)
 3  [NULL                                        ]  true   (0)
 4  task 4                                        false  [(1) 2 4 new]
q quit   ↑ ↓ PgUp PgDn Home End rows   ← → columns          1–4 of 12
"
    );
    assert!(!screen.fade(Duration::from_millis(11_499)));
    assert!(screen.fade(Duration::from_millis(11_500)));
    assert!(!screen.fade(Duration::from_millis(11_500)), "once");
    assert!(shown(&mut screen, 72, 8, 12).contains("\n 0  first "));
}

#[test]
fn scrolling_stays_within_the_result() {
    let db = database();
    let mut live = subscribe(&db);
    let mut screen = Screen::new("tasks.db", "SELECT * FROM task", live.rows());
    let place = |screen: &mut Screen| {
        let text = shown(screen, 60, 9, 0);
        text.trim_end().rsplit("  ").next().map(str::trim).map(str::to_owned)
    };
    let mut at = |by: Scroll| {
        screen.scroll(by);
        place(&mut screen).expect("a footer")
    };
    // The size is known once it has been drawn.
    assert_eq!(at(Scroll::Rows(0)), "1–5 of 12");
    assert_eq!(at(Scroll::Rows(-1)), "1–5 of 12");
    assert_eq!(at(Scroll::Rows(1)), "2–6 of 12");
    assert_eq!(at(Scroll::Pages(1)), "7–11 of 12");
    assert_eq!(at(Scroll::Pages(1)), "8–12 of 12");
    assert_eq!(at(Scroll::Start), "1–5 of 12");
    assert_eq!(at(Scroll::End), "8–12 of 12");
    // Rows that leave take the place along.
    db.transaction(|tx| (1..=9).try_for_each(|id| tx.delete("task", row! { id: id })))
        .expect("a transaction");
    change(&mut screen, &mut live, 0);
    assert_eq!(place(&mut screen).expect("a footer"), "1–3 of 3");
    screen.scroll(Scroll::Columns(1));
    assert!(shown(&mut screen, 60, 9, 0).contains("\ntitle    done   notes\n"));
    screen.scroll(Scroll::Columns(99));
    assert!(shown(&mut screen, 60, 9, 0).contains("\nnotes\n"));
}

#[test]
fn every_size_is_filled_and_none_exceeded() {
    let db = database();
    let mut screen = Screen::new("日本語.db", "SELECT * FROM task", subscribe(&db).rows());
    for width in 0..90 {
        for height in 0..12 {
            let lines = screen.lines(width, height, Duration::ZERO);
            assert_eq!(lines.len(), height);
            // `shown` looks at the widths.
            assert_eq!(shown(&mut screen, width, height, 0).lines().count(), height);
        }
    }
}

#[test]
fn trouble_and_emptiness_are_said() {
    let db = database();
    let empty = db.subscribe(Query::table("task").limit(0)).expect("a query").rows();
    let mut screen = Screen::new("tasks.db", "SELECT 1", empty);
    screen.trouble = Some("the file is busy".to_owned());
    assert_eq!(
        shown(&mut screen, 40, 6, 0),
        "\
tasks.db         0 rows · 0 transactions
SELECT 1
id  title  done
(no rows)

the file is busy
"
    );
}
