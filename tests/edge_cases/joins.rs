//! Cases 23–31: relationships.

use penstock::{Asc, Error, Query, Related};
use serde_json::json;

use super::ast;
use super::check::{Live, check, check_each, check_rows};
use super::fixture::{Fixture, changes};

/// Parents and children.
const PC: &str = "
    p(id num, n text!)           = (1,a)(2,b)(3,c)
    c(id num, pid num?, t text!) = (10,1,x)(11,1,y)(12,2,x)(13,∅,x)";

/// Items with labels, through a junction.
const J: &str = "
    i(id num) = (1)(2)
    il(id num, i num, l num, note text) = (1,1,7,-)(2,1,7,-)(3,1,5,-)(4,2,7,-)
    l(id num, name text!) = (5,five)(7,seven)";

fn parents_with_children() -> [Query; 1] {
    [Query::table("p").related("cs", Related::many("c").on("id", "pid"))]
}

fn items_with_labels(labels: fn(Related) -> Related) -> [Query; 1] {
    let hops = Related::many("il").on("id", "i").then("l").on("l", "id");
    [Query::table("i").related("labels", labels(hops))]
}

#[test]
fn case_23_edits_of_a_childs_correlation() {
    check_each(
        PC,
        parents_with_children(),
        "=> 1:a[10:x 11:y] 2:b[12:x] 3:c[]
         ~c(10) pid=3 => 1:a[11:y] 2:b[12:x] 3:c[10:x]      {1.cs-10 3.cs+10}
         ~c(10) pid=∅ => 1:a[11:y] 2:b[12:x] 3:c[]          {1.cs-10}
         ~c(13) t=z   => 1:a[10:x 11:y] 2:b[12:x] 3:c[]     {}
         ~c(13) pid=3 => 1:a[10:x 11:y] 2:b[12:x] 3:c[13:x] {3.cs+13}",
    );
}

#[test]
fn case_24_edits_of_a_parents_correlation() {
    check(
        PC,
        parents_with_children(),
        "=> 1:a[10:x 11:y] 2:b[12:x] 3:c[]
         ~p(1) id=7   => 2:b[12:x] 3:c[] 7:a[]      {-1 +7}
         ~c(11) pid=7 => 2:b[12:x] 3:c[] 7:a[11:y]  {7.cs+11}
         ~p(3) id=1   => 1:c[10:x] 2:b[12:x] 7:a[11:y] {-3 +1}",
    );
}

#[test]
fn case_25_null_matches_nothing() {
    let tables = "
        a(id num, k num?, l num?) = (1,1,1)(2,1,∅)(3,∅,∅)
        b(id num, k num?, l num?) = (10,1,1)(11,1,∅)(12,∅,∅)";
    let one = || Related::many("b").on("k", "k");
    let both = || Related::many("b").on("k", "k").on("l", "l");
    let related = |bs| [Query::table("a").related("bs", bs)];
    check_rows(tables, related(one()), "1[10 11] 2[10 11] 3[]");
    check_rows(tables, related(both()), "1[10] 2[] 3[]");
    let rows = |filter| [Query::table("a").filter(filter)];
    check_rows(tables, rows(penstock::exists(one())), "1 2");
    check_rows(tables, rows(penstock::not_exists(one())), "3");
    check_rows(tables, rows(penstock::exists(both())), "1");
    check_rows(tables, rows(penstock::not_exists(both())), "2 3");
    check(
        tables,
        related(both()),
        "=> 1[10] 2[] 3[]
         ~b(12) k=1 => 1[10] 2[] 3[]    {}
         ~b(12) l=1 => 1[10 12] 2[] 3[] {1.bs+12}
         ~a(1) k=∅  => 1[] 2[] 3[]      {~1 1.bs-10 1.bs-12}",
    );
    check(
        tables,
        rows(penstock::not_exists(both())),
        "=> 2 3
         ~b(11) l=1 => 2 3   {}
         ~a(2) l=1  => 3     {-2}
         ~a(1) l=∅  => 1 3   {+1}",
    );
}

#[test]
fn case_26_a_shared_child_changes_everywhere_at_once() {
    let tables = "
        i(id num, u num) = (1,5)(2,5)(3,6)
        u(id num, name text!) = (5,ada)(6,bob)";
    let query = Query::table("i").related("owner", Related::one("u").on("u", "id"));
    check(
        tables,
        [query],
        "=> 1[5:ada] 2[5:ada] 3[6:bob]
         ~u(5) name=eve => 1[5:eve] 2[5:eve] 3[6:bob] {1.owner~5 2.owner~5}
         -u(5)          => 1[none] 2[none] 3[6:bob]   {1.owner-5 2.owner-5}
         +u(5,kim)      => 1[5:kim] 2[5:kim] 3[6:bob] {1.owner+5 2.owner+5}",
    );
}

