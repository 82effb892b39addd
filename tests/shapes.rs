//! Many query shapes over one table: a change is shown to those that it may concern, and what is
//! maintained is what a fresh evaluation gives.

use penstock::ColumnType::{Boolean, Integer, Number, Text};
use penstock::{
    Asc, Database, Desc, Query, Related, RowInput, Schema, Subscription, Table, Tree, Value, col,
    exists, or, row,
};

fn schema() -> Schema {
    let item = Table::new("item")
        .column("id", Integer)
        .nullable("n", Number)
        .nullable("name", Text)
        .nullable("done", Boolean)
        .nullable("owner", Integer)
        .primary_key(["id"]);
    let note = Table::new("note")
        .column("id", Integer)
        .nullable("item", Integer)
        .nullable("n", Number)
        .primary_key(["id"]);
    Schema::new([item, note]).expect("a sound schema")
}

fn verified() -> Database {
    Database::builder().verify_every_commit(true).in_memory(schema()).expect("a database")
}

fn item(id: i64, n: impl Into<Value>) -> RowInput {
    row! { id: id, n: n.into(), name: "a", done: false, owner: id % 7 }
}

/// How many row deltas the roots of some subscriptions have looked at, and in how many
/// transactions.
fn visits(subscriptions: &[Subscription]) -> (u64, u64) {
    let each = subscriptions.iter().map(|subscription| subscription.explain().report().stats);
    each.fold((0, 0), |(deltas, batches), stats| {
        (deltas + stats.deltas_in, batches + stats.batches)
    })
}

