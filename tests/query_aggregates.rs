//! Aggregates of the builder: groups, and columns computed from related rows, kept through random
//! transactions and compared with what plain loops over the tables' rows give.

use std::collections::{BTreeMap, BTreeSet};

use penstock::ColumnType::{Boolean, Integer, Real, Text};
use penstock::query::{
    Asc, Desc, Query, Related, avg, col, count, count_distinct, count_of, exists, max, min, sum,
};
use penstock::{Database, Entry, Error, Schema, Subscription, Table, Value, row};

fn database() -> Database {
    let schema = Schema::new([
        Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
        Table::new("issue")
            .column("id", Integer)
            .nullable("ownerId", Integer)
            .column("open", Boolean)
            .nullable("hours", Integer)
            .nullable("score", Real)
            .primary_key(["id"])
            .one("owner", "user", ["ownerId"], ["id"]),
        Table::new("comment")
            .column("id", Integer)
            .nullable("issueId", Integer)
            .column("authorId", Integer)
            .column("created", Integer)
            .primary_key(["id"]),
        Table::new("issueLabel")
            .column("issueId", Integer)
            .column("labelId", Integer)
            .primary_key(["issueId", "labelId"]),
        Table::new("label").column("id", Integer).column("hidden", Boolean).primary_key(["id"]),
    ]);
    Database::builder()
        .verify_every_commit(true)
        .in_memory(schema.expect("a sound schema"))
        .expect("a database")
}

/// A small generator: the same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound) as i64
    }

    fn maybe(&mut self, bound: u64) -> Value {
        if self.below(4) == 0 { Value::Null } else { Value::Int(self.below(bound)) }
    }
}

/// Makes random changes, each a transaction of a few writes.
fn change(db: &Database, random: &mut Random) {
    let outcome = db.transaction(|tx| {
        for _ in 0..=random.below(3) {
            let id = random.below(12);
            match random.below(8) {
                0 => drop(tx.delete("issue", row! { id: id })),
                1 => drop(tx.delete("comment", row! { id: id * 3 + random.below(3) })),
                2 => drop(tx.upsert("label", row! { id: id % 3, hidden: random.below(2) == 0 })?),
                3 => {
                    let key = || (id, 0);
                    let label = random.below(3) + key().1;
                    if tx.delete("issueLabel", row! { issueId: id, labelId: label }).is_err() {
                        tx.insert("issueLabel", row! { issueId: id, labelId: label })?;
                    }
                }
                4 | 5 => drop(tx.upsert(
                    "issue",
                    row! {
                        id: id, ownerId: random.maybe(3), open: random.below(2) == 0,
                        hours: random.maybe(5), score: 0.1 * random.below(9) as f64
                    },
                )?),
                _ => drop(tx.upsert(
                    "comment",
                    row! {
                        id: id * 3 + random.below(3), issueId: random.maybe(12),
                        authorId: random.below(3), created: random.below(50)
                    },
                )?),
            }
        }
        Ok(())
    });
    outcome.expect("a commit");
}

fn rows(db: &Database, table: &str) -> Vec<Entry> {
    db.query(&Query::table(table)).expect("all rows").into_iter().collect()
}

fn value(entry: &Entry, column: &str) -> Value {
    entry.get(column).unwrap_or_else(|| panic!("column {column}")).to_owned()
}

fn int(entry: &Entry, column: &str) -> Option<i64> {
    value(entry, column).as_i64()
}

/// The values of some columns of a live result's rows, in order.
fn live(subscription: &Subscription, columns: &[&str]) -> Vec<Vec<Value>> {
    let row = |entry: Entry| columns.iter().map(|column| value(&entry, column)).collect();
    subscription.rows().into_iter().map(row).collect()
}

