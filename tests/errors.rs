//! Bad input: every refusal has one exact message that names what is at fault, and leaves the
//! database, its live results and its indexes as they were.

use penstock::ColumnType::{Boolean, Integer, Json, Number, Real, Text};
use penstock::operators::key::Key;
use penstock::operators::source::Change;
use penstock::{
    Asc, Database, Error, Params, Query, Related, Row, RowInput, Schema, Subscription, Table,
    Value, col, exists, param, row,
};
use serde_json::json;

fn schema() -> Schema {
    Schema::new([
        Table::new("user")
            .column("id", Integer)
            .column("email", Text)
            .nullable("score", Real)
            .primary_key(["id"])
            .unique(["email"]),
        Table::new("issue")
            .column("id", Integer)
            .column("title", Text)
            .column("open", Boolean)
            .nullable("ownerId", Integer)
            .nullable("weight", Number)
            .nullable("meta", Json)
            .primary_key(["id"])
            .one("owner", "user", ["ownerId"], ["id"]),
        Table::new("tag")
            .column("issue", Integer)
            .column("name", Text)
            .primary_key(["issue", "name"]),
    ])
    .expect("a sound schema")
}

struct World {
    db: Database,
    live: Subscription,
}

fn world() -> World {
    let db = Database::in_memory(schema()).expect("a database");
    db.transaction(|tx| {
        tx.insert("user", row! { id: 1, email: "ada@example.org", score: 1.5 })?;
        tx.insert("user", row! { id: 2, email: "bob@example.org" })?;
        tx.insert("issue", row! { id: 7, title: "leak", open: true, ownerId: 1 })?;
        tx.insert("issue", row! { id: 8, title: "drip", open: false, ownerId: 2 })?;
        tx.insert("tag", row! { issue: 7, name: "bug" })
    })
    .expect("sound rows");
    let live = db
        .subscribe(
            Query::table("issue")
                .filter(exists("owner"))
                .order_by("title", Asc)
                .related("owner", Related::named()),
        )
        .expect("a sound query");
    World { db, live }
}

impl World {
    /// Everything that a refusal must leave alone.
    fn state(&mut self) -> String {
        let tables: Vec<String> = ["user", "issue", "tag"]
            .iter()
            .map(|table| self.db.query(&Query::table(*table)).expect("a table").to_string())
            .collect();
        assert_eq!(self.live.changes().len(), 0, "a refusal emits nothing");
        self.db.verify().expect("live results are right");
        let version = self.db.version().expect("a version");
        // Asked for first, because memory includes the tree that is kept for the next who asks.
        let rows = self.live.rows();
        let mut memory = self.db.memory_usage().expect("memory");
        // A table keeps the room of rows that were rolled back; the rows themselves are above.
        for (owner, bytes) in &mut memory.source {
            assert!(*bytes < 1_000, "{owner}: {bytes}");
            *bytes = 0;
        }
        format!("{version}\n{}\n{rows}\n{memory:?}", tables.concat())
    }

    /// Asserts that an operation is refused with a message, and nothing else happens.
    fn refuses<T>(&mut self, message: &str, operation: impl FnOnce(&Database) -> Result<T, Error>) {
        let before = self.state();
        match operation(&self.db) {
            Ok(_) => panic!("accepted, where this was expected: {message}"),
            Err(error) => assert_eq!(error.to_string(), message),
        }
        assert_eq!(self.state(), before, "after: {message}");
    }
}

