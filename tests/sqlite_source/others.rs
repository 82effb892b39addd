//! Writers of the file that are not the source: strangers, logged and attached connections, and
//! changes of the schema.

use std::time::Duration;

use penstock::operators::source::Foreign;
use penstock::{Asc, Database, Query, Source, SqliteOptions, SqliteSource, row};

use super::file::{connect, dump, path, shown, table, transact};

const TABLE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'a')";

/// What a source is told now.
fn told(source: &mut SqliteSource) -> Foreign {
    source.begin_read().expect("the file can be read");
    let foreign = source.foreign().expect("the file can be read");
    source.end_read();
    foreign
}

fn batch(foreign: Foreign) -> usize {
    match foreign {
        Foreign::Batch(batch) => batch.len(),
        other => panic!("expected rows, found {other:?}"),
    }
}

#[test]
fn what_a_stranger_writes_is_unknown_and_said_once() {
    let path = path("stranger");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let mut source = SqliteSource::open(&path).expect("a sound file");
    assert_eq!(told(&mut source), Foreign::Nothing);
    other.execute_batch("UPDATE t SET v = 'b'").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Unknown);
    assert_eq!(told(&mut source), Foreign::Nothing);
    assert_eq!(transact(&mut source, "UPDATE t SET v = 'c'").len(), 1);
    assert_eq!(told(&mut source), Foreign::Nothing, "its own writes are not news");
    other.execute_batch("UPDATE t SET v = 'd'").expect("nobody writes");
    source.begin().expect("nobody writes");
    assert_eq!(source.foreign().expect("a transaction"), Foreign::Unknown);
    source.rollback();
    assert_eq!(told(&mut source), Foreign::Nothing);
    source.unfollowed();
    assert_eq!(told(&mut source), Foreign::Unknown);
    other.execute_batch("UPDATE t SET v = 'e'").expect("nobody writes");
    transact(&mut source, "INSERT INTO t VALUES(2, 'x')");
    assert_eq!(told(&mut source), Foreign::Unknown, "nobody asked before the transaction");
}

#[test]
fn a_read_sees_one_state() {
    let path = path("snapshot");
    let other = connect(&path);
    other.execute_batch("PRAGMA journal_mode = WAL").expect("a pragma of SQLite");
    other.execute_batch(TABLE).expect("a sound table");
    let mut source = SqliteSource::open(&path).expect("a sound file");
    source.begin_read().expect("the file can be read");
    other.execute_batch("INSERT INTO t VALUES(2, 'b')").expect("readers do not matter");
    assert_eq!(source.foreign().expect("a read"), Foreign::Nothing);
    assert_eq!(shown(&mut source, "t").len(), 1);
    source.end_read();
    assert_eq!(told(&mut source), Foreign::Unknown);
    assert_eq!(shown(&mut source, "t").len(), 2);
}

#[test]
fn the_log_tells_rows_and_gaps_and_can_be_removed() {
    let path = path("log");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).change_log(true);
    let mut source = SqliteSource::open_with(options.clone()).expect("a sound file");
    let mut second = SqliteSource::open_with(options).expect("a sound file");
    other.execute_batch("UPDATE t SET v = 'b'; INSERT INTO t VALUES(2, 'x')").expect("a log");
    assert_eq!(batch(told(&mut source)), 2);
    assert_eq!(batch(told(&mut second)), 2);
    transact(&mut second, "DELETE FROM t WHERE id = 2");
    assert_eq!(told(&mut second), Foreign::Nothing);
    assert_eq!(batch(told(&mut source)), 1);
    other.execute_batch("UPDATE t SET v = v").expect("a log");
    assert_eq!(told(&mut source), Foreign::Nothing, "nothing is different");

    // More than the log keeps.
    let many = "WITH n(i) AS (VALUES(10) UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
        INSERT INTO t SELECT i, 'many' FROM n";
    other.execute_batch(many).expect("a log");
    let kept: i64 = other
        .query_row("SELECT count(*) FROM penstock_log", [], |row| row.get(0))
        .expect("the log is there");
    assert!((20_000..20_512).contains(&kept), "{kept} entries");
    assert_eq!(told(&mut source), Foreign::Unknown);
    other.execute_batch("DELETE FROM t WHERE id = 10").expect("a log");
    assert_eq!(batch(told(&mut source)), 1);

    second.remove_change_log().expect("nobody writes");
    let left: i64 = other
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%penstock%'", [], |row| {
            row.get(0)
        })
        .expect("a sound file");
    assert_eq!(left, 0);
    other.execute_batch("DELETE FROM t WHERE id = 11").expect("no log");
    assert_eq!(told(&mut source), Foreign::Unknown);
    // The one that wants it makes it anew.
    assert_eq!(told(&mut source), Foreign::Nothing);
    other.execute_batch("DELETE FROM t WHERE id = 12").expect("a log");
    assert_eq!(batch(told(&mut source)), 1);
}

