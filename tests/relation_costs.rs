//! What live relations keep and what reaches them, as `explain` and `memory_usage` tell it.

use penstock::ColumnType::{Boolean, Integer, Text};
use penstock::query::{Desc, Query, Related, col, count, exists};
use penstock::{Database, Schema, Table, row};

const ISSUES: i64 = 200;

fn database() -> Database {
    let schema = Schema::new([
        Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
        Table::new("issue")
            .column("id", Integer)
            .column("title", Text)
            .column("open", Boolean)
            .primary_key(["id"]),
        Table::new("comment")
            .column("id", Integer)
            .column("issueId", Integer)
            .column("authorId", Integer)
            .column("body", Text)
            .primary_key(["id"]),
    ]);
    let db = Database::builder()
        .verify_every_commit(true)
        .in_memory(schema.expect("a sound schema"))
        .expect("a database");
    let filled = db.transaction(|tx| {
        for id in 0..ISSUES {
            tx.insert(
                "issue",
                row! { id: id, title: "a title of some length", open: id % 2 == 0 },
            )?;
            tx.insert("comment", row! { id: id, issueId: id / 2, authorId: id % 5, body: "so" })?;
        }
        (0..5).try_for_each(|id| tx.insert("user", row! { id: id, name: "someone" }).map(drop))
    });
    filled.expect("rows that fit");
    db
}

/// How many comments of known users open issues have.
fn discussion() -> Query {
    let issue = Related::one("issue").on("issueId", "id").filter(col("open").eq(true));
    let author = Related::one("user").on("authorId", "id");
    let comments = Query::table("comment").filter(exists(issue)).filter(exists(author));
    comments.aggregate("comments", count())
}

const DISCUSSION: &str = "SELECT count(*) AS comments
    FROM issue JOIN comment ON comment.issueId = issue.id JOIN user ON user.id = comment.authorId
    WHERE issue.open = 1";

#[test]
fn an_edit_of_what_nothing_reads_reaches_nothing() {
    for query in [discussion(), Query::sql(DISCUSSION)] {
        let db = database();
        let live = db.subscribe(query).expect("a sound query");
        db.transaction(|tx| tx.update("issue", row! { id: 4, title: "another" })).expect("fits");
        db.transaction(|tx| tx.update("comment", row! { id: 4, body: "no" })).expect("fits");
        let text = live.explain().to_string();
        assert!(!text.contains("changes in"), "{text}");
        db.transaction(|tx| tx.update("issue", row! { id: 4, open: false })).expect("fits");
        let text = live.explain().to_string();
        assert!(text.contains("changes in"), "{text}");
    }
}

#[test]
fn inner_joins_of_tables_keep_nothing() {
    for query in [discussion(), Query::sql(DISCUSSION)] {
        let db = database();
        let text = db.subscribe(query).expect("a sound query").explain().to_string();
        assert!(text.contains("(left read, right read)"), "{text}");
        assert!(!text.contains("kept"), "{text}");
        let kept: Vec<&str> = text.lines().filter(|line| line.contains("keeps")).collect();
        let few = kept.iter().all(|line| line.contains("keeps 1 row,"));
        assert!(few && !kept.is_empty(), "the count and its table: {text}");
    }
}

#[test]
fn rows_that_relations_make_are_counted() {
    let db = database();
    let used = || db.memory_usage().expect("usage").queries;
    let comments = Related::many("comment").on("id", "issueId");
    let counted = Query::table("issue").aggregate_related("comments", comments, count());
    let live = db.subscribe(counted.order_by("comments", Desc).limit(10)).expect("a sound query");
    let rows = live.rows();
    let least: usize = "a title of some length".len() * ISSUES as usize;
    assert!(used() > least, "{} bytes for {} rows", used(), ISSUES);
    drop((live, rows));
    assert_eq!(db.memory_usage().expect("usage").relations, 0);
}
