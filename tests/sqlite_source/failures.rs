//! Files that cannot be opened, read or written: what is said, and that all goes on afterwards.

use std::fs;
use std::time::Duration;

use penstock::{Database, Query, Source, SqliteOptions, SqliteSource, row};

use super::file::{connect, path, shown};

const TABLE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'a')";

fn error(options: SqliteOptions) -> String {
    SqliteSource::open_with(options).expect_err("it cannot be opened").to_string()
}

#[test]
fn a_file_that_is_not_there_is_not_made_unless_asked_for() {
    let path = path("absent");
    let text = error(SqliteOptions::new(&path));
    assert!(text.contains("absent.db: opening the file: there is no such file"), "{text}");
    assert!(text.contains("create_if_missing"), "{text}");
    assert!(!path.exists());
    let options = SqliteOptions::new(&path).create_if_missing(true);
    let source = SqliteSource::open_with(options).expect("it is made");
    assert!(source.schema().tables().is_empty());
    let nowhere = path.with_extension("").join("deeper.db");
    let text = error(SqliteOptions::new(&nowhere).create_if_missing(true));
    assert!(text.contains("check the path"), "{text}");
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let path = path("text");
    fs::write(
        &path,
        "This is a text, and long enough to have a whole header of a file in it, which \
        has a hundred bytes.",
    )
    .expect("the directory can be written");
    let text = error(SqliteOptions::new(&path));
    assert!(text.contains("reading") || text.contains("opening"), "{text}");
    assert!(text.contains("file is not a database; the file is no SQLite database"), "{text}");
}

#[test]
fn a_damaged_file_is_said_to_be_damaged() {
    let path = path("damaged");
    let connection = connect(&path);
    connection.execute_batch(TABLE).expect("a sound table");
    connection
        .execute_batch(
            "WITH n(i) AS (VALUES(2) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO t SELECT i, hex(zeroblob(40)) FROM n",
        )
        .expect("rows");
    drop(connection);
    let mut bytes = fs::read(&path).expect("the file");
    let (page, pages) = (4096, bytes.len() / 4096);
    for number in 2..pages {
        bytes[number * page..number * page + 64].fill(0xee);
    }
    fs::write(&path, bytes).expect("the directory can be written");
    let db = Database::open(&path).expect("its schema can be read");
    let text = db.subscribe(Query::table("t")).map(drop).expect_err("damaged").to_string();
    assert!(text.contains("reading table \"t\"") && text.contains("integrity_check"), "{text}");
}

#[test]
fn a_file_that_may_only_be_read_can_be_read() {
    let path = path("read-only");
    connect(&path).execute_batch(TABLE).expect("a sound table");
    let db = Database::open_with(SqliteOptions::new(&path).read_only(true)).expect("it is there");
    let live = db.subscribe(Query::table("t")).expect("it can be read");
    let refused = db.transaction(|tx| tx.insert("t", row! { id: 2, v: "b" }));
    let text = refused.expect_err("it may only be read").to_string();
    assert!(text.contains("read-only.db") && text.contains("readonly"), "{text}");
    assert!(text.contains("check the permissions"), "{text}");
    connect(&path).execute_batch("INSERT INTO t VALUES(3, 'c')").expect("others may write");
    assert!(db.sync().expect("it can be read"));
    assert_eq!(live.rows().len(), 2);
    let text = error(SqliteOptions::new(&path).read_only(true).change_log(true));
    assert!(text.contains("readonly"), "{text}");
}

#[test]
fn a_lock_that_is_not_given_back_is_named_and_waited_for() {
    let path = path("busy");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).busy_timeout(Duration::from_millis(20));
    let db = Database::open_with(options).expect("a sound file");
    let live = db.subscribe(Query::table("t")).expect("it can be read");
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES(2, 'b')").expect("nobody writes");
    let insert = |id: i64| db.transaction(|tx| tx.insert("t", row! { id: id, v: "c" }));
    let text = insert(3).expect_err("somebody writes").to_string();
    assert!(text.contains("beginning a transaction: database is locked"), "{text}");
    assert!(text.contains("busy_timeout"), "{text}");
    assert_eq!(live.rows().len(), 1);
    other.execute_batch("COMMIT").expect("nobody reads");
    insert(3).expect("nobody writes");
    assert_eq!(live.rows().len(), 3);

    // Readers keep a writer from its commit, where there is no write-ahead log.
    other.execute_batch("BEGIN; SELECT * FROM t").expect("nobody writes");
    let text = insert(4).expect_err("somebody reads").to_string();
    assert!(text.contains("committing a transaction: database is locked"), "{text}");
    assert_eq!(live.rows().len(), 3);
    other.execute_batch("COMMIT").expect("it has read");
    insert(4).expect("nobody reads");
    assert_eq!(live.rows().len(), 4);
    db.verify().expect("nothing is lost");
}

#[test]
fn a_full_disk_undoes_the_transaction_and_nothing_else() {
    let path = path("full");
    let connection = connect(&path);
    connection.execute_batch(TABLE).expect("a sound table");
    connection.execute_batch("PRAGMA max_page_count = 10").expect("a pragma of SQLite");
    let source = SqliteSource::from_connection(connection).expect("a sound file");
    let db = Database::builder().with_source(source).expect("a database");
    let live = db.subscribe(Query::table("t")).expect("it can be read");
    let much = "x".repeat(10_000);
    let fill = db.transaction(|tx| {
        (2..100_i64).try_for_each(|id| tx.insert("t", row! { id: id, v: much.as_str() }))
    });
    let text = fill.expect_err("ten pages are few").to_string();
    assert!(text.contains("database or disk is full; the disk, or"), "{text}");
    assert_eq!(live.rows().len(), 1);
    db.transaction(|tx| tx.insert("t", row! { id: 2, v: "small" })).expect("there is room");
    assert_eq!(live.rows().len(), 2);
    db.verify().expect("nothing is lost");
}

#[test]
fn a_connection_within_a_transaction_is_not_taken_over() {
    let path = path("taken");
    let connection = connect(&path);
    connection.execute_batch(TABLE).expect("a sound table");
    connection.execute_batch("BEGIN").expect("none is in flight");
    let error = SqliteSource::from_connection(connection).expect_err("it is in a transaction");
    assert!(error.reason.contains("end that first"), "{error}");
    let mut source = SqliteSource::open(&path).expect("a sound file");
    let mut elsewhere = connect(&super::file::path("elsewhere"));
    let error = source.attach(&mut elsewhere).expect_err("another file").to_string();
    assert!(error.contains("another file"), "{error}");
    assert_eq!(shown(&mut source, "t"), [r#"Row(1, "a")"#]);
}