#[test]
fn the_log_is_made_anew_where_the_schema_outgrows_it() {
    let path = path("log-schema");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).change_log(true);
    let mut source = SqliteSource::open_with(options).expect("a sound file");
    other.execute_batch("ALTER TABLE t ADD COLUMN w INT DEFAULT 7").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Schema);
    assert_eq!(source.schema().table(table(&source, "t")).columns().len(), 3);
    assert_eq!(told(&mut source), Foreign::Nothing);
    other.execute_batch("UPDATE t SET w = 8").expect("a log");
    assert_eq!(batch(told(&mut source)), 1);
    assert_eq!(shown(&mut source, "t"), [r#"Row(1, "a", 8)"#]);
    // A trigger that came later would run before the log's.
    other
        .execute_batch(
            "CREATE TRIGGER late AFTER INSERT ON t BEGIN DELETE FROM t WHERE id = NEW.id; END",
        )
        .expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Unknown);
    assert_eq!(told(&mut source), Foreign::Nothing);
    other.execute_batch("INSERT INTO t VALUES(5, 'gone', 1)").expect("a log");
    assert_eq!(told(&mut source), Foreign::Nothing);
    assert_eq!(shown(&mut source, "t").len(), 1);
}

#[test]
fn an_index_of_expressions_makes_the_log_say_less() {
    let path = path("log-expression");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    other.execute_batch("CREATE UNIQUE INDEX e ON t(lower(v))").expect("a sound index");
    let options = SqliteOptions::new(&path).change_log(true);
    let mut source = SqliteSource::open_with(options).expect("a sound file");
    other.execute_batch("INSERT OR REPLACE INTO t VALUES(2, 'A')").expect("a log");
    assert_eq!(told(&mut source), Foreign::Unknown);
    assert_eq!(shown(&mut source, "t"), [r#"Row(2, "A")"#]);
    other.execute_batch("DELETE FROM t").expect("a log");
    assert_eq!(batch(told(&mut source)), 1);
}

#[test]
fn changes_of_the_schema_keep_the_ids_of_tables() {
    let path = path("ids");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    other
        .execute_batch("CREATE TABLE u(id INTEGER PRIMARY KEY, t INT REFERENCES t(id))")
        .expect("a sound table");
    let mut source = SqliteSource::open(&path).expect("a sound file");
    let u = table(&source, "u");
    transact(&mut source, "INSERT INTO u VALUES(1, 1)");
    other
        .execute_batch("DROP TABLE u; DROP TABLE t; CREATE TABLE w(id INTEGER PRIMARY KEY)")
        .expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Schema);
    assert_eq!(source.schema().table_id("u"), None);
    assert_eq!(source.schema().tables().len(), 3);
    let key = source.schema().table(u).primary_key_spec().key(&super::file::row([1.into()]));
    let error = source.get(penstock::operators::source::At::After, u, &key).expect_err("gone");
    assert!(error.to_string().contains("table \"u\": it has been dropped"), "{error}");
    assert_eq!(transact(&mut source, "INSERT INTO w VALUES(1)").len(), 1);

    // A table that comes back has its id again.
    other
        .execute_batch("CREATE TABLE u(id INTEGER PRIMARY KEY, more TEXT)")
        .expect("nobody writes");
    source.begin().expect("nobody writes");
    let error = source.execute("INSERT INTO u VALUES(1, 'x')", &[]).expect_err("not followed yet");
    assert!(error.to_string().contains("which has to be followed first"), "{error}");
    assert_eq!(source.foreign().expect("a transaction"), Foreign::Schema);
    assert_eq!(table(&source, "u"), u);
    source.execute("INSERT INTO u VALUES(1, 'x')", &[]).expect("it is followed");
    assert_eq!(source.finish().expect("the rows are right").len(), 1);
    source.rollback();
    assert_eq!(transact(&mut source, "INSERT INTO u VALUES(2, 'y')").len(), 1);
    // What is of no concern to rows changes nothing.
    other.execute_batch("CREATE INDEX i ON u(more)").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Unknown);
    assert_eq!(dump_rows(&mut source), 2);
}

