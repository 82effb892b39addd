//! What subscribers are told, and when: callbacks that use the database and themselves, patches
//! that are kept and not kept, and commits that are verified.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use penstock::ColumnType::Integer;
use penstock::operators::delta::Batch;
use penstock::operators::source::{At, Change, Cursor, ScanId, ScanShape, SourceError, Visitor};
use penstock::{
    ApplyError, Database, Error, MemorySource, Patch, Query, Row, Schema, Source, Subscription,
    Table, TableId, Tree, Value, col, row,
};

fn schema() -> Schema {
    let table = |name: &str| {
        Table::new(name).column("id", Integer).nullable("n", Integer).primary_key(["id"])
    };
    Schema::new([table("a"), table("b")]).expect("a sound schema")
}

/// With rows 1 to `rows` in table `a`.
fn database(rows: i64) -> Database {
    let db = Database::in_memory(schema()).expect("a database");
    db.load("a", (1..=rows).map(|id| row! { id: id, n: 0 })).expect("rows");
    db
}

fn set(db: &Database, id: i64, n: i64) {
    db.transaction(|tx| tx.upsert("a", row! { id: id, n: n })).expect("a write");
}

fn ids(tree: &Tree) -> Vec<Value> {
    tree.iter().map(|entry| entry.row().row().get(0).to_owned()).collect()
}

/// Runs a test that would hang if it failed.
fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(test()).is_ok());
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(outcome) => {
            assert!(thread.join().is_ok_and(|sent| sent));
            outcome
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the test panicked"),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
    }
}

/// A copy of a result that a callback keeps.
fn copy(subscription: &mut Subscription) -> Arc<Mutex<Tree>> {
    let copy = Arc::new(Mutex::new(subscription.rows()));
    let kept = Arc::clone(&copy);
    subscription.on_change(move |patch| kept.lock().expect("no panic").apply(patch));
    copy
}

#[test]
fn a_callback_may_move_its_own_subscription() {
    let (live, kept) = in_time(|| {
        let db = database(8);
        let live = Arc::new(Mutex::new(db.subscribe(Query::table("a").limit(2)).expect("live")));
        let kept = copy(&mut live.lock().expect("no panic"));
        let own = Arc::downgrade(&live);
        let mut calls = 0;
        live.lock().expect("no panic").on_change(move |_| {
            calls += 1;
            if let (1 | 2, Some(own)) = (calls, own.upgrade()) {
                let mut own = own.lock().expect("no panic");
                own.set_limit(Some(2 + calls)).expect("a limit");
                own.set_start((calls == 2).then(|| row! { id: 1 })).expect("a start");
            }
        });
        set(&db, 1, 3);
        let live = live.lock().expect("no panic").rows();
        (live, kept.lock().expect("no panic").clone())
    });
    assert_eq!(ids(&live), [2, 3, 4, 5].map(Value::from));
    assert_eq!(kept, live);
}

#[test]
fn a_callback_may_drop_its_own_subscription() {
    let (calls, partitions) = in_time(|| {
        let db = database(0);
        let live = Arc::new(Mutex::new(Some(db.subscribe(Query::table("a")).expect("live"))));
        let (own, calls) = (Arc::clone(&live), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&calls);
        let writer = db.clone();
        live.lock().expect("no panic").as_mut().expect("there").on_change(move |_| {
            *counted.lock().expect("no panic") += 1;
            // Told of this one too, were it not dropped before that is delivered.
            set(&writer, 2, 2);
            drop(own.lock().expect("no panic").take());
        });
        set(&db, 1, 1);
        let calls = *calls.lock().expect("no panic");
        (calls, db.memory_usage().expect("memory").partitions)
    });
    assert_eq!((calls, partitions), (1, 0));
}

#[test]
fn a_moving_callback_misses_nothing_that_is_queued() {
    let (live, kept) = in_time(|| {
        let db = database(3);
        let mut trigger = db.subscribe(Query::table("b")).expect("live");
        let live = Arc::new(Mutex::new(db.subscribe(Query::table("a").limit(2)).expect("live")));
        let kept = copy(&mut live.lock().expect("no panic"));
        let (writer, moved) = (db.clone(), Arc::clone(&live));
        trigger.on_change(move |_| {
            set(&writer, 1, 77);
            moved.lock().expect("no panic").set_limit(Some(3)).expect("a limit");
            set(&writer, 2, 78);
        });
        db.transaction(|tx| tx.insert("b", row! { id: 1 })).expect("a write");
        let live = live.lock().expect("no panic").rows();
        (live, kept.lock().expect("no panic").clone())
    });
    assert_eq!(live.len(), 3);
    assert_eq!(kept, live);
}

