//! Cases 32–40, 44 and 49: EXISTS and NOT EXISTS.

use penstock::{Query, Related, and, col, exists, not_exists, or};
use serde_json::{Value as Json, json};

use super::ast::{self, simple};
use super::check::{Live, check, check_each, check_rows};
use super::fixture::Fixture;

/// Parents and children, without a shown column.
const PC: &str = "
    p(id num, n text)           = (1,a)(2,b)(3,c)
    c(id num, pid num?, t text) = (10,1,x)(11,1,y)(12,2,x)(13,∅,x)";

/// Rows that lead to rows of their own table.
const E: &str = "e(id num, m num, n text!) = (1,1,a)(2,1,b)";

/// The children of a parent that satisfy a condition, as JSON.
fn child_where(condition: Json) -> Json {
    ast::exists(("id", "pid"), ast::table("c", json!({"where": condition})))
}

fn child_is(t: &str) -> Json {
    child_where(simple("t", "=", t))
}

/// Parents by a condition in JSON, with and without hints, and by the same one in Rust.
fn parents(condition: Json, filter: penstock::query::Filter) -> Vec<Query> {
    let mut queries = ast::with_hints(&ast::table("p", json!({"where": condition})));
    queries.push(Query::table("p").filter(filter));
    queries
}

fn children(t: &str) -> Related {
    Related::many("c").on("id", "pid").filter(col("t").eq(t))
}

#[test]
fn case_32_exists() {
    let queries = || parents(child_is("x"), exists(children("x")));
    check(
        PC,
        queries(),
        "=> 1 2
         -c(10)       => 2   {-1}
         +c(30,1,x)   => 1 2 {+1}
         +c(31,1,x)   => 1 2 {}
         ~c(12) pid=3 => 1 3 {-2 +3}
         ~c(12) t=no  => 1   {-3}",
    );
    check_each(PC, queries(), "=> 1 2 \n ~c(12) t=no => 1 {-2}");
}

#[test]
fn case_33_not_exists() {
    let condition =
        ast::not_exists(("id", "pid"), ast::table("c", json!({"where": simple("t", "=", "x")})));
    check(
        PC,
        parents(condition, not_exists(children("x"))),
        "=> 3
         -c(10)     => 1 3 {+1}
         +c(30,1,x) => 3   {-1}
         +p(4,d)    => 3 4 {+4}",
    );
}

#[test]
fn case_34_many_matching_children_keep_a_parent_in() {
    let tables = "
        p(id num) = (1)
        c(id num, pid num, t text) = (10,1,x)(11,1,x)(12,1,x)(13,1,x)(14,1,x)";
    check(
        tables,
        parents(child_is("x"), exists(children("x"))),
        "=> 1
         -c(10)             => 1 {}
         ~c(14) t=no        => 1 {}
         +c(15,1,x)         => 1 {}
         -c(11); +c(9,1,x)  => 1 {}
         -c(9)              => 1 {}
         ~c(12) id=8        => 1 {}
         -c(8); -c(13)      => 1 {}
         -c(15); +c(15,1,x) => 1 {}
         -c(15)             =>   {-1}",
    );
}

#[test]
fn case_35_exists_or_a_test_of_the_row() {
    let condition = ast::or([simple("n", "=", "a"), child_is("x")]);
    check(
        PC,
        parents(condition, or([col("n").eq("a"), exists(children("x"))])),
        "=> 1 2
         -c(10)     => 1 2 {}
         -c(12)     => 1   {-2}
         ~p(1) n=z  =>     {-1}
         +c(60,1,x) => 1   {+1}",
    );
}

#[test]
fn case_36_a_child_that_goes_from_one_exists_to_another() {
    let condition = ast::or([child_is("x"), child_is("y")]);
    check_each(
        PC,
        parents(condition, or([exists(children("x")), exists(children("y"))])),
        "=> 1 2
         ~c(12) t=y => 1 2 {}
         ~c(10) t=y => 1 2 {}
         ~c(12) t=z => 1   {-2}",
    );
}

#[test]
fn case_37_two_exists_over_one_relationship() {
    let condition = ast::and([child_is("x"), child_is("y")]);
    check(
        PC,
        parents(condition, and([exists(children("x")), exists(children("y"))])),
        "=> 1
         +c(20,2,y) => 1 2 {+2}
         ~c(11) t=x => 2   {-1}",
    );
}

#[test]
fn case_37_an_exists_whose_body_has_an_or_with_an_exists() {
    let same_id = ast::exists(("id", "id"), ast::table("p", json!({})));
    let condition = child_where(ast::or([simple("t", "=", "y"), same_id]));
    let inner = or([col("t").eq("y"), exists(Related::many("p").on("id", "id"))]);
    let filter = exists(Related::many("c").on("id", "pid").filter(inner));
    check(
        PC,
        parents(condition, filter),
        "=> 1
         +p(12,l) => 1 2 {+2}
         -c(11)   => 2   {-1}
         -p(12)   =>     {-2}",
    );
}

