//! Statements over one table are planned as the same query made in Rust is, so that they share
//! levels with it and with each other.

mod sql_support;

use penstock::operators::plan::{Input, Plan};
use penstock::query::{Params, not_exists};
use penstock::{Desc, Query, Related, Schema, SqlParams, col, exists};
use sql_support::Both;

fn schema() -> Schema {
    Both::new().db.schema()
}

fn plan(query: &Query) -> Plan {
    query.compile(&schema(), &Params::new()).expect("a sound query").plan
}

fn sql(text: &str, params: impl Into<SqlParams>) -> Plan {
    plan(&Query::sql(text).bind(params))
}

#[test]
fn a_page_of_rows_is_that_of_the_builder() {
    let built = plan(
        &Query::table("issue")
            .filter(col("owner").eq(7))
            .filter(col("open").eq(true))
            .order_by("points", Desc)
            .limit(50),
    );
    let texts = [
        "SELECT * FROM issue WHERE owner = 7 AND open = TRUE ORDER BY points DESC LIMIT 50",
        "SELECT id, title FROM issue i WHERE 1 = i.open AND i.owner = '7' ORDER BY points DESC, id LIMIT 50",
        "SELECT title AS t FROM issue WHERE (open = 1 AND (owner = 7)) ORDER BY 1 = 1, points DESC LIMIT 25 * 2",
    ];
    for text in texts {
        assert_eq!(sql(text, ()), built, "{text}");
    }
}

#[test]
fn constants_and_pages_are_no_part_of_the_template() {
    let text = "SELECT id FROM issue WHERE owner = ? AND points > 1 ORDER BY id LIMIT ? OFFSET ?";
    let (one, other) = (sql(text, [1, 10, 0]), sql(text, [2, 20, 5]));
    assert_eq!(one.shape, other.shape);
    assert_ne!(one.binding, other.binding);
}

#[test]
fn exists_is_a_gate() {
    let open = |query: Query| query.order_by("id", penstock::Asc);
    let related = || Related::many("issue").on("id", "owner");
    let built =
        plan(&open(Query::table("user").filter(exists(related().filter(col("open").eq(true))))));
    let texts = [
        "SELECT * FROM user WHERE EXISTS (SELECT 1 FROM issue WHERE owner = user.id AND open = 1) ORDER BY id",
        "SELECT id FROM user WHERE id IN (SELECT owner FROM issue WHERE issue.open = TRUE) ORDER BY id",
    ];
    for text in texts {
        assert_eq!(sql(text, ()), built, "{text}");
    }
    let built = plan(&open(Query::table("user").filter(not_exists(related()))));
    let text =
        "SELECT * FROM user WHERE NOT EXISTS (SELECT * FROM issue WHERE user.id = issue.owner)";
    assert_eq!(sql(text, ()), built);
}

#[test]
fn computed_columns_are_read_from_the_table() {
    let text = "SELECT id, upper(title) FROM issue WHERE owner = ? ORDER BY id LIMIT 10";
    let plan = sql(text, [1]);
    assert_eq!(plan.derived.len(), 1);
    let Input::Scan { partition, .. } = &plan.shape.input else { panic!("a scan") };
    assert_eq!(partition.len(), 1, "the owner is lifted");
    assert_eq!(plan.derived, sql(text, [2]).derived);
}

#[test]
fn nested_lists_are_related_levels() {
    let built = plan(&Query::table("user").related(
        "issues",
        Related::many("issue").on("id", "owner").order_by("points", Desc).limit(3),
    ));
    let text = "SELECT id, name, age, ARRAY(
                    SELECT id FROM issue WHERE issue.owner = user.id ORDER BY points DESC LIMIT 3
                ) AS issues FROM user";
    assert_eq!(sql(text, ()), built);
}

#[test]
fn equal_statements_written_otherwise_are_one_relation() {
    let one = sql("SELECT owner, count(*) AS n FROM issue GROUP BY owner ORDER BY n DESC", ());
    let other = sql("select I.OWNER, COUNT(*) from Issue as i group by 1 order by 2 desc", ());
    assert_eq!(one, other);
}
