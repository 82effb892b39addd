//! Nested lists: `ARRAY(SELECT …)` and `ONE(SELECT …)` yield the trees that asking SQLite for the
//! rows and then, for each, for its nested rows would.

mod sql_support;

use serde_json::{Map, Value as Json};
use sql_support::Both;

/// A nested list: its name, whether it is one row, what SQLite is asked for each row, with the
/// value of a column of that row.
struct Nested {
    name: &'static str,
    one: bool,
    sql: String,
    column: &'static str,
    nested: Vec<Nested>,
}

fn list(name: &'static str, column: &'static str, sql: &str) -> Nested {
    Nested { name, one: false, sql: sql.to_owned(), column, nested: Vec::new() }
}

fn expected(both: &Both, sql: &str, key: Option<&Json>, nested: &[Nested]) -> Vec<Json> {
    let mut rows = both.objects(sql, key);
    for row in &mut rows {
        for each in nested {
            let key = row.get(each.column).cloned().unwrap_or(Json::Null);
            let mut inner = expected(both, &each.sql, Some(&key), &each.nested);
            let value = match each.one {
                true if inner.is_empty() => Json::Null,
                true => inner.swap_remove(0),
                false => Json::Array(inner),
            };
            row.insert(each.name.into(), value);
        }
    }
    rows.into_iter().map(|row: Map<String, Json>| Json::Object(row)).collect()
}

fn check(sql: &str, plain: &str, nested: Vec<Nested>) {
    let mut both = Both::new();
    let live = both.db.subscribe_sql(sql, ()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    for step in 0..sql_support::steps() {
        both.step(step).expect("a sound step");
        let found = live.rows().to_json().expect("a tree as JSON");
        let expected = Json::Array(expected(&both, plain, None, &nested));
        assert_eq!(found, expected, "step {step}: {sql}");
    }
    let text = live.explain().to_string();
    assert!(text.contains("related"), "{text}");
}

#[test]
fn rows_of_a_table_with_rows_of_a_table() {
    check(
        "SELECT id, name, ARRAY(
             SELECT id, title FROM issue WHERE issue.owner = user.id ORDER BY points DESC, id LIMIT 2
         ) AS issues
         FROM user ORDER BY id",
        "SELECT id, name FROM user ORDER BY id",
        vec![list(
            "issues",
            "id",
            "SELECT id, title FROM issue WHERE owner = ?1 ORDER BY points DESC, id LIMIT 2",
        )],
    );
}

#[test]
fn lists_within_lists_and_single_rows() {
    let mut issues = list("issues", "id", "SELECT id FROM issue WHERE owner = ?1 ORDER BY id");
    issues.nested.push(list(
        "comments",
        "id",
        "SELECT id, author, upper(body) AS shout FROM comment WHERE issue = ?1 ORDER BY id DESC",
    ));
    issues.nested[0].nested.push(Nested {
        one: true,
        ..list("author_row", "author", "SELECT name FROM user WHERE id = ?1")
    });
    check(
        "SELECT id, ARRAY(
             SELECT id, ARRAY(
                 SELECT id, author, upper(body) AS shout,
                        ONE(SELECT name FROM user u WHERE u.id = comment.author) AS author_row
                 FROM comment WHERE comment.issue = issue.id ORDER BY id DESC
             ) AS comments
             FROM issue WHERE issue.owner = user.id ORDER BY id
         ) AS issues
         FROM user ORDER BY name, id",
        "SELECT id FROM user ORDER BY name, id",
        vec![issues],
    );
}

#[test]
fn derived_rows_with_derived_rows() {
    check(
        "SELECT u.id, count(i.id) AS n,
                ARRAY(SELECT open, count(*) AS n FROM issue WHERE owner = u.id GROUP BY open
                      ORDER BY open) AS by_state,
                ARRAY(SELECT DISTINCT author FROM comment c JOIN issue i ON i.id = c.issue
                      WHERE i.owner = u.id ORDER BY author LIMIT 3) AS authors
         FROM user u LEFT JOIN issue i ON i.owner = u.id GROUP BY u.id ORDER BY n DESC, u.id LIMIT 4",
        "SELECT u.id, count(i.id) AS n FROM user u LEFT JOIN issue i ON i.owner = u.id
         GROUP BY u.id ORDER BY n DESC, u.id LIMIT 4",
        vec![
            list(
                "by_state",
                "id",
                "SELECT open, count(*) AS n FROM issue WHERE owner = ?1 GROUP BY open ORDER BY open",
            ),
            list(
                "authors",
                "id",
                "SELECT DISTINCT author FROM comment c JOIN issue i ON i.id = c.issue
                 WHERE i.owner = ?1 ORDER BY author LIMIT 3",
            ),
        ],
    );
}

#[test]
fn lists_led_to_by_expressions_and_through_a_join() {
    check(
        "SELECT id, age, ARRAY(SELECT id FROM user v WHERE v.age = user.age + 10 ORDER BY id) AS older,
                ARRAY(SELECT t.name FROM issue_tag it JOIN tag t ON t.id = it.tag
                      WHERE it.issue = user.id ORDER BY t.name) AS tags
         FROM user WHERE age IS NOT NULL ORDER BY id",
        "SELECT id, age FROM user WHERE age IS NOT NULL ORDER BY id",
        vec![
            list("older", "age", "SELECT id FROM user WHERE age = ?1 + 10 ORDER BY id"),
            list(
                "tags",
                "id",
                "SELECT t.name FROM issue_tag it JOIN tag t ON t.id = it.tag
                 WHERE it.issue = ?1 ORDER BY t.name",
            ),
        ],
    );
}

#[test]
fn patches_of_nested_lists_give_the_tree() {
    let mut both = Both::new();
    let sql = "SELECT id, (SELECT count(*) FROM issue WHERE owner = user.id) AS n,
                      ARRAY(SELECT id, title FROM issue WHERE owner = user.id ORDER BY id) AS issues
               FROM user ORDER BY n DESC, id LIMIT 3";
    let mut live = both.db.subscribe_sql(sql, ()).expect("a sound statement");
    let mut tree = live.rows();
    for step in 0..sql_support::steps() {
        both.step(step).expect("a sound step");
        for patch in live.changes() {
            tree.apply(&patch);
        }
        assert_eq!(tree.to_json().unwrap(), live.rows().to_json().unwrap(), "step {step}");
    }
}

/// The list is made as it is read, so its rows cannot be looked up by the keys that are listed.
#[test]
fn rows_of_a_list_are_named_by_key() {
    for condition in ["id IN (1, 2, 5)", "id = '2'"] {
        let rows = |owner: &str| {
            format!(
                "SELECT id, coalesce(title, '-') AS label FROM issue
                 WHERE owner = {owner} AND issue.{condition} ORDER BY id"
            )
        };
        let sql = format!("SELECT id, ARRAY({}) AS named FROM user ORDER BY id", rows("user.id"));
        check(&sql, "SELECT id FROM user ORDER BY id", vec![list("named", "id", &rows("?1"))]);
    }
}