#[test]
fn case_27_another_querys_join_does_not_split_an_edit() {
    let fixture = Fixture::new(PC);
    let plain = Query::table("c");
    let joined = Query::table("c").related("parent", Related::one("p").on("pid", "id"));
    let mut a = Live::new(&fixture.db, &plain, false);
    let mut b = Live::new(&fixture.db, &joined, false);
    fixture.write("~c(13) t=z");
    let (tree, patches) = a.follow();
    assert_eq!(fixture.tree(&tree), "10:x 11:y 12:x 13:z");
    assert_eq!(changes(&patches), "~13");
    let (tree, patches) = b.follow();
    assert_eq!(fixture.tree(&tree), "10:x[1:a] 11:y[1:a] 12:x[2:b] 13:z[none]");
    assert_eq!(changes(&patches), "~13");
}

#[test]
fn case_28_a_junction_shows_a_row_once_however_often_it_is_reached() {
    check(
        J,
        items_with_labels(|labels| labels),
        "=> 1[5:five 7:seven] 2[7:seven]
         -il(1)        => 1[5:five 7:seven] 2[7:seven] {}
         -il(2)        => 1[5:five] 2[7:seven]         {1.labels-7}
         ~il(3) note=x => 1[5:five] 2[7:seven]         {}
         ~il(3) i=2    => 1[] 2[5:five 7:seven]        {1.labels-5 2.labels+5}",
    );
    // The same in one transaction has no steps in between.
    check(
        J,
        items_with_labels(|labels| labels),
        "=> 1[5:five 7:seven] 2[7:seven]
         -il(1); -il(2); +il(9,1,7,-) => 1[5:five 7:seven] 2[7:seven] {}",
    );
}

#[test]
fn case_29_changes_on_the_far_side_of_a_junction() {
    check(
        J,
        items_with_labels(|labels| labels.order_by("name", Asc)),
        "=> 1[5:five 7:seven] 2[7:seven]
         ~l(7) name=aaa => 1[7:aaa 5:five] 2[7:aaa] {1.labels>7 2.labels>7}
         -l(7)          => 1[5:five] 2[]            {1.labels-7 2.labels-7}
         +l(7,zoe)      => 1[5:five 7:zoe] 2[7:zoe] {1.labels+7 2.labels+7}",
    );
}

#[test]
fn case_30_two_rows_where_one_was_declared_is_an_error_the_subscriber_sees() {
    let tables = "
        i(id num, u num) = (1,5)(2,6)
        u(id num, nr num) = (50,5)(60,6)";
    let query = Query::table("i").related("owner", Related::one("u").on("u", "nr"));
    let fixture = Fixture::new(tables);
    let mut live = Live::new(&fixture.db, &query, false);
    assert!(live.subscription.status().is_ok());

    fixture.write("+u(51,5)");
    let (tree, _) = live.follow();
    assert_eq!(fixture.tree(&tree), "1[!] 2[60]");
    let expected = "relationship \"owner\" was declared to lead to one row of \"u\" but leads to \
                    at least two: id = 50 and id = 51";
    let status = live.subscription.status().expect_err("two owners");
    assert!(matches!(status, Error::NotSingular { .. }));
    assert_eq!(status.to_string(), expected);
    assert_eq!(tree.to_json().expect_err("two owners").to_string(), expected);

    // The engine goes on, and the subscription recovers with the data.
    fixture.write("~i(2) u=7; +u(70,7)");
    let (tree, patches) = live.follow();
    assert_eq!(fixture.tree(&tree), "1[!] 2[70]");
    assert_eq!(changes(&patches), "~2 2.owner-60 2.owner+70");
    fixture.write("-u(50)");
    let (tree, _) = live.follow();
    assert_eq!(fixture.tree(&tree), "1[51] 2[70]");
    assert!(live.subscription.status().is_ok());
}

#[test]
fn case_31_the_last_of_two_relationships_of_one_name_wins() {
    let children = |column| Related::many("c").on("id", column);
    let fluent = Query::table("p").related("cs", children("id")).related("cs", children("pid"));
    let related = |column: &str| {
        json!({
            "correlation": {"parentField": ["id"], "childField": [column]},
            "subquery": {"table": "c", "alias": "cs"},
        })
    };
    let read = ast::query(&ast::table("p", json!({"related": [related("id"), related("pid")]})));
    check(
        PC,
        [fluent, read],
        "=> 1:a[10:x 11:y] 2:b[12:x] 3:c[]
         +c(3,∅,x) => 1:a[10:x 11:y] 2:b[12:x] 3:c[] {}
         -c(3)     => 1:a[10:x 11:y] 2:b[12:x] 3:c[] {}
         -c(12)    => 1:a[10:x 11:y] 2:b[] 3:c[]     {2.cs-12}",
    );
}