#[test]
fn a_callback_that_moves_while_others_write_misses_nothing() {
    let (live, kept) = in_time(|| {
        let db = database(10);
        let mut live = db.subscribe(Query::table("a").limit(2)).expect("live");
        let kept = copy(&mut live);
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let db = db.clone();
                std::thread::spawn(move || {
                    (0..1500).for_each(|n| set(&db, 1 + n % 5, 2 * n + writer))
                })
            })
            .collect();
        let mut moves = 0;
        while moves < 200 || !writers.iter().all(|writer| writer.is_finished()) {
            moves += 1;
            live.set_limit(Some(2 + moves % 5)).expect("a limit");
        }
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        // Nobody delivers any more, or this one comes after the rest.
        let (sender, receiver) = mpsc::channel();
        live.on_change(move |patch| {
            let ends = patch.changes().iter().any(|change| change.to_string().contains("-1"));
            let _ = ends.then(|| sender.send(()));
        });
        set(&db, 1, -1);
        receiver.recv().expect("told of the last write");
        (live.rows(), kept.lock().expect("no panic").clone())
    });
    assert_eq!(kept, live);
}

#[test]
fn a_new_callback_is_told_of_later_commits_only() {
    let told = in_time(|| {
        let db = database(0);
        let mut first = db.subscribe(Query::table("a")).expect("live");
        first.on_change(|_| {});
        let mut trigger = db.subscribe(Query::table("b")).expect("live");
        let late = Arc::new(Mutex::new(None));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (writer, kept, list) = (db.clone(), Arc::clone(&late), Arc::clone(&told));
        trigger.on_change(move |_| {
            set(&writer, 1, 1);
            let mut live = writer.subscribe(Query::table("a")).expect("live");
            let list = Arc::clone(&list);
            list.lock().expect("no panic").push(format!("{} rows", live.rows().len()));
            live.on_change(move |patch| list.lock().expect("no panic").push(patch.to_string()));
            *kept.lock().expect("no panic") = Some(live);
        });
        db.transaction(|tx| tx.insert("b", row! { id: 1 })).expect("a write");
        set(&db, 2, 2);
        drop(late.lock().expect("no panic").take());
        set(&db, 3, 3);
        std::mem::take(&mut *told.lock().expect("no panic"))
    });
    assert_eq!(told, ["1 rows", "+ id: 2, n: 2"]);
}

#[test]
fn callbacks_are_told_in_the_order_of_the_commits() {
    let versions = in_time(|| {
        let db = database(0);
        let mut live = db.subscribe(Query::table("a")).expect("live");
        let (sender, receiver) = mpsc::channel();
        live.on_change(move |patch| {
            let _ = sender.send(patch.version());
        });
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let db = &db;
                scope.spawn(move || (0..500).for_each(|n| set(db, 2 * n + writer, n)));
            }
        });
        receiver.iter().take(1000).collect::<Vec<_>>()
    });
    assert!(versions.iter().copied().eq((1..=1000).map(Some)), "{versions:?}");
}

#[test]
fn a_panicking_callback_does_not_keep_others_from_being_told() {
    let db = database(0);
    let mut panics = db.subscribe(Query::table("a")).expect("live");
    let mut same = db.subscribe(Query::table("a")).expect("live");
    let mut other = db.subscribe(Query::table("a").limit(5)).expect("live");
    panics.on_change(|_| panic!("a bug in the application"));
    let told = Arc::new(Mutex::new(0));
    for live in [&mut same, &mut other] {
        let told = Arc::clone(&told);
        live.on_change(move |_| *told.lock().expect("no panic") += 1);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| set(&db, 1, 1)));
    let panic = outcome.expect_err("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"a bug in the application"));
    assert_eq!(*told.lock().expect("no panic"), 2, "all have been told");
    assert_eq!(same.rows().len(), 1, "the transaction is committed");
    drop(panics);
    set(&db, 2, 2);
    assert_eq!(*told.lock().expect("no panic"), 4);
    db.verify().expect("right");
}

#[test]
fn a_callback_may_be_a_mere_signal() {
    let db = database(3);
    let mut live = db.subscribe(Query::table("a")).expect("live");
    let mut copy = live.rows();
    let empty = db.memory_usage().expect("memory").feeds;
    live.on_change(|_| {});
    (0..50).for_each(|n| set(&db, 1, n + 1));
    assert!(db.memory_usage().expect("memory").feeds > empty);
    let patches: Vec<Patch> = live.changes().collect();
    assert!(patches.len() == 50 && patches.iter().all(|patch| patch.reset_tree().is_none()));
    patches.iter().for_each(|patch| copy.apply(patch));
    assert_eq!(copy, live.rows());
}

