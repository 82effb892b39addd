//! The schema changes under live queries: additions end nothing, and what a query cannot follow
//! ends its subscriptions and no others.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use penstock::{
    ColumnType, Database, Error, Query, Related, Schema, Table, Tree, Value, col, exists, row,
};
use support::faults::{Faults, Faulty};
use support::store::{Side, Store, Telling};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(60);

fn user() -> Table {
    Table::new("user")
        .column("id", ColumnType::Integer)
        .column("name", ColumnType::Text)
        .primary_key(["id"])
}

fn issue() -> Table {
    Table::new("issue")
        .column("id", ColumnType::Integer)
        .column("title", ColumnType::Text)
        .nullable("ownerId", ColumnType::Integer)
        .primary_key(["id"])
}

fn label() -> Table {
    Table::new("label")
        .column("id", ColumnType::Integer)
        .column("issueId", ColumnType::Integer)
        .primary_key(["id"])
}

fn labelled_issue() -> Table {
    issue().many("labels", "label", ["id"], ["issueId"])
}

fn schema(tables: impl IntoIterator<Item = Table>) -> Schema {
    Schema::new(tables).expect("sound")
}

struct World {
    db: Database,
    other: Database,
    store: Arc<Mutex<Store>>,
    faults: Arc<Faults>,
}

fn world() -> World {
    let store = Store::new(schema([user(), labelled_issue(), label()]));
    let faults = Arc::<Faults>::default();
    let source = Faulty { inner: Side::new(&store, Telling::Rows), faults: Arc::clone(&faults) };
    let db = Database::builder().verify_every_commit(true).with_source(source);
    let other = Database::builder().with_source(Side::new(&store, Telling::Rows));
    let (db, other) = (db.expect("a database"), other.expect("a database"));
    let filled = db.transaction(|tx| {
        tx.insert("user", row! { id: 1, name: "Ada" })?;
        tx.insert("issue", row! { id: 1, title: "leak", ownerId: 1 })?;
        tx.insert("issue", row! { id: 2, title: "crash", ownerId: 1 })?;
        tx.insert("label", row! { id: 1, issueId: 2 })
    });
    filled.expect("rows");
    World { db, other, store, faults }
}

impl World {
    fn alter(&self, tables: impl IntoIterator<Item = Table>) {
        self.alter_rows(tables, |_, row| row);
    }

    fn alter_rows(
        &self,
        tables: impl IntoIterator<Item = Table>,
        row: impl Fn(&str, Vec<Value>) -> Vec<Value>,
    ) {
        self.store.lock().expect("no panic").alter(schema(tables), row);
    }
}

fn names(tree: &Tree) -> Vec<String> {
    let text = |entry: penstock::Entry| Some(entry.get("name")?.as_str()?.to_owned());
    tree.iter().filter_map(text).collect()
}

fn with_email() -> Table {
    Table::new("user")
        .column("id", ColumnType::Integer)
        .column("name", ColumnType::Text)
        .nullable("email", ColumnType::Text)
        .primary_key(["id"])
}

fn add_email(table: &str, mut row: Vec<Value>) -> Vec<Value> {
    if table == "user" {
        row.push(Value::from("ada@example.org"));
    }
    row
}

#[test]
fn additions_end_nothing_and_new_subscriptions_see_them() {
    let world = world();
    let mut before = world.db.subscribe(Query::table("user")).expect("live");
    let mut below = world
        .db
        .subscribe(Query::table("issue").related("owner", Related::one("user").on("ownerId", "id")))
        .expect("live");
    let (mut tree, mut tree_below) = (before.rows(), below.rows());
    world.alter_rows(
        [
            with_email(),
            issue(),
            label(),
            Table::new("extra").column("id", ColumnType::Integer).primary_key(["id"]),
        ],
        add_email,
    );
    let asked = Query::table("user").filter(col("email").eq("ada@example.org"));
    assert!(world.db.check(&asked).is_err(), "nobody has looked yet");
    let of_email = world.db.subscribe(asked).expect("the query of a new column");
    assert_eq!(of_email.rows().len(), 1);
    assert_eq!(world.db.schema().tables().len(), 4);
    // The same plan, before and after.
    let mut after = world.db.subscribe(Query::table("user")).expect("live");
    assert!(after.rows().iter().next().expect("a row").get("email").is_some());
    assert_eq!((before.status().is_ok(), below.status().is_ok()), (true, true));

    let added = world.db.transaction(|tx| {
        tx.insert("extra", row! { id: 1 })?;
        tx.insert("user", row! { id: 2, name: "Bob", email: "bob@example.org" })?;
        tx.update("issue", row! { id: 2, ownerId: 2 })
    });
    added.expect("rows with the new column");
    for live in [&before, &after] {
        assert_eq!(names(&live.rows()), ["Ada", "Bob"]);
    }
    assert_eq!(after.changes().len(), 1);
    before.changes().for_each(|patch| tree.apply(&patch));
    below.changes().for_each(|patch| tree_below.apply(&patch));
    assert_eq!((tree, tree_below), (before.rows(), below.rows()));
    let row =
        before.rows().iter().next().expect("a row").get("email").map(|email| email.to_owned());
    assert_eq!(row, None, "shown as when it was subscribed to");
    before.set_limit(Some(1)).expect("another limit of a query made before");
    assert_eq!(names(&before.rows()), ["Ada"]);
}