#[test]
fn groups_follow_their_rows() {
    let db = database();
    let mut random = Random(1);
    let query = Query::table("issue")
        .filter(col("open").eq(true))
        .group_by(["ownerId"])
        .aggregate("n", count())
        .aggregate("timed", count_of("hours"))
        .aggregate("total", sum("hours"))
        .aggregate("mean", avg("hours"))
        .aggregate("least", min("hours"))
        .aggregate("most", max("hours"))
        .aggregate("kinds", count_distinct("hours"))
        .having(col("n").ge(2))
        .order_by("n", Desc)
        .limit(2);
    let subscription = db.subscribe(query).expect("a live result");
    let mut seen = BTreeSet::new();
    for _ in 0..400 {
        change(&db, &mut random);
        let mut groups: BTreeMap<Value, Vec<Option<i64>>> = BTreeMap::new();
        for issue in rows(&db, "issue") {
            if value(&issue, "open") == Value::Bool(true) {
                groups.entry(value(&issue, "ownerId")).or_default().push(int(&issue, "hours"));
            }
        }
        let mut expected: Vec<Vec<Value>> = groups
            .into_iter()
            .filter(|(_, hours)| hours.len() >= 2)
            .map(|(owner, hours)| {
                let known: Vec<i64> = hours.iter().flatten().copied().collect();
                let kinds: BTreeSet<i64> = known.iter().copied().collect();
                let or_null = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
                let total: i64 = known.iter().sum();
                let some = !known.is_empty();
                vec![
                    owner,
                    Value::Int(hours.len() as i64),
                    Value::Int(known.len() as i64),
                    or_null(some.then_some(total)),
                    if some {
                        Value::Float(total as f64 / known.len() as f64)
                    } else {
                        Value::Null
                    },
                    or_null(known.iter().min().copied()),
                    or_null(known.iter().max().copied()),
                    Value::Int(kinds.len() as i64),
                ]
            })
            .collect();
        expected.sort_by(|a, b| b[1].cmp(&a[1]).then_with(|| a[0].cmp(&b[0])));
        expected.truncate(2);
        let columns = ["ownerId", "n", "timed", "total", "mean", "least", "most", "kinds"];
        assert_eq!(live(&subscription, &columns), expected);
        seen.insert(expected.len());
    }
    assert_eq!(seen, BTreeSet::from([0, 1, 2]));
}

#[test]
fn without_groups_there_is_one_row() {
    let db = database();
    let query =
        Query::table("issue").aggregate("n", count()).aggregate("total", sum("score")).one();
    let subscription = db.subscribe(query).expect("a live result");
    let columns = ["n", "total"];
    assert_eq!(live(&subscription, &columns), [[Value::Int(0), Value::Null]]);
    let tenths = |id: i64| row! { id: id, open: true, score: 0.1 };
    db.load("issue", (0..10).map(tenths)).expect("rows");
    // Ten times 0.1 is 1 when summed exactly, whatever the order.
    assert_eq!(live(&subscription, &columns), [[Value::Int(10), Value::Float(1.0)]]);
    for id in 0..10 {
        db.transaction(|tx| tx.delete("issue", row! { id: id })).expect("a commit");
    }
    assert_eq!(live(&subscription, &columns), [[Value::Int(0), Value::Null]]);
}

#[test]
fn computed_columns_can_be_filtered_and_ordered_by() {
    let db = database();
    let mut random = Random(2);
    let comments = || Related::many("comment").on("id", "issueId");
    let query = Query::table("issue")
        .aggregate_related("commentCount", comments(), count())
        .aggregate_related("last", comments(), max("created"))
        .aggregate_related("own", comments().filter(col("authorId").eq(1)), count())
        .aggregate_related(
            "labelCount",
            Related::many("issueLabel")
                .on("id", "issueId")
                .then("label")
                .on("labelId", "id")
                .filter(col("hidden").eq(false)),
            count(),
        )
        .filter(col("commentCount").ge(1))
        .order_by("commentCount", Desc)
        .order_by("last", Asc)
        .related("owner", Related::named())
        .limit(4);
    let subscription = db.subscribe(query).expect("a live result");
    let mut patched = subscription.rows();
    let mut subscription = subscription;
    for _ in 0..400 {
        change(&db, &mut random);
        for patch in subscription.changes() {
            patched.apply(&patch);
        }
        assert_eq!(patched, subscription.rows());
        let comments = rows(&db, "comment");
        let (links, labels) = (rows(&db, "issueLabel"), rows(&db, "label"));
        let mut expected: Vec<Vec<Value>> = rows(&db, "issue")
            .iter()
            .map(|issue| {
                let id = value(issue, "id");
                let own = || comments.iter().filter(|comment| value(comment, "issueId") == id);
                let last = own().map(|comment| value(comment, "created")).max();
                let shown = links.iter().filter(|link| {
                    value(link, "issueId") == id
                        && labels.iter().any(|label| {
                            value(label, "id") == value(link, "labelId")
                                && value(label, "hidden") == Value::Bool(false)
                        })
                });
                vec![
                    id.clone(),
                    Value::Int(own().count() as i64),
                    last.unwrap_or(Value::Null),
                    Value::Int(
                        own().filter(|c| value(c, "authorId") == Value::Int(1)).count() as i64
                    ),
                    Value::Int(shown.count() as i64),
                ]
            })
            .filter(|row| row[1] > Value::Int(0))
            .collect();
        expected.sort_by(|a, b| {
            b[1].cmp(&a[1]).then_with(|| a[2].cmp(&b[2])).then_with(|| a[0].cmp(&b[0]))
        });
        expected.truncate(4);
        let columns = ["id", "commentCount", "last", "own", "labelCount"];
        assert_eq!(live(&subscription, &columns), expected);
        for issue in &subscription.rows() {
            let owner = issue.one("owner").expect("one at most");
            let known = db.get("user", row! { id: int(&issue, "ownerId").unwrap_or(-1) });
            assert_eq!(owner.map(|owner| owner.row()), known.expect("a look-up"));
        }
    }
}