fn dump_rows(source: &mut SqliteSource) -> usize {
    let tables = ["u", "w"];
    tables.iter().map(|name| shown(source, name).len()).sum()
}

#[test]
fn live_results_follow_connections_of_all_sorts() {
    let path = path("live");
    let mut other = connect(&path);
    other.execute_batch("PRAGMA journal_mode = WAL").expect("a pragma of SQLite");
    other.execute_batch(TABLE).expect("a sound table");
    for options in [
        SqliteOptions::new(&path),
        SqliteOptions::new(&path).only_attached_writers(true),
        SqliteOptions::new(&path).change_log(true),
    ] {
        let db = Database::open_with(options).expect("a sound file");
        let attached = db.attach(&mut other).expect("it is the same file");
        let live = db.subscribe(Query::table("t").order_by("v", penstock::Asc)).expect("a query");
        let start = live.rows().len();
        other.execute_batch("INSERT INTO t(v) VALUES('z'), ('0')").expect("nobody writes");
        assert!(db.sync().expect("the file can be read"));
        assert!(!db.sync().expect("the file can be read"));
        assert_eq!(live.rows().len(), start + 2);
        other.execute_batch("BEGIN; DELETE FROM t; ROLLBACK").expect("nobody writes");
        other.execute_batch("UPDATE t SET v = v || '!'").expect("nobody writes");
        db.transaction(|tx| tx.insert("t", row! { id: 1000 + start as i64, v: "own" }))
            .expect("nobody writes");
        assert_eq!(live.rows().len(), start + 3);
        db.verify().expect("what is kept is what is there");
        assert_eq!(attached.commits(), 2);
        drop(attached);
        other.execute_batch("DELETE FROM t WHERE v = 'own'").expect("nobody writes");
        assert!(db.sync().expect("the file can be read"));
        db.verify().expect("what is kept is what is there");
    }
    let mut source = SqliteSource::open(&path).expect("a sound file");
    assert_eq!(dump(&mut source).len(), 1);
}