#[test]
fn every_change_that_cannot_be_followed_is_named() {
    let base = || Table::new("user").column("id", ColumnType::Integer);
    let renamed = base().column("fullName", ColumnType::Text).primary_key(["id"]);
    let retyped = base().column("name", ColumnType::Blob).primary_key(["id"]);
    let nullable = base().nullable("name", ColumnType::Text).primary_key(["id"]);
    let between = base().column("age", ColumnType::Integer).column("name", ColumnType::Text);
    let keyed = base().column("name", ColumnType::Text).primary_key(["name"]);
    let cases = [
        (renamed, "there is no column \"name\" any more"),
        (retyped, "column \"name\" was text and is now blob"),
        (nullable, "column \"name\" has been declared anew"),
        (between.primary_key(["id"]), "column \"name\" has moved among the columns"),
        (keyed, "it has another primary key"),
        (
            Table::new("people").column("id", ColumnType::Integer).primary_key(["id"]),
            "there is no such table any more",
        ),
    ];
    for (table, change) in cases {
        let world = world();
        world.db.transaction(|tx| tx.delete("user", row! { id: 1 })).expect("no user");
        let live = world.db.subscribe(Query::table("user")).expect("live");
        let other = world.db.subscribe(Query::table("issue")).expect("live");
        world.alter([table, issue(), label()]);
        assert!(world.db.sync().expect("a sync"));
        let error = live.status().expect_err("ended");
        assert_eq!(
            error.to_string(),
            format!(
                "this subscription has ended, because table \"user\" has changed: {change}; \
                 subscribe anew with a query for the table as it is now"
            )
        );
        assert!(matches!(error, Error::SchemaChanged { table, .. } if table == "user"));
        assert_eq!(other.try_rows().expect("goes on").len(), 2);
    }
}

/// All ways in which a query may use a table.
#[test]
fn a_table_may_be_used_anywhere_in_a_query() {
    let world = world();
    let uses = [
        Query::table("label"),
        Query::table("issue").related("labels", Related::many("label").on("id", "issueId")),
        Query::table("issue").filter(exists("labels")),
        Query::table("user").related(
            "labels",
            Related::many("issue").on("id", "ownerId").then("label").on("id", "issueId"),
        ),
    ];
    let ended = uses.map(|query| world.db.subscribe(query).expect("live"));
    let live = world.db.subscribe(Query::table("user")).expect("live");
    world.alter([user(), issue()]);
    world.db.sync().expect("a sync");
    for (number, subscription) in ended.iter().enumerate() {
        assert!(subscription.status().is_err(), "{number}");
    }
    live.status().expect("live");
}

#[test]
fn an_ended_subscription_keeps_its_last_result_and_nothing_else() {
    let world = world();
    let empty = world.db.memory_usage().expect("usage");
    let mut live = world.db.subscribe(Query::table("label")).expect("live");
    let mut second = world.db.subscribe(Query::table("label").limit(9)).expect("live");
    second.row_set().expect("rows");
    let count = Arc::<AtomicUsize>::default();
    let told = Arc::clone(&count);
    live.on_change(move |_| {
        told.fetch_add(1, Ordering::SeqCst);
    });
    world.db.transaction(|tx| tx.insert("label", row! { id: 2, issueId: 1 })).expect("a row");
    let last = live.rows();
    assert_eq!((last.len(), count.load(Ordering::SeqCst)), (2, 1));
    world.alter([user(), issue()]);
    assert!(world.db.sync().expect("a sync"));
    for _ in 0..2 {
        assert_eq!(live.rows(), last);
        assert!(matches!(live.try_rows(), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.status(), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.resync(), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.row_set(), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.set_limit(Some(1)), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.set_limit(None), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.set_start(Some(row! { id: 1 })), Err(Error::SchemaChanged { .. })));
        assert!(matches!(live.try_explain(), Err(Error::SchemaChanged { .. })));
        assert!(live.explain().to_string().contains("label"));
    }
    assert!(live.wait(LONG), "there is a patch");
    assert_eq!(live.changes().len(), 1, "what came before the end");
    assert!(!live.wait(LONG), "returns at once, and there is nothing");
    assert_eq!((live.changes().len(), live.has_changes()), (0, false));
    live.on_change(|_| panic!("nothing comes any more"));
    let usage = world.db.memory_usage().expect("usage");
    assert_eq!((usage.levels, usage.partitions, usage.feeds), (0, 0, empty.feeds));

    // Others take the numbers of the ended results; dropping those does not concern them.
    let mut users = world.db.subscribe(Query::table("user")).expect("live");
    let issues = world.db.subscribe(Query::table("issue")).expect("live");
    drop((live, second));
    world.db.transaction(|tx| tx.insert("user", row! { id: 9, name: "Eve" })).expect("a row");
    assert_eq!((users.changes().len(), issues.rows().len()), (1, 2));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    world.db.verify().expect("maintained");
}

