//! Bad queries written in Rust and the exact text that each is refused with.

mod query_support;

use penstock::query::{
    Asc, Desc, MAX_DEPTH, MAX_LITERALS, MAX_NODES, Params, Query, Related, and, col, exists,
    exists_where, not, not_exists, or, param,
};
use penstock::row;
use query_support::{check, check_ast, issues, refused, refused_ast, refused_with, simple, where_};
use serde_json::json;

#[test]
fn unknown_names() {
    check([
        (Query::table("isue"), "table: there is no table \"isue\"; did you mean \"issue\"?"),
        (
            Query::table("wholly different"),
            "table: there is no table \"wholly different\"; the schema has: issue, comment, user, \
             label, issueLabel",
        ),
        (
            where_(col("titel").eq("x")),
            "where: column \"titel\" is not in table \"issue\"; did you mean \"title\"?",
        ),
        (
            issues()
                .filter(col("open").eq(true))
                .filter(exists_where("comments", |q| q.filter(col("bogus").eq(1)))),
            "where.and[1].exists(comments).where: column \"bogus\" is not in table \"comment\"; \
             it has: id, issueId, authorId, text, created",
        ),
        (
            where_(or([col("id").eq(1), and([not(col("title").eq(col("bogus")))])])),
            "where.or[1].and[0].not: column \"bogus\" is not in table \"issue\"; it has: id, \
             title, open, ownerId, modified, meta",
        ),
        (
            issues().order_by("id", Asc).order_by("modifed", Desc),
            "orderBy[1]: column \"modifed\" is not in table \"issue\"; did you mean \"modified\"?",
        ),
        (
            issues().with("comment"),
            "related(comment): table \"issue\" has no relationship \"comment\"; did you mean \
             \"comments\"?",
        ),
        (
            where_(exists("reviewers")),
            "where.exists(reviewers): table \"issue\" has no relationship \"reviewers\"; it has: \
             owner, comments, labels",
        ),
        (
            issues().with("comments").related(
                "owner",
                Related::named().related("x", Related::many("labell").on("id", "id")),
            ),
            "related(owner).related(x): there is no table \"labell\"; did you mean \"label\"?",
        ),
        (
            issues().start_after(row! { id: 1, when: 3 }),
            "start: column \"when\" is not in table \"issue\"; it has: id, title, open, ownerId, \
             modified, meta",
        ),
    ]);
}

#[test]
fn types_that_do_not_compare() {
    check([
        (
            where_(col("id").lt("7")),
            "where: < needs both sides of one type, but column \"id\" is integer and the value is \
             text",
        ),
        (
            where_(not(col("id").lt("7"))),
            "where.not: < needs both sides of one type, but column \"id\" is integer and the value \
             is text",
        ),
        (
            where_(col("open").eq(1)),
            "where: = needs both sides of one type, but column \"open\" is boolean and the value \
             is number",
        ),
        (
            where_(col("title").is(true)),
            "where: IS needs both sides of one type, but column \"title\" is text and the value is \
             boolean",
        ),
        (
            where_(col("title").ne(col("id"))),
            "where: != needs both sides of one type, but column \"title\" is text and column \
             \"id\" is integer",
        ),
        (
            where_(col("id").in_(["a", "b"])),
            "where.item[0]: IN needs both sides of one type, but column \"id\" is integer and the \
             value is text",
        ),
        (
            where_(col("id").not_in([Some(1), None])),
            "where.item[1]: NOT IN of a list that holds null; test for null with IS NULL",
        ),
        (
            where_(col("id").like("7%")),
            "where: LIKE needs text on both sides, but column \"id\" is integer and the value is \
             text",
        ),
        (
            where_(col("title").not_ilike(7)),
            "where: NOT ILIKE needs text on both sides, but column \"title\" is text and the value \
             is number",
        ),
        (
            where_(col("title").like(col("title"))),
            "where: LIKE needs a constant on its right, not a column",
        ),
        (
            where_(col("meta").eq("x")),
            "where: column \"meta\" is json, which cannot be compared by = with text; only IS NULL \
             and IS NOT NULL apply to it",
        ),
        (
            where_(col("title").is(col("meta"))),
            "where: column \"meta\" is json, which cannot be compared by IS with text; only IS \
             NULL and IS NOT NULL apply to it",
        ),
        (
            where_(col("meta").in_(["x"])),
            "where: column \"meta\" is json, which cannot be compared by IN with a list; only IS \
             NULL and IS NOT NULL apply to it",
        ),
        (where_(col("modified").gt(f64::NAN)), "where: NaN cannot be compared with anything"),
        (issues().order_by("meta", Asc), "orderBy[0]: column \"meta\" is json, which has no order"),
        (
            issues().order_by("modified", Desc).start_at(row! { modified: "new", id: 1 }),
            "start: column \"modified\" is real but its value in the start position is text",
        ),
    ]);
}

#[test]
fn patterns_that_end_in_an_escape() {
    check([(
        where_(col("title").like("50\\")),
        "where: LIKE pattern \"50\\\\\": the pattern ends in a lone escape character",
    )]);
    check_ast([(
        json!({"table": "issue", "where": simple("NOT ILIKE", "title", json!("\\"))}),
        "where: LIKE pattern \"\\\\\": the pattern ends in a lone escape character",
    )]);
}