#[test]
fn an_attached_connection_may_be_left_behind_by_the_schema() {
    let path = path("attached-schema");
    let mut other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).only_attached_writers(true);
    let mut source = SqliteSource::open_with(options).expect("a sound file");
    let attached = source.attach(&mut other).expect("it is the same file");
    other.execute_batch("UPDATE t SET v = 'b'").expect("nobody writes");
    assert_eq!(batch(told(&mut source)), 1);
    other.execute_batch("ALTER TABLE t ADD COLUMN w").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Schema);
    other.execute_batch("UPDATE t SET w = 1").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Unknown);
    drop(attached);
    let again = source.attach(&mut other).expect("it is the same file");
    other.execute_batch("UPDATE t SET w = 2").expect("nobody writes");
    assert_eq!(told(&mut source), Foreign::Unknown, "the last round before may have missed one");
    other.execute_batch("UPDATE t SET w = 3").expect("nobody writes");
    assert_eq!(batch(told(&mut source)), 1);
    assert_eq!(again.commits(), 2);
    assert_eq!(shown(&mut source, "t"), [r#"Row(1, "b", 3)"#]);
}

#[test]
fn reads_made_before_a_further_column_go_on() {
    let path = path("further-column");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let db = Database::open(&path).expect("a sound file");
    let live = db.subscribe(Query::table("t").limit(2)).expect("live");
    other.execute_batch("ALTER TABLE t ADD COLUMN w INT DEFAULT 7").expect("nobody writes");
    other.execute_batch("INSERT INTO t VALUES(2, 'b', 8)").expect("nobody writes");
    assert!(db.sync().expect("the file can be read"));
    assert_eq!(live.rows().len(), 2);
    db.transaction(|tx| tx.delete("t", row! { id: 1 })).expect("a delete");
    assert_eq!(live.rows().len(), 1);
    let fresh = db.query(&Query::table("t").limit(2)).expect("a query");
    let further = fresh.first().and_then(|entry| entry.get("w").map(|value| value.to_owned()));
    assert_eq!(further, Some(8.into()));
}

#[test]
fn a_dropped_table_is_not_among_those_that_there_are() {
    let path = path("dropped-names");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    other.execute_batch("CREATE TABLE remaining(id INTEGER PRIMARY KEY)").expect("a sound table");
    let db = Database::open(&path).expect("a sound file");
    other.execute_batch("DROP TABLE t").expect("nobody writes");
    assert!(db.sync().expect("the file can be read"));
    let of_sql = db.query_sql("SELECT id FROM t", [0; 0]).expect_err("no such table");
    let of_builder = db.query(&Query::table("t")).expect_err("no such table");
    let of_key = db.get("t", row! { id: 1 }).expect_err("no such table");
    for error in [of_sql.to_string(), of_builder.to_string(), of_key.to_string()] {
        let names = error.contains("remaining") && !error.contains("dropped");
        assert!(names && !error.contains('\0'), "{error:?}");
    }
}

#[test]
fn a_temporary_table_of_the_same_name_is_not_read_for_the_files() {
    let path = path("temporary");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let own = connect(&path);
    own.execute_batch("CREATE TEMP TABLE t(a, b, PRIMARY KEY(a, b))").expect("a sound table");
    let mut source = SqliteSource::from_connection(own).expect("a sound file");
    let t = table(&source, "t");
    let names: Vec<&str> =
        source.schema().table(t).columns().iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["id", "v"]);
    assert_eq!(shown(&mut source, "t").len(), 1);
}

#[test]
fn a_schema_that_others_change_after_an_index_could_not_be_made_is_followed() {
    let path = path("index-undone");
    let (other, reader) = (connect(&path), connect(&path));
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).create_indexes(true).busy_timeout(Duration::ZERO);
    let db = Database::open_with(options).expect("a sound file");
    reader.execute_batch("BEGIN; SELECT * FROM t").expect("nobody writes");
    let live = db.subscribe(Query::table("t").order_by("v", Asc)).expect("live");
    reader.execute_batch("COMMIT").expect("a read");
    let made = "SELECT count(*) FROM sqlite_schema WHERE type = 'index'";
    let made: i64 = other.query_row(made, [], |row| row.get(0)).expect("a number");
    assert_eq!(made, 0, "the reader keeps the index from being committed");
    other.execute_batch("DROP TABLE t").expect("nobody writes");
    assert!(db.sync().expect("the file can be read"));
    assert!(matches!(live.try_rows(), Err(penstock::Error::SchemaChanged { .. })));
}

#[test]
fn no_index_is_made_over_a_column_that_somebody_has_renamed() {
    let path = path("index-renamed");
    let other = connect(&path);
    other.execute_batch(TABLE).expect("a sound table");
    let options = SqliteOptions::new(&path).create_indexes(true);
    let db = Database::open_with(options).expect("a sound file");
    other.execute_batch("ALTER TABLE t RENAME COLUMN v TO w").expect("nobody writes");
    let live = db.subscribe(Query::table("t").order_by("v", Asc));
    // Over a text that is no name of a column, it would keep the table from being altered.
    let over_texts = "SELECT count(*) FROM sqlite_schema AS list, pragma_index_info(list.name) AS info \
                      WHERE list.type = 'index' AND info.cid = -2";
    let over_texts: i64 = other.query_row(over_texts, [], |row| row.get(0)).expect("a number");
    assert_eq!(over_texts, 0, "{live:?}");
}