#[test]
fn groups_below_a_parent() {
    let db = database();
    let mut random = Random(3);
    let query = Query::table("issue").related(
        "authors",
        Related::many("comment")
            .on("id", "issueId")
            .filter(col("created").lt(40))
            .group_by(["authorId"])
            .aggregate("n", count())
            .order_by("n", Desc)
            .limit(2),
    );
    let subscription = db.subscribe(query).expect("a live result");
    for _ in 0..200 {
        change(&db, &mut random);
        let comments = rows(&db, "comment");
        for issue in &subscription.rows() {
            let mut groups: BTreeMap<i64, i64> = BTreeMap::new();
            for comment in &comments {
                if value(comment, "issueId") == value(&issue, "id")
                    && int(comment, "created") < Some(40)
                {
                    *groups.entry(int(comment, "authorId").expect("an author")).or_default() += 1;
                }
            }
            let mut expected: Vec<(i64, i64)> = groups.into_iter().collect();
            expected.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.truncate(2);
            let shown = issue.related("authors").expect("authors");
            let shown: Vec<(i64, i64)> = shown
                .iter()
                .map(|group| (int(&group, "authorId").expect("id"), int(&group, "n").expect("n")))
                .collect();
            assert_eq!(shown, expected);
        }
    }
}

#[test]
fn rows_of_groups_are_filtered_by_exists() {
    let db = database();
    let mut random = Random(4);
    let busy = exists(Related::many("comment").on("id", "issueId").filter(col("authorId").eq(2)));
    let query = Query::table("issue")
        .filter(penstock::or([busy, col("hours").gt(3)]))
        .group_by(["open"])
        .aggregate("n", count());
    let subscription = db.subscribe(query).expect("a live result");
    for _ in 0..200 {
        change(&db, &mut random);
        let comments = rows(&db, "comment");
        let mut groups: BTreeMap<Value, i64> = BTreeMap::new();
        for issue in rows(&db, "issue") {
            let busy = comments.iter().any(|comment| {
                value(comment, "issueId") == value(&issue, "id")
                    && int(comment, "authorId") == Some(2)
            });
            if busy || int(&issue, "hours") > Some(3) {
                *groups.entry(value(&issue, "open")).or_default() += 1;
            }
        }
        let expected: Vec<Vec<Value>> =
            groups.into_iter().map(|(open, n)| vec![open, Value::Int(n)]).collect();
        assert_eq!(live(&subscription, &["open", "n"]), expected);
    }
    drop(subscription);
    let memory = db.memory_usage().expect("sizes");
    assert_eq!((memory.levels, memory.partitions), (0, 0));
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let db = database();
    let comments = || Related::many("comment").on("id", "issueId");
    let table = || Query::table("issue");
    let cases: Vec<(Query, &str)> = vec![
        (table().aggregate("n", sum("open")), "column \"open\" is boolean"),
        (table().aggregate("n", sum("hour")), "column \"hour\" is not in table \"issue\""),
        (table().group_by(["owner"]).aggregate("n", count()), "column \"owner\" is not in"),
        (table().group_by(["open"]).aggregate("open", count()), "a column \"open\" already"),
        (table().aggregate_related("id", comments(), count()), "a column \"id\" already"),
        (table().aggregate_related("", comments(), count()), "needs a name"),
        (table().having(col("id").eq(1)), "without group_by use filter"),
        (
            table().group_by(["open"]).aggregate_related("n", comments(), count()),
            "here rows are grouped; use aggregate",
        ),
        (table().aggregate_related("n", comments().limit(2), count()), "only filters"),
        (
            table().filter(exists(comments().aggregate("n", count()))),
            "an aggregate has no meaning within EXISTS",
        ),
        (
            table().group_by(["open"]).aggregate("n", count()).order_by("id", Asc),
            "\"id\" is not in",
        ),
        (table().aggregate("n", count()).having(col("n").eq("x")), "both sides of one type"),
    ];
    for (query, expected) in cases {
        match db.subscribe(query) {
            Err(Error::Query(error)) => {
                let text = error.to_string();
                assert!(text.contains(expected), "{text} (expected {expected})");
            }
            other => panic!("expected {expected}, found {other:?}"),
        }
    }
}
