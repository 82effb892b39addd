//! Cases 41–43: EXISTS with orders, cursors and limits.

use penstock::Query;
use serde_json::json;

use super::ast::{self, simple};
use super::check::{Live, check};
use super::fixture::{Fixture, changes};

#[test]
fn case_41_a_row_that_is_the_bound_then_first_then_beyond_the_bound() {
    let tables = "
        genre(id num, name text!) = (1,Rock)(2,Metal)(3,Jazz)(4,Zydeco)
        track(id num, genre num)  = (10,1)(11,1)(20,2)(30,3)";
    let genres = |limit: u64| {
        let track = ast::exists(("id", "genre"), ast::table("track", json!({})));
        let parts = json!({"where": track, "orderBy": [["name", "asc"]], "limit": limit});
        ast::with_hints(&ast::table("genre", parts))
    };
    for limit in [10, 3] {
        check(
            tables,
            genres(limit),
            "=> 3:Jazz 2:Metal 1:Rock
             ~genre(1) name=AAA  => 1:AAA 3:Jazz 2:Metal  {>1}
             ~genre(1) name=Rock => 3:Jazz 2:Metal 1:Rock {>1}",
        );
    }
    check(
        tables,
        genres(2),
        "=> 3:Jazz 2:Metal
         ~genre(1) name=AAA  => 1:AAA 3:Jazz   {-2 +1}
         ~genre(1) name=Rock => 3:Jazz 2:Metal {-1 +2}",
    );
}

#[test]
fn case_42_a_row_that_comes_past_a_cursor_when_its_exists_opens() {
    let tables = "e(id num, reportsTo num?) = (1,∅)(2,1)(3,2)";
    let manager = ast::exists(("reportsTo", "id"), ast::table("e", json!({})));
    let query = ast::table(
        "e",
        json!({
            "where": ast::or([manager, simple("id", "=", 2)]),
            "orderBy": [["reportsTo", "desc"]],
            "start": {"row": {"id": 3, "reportsTo": 2}, "exclusive": true},
            "limit": 2,
        }),
    );
    check(
        tables,
        ast::with_hints(&query),
        "=> 2
         ~e(1) reportsTo=1 => 1 2 {+1}
         ~e(1) reportsTo=∅ => 2   {-1}",
    );
}

/// The conversation of case 43 has two writes; here they come in every order and split.
#[test]
fn case_43_a_row_that_enters_by_an_exists_and_then_moves_to_the_front() {
    let tables = "
        c(id text, mode text, lastMessageAt num?) = (c1,b,∅)(c2,a,50)(c3,b,99)
        message(id num, c text, body text) = (1,c1,y)(2,c2,y)";
    let message = ast::table("message", json!({"where": simple("body", "=", "x")}));
    let query = ast::table(
        "c",
        json!({
            "where": ast::or([simple("mode", "=", "a"), ast::exists(("id", "c"), message)]),
            "orderBy": [["lastMessageAt", "desc"]],
            "limit": 1,
        }),
    );
    let (add, edit) = ("+message(3,c1,x)", "~c(c1) lastMessageAt=75");
    let schedules: [&[(&str, &str)]; 4] = [
        &[(&format!("{add}; {edit}"), "-c2 +c1")],
        &[(&format!("{edit}; {add}"), "-c2 +c1")],
        &[(add, ""), (edit, "-c2 +c1")],
        &[(edit, ""), (add, "-c2 +c1")],
    ];
    let queries: Vec<Query> = ast::with_hints(&query);
    for query in &queries {
        for schedule in schedules {
            let fixture = Fixture::new(tables);
            let mut live = Live::new(&fixture.db, query, true);
            assert_eq!(fixture.tree(&live.subscription.rows()), "c2");
            for (writes, expected) in schedule {
                fixture.write(writes);
                let (_, patches) = live.follow();
                assert_eq!(&changes(&patches), expected, "after {writes} of {schedule:?}");
            }
            assert_eq!(fixture.tree(&live.subscription.rows()), "c1", "{schedule:?}");
        }
    }
}