#[test]
fn a_callback_beside_changes_that_are_taken_takes_nothing_away() {
    let db = database(3);
    let mut live = db.subscribe(Query::table("a").limit(2)).expect("live");
    let mut copy = live.rows();
    assert_eq!(live.changes().len(), 0);
    live.on_change(|_| {});
    set(&db, 1, 1);
    live.set_limit(Some(3)).expect("a limit");
    set(&db, 3, 3);
    let patches: Vec<Patch> = live.changes().collect();
    assert_eq!(patches.len(), 3);
    patches.iter().for_each(|patch| copy.apply(patch));
    assert_eq!(copy, live.rows());
}

#[test]
fn unread_patches_are_limited_in_number_and_bytes() {
    for builder in [
        Database::builder().max_pending_patches(100),
        Database::builder().max_pending_bytes(20_000),
    ] {
        let db = builder.in_memory(schema()).expect("a database");
        let mut live = db.subscribe(Query::table("a")).expect("live");
        let mut most = 0;
        for n in 0..2000 {
            set(&db, 1, n);
            most = most.max(db.memory_usage().expect("memory").feeds);
        }
        assert!(most > 1000, "what is kept is counted: {most}");
        assert!(most < 100_000, "what is kept is limited: {most}");
        let patches: Vec<Patch> = live.changes().collect();
        assert_eq!(patches.len(), 1);
        assert_eq!(patches[0].reset_tree(), Some(&live.rows()));
        set(&db, 1, -1);
        assert_eq!(live.changes().filter(|patch| patch.reset_tree().is_none()).count(), 1);
        // Moving to and fro leaves patches of the feeds that were left.
        for n in 0..2000 {
            set(&db, 2, n);
            live.set_limit((n % 2 == 0).then_some(1)).expect("a limit");
            most = most.max(db.memory_usage().expect("memory").feeds);
        }
        assert!(most < 100_000, "what is kept is limited: {most}");
        assert!(live.changes().all(|patch| patch.reset_tree().is_some()));
        drop(live);
        assert_eq!(db.memory_usage().expect("memory").feeds, 0);
    }
}

#[test]
fn many_subscribers_of_one_query_come_and_go() {
    let db = database(1);
    let mut first = db.subscribe(Query::table("a")).expect("live");
    for _ in 0..3 {
        let many: Vec<_> =
            (0..5000).map(|_| db.subscribe(Query::table("a")).expect("live")).collect();
        set(&db, 1, 1);
        drop(many);
        set(&db, 1, 2);
    }
    assert_eq!(first.changes().len(), 6);
}

#[test]
fn waiting_ends_with_a_commit() {
    let (waited, changes) = in_time(|| {
        let db = database(0);
        let mut live = db.subscribe(Query::table("a")).expect("live");
        let mut waited = 0;
        for n in 0..300 {
            let writer = db.clone();
            let thread = std::thread::spawn(move || set(&writer, n, n));
            waited += u32::from(live.wait(Duration::from_secs(50)));
            thread.join().expect("no panic");
            assert_eq!(live.changes().len(), 1);
        }
        (waited, live.wait(Duration::from_millis(1)))
    });
    assert_eq!((waited, changes), (300, false));
}

#[test]
fn a_transaction_can_query_its_own_writes() {
    let db = database(3);
    let mut live = db.subscribe(Query::table("a").filter(col("n").gt(5))).expect("live");
    let query = Query::table("a").filter(col("n").gt(5)).order_by("n", penstock::Desc);
    let before = db.memory_usage().expect("memory");
    let outcome = db.transaction(|tx| {
        tx.update("a", row! { id: 2, n: 7 })?;
        tx.insert("a", row! { id: 9, n: 8 })?;
        assert_eq!(ids(&tx.query(&query)?), [9, 2].map(Value::from));
        tx.delete("a", row! { id: 9 })?;
        assert_eq!(ids(&tx.query(&query)?), [2].map(Value::from));
        Err::<(), _>(Error::abort("no"))
    });
    assert!(matches!(outcome, Err(Error::Aborted(_))));
    let after = db.memory_usage().expect("memory");
    assert_eq!((after.queries, after.levels, after.partitions), (before.queries, 1, 1));
    let owners = |usage: &penstock::MemoryUsage| -> Vec<String> {
        usage.source.iter().map(|(owner, _)| owner.clone()).collect()
    };
    assert_eq!(owners(&after), owners(&before), "no index is left");
    assert_eq!(live.changes().len(), 0);
    let seen = db.transaction(|tx| {
        tx.update("a", row! { id: 2, n: 7 })?;
        tx.query_with(&query, &penstock::Params::new())
    });
    assert_eq!(seen.expect("committed"), db.query(&query).expect("a query"));
    assert_eq!(live.changes().len(), 1);
    db.verify().expect("right");
}

