//! Others write to the same rows: what live results, transactions and readers make of it.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use penstock::{
    ColumnType, Database, Error, Params, Query, Related, Schema, Subscription, Table, Tree, Value,
    col, exists, row,
};
use support::faults::{Faults, Faulty};
use support::store::{Side, Store, Telling};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(60);

fn schema() -> Schema {
    let issue = Table::new("issue")
        .column("id", ColumnType::Integer)
        .column("title", ColumnType::Text)
        .column("open", ColumnType::Boolean)
        .primary_key(["id"])
        .many("comments", "comment", ["id"], ["issueId"]);
    let comment = Table::new("comment")
        .column("id", ColumnType::Integer)
        .column("issueId", ColumnType::Integer)
        .primary_key(["id"]);
    Schema::new([issue, comment]).expect("sound")
}

struct World {
    db: Database,
    /// Another database over the same rows.
    other: Database,
    faults: Arc<Faults>,
}

fn world(telling: Telling) -> World {
    let store = Store::new(schema());
    let faults = Arc::<Faults>::default();
    let source = Faulty { inner: Side::new(&store, telling), faults: Arc::clone(&faults) };
    let db = Database::builder().verify_every_commit(true).with_source(source);
    let other = Database::builder().with_source(Side::new(&store, Telling::Rows));
    World { db: db.expect("a database"), other: other.expect("a database"), faults }
}

impl World {
    fn other_adds(&self, id: i64) {
        insert(&self.other, id);
    }

    /// Live issues, with the number of patches that a callback has been told of.
    fn live(&self) -> (Subscription, Arc<AtomicUsize>) {
        let mut live = self.db.subscribe(Query::table("issue")).expect("live");
        let told = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&told);
        live.on_change(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        (live, told)
    }
}

fn insert(db: &Database, id: i64) {
    db.transaction(|tx| tx.insert("issue", row! { id: id, title: "new", open: true }))
        .expect("an insert");
}

fn ids(tree: &Tree) -> Vec<Value> {
    tree.iter().filter_map(|entry| Some(entry.get("id")?.to_owned())).collect()
}

fn told(count: &Arc<AtomicUsize>) -> usize {
    count.load(Ordering::SeqCst)
}

#[test]
fn whatever_reads_brings_results_up_to_date_first() {
    type Operation = fn(&World, &mut Subscription);
    let operations: [(&str, Operation); 9] = [
        ("sync", |world, _| assert!(world.db.sync().expect("a sync"))),
        ("query", |world, _| {
            assert_eq!(world.db.query(&Query::table("issue")).expect("a query").len(), 2);
        }),
        ("query_row_set", |world, _| {
            let rows = world.db.query_row_set(&Query::table("issue"), &Params::new());
            assert_eq!(rows.expect("rows").len(), 2);
        }),
        ("get", |world, _| {
            assert!(world.db.get("issue", row! { id: 2 }).expect("a read").is_some());
        }),
        ("verify", |world, _| world.db.verify().expect("maintained")),
        ("subscribe", |world, _| {
            let mut new = world.db.subscribe(Query::table("issue")).expect("live");
            assert_eq!((new.rows().len(), new.changes().len()), (2, 0));
        }),
        ("set_limit", |_, live| live.set_limit(Some(7)).expect("a limit")),
        ("transaction", |world, _| world.db.transaction(|_| Ok(())).expect("a transaction")),
        ("apply", |world, _| assert!(world.db.apply(Vec::new()).expect("a batch").is_empty())),
    ];
    for telling in [Telling::Rows, Telling::Nothing] {
        for (name, operation) in operations {
            let world = world(telling);
            insert(&world.db, 1);
            let (mut live, count) = world.live();
            world.other_adds(2);
            assert_eq!(live.rows().len(), 1, "{name}: nobody has looked yet");
            operation(&world, &mut live);
            assert_eq!(live.rows().len(), 2, "{name}");
            assert_eq!((live.changes().len(), told(&count)), (1, 1), "{name}");
            assert!(!world.db.sync().expect("a sync"), "{name}: there is nothing left");
            assert_eq!((live.changes().len(), told(&count)), (0, 1), "{name}");
            assert_eq!(world.db.version().expect("a version"), 2, "{name}");
        }
    }
}