#[test]
fn rows_that_do_not_fit() {
    let mut world = world();
    let known = "column \"colour\" is not in table \"issue\"; it has: id, title, open, ownerId, weight, meta";
    world.refuses(&format!("table \"issue\": row id = 9: {known}"), |db| {
        db.transaction(|tx| tx.insert("issue", row! { id: 9, title: "x", open: true, colour: 1 }))
    });
    world.refuses(&format!("table \"issue\": row id = 7: {known}"), |db| {
        db.transaction(|tx| tx.update("issue", row! { id: 7, colour: 1 }))
    });
    world.refuses("there is no table \"isue\"; the schema has: user, issue, tag", |db| {
        db.transaction(|tx| tx.insert("isue", row! { id: 9 }))
    });
    world.refuses("there is no table \"tags\"; the schema has: user, issue, tag", |db| {
        db.get("tags", row! { id: 9 })
    });
    for (input, problem) in [
        (row! { id: 9, open: true }, "row id = 9: column \"title\": expected text, found null"),
        (
            row! { id: 9, title: Value::Null, open: true },
            "row id = 9: column \"title\": expected text, found null",
        ),
        (
            row! { id: 9, title: 5, open: true },
            "row id = 9: column \"title\": expected text, found integer 5",
        ),
        (
            row! { id: 9, title: "x", open: 1 },
            "row id = 9: column \"open\": expected boolean, found integer 1",
        ),
        (
            row! { id: "9", title: "x", open: true },
            "column \"id\": expected integer, found text \"9\"",
        ),
        (
            row! { id: 9.5, title: "x", open: true },
            "column \"id\": expected integer, found real 9.5",
        ),
        (
            row! { id: 9, title: "x", open: true, weight: f64::NAN },
            "row id = 9: column \"weight\": expected number, found NaN",
        ),
        (
            row! { id: 9, title: "x", open: true, weight: f64::INFINITY },
            "row id = 9: column \"weight\": expected number, found real inf",
        ),
        (
            row! { id: 9, title: "x", open: true, meta: "{}" },
            "row id = 9: column \"meta\": expected json, found text \"{}\"",
        ),
    ] {
        world.refuses(&format!("table \"issue\": {problem}"), |db| {
            db.transaction(|tx| tx.insert("issue", input))
        });
    }
    world.refuses(
        "table \"user\": row id = 1: column \"score\": expected real, found integer 9007199254740993, which no double equals",
        |db| db.transaction(|tx| tx.update("user", row! { id: 1, score: 9_007_199_254_740_993_i64 })),
    );
    world.refuses("table \"issue\": primary-key column \"id\" is missing", |db| {
        db.transaction(|tx| tx.update("issue", row! { title: "x" }))
    });
    world.refuses("table \"tag\": primary-key column \"name\" is missing", |db| {
        db.transaction(|tx| tx.delete("tag", row! { issue: 7 }))
    });
    world.refuses(
        "table \"issue\": primary-key column \"id\": expected integer, found \"7\"",
        |db| db.transaction(|tx| tx.delete("issue", row! { id: "7" })),
    );
}

#[test]
fn rows_that_are_or_are_not_there() {
    let mut world = world();
    let present =
        "table \"issue\": a row with id = 7 is already there; update it, or delete it first";
    world.refuses(present, |db| {
        db.transaction(|tx| tx.insert("issue", row! { id: 7, title: "x", open: true }))
    });
    world.refuses(present, |db| {
        db.transaction(|tx| tx.update_at("issue", row! { id: 8 }, row! { id: 7 }))
    });
    world.refuses("table \"issue\": there is no row with id = 9 to update", |db| {
        db.transaction(|tx| tx.update("issue", row! { id: 9, title: "x" }))
    });
    world.refuses("table \"issue\": there is no row with id = 9 to delete", |db| {
        db.transaction(|tx| tx.delete("issue", row! { id: 9 }))
    });
    world.refuses(
        "table \"tag\": there is no row with issue = 7, name = \"bugs\" to delete",
        |db| db.transaction(|tx| tx.delete("tag", row! { issue: 7, name: "bugs" })),
    );
    world.refuses("table \"issue\": there is no row with id = 7 to delete", |db| {
        db.transaction(|tx| {
            tx.delete("issue", row! { id: 7 })?;
            tx.delete("issue", row! { id: 7 })
        })
    });
    let taken = "table \"user\": the rows with id = 2 and id = 1 have the same email = \"ada@example.org\", which is a unique key";
    world.refuses(taken, |db| {
        db.transaction(|tx| tx.update("user", row! { id: 2, email: "ada@example.org" }))
    });
}

#[test]
fn batches_fail_as_a_whole() {
    let mut world = world();
    let message = "table \"issue\": there is no row with id = 99 to delete";
    world.refuses(message, |db| {
        db.transaction(|tx| {
            tx.insert("issue", row! { id: 9, title: "new", open: true, ownerId: 1 })?;
            tx.update("issue", row! { id: 7, title: "changed" })?;
            tx.delete("issue", row! { id: 8 })?;
            tx.delete("issue", row! { id: 99 })
        })
    });
    let issue = world.db.schema().table_id("issue").expect("a table");
    let row = |id: i64| {
        Row::new(&[id.into(), "x".into(), true.into(), Value::Null, Value::Null, Value::Null])
    };
    world.refuses("table \"issue\": row id = 21: expected 6 columns, found 1", |db| {
        db.apply(vec![
            Change::Insert { table: issue, row: row(20) },
            Change::Insert { table: issue, row: Row::new(&[21.into()]) },
        ])
    });
    world.refuses(
        "table \"issue\": a row with id = 20 is already there; update it, or delete it first",
        |db| {
            db.apply(vec![
                Change::Insert { table: issue, row: row(20) },
                Change::Insert { table: issue, row: row(20) },
            ])
        },
    );
    world.refuses("table \"issue\": there is no row with the malformed key 0xff to delete", |db| {
        db.apply(vec![Change::Delete { table: issue, key: Key::from_slice(b"\xff") }])
    });
    world.refuses("the transaction was given up: out of stock", |db| {
        db.transaction(|tx| {
            tx.delete("issue", row! { id: 7 })?;
            Err::<(), _>(Error::abort("out of stock"))
        })
    });
    world.refuses(
        "Database::query was called inside a transaction of the same database; use the transaction's own methods, or call it after the transaction",
        |db| {
            db.transaction(|tx| {
                tx.delete("issue", row! { id: 7 })?;
                db.query(&Query::table("issue")).map(|_| ())
            })
        },
    );
}

