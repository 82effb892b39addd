//! Cases 1–15: values, filters, edits across a filter or a cursor.

use penstock::{Asc, Desc, Query, Value, and, col, not, or};
use serde_json::json;

use super::ast::{self, simple};
use super::check::{Live, check, check_each, check_rows};
use super::fixture::Fixture;

/// The table that many cases use.
pub(crate) const N: &str = "n(id num, v num) = (1,10)(2,20)(3,30)(4,40)";

#[test]
fn case_01_booleans_are_ordered_null_false_true() {
    let tables = "t(id num, x bool?!) = (1,true)(2,false)(3,∅)";
    let by_x = |direction| [Query::table("t").order_by("x", direction)];
    check_rows(tables, by_x(Asc), "3:∅ 2:false 1:true");
    check_rows(tables, by_x(Desc), "1:true 2:false 3:∅");
}

#[test]
fn case_02_texts_are_ordered_by_code_point() {
    let tables = "t(id num, x text!) = (1,😀)(2,｡)";
    check_rows(tables, [Query::table("t").filter(col("x").lt("😀"))], "2:｡");
    check_rows(tables, [Query::table("t").order_by("x", Asc)], "2:｡ 1:😀");
    check_rows(tables, [Query::table("t").order_by("x", Desc)], "1:😀 2:｡");
}

#[test]
fn case_03_only_is_not_finds_null() {
    let tables = "t(id num, x text?!) = (1,∅)(2,y)(3,z)";
    let where_x = |filter| [Query::table("t").filter(filter)];
    check_rows(tables, where_x(col("x").ne("y")), "3:z");
    check_rows(tables, where_x(not(col("x").eq("y"))), "3:z");
    check_rows(tables, where_x(col("x").not_in(["y"])), "3:z");
    check_rows(tables, where_x(not(col("x").in_(["y"]))), "3:z");
    check_rows(tables, where_x(col("x").is_not("y")), "1:∅ 3:z");
    check_rows(tables, where_x(not(col("x").is("y"))), "1:∅ 3:z");
}

#[test]
fn case_04_the_empty_list() {
    let tables = "t(id num, x text?!) = (1,∅)(2,y)(3,z)";
    let list = || Vec::<Value>::new();
    check_rows(tables, [Query::table("t").filter(col("x").in_(list()))], "");
    check_rows(tables, [Query::table("t").filter(col("x").not_in(list()))], "2:y 3:z");
    let empty = |op| [ast::query(&ast::table("t", json!({"where": simple("x", op, json!([]))})))];
    check_rows(tables, empty("IN"), "");
    check_rows(tables, empty("NOT IN"), "2:y 3:z");
}

#[test]
fn case_05_the_empty_or_is_false_and_shares_nothing_with_no_condition() {
    let none = Query::table("n").filter(or([]));
    let all = Query::table("n").filter(and([]));
    let inner = Query::table("n").filter(and([col("v").gt(0), or([])]));
    let from_ast = |condition| ast::query(&ast::table("n", json!({"where": condition})));
    check_rows(N, [none.clone(), from_ast(ast::or([]))], "");
    check_rows(N, [all.clone(), from_ast(ast::and([])), Query::table("n")], "1 2 3 4");
    let and_or = ast::and([simple("v", ">", 0), ast::or([])]);
    check_rows(N, [inner.clone(), from_ast(and_or)], "");

    // All of them live at once: what one finds must not be another's answer.
    let fixture = Fixture::new(N);
    let queries = [(all, true), (none, false), (Query::table("n"), true), (inner, false)];
    let mut lives: Vec<(Live, bool)> = queries
        .iter()
        .map(|(query, finds)| (Live::new(&fixture.db, query, false), *finds))
        .collect();
    fixture.write("+n(5,50); -n(1)");
    for (live, finds) in &mut lives {
        let (tree, patches) = live.follow();
        assert_eq!(fixture.tree(&tree), if *finds { "2 3 4 5" } else { "" });
        assert_eq!(patches.len(), usize::from(*finds));
    }
}

/// Checks which of some texts a pattern matches, with LIKE and with NOT LIKE.
fn check_like(pattern: &str, ignore_case: bool, texts: &[(&str, bool)]) {
    let rows: Vec<String> =
        texts.iter().enumerate().map(|(at, (text, _))| format!("({at},'{text}')")).collect();
    let tables = format!("t(id num, x text) = {}", rows.concat().replace('\n', "\\n"));
    let ids = |wanted: bool| {
        let numbered = texts.iter().enumerate();
        let found = numbered.filter(|(_, (_, matches))| *matches == wanted);
        found.map(|(at, _)| at.to_string()).collect::<Vec<_>>().join(" ")
    };
    let query = |filter| [Query::table("t").filter(filter)];
    let x = || col("x");
    let (like, unlike) = match ignore_case {
        true => (x().ilike(pattern), x().not_ilike(pattern)),
        false => (x().like(pattern), x().not_like(pattern)),
    };
    check_rows(&tables, query(like), &ids(true));
    check_rows(&tables, query(unlike), &ids(false));
}