#[test]
fn several_transactions_of_others_come_as_one_patch() {
    let world = world(Telling::Rows);
    let query = Query::table("issue")
        .filter(exists("comments"))
        .related("comments", Related::many("comment").on("id", "issueId"))
        .limit(2);
    (1..=4).for_each(|id| insert(&world.db, id));
    let mut live = world.db.subscribe(query.clone()).expect("live");
    let mut tree = live.rows();
    let comment = |id: i64, issue: i64| {
        let made =
            world.other.transaction(|tx| tx.insert("comment", row! { id: id, issueId: issue }));
        made.expect("an insert");
    };
    comment(1, 3);
    comment(2, 4);
    comment(3, 2);
    let deleted = world.other.transaction(|tx| tx.delete("comment", row! { id: 2 }));
    deleted.expect("a delete");
    assert!(world.db.sync().expect("a sync"));
    let patches: Vec<_> = live.changes().collect();
    assert_eq!(patches.len(), 1);
    tree.apply(&patches[0]);
    assert_eq!(ids(&tree), [Value::from(2), Value::from(3)]);
    assert_eq!(tree, live.rows());
    assert_eq!(tree, world.db.query(&query).expect("a query"));
}

#[test]
fn a_transaction_starts_from_what_others_have_written() {
    for telling in [Telling::Rows, Telling::Nothing] {
        let world = world(telling);
        let (mut live, count) = world.live();
        world.other_adds(1);
        let renamed = world.db.transaction(|tx| {
            assert_eq!(tx.query(&Query::table("issue"))?.len(), 1);
            tx.update("issue", row! { id: 1, title: "renamed" })
        });
        renamed.expect("an update of another's row");
        let patches: Vec<String> = live.changes().map(|patch| patch.to_string()).collect();
        assert_eq!(patches.len(), 2, "the other's, then its own: {patches:?}");
        assert!(patches[0].starts_with('+') && patches[1].contains("renamed"), "{patches:?}");
        assert_eq!(told(&count), 2);
    }
}