#[test]
fn queries_are_checked_without_being_subscribed_to() {
    let db = database(3);
    db.check(&Query::table("a").filter(col("n").eq(1))).expect("sound");
    let error = db.check(&Query::table("a").filter(col("nn").eq(1))).expect_err("no such column");
    assert!(matches!(error, Error::Query(_)), "{error}");
    let query = Query::table("a").filter(col("n").eq(penstock::param("n")));
    assert!(db.check(&query).is_err());
    db.check_with(&query, &penstock::Params::new().set("n", 1)).expect("sound");
    assert_eq!(db.memory_usage().expect("memory").levels, 0);
    let live = db.subscribe(Query::table("a")).expect("live");
    assert_eq!(live.try_explain().expect("usable").to_string(), live.explain().to_string());
}

#[test]
fn integers_of_any_width_are_values() {
    let values = [
        Value::from(-1_i8),
        Value::from(1_u8),
        Value::from(-2_i16),
        Value::from(2_u16),
        Value::from(3_usize),
        Value::from(4_u64),
        Value::from(i64::MAX as u64),
    ];
    assert_eq!(values, [-1, 1, -2, 2, 3, 4, i64::MAX].map(Value::Int));
    assert_eq!(Value::from(0.5_f32), Value::Float(0.5));
    let db = database(0);
    let error = db
        .transaction(|tx| tx.insert("a", row! { id: 1, n: u64::MAX }))
        .expect_err("not stored as another number");
    assert_eq!(
        error.to_string(),
        "table \"a\": row id = 1: column \"n\": expected integer, found real 1.8446744073709552e19"
    );
}

/// A source that makes the writes to table `a` and does not say so.
struct Silent(MemorySource);

impl Source for Silent {
    fn schema(&self) -> &Schema {
        self.0.schema()
    }
    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        self.0.prepare(shape)
    }
    fn release(&mut self, scan: ScanId) {
        self.0.release(scan);
    }
    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.0.get(at, table, key)
    }
    fn scan(
        &self,
        at: At,
        scan: ScanId,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError> {
        self.0.scan(at, scan, equal, from, reverse, visit)
    }
    fn begin(&mut self) -> Result<(), SourceError> {
        self.0.begin()
    }
    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.0.write(change)
    }
    fn finish(&mut self) -> Result<Batch, ApplyError> {
        let batch = self.0.finish()?;
        let silent = self.schema().table_id("a").is_some_and(|a| !batch.table(a).is_empty());
        Ok(if silent { Batch::default() } else { batch })
    }
    fn commit(&mut self) -> Result<(), SourceError> {
        self.0.commit()
    }
    fn rollback(&mut self) {
        self.0.rollback();
    }
    fn memory(&self) -> Vec<(String, usize)> {
        self.0.memory()
    }
}

#[test]
fn a_commit_that_does_not_verify_changes_nothing() {
    let db = Database::builder()
        .verify_every_commit(true)
        .with_source(Silent(MemorySource::new(schema())))
        .expect("a database");
    let mut of_a = db.subscribe(Query::table("a")).expect("live");
    let mut of_b = db.subscribe(Query::table("b")).expect("live");
    let told = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&told);
    of_b.on_change(move |_| *counted.lock().expect("no panic") += 1);
    db.transaction(|tx| tx.insert("b", row! { id: 1 })).expect("right");
    let error = db
        .transaction(|tx| {
            tx.insert("b", row! { id: 2 })?;
            tx.insert("a", row! { id: 1 })
        })
        .expect_err("the result over a is not what it should be");
    assert!(matches!(&error, Error::Diverged { version: 1, .. }), "{error}");
    assert_eq!(db.get("a", row! { id: 1 }).expect("a read"), None);
    assert_eq!(db.query(&Query::table("b")).expect("a query").len(), 1);
    assert_eq!((of_a.rows().len(), of_b.rows().len()), (0, 1));
    assert_eq!((of_a.changes().len(), *told.lock().expect("no panic")), (0, 1));
    assert_eq!(db.version().expect("a version"), 1);
    db.transaction(|tx| tx.insert("b", row! { id: 2 })).expect("still usable");
    assert_eq!(*told.lock().expect("no panic"), 2);
}
