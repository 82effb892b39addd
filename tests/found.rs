//! Defects that the property tests found, each in its smallest form.

mod support;

use penstock::query::{Filter, Related, col, exists, or};
use penstock::{Asc, Change, ColumnType::*, Database, Error, Query, Schema, Table, row};

/// Two tables `a` and `b` with a key `id`, a reference `to` and a number `n`.
fn database() -> Database {
    let table = |name: &str| {
        let table = Table::new(name).column("id", Integer).nullable("to", Integer);
        table.nullable("n", Integer).primary_key(["id"])
    };
    let schema = Schema::new([table("a"), table("b")]).expect("a valid schema");
    Database::in_memory(schema).expect("a database in memory")
}

fn ids(tree: &penstock::Tree) -> Vec<i64> {
    tree.iter().filter_map(|entry| entry.get("id")?.as_i64()).collect()
}

/// A row of an EXISTS body that keeps its gates and its key, but changes a column that an OR tests
/// beside a gate, flips the EXISTS.
#[test]
fn a_column_tested_beside_a_gate_decides_an_exists() -> Result<(), Error> {
    let db = database();
    db.transaction(|tx| {
        tx.insert("a", row! { id: 1 })?;
        tx.insert("b", row! { id: 1, to: 1, n: 0 })
    })?;
    let beside: Filter =
        or([col("n").eq(1), exists(Related::many("a").on("n", "id").filter(col("n").eq(5)))]);
    let query = Query::table("a").filter(exists(Related::many("b").on("id", "to").filter(beside)));
    let mut live = db.subscribe(query)?;
    assert!(ids(&live.rows()).is_empty());

    db.transaction(|tx| tx.update("b", row! { id: 1, n: 1 }))?;
    assert_eq!(ids(&live.rows()), [1]);
    db.transaction(|tx| tx.update("b", row! { id: 1, n: 0 }))?;
    assert!(ids(&live.rows()).is_empty());
    assert_eq!(live.changes().len(), 2);
    db.verify()
}

/// A column ordered by after the primary key decides where a row stands against a start position
/// that has the row's key.
#[test]
fn a_start_position_counts_columns_after_the_key() -> Result<(), Error> {
    let db = database();
    db.transaction(|tx| tx.insert("a", row! { id: 1, n: 3 }))?;
    let from = |n: i64| {
        let query = Query::table("a").order_by("id", Asc).order_by("n", Asc);
        query.start_after(row! { id: 1, n: n })
    };
    assert_eq!(ids(&db.query(&from(2))?), [1]);
    assert!(ids(&db.query(&from(3))?).is_empty());
    let live = db.subscribe(from(3))?;
    db.transaction(|tx| tx.update("a", row! { id: 1, n: 4 }))?;
    assert_eq!(ids(&live.rows()), [1]);
    Ok(())
}

/// A row that is in a related list before and after its parent's key changed is in one change.
#[test]
fn a_row_in_both_lists_of_a_changed_key_stays() -> Result<(), Error> {
    let db = database();
    db.transaction(|tx| {
        tx.insert("a", row! { id: 1, to: 1 })?;
        tx.insert("b", row! { id: 1, to: 1, n: 0 })
    })?;
    let related = Related::many("b").on("to", "to");
    let mut live = db.subscribe(Query::table("a").related("bs", related))?;
    let mut tree = live.rows();

    db.transaction(|tx| {
        tx.update("a", row! { id: 1, to: 2 })?;
        tx.update("b", row! { id: 1, to: 2 })
    })?;
    let patches: Vec<_> = live.changes().collect();
    assert_eq!(patches.len(), 1);
    let changes = patches[0].changes();
    assert!(matches!(&changes[..], [Change::Update { .. }, Change::Update { .. }]), "{changes:?}");
    tree.apply(&patches[0]);
    assert_eq!(tree, live.rows());
    Ok(())
}

/// A change of the row set alone is only for those who keep it, and what has not been taken when
/// the row set is asked for is not told again.
#[test]
fn row_sets_are_told_to_those_who_keep_them() -> Result<(), Error> {
    let db = database();
    db.transaction(|tx| tx.insert("a", row! { id: 1 }))?;
    let query = || {
        let hidden = Related::many("b").on("id", "to").then("a").on("n", "id");
        Query::table("a").related("far", hidden)
    };
    let mut keeps = db.subscribe(query())?;
    let mut plain = db.subscribe(query())?;
    assert_eq!(keeps.row_set()?.len(), 1);

    let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&told);
    plain.on_change(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    db.transaction(|tx| tx.insert("b", row! { id: 1, to: 1, n: 9 }))?;
    assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(keeps.has_changes() && !plain.has_changes());
    assert_eq!(plain.row_set()?.len(), 2);
    assert_eq!(plain.changes().len(), 0);
    let rows: Vec<_> = keeps.changes().filter_map(|patch| patch.rows()).collect();
    assert!(matches!(&rows[..], [rows] if rows.puts.len() == 1 && rows.deletes.is_empty()));
    Ok(())
}

/// A write that the source fails at is the source's error, not the data's.
#[test]
fn a_failing_write_is_an_error_of_the_source() -> Result<(), Error> {
    use support::faults::{Faults, Faulty};
    let schema = Schema::new([Table::new("a").column("id", Integer).primary_key(["id"])])?;
    let faults = std::sync::Arc::new(Faults::default());
    let inner = penstock::MemorySource::new(schema);
    let db = Database::builder()
        .with_source(Faulty { inner, faults: std::sync::Arc::clone(&faults) })?;
    // The start, the write, the end, the commit.
    for operation in 1..=4 {
        faults.arm(operation);
        let outcome = db.transaction(|tx| tx.insert("a", row! { id: 1 }));
        assert!(faults.disarm());
        assert!(matches!(outcome, Err(Error::Source(_))), "{operation}: {outcome:?}");
        assert!(db.get("a", row! { id: 1 })?.is_none());
    }
    db.transaction(|tx| tx.insert("a", row! { id: 1 }))
}

/// SQLite keeps text in a column of integers; an update of another column leaves it there.
#[test]
fn an_update_leaves_other_columns_as_they_are() -> Result<(), Error> {
    let connection = rusqlite::Connection::open_in_memory().expect("a database in memory");
    let filled = connection.execute_batch(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER, m INTEGER);
        INSERT INTO a VALUES (1, 'x', 2);",
    );
    filled.expect("a table");
    let source = penstock::SqliteSource::from_connection(connection)?;
    let db = Database::builder().with_source(source)?;
    let live = db.subscribe(Query::table("a"))?;
    db.transaction(|tx| tx.update("a", row! { id: 1, m: 3 }))?;
    let rows = live.rows();
    let row = rows.first().expect("the row");
    assert_eq!(row.get("n").and_then(|value| value.as_str()), Some("x"));
    assert_eq!(row.get("m").and_then(|value| value.as_i64()), Some(3));
    let wrong = db.transaction(|tx| tx.update("a", row! { id: 1, m: "y" }));
    assert!(matches!(wrong, Err(Error::BadRow { .. })), "{wrong:?}");
    Ok(())
}