#[test]
fn a_transaction_that_is_given_up_takes_nothing_of_others_back() {
    let world = world(Telling::Nothing);
    let (mut live, count) = world.live();
    world.other_adds(1);
    let given_up: Result<(), Error> = world.db.transaction(|tx| {
        tx.delete("issue", row! { id: 1 })?;
        Err(Error::abort("on purpose"))
    });
    assert!(matches!(given_up, Err(Error::Aborted(_))));
    assert_eq!((live.rows().len(), live.changes().len(), told(&count)), (1, 1, 1));

    world.other_adds(2);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.db.transaction(|_| -> Result<(), Error> { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    assert_eq!((live.rows().len(), live.changes().len(), told(&count)), (2, 1, 2));
    world.db.verify().expect("still right and usable");
}

#[test]
fn what_cannot_be_followed_changes_nothing_and_is_tried_again() {
    for telling in [Telling::Rows, Telling::Nothing] {
        let world = world(telling);
        let (mut live, count) = world.live();
        let mut limited = world.db.subscribe(Query::table("issue").limit(1)).expect("live");
        insert(&world.db, 5);
        assert_eq!((live.changes().len(), limited.changes().len(), told(&count)), (1, 1, 1));
        world.other_adds(1);
        let mut failures = 0;
        for n in 1.. {
            world.faults.arm(n);
            // The transaction of which it is the start does not happen either.
            let outcome = world.db.transaction(|tx| tx.delete("issue", row! { id: 5 }));
            if !world.faults.disarm() {
                outcome.expect("a transaction");
                break;
            }
            failures += 1;
            let error = outcome.expect_err("a failing source");
            assert!(error.to_string().ends_with(": a fault on purpose"), "{error}");
            // The last faults are those of the transaction itself, after the other's rows.
            let changes = live.changes().len();
            assert!(changes <= 1, "{changes}");
            assert_eq!(limited.changes().len(), changes);
            assert_eq!(
                world.db.version().expect("a version"),
                if told(&count) > 1 { 2 } else { 1 }
            );
        }
        assert!(failures >= 6, "{failures}");
        assert_eq!(told(&count), 3, "the first insert, the other's, and the deletion");
        assert_eq!((ids(&live.rows()), ids(&limited.rows())), (vec![1.into()], vec![1.into()]));
        world.db.verify().expect("maintained");
    }
}

#[test]
fn callbacks_may_use_the_database_while_it_follows() {
    let world = world(Telling::Rows);
    let mut live =
        world.db.subscribe(Query::table("issue").filter(col("open").eq(true))).expect("live");
    let (db, seen) = (world.db.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&seen);
    live.on_change(move |patch| {
        let rows = db.query(&Query::table("issue")).map(|tree| tree.len());
        kept.lock().expect("no panic").push((patch.changes().len(), rows.expect("a query")));
    });
    world.other_adds(1);
    world.other_adds(2);
    assert!(world.db.sync().expect("a sync"));
    assert_eq!(*seen.lock().expect("no panic"), [(2, 2)]);
}

#[test]
fn inside_a_transaction_there_is_nothing_to_follow() {
    let world = world(Telling::Rows);
    let within = world.db.transaction(|_| world.db.sync());
    assert!(matches!(within, Err(Error::Reentrant { operation: "Database::sync" })), "{within:?}");
}

#[test]
fn a_thread_follows_until_it_is_dropped() {
    let world = world(Telling::Nothing);
    let mut live = world.db.subscribe(Query::table("issue")).expect("live");
    let (send, receive) = mpsc::channel();
    live.on_change(move |patch| {
        let _ = send.send(patch.changes().len());
    });
    let following = world.db.follow(Duration::from_millis(1)).expect("a thread");
    world.other_adds(1);
    assert_eq!(receive.recv_timeout(LONG), Ok(1));
    assert!(live.wait(LONG));

    // A failure is kept, and the next look succeeds.
    assert!(following.last_error().is_none());
    world.faults.arm(1);
    world.other_adds(2);
    assert_eq!(receive.recv_timeout(LONG), Ok(1));
    let error = following.last_error().expect("the failure");
    assert!(error.to_string().ends_with(": a fault on purpose"), "{error}");

    drop(following);
    world.other_adds(3);
    assert_eq!(live.rows().len(), 2, "nobody follows any more");
    assert!(world.db.sync().expect("a sync"));
    assert_eq!(receive.recv_timeout(LONG), Ok(1));
}

#[test]
fn a_panicking_callback_does_not_end_following() {
    let world = world(Telling::Rows);
    let mut live = world.db.subscribe(Query::table("issue")).expect("live");
    let (send, receive) = mpsc::channel();
    let mut first = true;
    live.on_change(move |_| {
        let _ = send.send(());
        assert!(!std::mem::take(&mut first), "on purpose");
    });
    let _following = world.db.follow(Duration::from_millis(1)).expect("a thread");
    world.other_adds(1);
    assert_eq!(receive.recv_timeout(LONG), Ok(()));
    world.other_adds(2);
    assert_eq!(receive.recv_timeout(LONG), Ok(()));
}

#[test]
fn following_does_not_keep_a_database_alive_and_may_be_dropped_by_a_callback() {
    let world = world(Telling::Rows);
    let mut live = world.db.subscribe(Query::table("issue")).expect("live");
    let (send, receive) = mpsc::channel();
    let slot = Arc::new(Mutex::new(None));
    let held = Arc::clone(&slot);
    live.on_change(move |_| {
        // On the thread itself, which cannot wait for its own end.
        drop(held.lock().expect("no panic").take());
        let _ = send.send(());
    });
    *slot.lock().expect("no panic") = Some(world.db.follow(Duration::from_millis(1)).expect("one"));
    world.other_adds(1);
    assert_eq!(receive.recv_timeout(LONG), Ok(()));
    assert!(slot.lock().expect("no panic").is_none());

    // Nor can it wait inside a transaction, for which the thread may wait itself.
    let following = world.db.follow(Duration::ZERO).expect("a thread");
    let within = world.db.transaction(|_| {
        drop(following);
        Ok(())
    });
    within.expect("a transaction");

    // With the last handle the callbacks go, and with them the channel.
    let following = world.db.follow(Duration::from_secs(3600)).expect("a thread");
    drop((live, world));
    assert_eq!(receive.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    drop(following);
}

#[test]
fn a_source_without_sql_says_so() {
    let db = Database::in_memory(schema()).expect("a database");
    let text = "this database's source takes no SQL statements; open it with Database::open";
    let outcome = db.transaction(|tx| tx.execute("DELETE FROM issue WHERE id = ?", [1]));
    assert_eq!(outcome.expect_err("no SQL").to_string(), text);
    let outcome = db.transaction(|tx| tx.execute_batch("DELETE FROM issue"));
    assert_eq!(outcome.expect_err("no SQL").to_string(), text);
}