/// The visits that some writes cost.
fn visits_of(
    db: &Database,
    subscriptions: &[Subscription],
    writes: impl FnOnce(&mut penstock::Transaction<'_>) -> Result<(), penstock::Error>,
) -> (u64, u64) {
    let (deltas, batches) = visits(subscriptions);
    db.transaction(writes).expect("a sound transaction");
    let (deltas_after, batches_after) = visits(subscriptions);
    (deltas_after - deltas, batches_after - batches)
}

/// A kind of query by a number; a number of a row, and how many of a thousand such queries a row
/// with it concerns.
type Kind = (&'static str, Box<dyn Fn(i64) -> Query>, (f64, u64));

fn thousand(db: &Database, query: impl Fn(i64) -> Query) -> Vec<Subscription> {
    (0..1000).map(|at| db.subscribe(query(at)).expect("a sound query")).collect()
}

#[test]
fn shapes_that_differ_in_a_range_are_not_each_visited() {
    let sql = |text: &str, at: i64| Query::sql(text).bind([at]);
    // A query for each number below a thousand, and how many of them a number concerns.
    let kinds: [Kind; 6] = [
        (
            "within",
            Box::new(|at| {
                let within = [col("n").ge(at), col("n").lt(at + 3)];
                within.into_iter().fold(Query::table("item"), Query::filter)
            }),
            (500.0, 3),
        ),
        ("above", Box::new(|at| Query::table("item").filter(col("n").gt(at + 990))), (1000.0, 10)),
        (
            "BETWEEN",
            Box::new(move |at| {
                sql("SELECT * FROM item WHERE n BETWEEN ?1 AND ?1 + 2 ORDER BY n LIMIT 5", at)
            }),
            (500.0, 3),
        ),
        (
            "above, in SQL",
            Box::new(move |at| sql("SELECT id, n FROM item WHERE ?1 + 990 < n", at)),
            (1000.0, 10),
        ),
        (
            "a list",
            Box::new(|at| Query::table("item").filter(col("n").in_([at, at + 5]))),
            (500.0, 2),
        ),
        (
            "a choice",
            Box::new(|at| {
                Query::table("item")
                    .filter(or([col("n").eq(at), col("n").gt(at + 995)]))
                    .order_by("name", Desc)
                    .limit(10)
            }),
            (1000.0, 5),
        ),
    ];
    for (kind, query, (number, expected)) in kinds {
        let db = Database::in_memory(schema()).expect("a database");
        let subscriptions = thousand(&db, query);
        let one =
            |n: f64| visits_of(&db, &subscriptions, |tx| tx.upsert("item", item(1, n)).map(drop));
        // Numbers are equal whatever their type.
        assert_eq!(one(number), (expected, expected), "{kind}, into");
        assert_eq!(one(-5.0), (expected, expected), "{kind}, out of");
        assert_eq!(one(-6.0), (0, 0), "{kind}, outside");
        // Of many changes in one transaction each shape sees its own.
        let many = visits_of(&db, &subscriptions, |tx| {
            (10..20)
                .try_for_each(|id| tx.insert("item", item(id, if id < 13 { number } else { -7.0 })))
        });
        assert_eq!(many, (3 * expected, expected), "{kind}, many");
    }
}

#[test]
fn shapes_that_do_not_read_what_changes_are_visited_for_rows_that_they_show() {
    let db = verified();
    db.load("item", (0..100).map(|id| item(id, id))).expect("rows");
    // The first ten of a hundred rows, which all pass.
    let subscriptions =
        thousand(&db, |at| Query::table("item").filter(col("n").lt(at + 100)).limit(10));
    let rename = |id: i64, name: &str| {
        visits_of(&db, &subscriptions, |tx| tx.update("item", row! { id: id, name: name }))
    };
    assert_eq!(rename(50, "b"), (0, 0));
    assert_eq!(rename(5, "b"), (1000, 1000));
    // One that comes in with the transaction, and one that goes with it.
    db.transaction(|tx| tx.delete("item", row! { id: 5 })).expect("a row");
    assert_eq!(rename(10, "c"), (1000, 1000));
    db.transaction(|tx| tx.insert("item", item(5, 5))).expect("a row");
    assert_eq!(rename(10, "d"), (0, 0));
    assert_eq!(rename(5, "d"), (1000, 1000));
}

#[test]
fn limited_lists_are_visited_by_rows_that_come_into_them() {
    for descending in [false, true] {
        let db = verified();
        db.load("item", (0..2000).map(|id| item(id, id))).expect("rows");
        // Of each number above `at` the first ten, in either direction.
        let subscriptions = thousand(&db, |at| match descending {
            false => Query::table("item").filter(col("n").gt(at)).order_by("n", Asc).limit(10),
            true => Query::table("item").filter(col("n").lt(at)).order_by("n", Desc).limit(10),
        });
        let one = |n: f64| {
            visits_of(&db, &subscriptions, |tx| tx.upsert("item", item(5000, n)).map(drop))
        };
        // It comes into the lists of ten bounds, and goes from those into others.
        assert_eq!(one(500.5), (10, 10));
        assert_eq!(one(500.25), (10, 10));
        assert_eq!(one(700.5), (20, 20));
        assert_eq!(one(1500.5), (10, 10));
        assert_eq!(one(1600.5), (0, 0));
        let delete =
            |id: i64| visits_of(&db, &subscriptions, |tx| tx.delete("item", row! { id: id }));
        assert_eq!(delete(500), (10, 10));
        // A list that showed the row reaches one further.
        let further = if descending { 10 } else { 11 };
        assert_eq!(delete(505), (further, further));
    }
}

#[test]
fn a_range_over_the_order_is_not_searched_for() {
    let db = verified();
    db.load(
        "item",
        (0..5000).map(|id| item(id, if id % 100 == 0 { Value::Null } else { id.into() })),
    )
    .expect("rows");
    let between = |low: i64, high: i64| {
        let above = Query::table("item").filter(col("n").gt(low));
        above.filter(col("n").le(high)).filter(col("done").eq(false))
    };
    for (direction, limit) in [(Asc, None), (Desc, None), (Asc, Some(7)), (Desc, Some(7))] {
        let query = between(2003, 2020).order_by("n", direction);
        let live = match limit {
            None => db.subscribe(query),
            Some(limit) => db.subscribe(query.limit(limit)),
        };
        let live = live.expect("a sound query");
        assert_eq!(live.rows().len(), limit.unwrap_or(17));
        let stats = live.explain().report().stats;
        assert!(stats.hydrate_rows_in <= 19, "{} rows were read", stats.hydrate_rows_in);
        // A refill ends where the range ends.
        if let Asc = direction {
            db.transaction(|tx| {
                (2004..2021).try_for_each(|id| tx.update("item", row! { id: id, done: true }))
            })
            .expect("rows");
            assert_eq!(live.rows().len(), 0);
            let stats = live.explain().report().stats;
            assert!(stats.refill_rows_in <= 19, "{} rows were read", stats.refill_rows_in);
            db.transaction(|tx| {
                (2004..2021).try_for_each(|id| tx.update("item", row! { id: id, done: false }))
            })
            .expect("rows");
        }
    }
}

#[test]
fn rows_that_are_listed_by_key_are_not_searched_for() {
    let db = verified();
    db.load("item", (0..5000).map(|id| item(id, id))).expect("rows");
    let listed = Query::table("item").filter(col("id").in_([7, 4000, 12, 9999]));
    let live = db
        .subscribe(listed.filter(col("done").eq(false)).order_by("n", Desc).limit(2))
        .expect("a sound query");
    let ids = || -> Vec<i64> {
        live.rows().iter().filter_map(|row| row.get("id").and_then(|id| id.as_i64())).collect()
    };
    assert_eq!(ids(), [4000, 12]);
    assert_eq!(live.explain().report().stats.hydrate_rows_in, 3);
    db.transaction(|tx| tx.delete("item", row! { id: 12 })).expect("a row");
    assert_eq!(ids(), [4000, 7]);
    assert_eq!(live.explain().report().stats.refill_rows_in, 2);
    db.transaction(|tx| tx.insert("item", item(9999, 9999))).expect("a row");
    assert_eq!(ids(), [9999, 4000]);
}

/// Lists whose conditions say nothing of where their rows are.
#[test]
fn limited_lists_are_found_by_their_last_rows() {
    let db = verified();
    db.load("item", (0..2000).map(|id| item(id, id))).expect("rows");
    let subscriptions = thousand(&db, |at| {
        let different = Query::table("item").filter(col("n").ne(-1 - at));
        different.order_by("n", if at % 2 == 0 { Asc } else { Desc }).limit(10)
    });
    let insert =
        |id: i64, n: Value| visits_of(&db, &subscriptions, |tx| tx.insert("item", item(id, n)));
    assert_eq!(insert(3000, Value::Int(1000)), (0, 0));
    assert_eq!(insert(3001, Value::Int(5000)), (500, 500));
    assert_eq!(insert(3002, Value::Int(-5000)), (500, 500));
    // The tenth of the others is now 8; one beside it is looked at, and comes after it.
    assert_eq!(insert(3003, Value::Int(8)), (500, 500));
    assert_eq!(insert(3004, Value::Int(9)), (0, 0));
    // As bodies of EXISTS they are to see every row.
    let notes = Related::many("item").on("item", "id").filter(col("n").ne(-1)).order_by("n", Asc);
    let gated = db.subscribe(Query::table("note").filter(exists(notes))).expect("a sound query");
    db.transaction(|tx| tx.insert("note", row! { id: 1, item: 4000, n: 1 })).expect("a row");
    assert_eq!(gated.rows().len(), 0);
    db.transaction(|tx| tx.insert("item", item(4000, 1000))).expect("a row");
    assert_eq!(gated.rows().len(), 1);
}

#[test]
fn rows_without_a_value_are_in_no_range() {
    let db = verified();
    let subscriptions = thousand(&db, |at| Query::table("item").filter(col("n").lt(at)));
    let write =
        |n: Value| visits_of(&db, &subscriptions, |tx| tx.upsert("item", item(1, n)).map(drop));
    assert_eq!(write(Value::Null), (0, 0));
    assert_eq!(write(Value::Int(999)), (0, 0));
    assert_eq!(write(Value::Float(998.5)), (1, 1));
    // It leaves the one that it is in.
    assert_eq!(write(Value::Null), (1, 1));
}

#[test]
fn bodies_of_exists_are_found_like_roots() {
    let db = verified();
    db.load("item", (0..3).map(|id| item(id, id))).expect("rows");
    let subscriptions = thousand(&db, |at| {
        let notes = Related::many("note").on("id", "item");
        Query::table("item").filter(exists(notes.filter(col("n").gt(at))))
    });
    let lengths = || subscriptions.iter().map(|live| live.rows().len()).sum::<usize>();
    assert_eq!(lengths(), 0);
    let bodies = || -> u64 {
        let reports = subscriptions.iter().map(|live| live.explain().report().children[0].stats);
        reports.map(|stats| stats.deltas_in).sum()
    };
    let note = |id: i64, n: i64| {
        let write = |tx: &mut penstock::Transaction<'_>| {
            tx.upsert("note", row! { id: id, item: 1, n: n }).map(drop)
        };
        db.transaction(write).expect("a sound transaction");
    };
    note(1, 7);
    assert_eq!((bodies(), lengths()), (7, 7));
    note(2, 9);
    assert_eq!((bodies(), lengths()), (16, 9));
    note(2, 3);
    assert_eq!((bodies(), lengths()), (25, 7));
}

/// Pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }

    fn value(&mut self) -> Value {
        match self.roll(6) {
            0 => Value::Null,
            1 => Value::Float(self.roll(12) as f64 / 2.0),
            _ => Value::Int(self.roll(6) as i64),
        }
    }

    fn literal(&mut self) -> String {
        let number = self.roll(6);
        match self.roll(12) {
            0 => "NULL".into(),
            1 => format!("'{number}'"),
            2 | 3 => format!("{number}.5"),
            4 => format!("{number}.0"),
            _ => number.to_string(),
        }
    }

    fn text(&mut self) -> &'static str {
        self.pick(&["", "a", "A", "a ", "b", "B", "1", "2"])
    }

    fn test(&mut self) -> String {
        let column = self.pick(&["n", "n", "n", "owner", "id % 3", "done"]);
        let op = self.pick(&["<", "<=", ">", ">=", "=", "<>", "IS"]);
        let (a, b) = (self.literal(), self.literal());
        match self.roll(12) {
            0..=3 => format!("{column} {op} {a}"),
            4 => format!("{a} {op} {column}"),
            5 | 6 => format!("{column} BETWEEN {a} AND {b}"),
            7 => format!("{column} IN ({a}, {b})"),
            8 => format!("name {op} '{}'", self.text()),
            9 => format!("name COLLATE NOCASE {op} '{}'", self.text()),
            10 => format!("name IN ('{}', '{}')", self.text(), self.text()),
            _ => format!("n IS {}NULL", self.pick(&["", "NOT "])),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        match self.roll(if depth == 0 { 2 } else { 6 }) {
            0 | 1 => self.test(),
            2 | 3 => format!("({} AND {})", self.condition(depth - 1), self.condition(depth - 1)),
            4 => format!("({} OR {})", self.condition(depth - 1), self.condition(depth - 1)),
            _ => {
                let bound = self.literal();
                let op = self.pick(&["<", ">", "="]);
                let not = self.pick(&["", "NOT "]);
                format!(
                    "{not}EXISTS (SELECT 1 FROM note WHERE note.item = item.id AND note.n {op} {bound})"
                )
            }
        }
    }

    fn query(&mut self) -> Query {
        let list = self.pick(&["*", "id, n", "*, n + 1 AS more"]);
        let order = self.pick(&["id", "n, id", "n DESC", "name, n"]);
        let limit = self.pick(&["", " LIMIT 3", " LIMIT 4 OFFSET 1"]);
        let condition = self.condition(2);
        Query::sql(format!("SELECT {list} FROM item WHERE {condition} ORDER BY {order}{limit}"))
    }

    fn write(&mut self, tx: &mut penstock::Transaction<'_>) -> Result<(), penstock::Error> {
        let id = self.roll(20) as i64;
        let n = self.value();
        if self.roll(3) == 0 {
            return match self.roll(4) {
                0 => tx.delete("note", row! { id: id }).or(Ok(())),
                _ => tx.upsert("note", row! { id: id, item: self.roll(20) as i64, n: n }).map(drop),
            };
        }
        match self.roll(6) {
            0 => tx.delete("item", row! { id: id }).or(Ok(())),
            1 => tx.update("item", row! { id: id, n: n }).or(Ok(())),
            2 => tx.update("item", row! { id: id, name: self.text() }).or(Ok(())),
            _ => {
                let done = match self.roll(3) {
                    0 => Value::Null,
                    truth => Value::Bool(truth == 1),
                };
                let owner = self.roll(3) as i64;
                let row = row! { id: id, n: n, name: self.text(), done: done, owner: owner };
                tx.upsert("item", row).map(drop)
            }
        }
    }
}

/// Every commit is verified; besides, the patches alone keep a copy.
#[test]
fn hundreds_of_shapes_are_maintained() {
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let db = verified();
        let mut live: Vec<(Subscription, Tree)> = Vec::new();
        for step in 0..60 {
            let wanted = match step / 20 {
                0 => 20 * (step as usize + 1),
                1 => 400,
                _ => 400 - 20 * (step as usize - 40),
            };
            while live.len() < wanted {
                let subscription = db.subscribe(dice.query()).expect("a sound query");
                let tree = subscription.rows();
                live.push((subscription, tree));
            }
            while live.len() > wanted {
                live.swap_remove(dice.roll(live.len() as u64) as usize);
            }
            let writes = 1 + dice.roll(6) * dice.roll(3);
            let outcome = db.transaction(|tx| (0..writes).try_for_each(|_| dice.write(tx)));
            outcome.unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
            for (subscription, copy) in &mut live {
                for patch in subscription.changes() {
                    copy.apply(&patch);
                }
                assert_eq!(*copy, subscription.rows(), "seed {seed}, step {step}");
            }
        }
    }
}
