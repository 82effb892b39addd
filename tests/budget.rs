//! Subscriptions that are made within a budget, or given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use penstock::ColumnType::Integer;
use penstock::{Budget, Database, Error, Params, Query, Schema, Table, col, row};
use serde_json::json;

/// So many rows, all with the same `k`.
fn database(rows: i64) -> Database {
    let table = Table::new("t").column("id", Integer).column("k", Integer).primary_key(["id"]);
    let db = Database::in_memory(Schema::new([table]).expect("a schema")).expect("a database");
    db.load("t", (0..rows).map(|id| row! { "id": id, "k": 1 })).expect("rows");
    db
}

/// Every row with every row, so many times over.
fn product(levels: usize) -> Query {
    let ast = (0..levels).fold(json!({"table": "t", "alias": "x"}), |within, _| {
        json!({"table": "t", "alias": "x", "related": [{"subquery": within,
            "correlation": {"parentField": ["k"], "childField": ["k"]}}]})
    });
    Query::from_ast(&ast).expect("a query")
}

fn too_costly(outcome: Result<impl Sized, Error>) -> String {
    match outcome {
        Err(error @ Error::TooCostly { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not given up"),
    }
}

#[test]
fn a_query_that_reads_too_much_is_given_up_and_nothing_of_it_is_kept() {
    let db = database(1000);
    let empty = db.memory_usage().expect("sizes");
    let within = |query: Query, reads| {
        let budget = Budget { reads, ..Budget::default() };
        db.subscribe_within(query, &Params::default(), budget)
    };
    let told = too_costly(within(Query::table("t"), 500));
    assert!(told.contains("500 rows to be read"), "{told}");
    // Rows that do not pass are read as well.
    too_costly(within(Query::table("t").filter(col("k").gt(1)), 500));
    too_costly(within(product(1), 1500));
    let after = db.memory_usage().expect("sizes");
    assert_eq!((after.levels, after.partitions), (empty.levels, empty.partitions));
    // What is within it is live like any other, and the budget is not for what comes later.
    let mut live = within(Query::table("t").filter(col("id").lt(10)), 1100).expect("cheap enough");
    assert_eq!(live.rows().len(), 10);
    db.load("t", (-2000..0).map(|id| row! { "id": id, "k": 1 })).expect("rows");
    assert_eq!((live.rows().len(), live.changes().count()), (2010, 1));
    db.verify().expect("as evaluated afresh");
}

#[test]
fn a_row_set_with_too_many_rows_or_places_is_not_kept() {
    let db = database(100);
    let mut live = db.subscribe(product(3)).expect("a hundred rows are read");
    // A hundred million places, of a hundred rows.
    let told = too_costly(live.row_set_within(Budget { places: 10_000, ..Budget::default() }));
    assert!(told.contains("10000 places"), "{told}");
    let mut live = db.subscribe(product(1)).expect("a result");
    let told = too_costly(live.row_set_within(Budget { rows: 99, ..Budget::default() }));
    assert!(told.contains("99 rows"), "{told}");
    let enough = Budget { rows: 100, places: 20_000, ..Budget::default() };
    assert_eq!(live.row_set_within(enough).expect("a row set").len(), 100);
    // It is kept now, and can be asked for again; and less is still too little.
    too_costly(live.row_set_within(Budget { rows: 99, ..Budget::default() }));
    db.transaction(|tx| tx.insert("t", row! { "id": 1000, "k": 1 })).expect("a row");
    let patches: Vec<_> = live.changes().collect();
    assert_eq!(patches.len(), 1);
    assert_eq!(patches[0].rows().map(|rows| rows.puts.len()), Some(1));
    drop(live);
    db.verify().expect("as evaluated afresh");
}

#[test]
fn a_query_that_takes_too_long_is_given_up() {
    let db = database(1000);
    let budget = Budget { time: Duration::ZERO, ..Budget::default() };
    let told = too_costly(db.subscribe_within(product(1), &Params::default(), budget));
    assert!(told.contains("milliseconds"), "{told}");
}

#[test]
fn steps_share_a_budget_and_a_row_set_that_becomes_too_large_is_given_up() {
    let db = database(1000);
    let reads = |reads| Budget { reads, ..Budget::default() };
    let fill = |budget: Budget| -> Result<usize, Error> {
        let mut budget = budget;
        let mut live =
            db.subscribe_in_steps_within(Query::table("t"), &Params::default(), budget)?;
        loop {
            let (is_complete, left) = live.grow_within(100, budget)?;
            assert!(left.reads < budget.reads, "{left:?}");
            budget = left;
            if is_complete {
                return Ok(live.rows().len());
            }
        }
    };
    assert_eq!(fill(reads(1100)).expect("enough"), 1000);
    too_costly(fill(reads(900)));
    // A set of rows that comes to stand at more places than it may is not kept any more.
    let places = Budget { places: 500, ..Budget::default() };
    let few = Query::table("t").filter(col("id").lt(400));
    let mut live = db.subscribe(few).expect("a result");
    assert_eq!(live.row_set_within(places).expect("few enough").len(), 400);
    assert!(!live.has_lost_row_set().expect("a database"));
    db.load("t", (-300..0).map(|id| row! { "id": id, "k": 1 })).expect("rows");
    assert!(live.has_lost_row_set().expect("a database"));
    assert_eq!(live.rows().len(), 700);
    too_costly(live.row_set_within(places));
    assert_eq!(live.row_set().expect("without a limit").len(), 700);
    assert!(!live.has_lost_row_set().expect("a database"));
    drop(live);
    db.verify().expect("as evaluated afresh");
}

#[test]
fn a_lost_row_set_is_not_back_because_another_asks_for_it() {
    let db = database(400);
    let few =
        || Query::table("t").filter(col("id").lt(400)).order_by("id", penstock::Direction::Asc);
    let mut first = db.subscribe(few()).expect("a result");
    let places = Budget { places: 500, ..Budget::default() };
    assert_eq!(first.row_set_within(places).expect("few enough").len(), 400);
    db.load("t", (-300..0).map(|id| row! { "id": id, "k": 1 })).expect("rows");
    let mut second = db.subscribe(few()).expect("a result");
    assert_eq!(second.row_set().expect("without a limit").len(), 700);
    assert!(!second.has_lost_row_set().expect("a database"));
    assert!(first.has_lost_row_set().expect("a database"), "it has missed 300 rows");
    // Nor by moving.
    first.set_limit(Some(10)).expect("moved");
    assert!(first.has_lost_row_set().expect("a database"));
    assert_eq!(first.row_set().expect("without a limit").len(), 10);
    assert!(!first.has_lost_row_set().expect("a database"));
    db.load("t", [row! { "id": -301, "k": 1 }]).expect("a row");
    let rows = |live: &mut penstock::Subscription| -> usize {
        live.changes().filter_map(|patch| patch.rows().map(|rows| rows.puts.len())).sum()
    };
    assert_eq!((rows(&mut first), rows(&mut second)), (1, 1));
    drop((first, second));
    db.verify().expect("as evaluated afresh");
}

/// Rows of a table between are in the row set and not in the tree.
#[test]
fn a_row_set_that_is_lost_where_no_tree_changes_is_told() {
    let plain = |name| Table::new(name).column("id", Integer).primary_key(["id"]);
    let between = Table::new("ab").column("id", Integer).column("a", Integer).column("b", Integer);
    let schema = Schema::new([plain("a"), plain("b"), between.primary_key(["id"])]);
    let db = Database::in_memory(schema.expect("a schema")).expect("a database");
    for table in ["a", "b"] {
        db.load(table, [row! { "id": 1 }]).expect("a row");
    }
    let more = |ids: std::ops::Range<i64>| {
        db.load("ab", ids.map(|id| row! { "id": id, "a": 1, "b": 1 })).expect("rows");
    };
    more(0..5);
    let query = json!({"table": "a", "orderBy": [["id", "asc"]], "related": [{"hidden": true,
        "correlation": {"parentField": ["id"], "childField": ["a"]},
        "subquery": {"table": "ab", "alias": "bs", "related": [{
            "correlation": {"parentField": ["b"], "childField": ["id"]},
            "subquery": {"table": "b", "alias": "bs"}}]}}]});
    let mut live = db.subscribe(Query::from_ast(&query).expect("a query")).expect("a result");
    let places = Budget { places: 50, ..Budget::default() };
    assert_eq!(live.row_set_within(places).expect("few enough").len(), 7);
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    live.on_change(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    more(5..10);
    assert_eq!(
        (live.has_lost_row_set().expect("a database"), told.load(Ordering::SeqCst)),
        (false, 1)
    );
    let before = live.rows();
    more(10..100);
    assert_eq!(live.rows(), before);
    assert_eq!(
        (live.has_lost_row_set().expect("a database"), told.load(Ordering::SeqCst)),
        (true, 2)
    );
    // From now on there is nothing to tell.
    more(100..101);
    assert_eq!(told.load(Ordering::SeqCst), 2);
    drop(live);
    db.verify().expect("as evaluated afresh");
}