#[test]
fn a_subscription_dropped_within_a_transaction_may_end_before_it_is_released() {
    let world = world();
    let mut dropped = Some(world.db.subscribe(Query::table("label")).expect("live"));
    let shared = world.db.subscribe(Query::table("label")).expect("live");
    let within = world.db.transaction(|_| {
        drop(dropped.take());
        Ok(())
    });
    within.expect("a transaction");
    world.alter([user(), issue()]);
    let users = world.db.subscribe(Query::table("user")).expect("live");
    drop(shared);
    let usage = world.db.memory_usage().expect("usage");
    assert_eq!((usage.levels, usage.partitions), (1, 1));
    assert_eq!(users.rows().len(), 1);
}

#[test]
fn patches_that_were_not_kept_are_the_last_result_once() {
    let store = Store::new(schema([user(), issue()]));
    let db = Database::builder()
        .max_pending_patches(10)
        .with_source(Side::new(&store, Telling::Rows))
        .expect("a database");
    let mut live = db.subscribe(Query::table("issue")).expect("live");
    for id in 0..200 {
        db.transaction(|tx| tx.insert("issue", row! { id: id, title: "x" })).expect("a row");
    }
    store.lock().expect("no panic").alter(schema([user()]), |_, row| row);
    assert!(db.sync().expect("a sync"));
    let patches: Vec<_> = live.changes().collect();
    assert_eq!(patches.len(), 1);
    assert_eq!(patches[0].reset_tree().map(Tree::len), Some(200));
    assert_eq!((live.changes().len(), live.has_changes()), (0, false));
}

#[test]
fn whoever_waits_is_told_of_the_end() {
    let world = world();
    let live = world.db.subscribe(Query::table("label")).expect("live");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| live.wait(LONG));
        world.alter([user(), issue()]);
        assert!(world.db.sync().expect("a sync"));
        assert!(!waiting.join().expect("no panic"));
    });
    assert!(live.status().is_err());
}

#[test]
fn a_transaction_starts_under_the_new_schema() {
    let world = world();
    let mut issues = world.db.subscribe(Query::table("issue")).expect("live");
    let labelled = Query::table("issue").filter(exists("labels"));
    world.alter_rows([with_email(), labelled_issue(), label()], add_email);
    let outcome = world.db.transaction(|tx| {
        assert_eq!(tx.query(&labelled)?.len(), 1);
        tx.insert("user", row! { id: 2, name: "Bob", email: "bob@example.org" })?;
        tx.insert("issue", row! { id: 3, title: "slow" })
    });
    outcome.expect("a row with the new column");
    assert_eq!((issues.rows().len(), issues.changes().len()), (3, 1));
}

#[test]
fn what_remains_is_followed_later_where_reading_fails() {
    let world = world();
    let label_live = world.db.subscribe(Query::table("label")).expect("live");
    let mut users = world.db.subscribe(Query::table("user")).expect("live");
    world.other.transaction(|tx| tx.insert("user", row! { id: 2, name: "Bob" })).expect("a row");
    world.alter([user(), issue()]);
    // The start of the read, what others have changed, and then the rows of users.
    world.faults.arm(3);
    let error = world.db.sync().expect_err("a failing source");
    assert!(matches!(error, Error::Source(_)), "{error}");
    assert!(!world.faults.disarm() || label_live.status().is_err(), "it cannot go on in any case");
    assert_eq!((users.rows().len(), users.changes().len()), (1, 0));
    users.status().expect("goes on");
    assert!(world.db.sync().expect("a sync"));
    assert_eq!((users.rows().len(), users.changes().len()), (2, 1));
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_ends() {
    use futures_core::Stream;
    use std::pin::Pin;
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let world = world();
    let mut live = world.db.subscribe(Query::table("label")).expect("live");
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::clone(&count));
    let mut poll = || Pin::new(&mut live).poll_next(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    world.alter([user(), issue()]);
    assert!(world.db.sync().expect("a sync"));
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(matches!(poll(), Poll::Ready(None)));
    assert!(matches!(poll(), Poll::Ready(None)));
}