#[test]
fn a_panic_in_a_transaction_rolls_it_back() {
    let mut world = world();
    let before = world.state();
    let db = world.db.clone();
    let panicked = std::thread::spawn(move || {
        db.transaction(|tx| -> Result<(), Error> {
            tx.delete("issue", row! { id: 7 })?;
            panic!("a bug in the application");
        })
    });
    assert!(panicked.join().is_err());
    assert_eq!(world.state(), before);
    world.db.transaction(|tx| tx.delete("issue", row! { id: 7 })).expect("usable");
    assert_eq!(world.live.changes().len(), 1);
}

#[test]
fn rows_of_a_batch() {
    let mut world = world();
    let text = "column \"title\": expected text, found null";
    world.refuses(&format!("table \"issue\": row id = 21: {text}"), |db| {
        db.load("issue", [row! { id: 20, title: "x", open: true }, row! { id: 21, open: true }])
    });
    world.refuses(
        "table \"issue\": row 2 of the batch: column \"id\": expected integer, found null",
        |db| db.load("issue", [row! { id: 20, title: "x", open: true }, row! { title: "x" }]),
    );
    world.refuses("table \"tag\": row issue = 7, name = \"x\": column \"nr\" is not in table \"tag\"; it has: issue, name", |db| {
        db.load("tag", [row! { nr: 1, issue: 7, name: "x" }])
    });
    world.refuses("there is no table \"tags\"; the schema has: user, issue, tag", |db| {
        db.load("tags", Vec::new())
    });
    let tag = world.db.schema().table_id("tag").expect("a table");
    world.refuses(
        "table \"tag\": row 1 of the batch: column \"issue\": expected integer, found text \"7\"",
        |db| {
            let row = Row::new(&["7".into(), "x".into()]);
            db.apply(vec![Change::Insert { table: tag, row }])
        },
    );
    world.refuses(
        "table \"tag\": row issue = 7, name = \"x\": expected 2 columns, found 3",
        |db| {
            let row = Row::new(&[7.into(), "x".into(), Value::Null]);
            db.transaction(|tx| tx.write(Change::Insert { table: tag, row }))
        },
    );
}

#[test]
fn json_rows() {
    let mut world = world();
    let known =
        "column \"nope\" is not in table \"issue\"; it has: id, title, open, ownerId, weight, meta";
    // Each with the key that the row is named by in a transaction.
    let problems = [
        (json!([1, 2]), "", "expected an object with columns, found an array".to_owned()),
        (json!("x"), "", "expected an object with columns, found a string".to_owned()),
        (json!({"id": 9, "nope": 2}), "row id = 9: ", known.to_owned()),
        (json!({"id": "1"}), "", "column \"id\": expected integer, found a string".to_owned()),
        (
            json!({"id": 9, "open": 0}),
            "row id = 9: ",
            "column \"open\": expected boolean, found a number (0)".to_owned(),
        ),
        (
            json!({"id": 9, "title": null}),
            "row id = 9: ",
            "column \"title\": expected text, found null".to_owned(),
        ),
        (
            json!({"title": {"a": 1}, "id": 9}),
            "row id = 9: ",
            "column \"title\": expected text, found an object".to_owned(),
        ),
    ];
    for (json, key, problem) in problems {
        let schema = world.db.schema();
        let issue = schema.table(schema.table_id("issue").expect("a table"));
        assert_eq!(RowInput::from_json(issue, &json), Err(problem.clone()));
        world.refuses(&format!("table \"issue\": {key}{problem}"), |db| {
            db.transaction(|tx| {
                tx.delete("issue", row! { id: 7 })?;
                let row = tx.row_from("issue", &json)?;
                tx.insert("issue", row)
            })
        });
    }
    // What fits column by column need not be a whole row.
    for (json, problem) in [
        (json!({"id": 9, "open": true}), "row id = 9: column \"title\": expected text, found null"),
        (json!({"open": true, "title": "x"}), "column \"id\": expected integer, found null"),
        (json!({}), "column \"id\": expected integer, found null"),
    ] {
        world.refuses(&format!("table \"issue\": {problem}"), |db| {
            db.transaction(|tx| {
                tx.update("issue", row! { id: 8, open: true })?;
                let row = tx.row_from("issue", &json)?;
                tx.insert("issue", row)
            })
        });
    }
}

