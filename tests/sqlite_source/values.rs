//! Values in and out of the file.

use penstock::operators::source::{At, Change};
use penstock::{Row, Source, SqliteSource, Value};
use rusqlite::Connection;

use super::file::{in_memory, row, shown, table, transact};

fn key(source: &SqliteSource, name: &str, row: &Row) -> penstock::operators::key::Key {
    source.schema().table(table(source, name)).primary_key_spec().key(row)
}

#[test]
fn every_value_comes_back_as_it_went_in() {
    let mut source = in_memory(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, o BOOLEAN, \
         j JSON TEXT, a)",
    );
    let id = table(&source, "t");
    let integers = [i64::MIN, -1, 0, 1, (1 << 53) + 1, i64::MAX];
    let reals = [-1.5, 0.0, 0.1, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY];
    let texts = ["", "a\0b", "😀", "7", " ", "'\""];
    let blobs: [&[u8]; 6] = [b"", b"\0", b"\xff\xfe", b"text", &[0; 40], b"1"];
    let booleans = [true, false, true, false, true, false];
    let json = ["1", "[]", "{\"a\": [1, null]}", "null", "\"x\"", "1.50"];
    let anything: [Value; 6] = [
        Value::Int(1),
        Value::Float(1.0),
        "1".into(),
        Value::Null,
        vec![1_u8].into(),
        Value::Int(i64::MIN),
    ];
    let mut rows = vec![row([
        9.into(),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
    ])];
    for at in 0..6 {
        rows.push(Row::new(&[
            Value::Int(at as i64),
            integers[at].into(),
            reals[at].into(),
            texts[at].into(),
            blobs[at].to_vec().into(),
            booleans[at].into(),
            Value::Json(json[at].into()),
            anything[at].clone(),
        ]));
    }
    let inserts = rows.iter().map(|row| Change::Insert { table: id, row: row.clone() });
    let batch = source.apply(inserts.collect()).expect("the rows fit");
    let new: Vec<Row> = batch.table(id).iter().filter_map(|delta| delta.new.clone()).collect();
    assert_eq!(new, rows);
    source.commit().expect("it is finished");
    for row in &rows {
        let found = source.get(At::After, id, &key(&source, "t", row)).expect("it can be read");
        assert_eq!(found.as_ref(), Some(row));
    }
}

#[test]
fn what_a_column_cannot_hold_stays_what_it_is() {
    let mut source = in_memory(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, o BOOLEAN, j JSON);
         INSERT INTO t VALUES
             (1, 'x', 'y', 5, 2, '{bad'),
             (2, 1.5, 7, x'00', 'true', '[1]'),
             (3, '12', '1e2', 1.0, '1', '17'),
             (4, x'31', NULL, NULL, -0.5, x'5b5d');",
    );
    assert_eq!(
        shown(&mut source, "t"),
        [
            r#"Row(1, "x", "y", "5", 2, "{bad")"#,
            r#"Row(2, 1.5, 7, x'00', "true", [1])"#,
            r#"Row(3, 12, 100, "1.0", true, 17)"#,
            r#"Row(4, x'31', null, null, -0.5, x'5b5d')"#,
        ]
    );
    // Such a value does not keep its row from being changed, but cannot be written anew.
    let id = table(&source, "t");
    let first = source
        .get(At::After, id, &key(&source, "t", &row([1.into()])))
        .expect("it can be read")
        .expect("it is there");
    let change = |row: Row| Change::Update { table: id, key: key_of_one(), row };
    source.apply(vec![change(first.with(&[(3, "z".into())]))]).expect("the text fits");
    source.commit().expect("it is finished");
    let refused = source.apply(vec![change(first.with(&[(1, "other".into())]))]);
    assert_eq!(
        refused.expect_err("text in an integer column").to_string(),
        r#"table "t": column "i": expected integer, found text "other""#
    );
    let batch = transact(&mut source, "UPDATE t SET i = 'other' WHERE id = 1");
    assert_eq!(batch.len(), 1, "statements may do what SQLite lets them");
}

fn key_of_one() -> penstock::operators::key::Key {
    penstock::operators::key::KeySpec::asc(&[0]).key(&row([1.into()]))
}

#[test]
fn text_that_is_not_utf_8_is_named_and_can_be_mended() {
    let mut source = in_memory(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO t VALUES(1, 'good'), (7, CAST(x'ff41' AS TEXT));",
    );
    let id = table(&source, "t");
    let seven = penstock::operators::key::KeySpec::asc(&[0]).key(&row([7.into()]));
    let error = source.get(At::After, id, &seven).expect_err("it is not UTF-8").to_string();
    assert!(error.contains("table \"t\", row id = 7"), "{error}");
    assert!(error.contains("column \"name\" is not valid UTF-8; correct it"), "{error}");
    source.begin().expect("none is in flight");
    source.execute("UPDATE t SET name = 'mended' WHERE id = 7", &[]).expect("a sound statement");
    assert_eq!(source.finish().expect("all rows can be read").len(), 1);
    source.commit().expect("it is finished");
    assert_eq!(shown(&mut source, "t"), [r#"Row(1, "good")"#, r#"Row(7, "mended")"#]);
    source.begin().expect("none is in flight");
    source.execute("UPDATE t SET name = CAST(x'ff' AS TEXT)", &[]).expect("SQLite allows it");
    let error = source.finish().expect_err("it is not UTF-8").to_string();
    assert!(error.contains("row id = 1"), "{error}");
    source.rollback();
}

#[test]
fn a_null_key_is_an_error_where_it_is_met() {
    let connection = Connection::open_in_memory().expect("memory");
    connection
        .execute_batch("CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES(NULL), ('a')")
        .expect("SQLite allows it");
    let mut source = SqliteSource::from_connection(connection).expect("a sound database");
    let shape = penstock::operators::source::ScanShape {
        table: table(&source, "t"),
        equal: Vec::new(),
        order: vec![(0, penstock::Asc)],
    };
    let scan = source.prepare(&shape).expect("a sound shape");
    let error = source
        .scan(At::After, scan, &[], None, false, &mut |_| std::ops::ControlFlow::Continue(()))
        .expect_err("nothing can refer to it");
    assert!(error.to_string().contains("null in the primary-key column \"k\""), "{error}");
    source.begin().expect("none is in flight");
    let error = source.execute("INSERT INTO t VALUES(NULL)", &[]).expect_err("a null key");
    assert!(error.to_string().contains("the primary-key column \"k\" cannot be null"), "{error}");
    source.execute("DELETE FROM t WHERE k IS NULL", &[]).expect("it may go");
    assert!(source.finish().expect("nothing was seen").is_empty());
    source.commit().expect("it is finished");
    assert_eq!(shown(&mut source, "t"), [r#"Row("a")"#]);
}