#[test]
fn relationships_that_make_no_sense() {
    check([
        (
            issues().related("x", Related::many("comment")),
            "related(x).on: nothing relates \"comment\" to \"issue\"; add .on(column of \
             \"issue\", column of \"comment\")",
        ),
        (
            issues().related("x", Related::many("comment").on("title", "issueId")),
            "related(x).on: column \"title\" of table \"issue\" is text and column \"issueId\" of \
             table \"comment\" is integer; columns of different types cannot be related",
        ),
        (
            issues().related("x", Related::many("issue").on("meta", "meta")),
            "related(x).on: column \"meta\" of table \"issue\" is json and column \"meta\" of \
             table \"issue\" is json; json columns cannot be related",
        ),
        (
            issues().related("title", Related::many("comment").on("id", "issueId")),
            "related(title): a relationship cannot have the name of a column of table \"issue\"",
        ),
        (
            issues().related("", Related::many("comment").on("id", "issueId")),
            "related(): a relationship needs a name",
        ),
        (
            where_(exists(Related::named())),
            "where.exists(): Related::named() has no name to go by here; use \
             Related::declared(\"…\")",
        ),
        (
            issues().related("comments", Related::named().on("id", "issueId")),
            "related(comments): a declared relationship has its correlation from the schema; leave \
             out .on(…)",
        ),
        (
            issues().related("comments", Related::named().then("user")),
            "related(comments): a declared relationship has its hops from the schema; leave out \
             .then(…)",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel").on("id", "issueId").limit(3).then("label"),
            ),
            "related(labels): before .then(…) only .on(…) and .filter(…) have a meaning",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel")
                    .on("id", "issueId")
                    .filter(col("x").eq(1))
                    .then("label")
                    .on("labelId", "id"),
            ),
            "related(labels).hop(issueLabel).where: column \"x\" is not in table \"issueLabel\"; \
             it has: issueId, labelId",
        ),
        (
            issues().related(
                "labels",
                Related::many("issueLabel").on("id", "issue").then("label").on("labelId", "id"),
            ),
            "related(labels).hop(issueLabel).on: column \"issue\" is not in table \"issueLabel\"; \
             did you mean \"issueId\"?",
        ),
        (
            where_(exists_where("comments", |q| q.start_at(row! { id: 1 }))),
            "where.exists(comments): a start position has no meaning within EXISTS",
        ),
        (
            where_(not_exists(Related::declared("comments").offset(1))),
            "where.exists(comments): an offset has no meaning within EXISTS",
        ),
        (
            where_(exists(Related::declared("comments").with("author"))),
            "where.exists(comments): a related subquery has no meaning within EXISTS",
        ),
    ]);
}

#[test]
fn parameters() {
    let query = where_(col("ownerId").eq(param("owner")));
    let given = |params: Params| refused_with(&query, &params);
    assert_eq!(
        given(Params::new()),
        "where: parameter \"owner\" is not supplied; the parameter set has none"
    );
    assert_eq!(
        given(Params::new().set("owners", 1)),
        "where: parameter \"owner\" is not supplied; did you mean \"owners\"?"
    );
    assert_eq!(
        given(Params::new().set("owner", "x")),
        "where: = needs both sides of one type, but column \"ownerId\" is integer and the value is \
         text"
    );
    assert_eq!(
        given(Params::new().set_list("owner", [1, 2])),
        "where: = takes a single value, found a list"
    );
    assert_eq!(given(Params::new().set("owner", 1)), "accepted");
    let query = where_(col("ownerId").in_(param("owner")));
    assert_eq!(
        refused_with(&query, &Params::new().set("owner", 1)),
        "where: IN takes a list, found a single value"
    );
}

#[test]
fn sizes() {
    let nest = |depth: usize| (0..depth).fold(col("id").eq(1), |filter, _| not(filter));
    assert_eq!(refused(&where_(nest(MAX_DEPTH))), "accepted");
    let text = refused(&where_(nest(MAX_DEPTH + 1)));
    assert!(text.ends_with(".not.not: nested deeper than 64 levels"), "{text}");

    let mut ast = simple("=", "id", json!(1));
    for _ in 0..=MAX_DEPTH {
        ast = json!({"type": "and", "conditions": [ast]});
    }
    let text = refused_ast(&json!({"table": "issue", "where": ast}));
    assert!(text.ends_with(".and[0].and[0]: nested deeper than 64 levels"), "{text}");

    let filters = || (0..MAX_NODES).map(|id| col("id").eq(i64::try_from(id).unwrap_or(0)));
    assert_eq!(
        refused(&where_(or(filters()))),
        "where.or[9999]: the query has more than 10000 conditions and subqueries"
    );
    assert_eq!(refused(&where_(or(filters().skip(1)))), "accepted");

    assert_eq!(refused(&where_(col("id").in_(vec![7; MAX_LITERALS]))), "accepted");
    let long = "the IN list has 100001 values; at most 100000 are allowed";
    let list = vec![7; MAX_LITERALS + 1];
    assert_eq!(refused(&where_(col("id").in_(list.clone()))), format!("where: {long}"));
    assert_eq!(
        refused_ast(&json!({"table": "issue", "where": simple("IN", "id", json!(list))})),
        format!("where.right.value: {long}")
    );
}

#[test]
fn hops_count_as_levels() {
    let chain = |hops: usize| {
        (1..hops).fold(Related::many("issue").on("id", "id"), |related, _| {
            related.then("issue").on("id", "id")
        })
    };
    assert_eq!(refused(&issues().related("x", chain(MAX_DEPTH))), "accepted");
    let expected = "nested deeper than 64 levels";
    assert_eq!(
        refused(&issues().related("x", chain(MAX_DEPTH + 1))),
        format!("related(x): {expected}")
    );
    assert_eq!(
        refused(&where_(exists(chain(MAX_DEPTH + 1)))),
        format!("where.exists(issue): {expected}")
    );
}
