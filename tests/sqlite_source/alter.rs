//! Changes of the schema by the database's own transactions.

use penstock::{Asc, Database, Error, Query, SqliteOptions, Subscription, Value, row};

use super::file::path;

const TABLES: &str = "
    CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, n INTEGER);
    CREATE TABLE u(id INTEGER PRIMARY KEY, t_id INTEGER);
    INSERT INTO t VALUES(1, 'a', 10), (2, 'b', 20);
    INSERT INTO u VALUES(1, 1)";

fn database(name: &str) -> Database {
    let options = SqliteOptions::new(path(name)).create_if_missing(true);
    let db = Database::builder().verify_every_commit(true).open_with(options);
    let db = db.expect("a database");
    db.transaction(|tx| tx.change_schema(TABLES)).expect("sound tables");
    db
}

fn column(live: &Subscription, name: &str) -> Vec<Value> {
    let value = |entry: penstock::Entry| entry.get(name).expect("a column").to_owned();
    live.rows().iter().map(value).collect()
}

#[test]
fn further_columns_and_rows_come_with_one_transaction() {
    let db = database("alter-add");
    let mut live = db.subscribe(Query::table("t").order_by("id", Asc)).expect("live");
    let joined = db
        .subscribe_sql("SELECT t.v, u.id FROM t JOIN u ON u.t_id = t.id ORDER BY u.id", ())
        .expect("live");
    let done = db.transaction(|tx| {
        tx.insert("t", row! { id: 3, v: "c", n: 30 })?;
        tx.change_schema("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")?;
        tx.execute("UPDATE t SET v = ?1, more = 'y' WHERE id = ?2", ["z".into(), Value::Int(1)])?;
        tx.execute("INSERT INTO u VALUES(2, 3)", Vec::<Value>::new())?;
        tx.with_connection(|connection| {
            connection.query_row("SELECT count(*) FROM t WHERE more = 'x'", [], |row| {
                row.get::<_, i64>(0)
            })
        })
    });
    assert_eq!(done.expect("a sound transaction"), 2);
    assert_eq!(live.status().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(column(&live, "v"), ["z", "b", "c"].map(Value::from));
    // The row that nobody wrote has become wider too.
    assert_eq!(live.changes().map(|patch| patch.changes().len()).sum::<usize>(), 3);
    assert_eq!(column(&joined, "v"), ["z", "c"].map(Value::from));
    let more = db.subscribe(Query::table("t").order_by("id", Asc)).expect("live");
    assert_eq!(column(&more, "more"), ["y", "x", "x"].map(Value::from));
    // Row by row again.
    db.transaction(|tx| tx.update("t", row! { id: 2, v: "q", more: "m" })).expect("a row");
    assert_eq!(column(&more, "more"), ["y", "m", "x"].map(Value::from));
    assert_eq!(live.changes().map(|patch| patch.changes().len()).sum::<usize>(), 1);
    db.verify().expect("nothing differs");
}

#[test]
fn what_cannot_go_on_ends_and_nothing_else() {
    let db = database("alter-drop");
    let of_v = db.subscribe_sql("SELECT v FROM t ORDER BY id", ()).expect("live");
    let of_u = db.subscribe(Query::table("u")).expect("live");
    let statements = "ALTER TABLE t DROP COLUMN v; ALTER TABLE t RENAME COLUMN n TO m";
    db.transaction(|tx| tx.change_schema(statements)).expect("sound statements");
    assert!(matches!(of_v.status(), Err(Error::SchemaChanged { .. })));
    assert!(of_u.status().is_ok());
    db.transaction(|tx| tx.change_schema("ALTER TABLE u RENAME TO w")).expect("sound statements");
    assert!(matches!(of_u.status(), Err(Error::SchemaChanged { .. })));
    let of_m = db.subscribe_sql("SELECT m FROM t JOIN w ON w.t_id = t.id", ()).expect("live");
    assert_eq!(column(&of_m, "m"), [Value::Int(10)]);
}

#[test]
fn a_transaction_that_is_given_up_leaves_the_schema_as_it_was() {
    let db = database("alter-undo");
    let live = db.subscribe(Query::table("t").order_by("id", Asc)).expect("live");
    let given_up: Result<(), Error> = db.transaction(|tx| {
        tx.change_schema("ALTER TABLE t DROP COLUMN n; CREATE TABLE w(id INTEGER PRIMARY KEY)")?;
        Err(Error::NoSql)
    });
    assert!(given_up.is_err());
    assert!(live.status().is_ok());
    assert_eq!(column(&live, "n"), [10, 20].map(Value::Int));
    db.transaction(|tx| tx.update("t", row! { id: 1, n: 11 })).expect("a row");
    assert_eq!(column(&live, "n"), [11, 20].map(Value::Int));
}

#[test]
fn after_a_change_of_the_schema_only_sql_is_taken() {
    let db = database("alter-sql");
    let refused = db.transaction(|tx| {
        tx.change_schema("ALTER TABLE t DROP COLUMN n")?;
        for refusal in [
            tx.insert("u", row! { id: 7, t_id: 1 }).map(drop),
            tx.get("u", row! { id: 1 }).map(drop),
            tx.query(&Query::table("u")).map(drop),
        ] {
            let text = refusal.expect_err("refused").to_string();
            assert!(text.contains("after a change of the schema"), "{text}");
        }
        let text = tx.change_schema("COMMIT").expect_err("refused").to_string();
        assert!(text.contains("COMMIT is not possible"), "{text}");
        Ok(())
    });
    refused.expect("the change of the schema itself");
    let text = db.transaction(|tx| tx.execute_batch("DROP TABLE u")).expect_err("refused");
    assert!(text.to_string().contains("change_schema"), "{text}");
}