#[test]
fn case_06_like_covers_the_whole_text_and_newlines() {
    check_like("a%b", false, &[("a\nb", true), ("z\nab", false), ("ab", true), ("abc", false)]);
    check_like("foo_", false, &[("fooa\nbar", false), ("fooa", true), ("foo\n", true)]);
    check_like(
        r"foo\%",
        false,
        &[("foo%", true), ("foo", false), ("fooa", false), (r"foo\", false)],
    );
    check_like("_", false, &[("😀", true), ("", false)]);
    for (column, pattern) in [("x", r"foo\"), ("id", "1%")] {
        let query = Query::table("t").filter(col(column).like(pattern));
        let refused = Fixture::new("t(id num, x text)").db.subscribe(query);
        assert!(refused.is_err_and(|error| error.to_string().contains("LIKE")));
    }
}

#[test]
fn case_07_ilike_folds_case_simply() {
    check_like("müller", true, &[("MÜLLER", true), ("Müller", true), ("MULLER", false)]);
    check_like("MÜLLER", true, &[("müller", true)]);
    check_like("σιγμα", true, &[("ΣΙΓΜΑ", true), ("σιγμα", true)]);
    check_like("straße", true, &[("STRASSE", false), ("STRAßE", true)]);
}

#[test]
fn case_08_types_do_not_mix() {
    let tables = "t(id num, x text) = (1,1)(2,2)";
    let where_x = |condition| ast::table("t", json!({"where": condition}));
    for op in ["=", "IS"] {
        check_rows(tables, [ast::query(&where_x(simple("x", op, 1)))], "");
    }
    check_rows(tables, [ast::query(&where_x(simple("x", "IN", json!([1, 2]))))], "");
    check_rows(tables, [ast::query(&where_x(simple("x", "IS NOT", 1)))], "1 2");

    let db = Fixture::new(tables).db;
    for op in ["<", ">", "<=", ">=", "LIKE"] {
        let refused = db.subscribe(ast::query(&where_x(simple("x", op, 1))));
        let text = refused.expect_err("an order across types").to_string();
        for part in ["where", "\"x\"", "text"] {
            assert!(text.contains(part), "{text:?} says nothing of {part}");
        }
    }
    for filter in [col("x").eq(1), col("x").lt(1), col("id").eq("1")] {
        let refused = db.subscribe(Query::table("t").filter(filter));
        assert!(refused.is_err(), "the fluent interface refuses every mixture");
    }
}

#[test]
fn case_09_a_null_literal_matches_nothing_except_by_is() {
    let tables = "t(id num, x text?) = (1,∅)(2,y)";
    let query = |op, value| ast::query(&ast::table("t", json!({"where": simple("x", op, value)})));
    let operators =
        ["=", "!=", "<", ">", "<=", ">=", "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "IN", "NOT IN"];
    for op in operators {
        check(tables, [query(op, json!(null))], "=> \n +t(3,∅); +t(4,z); -t(2) => {}");
    }
    check(tables, [query("IS", json!(null))], "=> 1 \n +t(3,∅); +t(4,z) => 1 3 {+3}");
    check(tables, [query("IS NOT", json!(null))], "=> 2 \n +t(3,∅); +t(4,z) => 2 4 {+4}");
}

#[test]
fn case_10_edits_across_a_filter() {
    check_each(
        N,
        [Query::table("n").filter(col("v").gt(15))],
        "=> 2 3 4
         ~n(1) v=16 => 1 2 3 4 {+1}
         ~n(2) v=1  => 3 4     {-2}
         ~n(3) v=31 => 2 3 4   {~3}",
    );
}

#[test]
fn case_11_an_edit_from_one_branch_of_an_or_to_the_other() {
    let query = Query::table("n").filter(or([col("v").eq(10), col("v").eq(11)]));
    check(N, [query], "=> 1 \n ~n(1) v=11 => 1 {~1}");
}

#[test]
fn case_12_edits_across_a_start_cursor() {
    let query = Query::table("n").order_by("v", Asc).start_after([("v", 20), ("id", 2)]);
    check_each(
        N,
        [query],
        "=> 3 4
         ~n(1) v=21 => 1 3 4 {+1}
         ~n(3) v=2  => 4     {-3}
         ~n(2) v=19 => 3 4   {}
         ~n(2) v=20 => 3 4   {}
         ~n(2) v=21 => 2 3 4 {+2}
         -n(2)      => 3 4   {}",
    );
}

#[test]
fn case_13_a_partial_cursor_has_nulls_for_the_rest() {
    let tables = "t(id num, c num) = (1,5)(2,5)(3,6)";
    let by_c = Query::table("t").order_by("c", Asc);
    check_rows(tables, [by_c.clone().start_after([("c", 5)])], "1 2 3");
    check_rows(tables, [by_c.order_by("id", Desc).start_after([("c", 5)])], "3");
}

#[test]
fn case_14_cursors_at_null() {
    let tables = "t(id num, v num?) = (1,∅)(2,∅)(3,5)(4,7)";
    let after = |direction, v: Option<i64>, id: i64| {
        let cursor = [("v", Value::from(v)), ("id", Value::from(id))];
        [Query::table("t").order_by("v", direction).start_after(cursor)]
    };
    check_rows(tables, after(Asc, None, 1), "2 3 4");
    check_rows(tables, after(Desc, None, 1), "2");
    check_rows(tables, after(Desc, Some(5), 3), "1 2");
}

#[test]
fn case_15_an_edit_of_the_primary_key() {
    let tables = "t(id num, v num!) = (1,10)";
    check(tables, [Query::table("t")], "=> 1:10 \n ~t(1) id=2 => 2:10 {-1 +2}");
}