#[test]
fn queries() {
    let mut world = world();
    let bad = [
        (Query::table("isue"), "table: there is no table \"isue\"; did you mean \"issue\"?"),
        (
            Query::table("issue").filter(col("titel").eq("x")),
            "where: column \"titel\" is not in table \"issue\"; did you mean \"title\"?",
        ),
        (
            Query::table("issue").filter(col("open").eq("yes")),
            "where: = needs both sides of one type, but column \"open\" is boolean and the value is text",
        ),
        (
            Query::table("issue").filter(col("title").lt(5)),
            "where: < needs both sides of one type, but column \"title\" is text and the value is number",
        ),
        (
            Query::table("issue").filter(col("id").like("1%")),
            "where: LIKE needs text on both sides, but column \"id\" is integer and the value is text",
        ),
        (
            Query::table("issue").order_by("meta", Asc),
            "orderBy[0]: column \"meta\" is json, which has no order",
        ),
        (
            Query::table("issue").filter(col("ownerId").eq(param("me"))),
            "where: parameter \"me\" is not supplied; the parameter set has none",
        ),
        (
            Query::table("issue").related("x", Related::many("user").on("title", "id")),
            "related(x).on: column \"title\" of table \"issue\" is text and column \"id\" of table \"user\" is integer; columns of different types cannot be related",
        ),
    ];
    for (query, message) in bad {
        world.refuses(message, |db| db.subscribe(query.clone()));
        world.refuses(message, |db| db.query(&query));
        world.refuses(message, |db| db.check(&query));
        world.refuses(message, |db| {
            db.transaction(|tx| {
                tx.delete("issue", row! { id: 7 })?;
                tx.query(&query).map(drop)
            })
        });
    }
    let ast = json!({"table": "issue", "limit": -1});
    assert_eq!(
        Query::from_ast(&ast).map_err(|error| error.to_string()),
        Err("limit: expected a whole number, 0 or more, found a number (-1)".to_owned())
    );
    let query = Query::table("issue").filter(col("ownerId").eq(param("me")));
    let params = Params::new().set("me", "nobody");
    world.refuses(
        "where: = needs both sides of one type, but column \"ownerId\" is integer and the value is text",
        |db| db.subscribe_with(query, &params),
    );
}

#[test]
fn live_paging() {
    let mut world = world();
    let mut live =
        world.db.subscribe(Query::table("issue").order_by("title", Asc).limit(1)).expect("live");
    let shown = live.rows();
    let error = live.set_start(Some(row! { colour: 1 })).expect_err("no such column");
    assert_eq!(
        error.to_string(),
        "start: column \"colour\" is not in table \"issue\"; it has: id, title, open, ownerId, weight, meta"
    );
    assert_eq!(live.rows(), shown);
    live.set_limit(Some(2)).expect("still usable");
    assert_eq!(live.rows().len(), 2);
    drop(live);
    world.state();
}

#[test]
fn a_declared_one_that_is_two() {
    let schema = Schema::new([
        Table::new("a").column("id", Integer).primary_key(["id"]).one("b", "b", ["id"], ["a"]),
        Table::new("b").column("id", Integer).column("a", Integer).primary_key(["id"]),
    ])
    .expect("a sound schema");
    let db = Database::in_memory(schema).expect("a database");
    let live = db.subscribe(Query::table("a").related("b", Related::named())).expect("live");
    db.transaction(|tx| {
        tx.insert("a", row! { id: 1 })?;
        tx.insert("b", row! { id: 10, a: 1 })
    })
    .expect("one");
    live.status().expect("one row");
    db.transaction(|tx| tx.insert("b", row! { id: 11, a: 1 })).expect("the engine goes on");
    let message = "relationship \"b\" was declared to lead to one row of \"b\" but leads to at least two: id = 10 and id = 11";
    assert_eq!(live.status().map_err(|error| error.to_string()), Err(message.to_owned()));
    assert!(matches!(live.rows().to_json(), Err(Error::NotSingular { .. })));
    db.transaction(|tx| tx.delete("b", row! { id: 10 })).expect("mended");
    live.status().expect("one row again");
    db.verify().expect("right");
}
