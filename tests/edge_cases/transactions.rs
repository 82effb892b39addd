//! Cases 45–48: row sets, and what one transaction amounts to.

use penstock::{Query, Related, Value, col, exists, or};

use super::check::{Live, check, check_each};
use super::fixture::{Fixture, Rows, changes};

#[test]
fn case_45_a_row_that_is_needed_twice_stays_in_the_row_set() {
    let tables = "
        p(id num, n text!) = (1,a)
        c(id num, pid num, t text!) = (10,1,x)(11,1,x)";
    let children = || Related::many("c").on("id", "pid");
    let by_child = exists(children().filter(col("t").eq("x")));
    let query = Query::table("p").filter(or([col("n").eq("a"), by_child]));
    let fixture = Fixture::new(tables);
    let mut live = Live::new(&fixture.db, &query.related("cs", children()), true);
    let row_set = |live: &mut Live| {
        let rows = live.subscription.row_set().expect("not in a transaction");
        let names = rows.iter().map(|row| format!("{} {}", row.table().name(), row.describe_key()));
        names.collect::<Vec<_>>().join(", ")
    };
    let all = "p id = 1, c id = 10, c id = 11";
    assert_eq!(row_set(&mut live), all);

    for (write, expected, puts) in [
        ("~p(1) n=b", "~1", "p { id: 1, n: \"b\" }"),
        ("~c(10) t=y", "1.cs~10", "c { id: 10, pid: 1, t: \"y\" }"),
    ] {
        fixture.write(write);
        let (_, patches) = live.follow();
        assert_eq!(changes(&patches), expected);
        let rows = patches[0].rows().expect("a row set is kept");
        let put: Vec<String> = rows.puts.iter().map(|row| format!("{row:?}")).collect();
        assert_eq!((put, rows.deletes), (vec![puts.to_owned()], vec![]));
        assert_eq!(row_set(&mut live), all);
    }

    // The last reason to keep them all goes with the last child that matches.
    fixture.write("~c(11) t=y");
    let (tree, patches) = live.follow();
    assert_eq!((fixture.tree(&tree).as_str(), changes(&patches).as_str()), ("", "-1"));
    let rows = patches[0].rows().expect("a row set is kept");
    assert_eq!((rows.puts.len(), rows.deletes.len()), (0, 3));
    assert_eq!(row_set(&mut live), "");
}

#[test]
fn case_46_a_unique_value_may_be_swapped_within_a_transaction() {
    let tables = "t(id num, u text!) unique(u) = (1,a)(2,b)";
    check(
        tables,
        [Query::table("t")],
        "=> 1:a 2:b
         ~t(1) u=b; ~t(2) u=a => 1:b 2:a {~1 ~2}",
    );
    // But not be there twice at its end; then nothing has changed.
    let fixture = Fixture::new(tables);
    let mut live = Live::new(&fixture.db, &Query::table("t"), true);
    let refused = fixture.try_write("~t(1) u=c; ~t(2) u=c").expect_err("two rows with u = c");
    assert!(refused.to_string().contains("unique"), "{refused}");
    let (tree, patches) = live.follow();
    assert_eq!((fixture.tree(&tree).as_str(), patches.len()), ("1:a 2:b", 0));
    fixture.write("~t(1) u=c");
    assert_eq!(fixture.tree(&live.follow().0), "1:c 2:b");

    // SQLite checks at each write, so that a swap takes a value in between.
    let fixture = Fixture::over(Rows::InSqlite, tables);
    let mut live = Live::new(&fixture.db, &Query::table("t"), true);
    let refused = fixture.try_write("~t(1) u=b; ~t(2) u=a").expect_err("two rows with u = b");
    assert!(refused.to_string().contains("id = 1 and id = 2 have the same u"), "{refused}");
    fixture.write("~t(1) u=c; ~t(2) u=a; ~t(1) u=b");
    let (tree, patches) = live.follow();
    let found = (fixture.tree(&tree), changes(&patches));
    assert_eq!(found, ("1:b 2:a".to_owned(), "~1 ~2".to_owned()));
}

#[test]
fn case_47_a_row_that_is_touched_twice_counts_once() {
    check_each(
        "t(id num, v num!) = (1,10)(2,20)",
        [Query::table("t"), Query::table("t").filter(col("v").gt(0)).limit(5)],
        "=> 1:10 2:20
         +t(3,30); -t(3)            => 1:10 2:20 {}
         -t(1); +t(1,11)            => 1:11 2:20 {~1}
         -t(1); +t(1,10)            => 1:10 2:20 {}
         ~t(1) v=11; ~t(1) v=10     => 1:10 2:20 {}
         ~t(1) v=11; ~t(1) v=12     => 1:12 2:20 {~1}
         ~t(1) id=3; ~t(3) id=1     => 1:10 2:20 {}
         +t(3,30); ~t(3) v=31       => 1:10 2:20 3:31 {+3}
         ~t(1) v=11; -t(1)          => 2:20 {-1}
         -t(1); -t(2); +t(1,20)     => 1:20 {-2 ~1}",
    );
}

#[test]
fn case_48_a_child_of_a_thousand_parents_is_kept_and_changed_once() {
    const PARENTS: i64 = 1000;
    let tables = "
        p(id num, u num) =
        u(id num, name text!) = (5,ada)";
    let fixture = Fixture::new(tables);
    let parents = (1..=PARENTS).map(|id| penstock::row! { id: id, u: 5 });
    fixture.db.load("p", parents).expect("the parents are sound");
    let query = Query::table("p").related("owner", Related::one("u").on("u", "id"));
    let mut live = Live::new(&fixture.db, &query, true);
    let before = fixture.db.memory_usage().expect("not in a transaction");
    assert_eq!((before.levels, before.partitions), (2, 2));

    let stats = |live: &Live| {
        let report = live.subscription.explain().report().clone();
        assert_eq!((report.partitions, report.children[0].partitions), (1, 1));
        assert_eq!((report.rows, report.children[0].rows), (1000, 1));
        let all = [report.stats, report.children[0].stats];
        let reads = all.map(|stats| stats.hydrate_rows_in + stats.refill_rows_in + stats.probes);
        let changes = all.map(|stats| stats.changes_out);
        (reads[0] + reads[1], changes[0] + changes[1])
    };
    let (reads, changes) = stats(&live);
    fixture.write("~u(5) name=eve");
    let (tree, patches) = live.follow();
    let owner = tree.get(999).expect("the last parent").one("owner").expect("one owner");
    let name = owner.expect("an owner").get("name").map(|name| name.to_owned());
    assert_eq!(name, Some(Value::from("eve")));
    assert_eq!(stats(&live), (reads, changes + 1), "one row changed and nothing was read");

    // One row in the row set, and one patch of one list, which all parents share.
    let rows = patches[0].rows().expect("a row set is kept");
    assert_eq!((rows.puts.len(), rows.deletes.len()), (1, 0));
    let lists: Vec<_> = patches[0].list().ops.iter().map(shared_list).collect();
    assert_eq!(lists.len(), 1000);
    assert!(lists.iter().all(|list| std::sync::Arc::ptr_eq(list, &lists[0])));
}

/// The patch of the only list that changed below a row that is otherwise as it was.
fn shared_list(
    op: &penstock::operators::view::Op,
) -> std::sync::Arc<penstock::operators::view::ListPatch> {
    match op {
        penstock::operators::view::Op::Keep { from, key, old, row, related } => {
            assert_eq!((from, old, related.len()), (key, row, 1));
            std::sync::Arc::clone(&related[0].1)
        }
        other => panic!("the parents stay as they are, found {other:?}"),
    }
}