/// The rows that some row, or no row, reports to; with hints too.
fn managers(gate: fn((&str, &str), Json) -> Json) -> Vec<Query> {
    let reports = gate(("id", "m"), ast::table("e", json!({})));
    ast::with_hints(&ast::table("e", json!({"where": reports})))
}

#[test]
fn case_37_exists_over_the_same_table() {
    check(
        E,
        managers(ast::exists),
        "=> 1:a
         -e(2) => 1:a {}
         -e(1) =>     {-1}",
    );
    check(E, managers(ast::exists), "=> 1:a \n +e(3,3,c) => 1:a 3:c {+3}");
}

#[test]
fn case_38_not_exists_over_the_same_table() {
    check(
        E,
        managers(ast::not_exists),
        "=> 2:b
         +e(3,3,c) => 2:b {}
         +e(4,2,d) => 4:d {-2 +4}",
    );
}

#[test]
fn case_39_a_relationship_with_the_same_table() {
    let query = Query::table("e").related("reports", Related::many("e").on("id", "m"));
    check_each(
        E,
        [query],
        "=> 1:a[1:a 2:b] 2:b[]
         -e(1)      => 2:b[]                       {-1}
         +e(3,3,c)  => 1:a[1:a 2:b] 2:b[] 3:c[3:c] {+3}
         ~e(1) n=z  => 1:z[1:z 2:b] 2:b[]          {~1 1.reports~1}
         ~e(2) m=2  => 1:a[1:a] 2:b[2:b]           {1.reports-2 ~2 2.reports+2}",
    );
}

#[test]
fn case_40_limits_in_exists_mean_nothing_except_zero() {
    let body =
        |limit: u64| ast::table("c", json!({"where": simple("t", "=", "x"), "limit": limit}));
    let exists = |limit| {
        ast::with_hints(&ast::table("p", json!({"where": ast::exists(("id", "pid"), body(limit))})))
    };
    let not_exists = ast::not_exists(("id", "pid"), body(0));
    check(PC, exists(0), "=> \n +c(30,3,x) => {}");
    let all = ast::with_hints(&ast::table("p", json!({"where": not_exists})));
    check(PC, all, "=> 1 2 3 \n +c(30,3,x); -p(1) => 2 3 {-1}");
    check(
        PC,
        exists(1),
        "=> 1 2
         +c(9,1,x)  => 1 2   {}
         -c(10)     => 1 2   {}
         -c(9)      => 2     {-1}
         +c(30,3,x) => 2 3   {+3}",
    );
}

#[test]
fn case_44_an_exists_and_an_or_of_exists() {
    let tables = "
        i(id num) = (1)(2)
        comment(id num, i num) = (10,1)
        label(id num, i num, name text) = (20,1,bug)(21,1,feature)(22,2,bug)";
    let label = |name: &str| {
        ast::exists(("id", "i"), ast::table("label", json!({"where": simple("name", "=", name)})))
    };
    let comment = ast::exists(("id", "i"), ast::table("comment", json!({})));
    let condition = ast::and([comment, ast::or([label("bug"), label("feature")])]);
    check(
        tables,
        ast::with_hints(&ast::table("i", json!({"where": condition}))),
        "=> 1
         +comment(11,1)         => 1   {}
         -label(20)             => 1   {}
         +comment(12,2)         => 1 2 {+2}
         -comment(10)           => 1 2 {}
         -label(21); -label(22) =>     {-1 -2}",
    );
}

#[test]
fn case_49_a_scalar_subquerys_row_appears_changes_and_disappears() {
    let tables = "
        i(id num, p num)         = (1,7)(2,8)
        project(id num, k text)  = (8,other)";
    let project = ast::table("project", json!({"where": simple("k", "=", "main"), "limit": 1}));
    let mut condition = ast::exists(("p", "id"), project);
    condition["scalar"] = json!(true);
    let query = ast::query(&ast::table("i", json!({"where": condition})));
    check(
        tables,
        [query],
        "=>
         +project(7,main)                          => 1   {+1}
         ~project(7) k=other; ~project(8) k=main   => 2   {-1 +2}
         -project(7); ~project(8) id=7             => 1   {-2 +1}
         -project(7)                               =>     {-1}",
    );
}

/// Hints are accepted wherever an EXISTS is, and queries that differ in them alone share all that
/// is kept for them.
#[test]
fn case_32_hints_change_nothing_that_is_kept() {
    let fixture = Fixture::new(PC);
    let queries = ast::with_hints(&ast::table("p", json!({"where": child_is("x")})));
    let lives: Vec<Live> =
        queries.iter().map(|query| Live::new(&fixture.db, query, false)).collect();
    let alone = Fixture::new(PC);
    let _live = Live::new(&alone.db, &queries[0], false);
    let usage = |fixture: &Fixture| fixture.db.memory_usage().expect("not in a transaction");
    assert_eq!((usage(&fixture).levels, lives.len()), (usage(&alone).levels, 3));
    assert_eq!(usage(&fixture).partitions, usage(&alone).partitions);
    check_rows(PC, queries, "1 2");
}
