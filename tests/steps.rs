//! Results that are filled in steps: what a step costs, what is shared, and how they end.

use penstock::{
    ColumnType::Integer, Database, Direction, Error, Params, Query, Related, Schema, Table, col,
    row,
};

fn schema() -> Result<Schema, Error> {
    let table = |name: &str| {
        Table::new(name).column("id", Integer).column("of", Integer).primary_key(["id"])
    };
    Ok(Schema::new([table("list"), table("item")])?)
}

/// A hundred lists with two items each.
fn lists() -> Result<Database, Error> {
    let db = Database::in_memory(schema()?)?;
    db.load("list", (0..100).map(|id| row! { id: id, of: id % 7 }))?;
    db.load("item", (0..200).map(|id| row! { id: id, of: id / 2 }))?;
    Ok(db)
}

fn with_items() -> Query {
    Query::table("list").related("items", Related::many("item").on("id", "of"))
}

/// An empty folder of a test's own.
fn folder(test: &str) -> std::io::Result<std::path::PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn ids(live: &penstock::Subscription) -> Vec<i64> {
    live.rows().iter().filter_map(|row| row.get("id")?.as_i64()).collect()
}

#[test]
fn a_step_reads_as_many_rows_as_it_may() -> Result<(), Error> {
    let db = lists()?;
    // Three of seven rows pass.
    let some = Query::table("list").filter(col("of").lt(3));
    let mut live = db.subscribe_in_steps(some.clone(), &Params::new())?;
    assert_eq!((ids(&live), live.is_complete()?), (vec![], false));
    assert!(!live.grow(10)?);
    assert_eq!(ids(&live), [0, 1, 2, 7, 8, 9]);
    assert!(!live.grow(10)?);
    assert_eq!(ids(&live), [0, 1, 2, 7, 8, 9, 14, 15, 16]);
    // Rows up to where it has been read come and go; those beyond have their turn later.
    db.transaction(|tx| {
        tx.delete("list", row! { id: 7 })?;
        tx.update("list", row! { id: 10, of: 0 })?;
        tx.update("list", row! { id: 30, of: 1 })
    })?;
    assert_eq!(ids(&live), [0, 1, 2, 8, 9, 10, 14, 15, 16]);
    let mut steps = 2;
    while !live.grow(10)? {
        steps += 1;
    }
    assert_eq!(steps, 10, "a hundred rows, ten at a time, and one to see that there are no more");
    assert_eq!(live.rows(), db.query(&some)?);
    assert!(live.grow(10)?, "there is nothing left to do");
    Ok(())
}

#[test]
fn a_step_is_a_patch_of_its_own() -> Result<(), Error> {
    let db = lists()?;
    let mut live = db.subscribe_in_steps(with_items(), &Params::new())?;
    let mut tree = live.rows();
    let mut patches = 0;
    loop {
        let is_complete = live.grow(30)?;
        for patch in live.changes() {
            assert_eq!(patch.version(), Some(db.version()?));
            tree.apply(&patch);
            patches += 1;
        }
        assert_eq!(tree, live.rows());
        if is_complete {
            break;
        }
    }
    assert_eq!((patches, tree.len()), (4, 100));
    assert_eq!(tree, db.query(&with_items())?);
    Ok(())
}

#[test]
fn nobody_else_sees_a_result_that_is_not_complete() -> Result<(), Error> {
    let db = lists()?;
    let mut growing = db.subscribe_in_steps(with_items(), &Params::new())?;
    growing.grow(10)?;
    let partitions = db.memory_usage()?.partitions;
    assert_eq!(partitions, 11, "the list, and the items of ten");
    let whole = db.subscribe(with_items())?;
    assert_eq!(whole.rows().len(), 100);
    assert_eq!(growing.rows().len(), 10);
    assert_eq!(
        db.memory_usage()?.partitions,
        102,
        "two lists, and the items of a hundred, which both share"
    );
    db.verify()?;
    Ok(())
}

#[test]
fn another_limit_completes_it() -> Result<(), Error> {
    let db = lists()?;
    let mut live = db.subscribe_in_steps(with_items().limit(80), &Params::new())?;
    live.grow(20)?;
    live.set_limit(Some(50))?;
    assert_eq!((live.rows().len(), live.is_complete()?), (50, true));
    db.verify()?;
    Ok(())
}

#[test]
fn rows_that_have_to_be_sorted_are_read_at_once() -> Result<(), Box<dyn std::error::Error>> {
    let folder = folder("sorted")?;
    let path = folder.join("steps.db");
    let connection = rusqlite::Connection::open(&path)?;
    connection.execute_batch(
        "CREATE TABLE list (id INTEGER PRIMARY KEY, of INTEGER NOT NULL);
         WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 50)
         INSERT INTO list SELECT id, id % 7 FROM n",
    )?;
    let db = Database::open(&path)?;
    let by_key = db.subscribe_in_steps(Query::table("list"), &Params::new())?;
    assert_eq!((by_key.is_complete()?, by_key.rows().len()), (false, 0));
    let by_other = Query::table("list").order_by("of", Direction::Asc);
    let sorted = db.subscribe_in_steps(by_other, &Params::new())?;
    assert_eq!((sorted.is_complete()?, sorted.rows().len()), (true, 50));
    Ok(())
}

#[test]
fn a_result_that_has_ended_does_not_grow() -> Result<(), Box<dyn std::error::Error>> {
    let folder = folder("ended")?;
    let path = folder.join("steps.db");
    let connection = rusqlite::Connection::open(&path)?;
    connection.execute_batch("CREATE TABLE list (id INTEGER PRIMARY KEY, of INTEGER NOT NULL)")?;
    let db = Database::open(&path)?;
    let mut live = db.subscribe_in_steps(Query::table("list"), &Params::new())?;
    connection.execute_batch("DROP TABLE list")?;
    assert!(matches!(live.grow(1), Err(Error::SchemaChanged { .. })), "{:?}", live.grow(1));
    Ok(())
}
