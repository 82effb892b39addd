//! Statements of SQL over tables in memory: what SQLite says of the same data is the expectation,
//! at first and after every transaction.

mod sql_support;

use penstock::{Params, Query, SqlParams, row};
use sql_support::Both;

/// Runs each statement from the start and through all writes.
fn check(statements: &[&str]) {
    let mut failures = Vec::new();
    for statement in statements {
        let mut both = Both::new();
        if let Err(problem) = both.follow(statement) {
            failures.push(format!("{statement}\n    {problem}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        statements.len(),
        failures.join("\n")
    );
}

#[test]
fn rows_of_one_table() {
    check(&[
        "SELECT * FROM user ORDER BY id",
        "SELECT id, name FROM user WHERE age > 20 ORDER BY name, id",
        "SELECT u.id, u.name AS who FROM user u WHERE u.name LIKE 'a%' OR age IS NULL ORDER BY id",
        "SELECT id, age + 1 AS next, upper(name) FROM user ORDER BY id LIMIT 3",
        "SELECT id FROM user ORDER BY age DESC, id LIMIT 3 OFFSET 1",
        "SELECT id, age FROM user ORDER BY age NULLS LAST, id DESC",
        "SELECT id, name FROM user ORDER BY name COLLATE NOCASE DESC, id",
        "SELECT id, name FROM user ORDER BY -age, id LIMIT 4",
        "SELECT id, CASE WHEN age < 30 THEN 'young' WHEN age >= 30 THEN 'old' END AS kind FROM user ORDER BY 2, 1",
        "SELECT id FROM user WHERE age BETWEEN 20 AND 40 AND NOT (name = 'Ann') ORDER BY id",
        "SELECT id FROM user WHERE age IN (20, 30, NULL) ORDER BY id",
        "SELECT id FROM user WHERE age NOT IN (20, 30) ORDER BY id",
        "SELECT id FROM user WHERE name = 'ann' COLLATE NOCASE ORDER BY id",
        "SELECT id, title FROM issue WHERE owner = 1 AND open ORDER BY id",
        "SELECT id, open FROM issue WHERE open = 1 ORDER BY id",
        "SELECT id FROM issue WHERE owner IS NULL OR owner IS NOT 1 ORDER BY id",
        "SELECT id FROM issue WHERE open IS TRUE ORDER BY points, id",
        "SELECT 1, 'x', 2.5, NULL, x'00ff'",
        "SELECT id FROM user WHERE 1 = 0",
        "SELECT id % 3 AS m, id FROM user WHERE id >= 2 ORDER BY m, id",
    ]);
}

#[test]
fn joins() {
    check(&[
        "SELECT i.id, u.name FROM issue i JOIN user u ON u.id = i.owner ORDER BY i.id",
        "SELECT i.id, u.name FROM issue i LEFT JOIN user u ON u.id = i.owner ORDER BY i.id",
        "SELECT i.id, u.name FROM issue i, user u WHERE u.id = i.owner AND u.age > 20 ORDER BY i.id",
        "SELECT i.id, c.id AS cid, u.name FROM issue i JOIN comment c ON c.issue = i.id LEFT JOIN user u ON u.id = c.author ORDER BY i.id, c.id",
        "SELECT a.id, b.id FROM user a JOIN user b ON a.age = b.age AND a.id < b.id ORDER BY a.id, b.id",
        "SELECT i.id, u.id FROM issue i LEFT JOIN user u ON u.id = i.owner AND u.age > 25 ORDER BY i.id",
        "SELECT i.id FROM issue i LEFT JOIN user u ON u.id = i.owner WHERE u.id IS NULL ORDER BY i.id",
        "SELECT u.name, i.title, c.body FROM comment c, issue i, user u WHERE c.issue = i.id AND i.owner = u.id ORDER BY c.id",
        "SELECT a.id, b.id FROM user a CROSS JOIN tag b ORDER BY a.id, b.id",
        "SELECT i.id, u.name FROM user u RIGHT JOIN issue i ON u.id = i.owner ORDER BY i.id",
        "SELECT * FROM issue_tag JOIN tag ON tag.id = issue_tag.tag ORDER BY issue_tag.issue, tag.id",
        "SELECT u.id, x.n FROM user u JOIN (SELECT owner, count(*) AS n FROM issue GROUP BY owner) x ON x.owner = u.id ORDER BY u.id",
        "SELECT u.id, coalesce(x.n, 0) AS n FROM user u LEFT JOIN (SELECT owner, count(*) AS n FROM issue GROUP BY owner) x ON x.owner = u.id ORDER BY n DESC, u.id LIMIT 3",
        "SELECT i.id, u.name FROM issue i JOIN user u ON u.id = i.owner OR u.id = 1 ORDER BY i.id, u.id",
        "SELECT count(*) FROM issue i JOIN user u ON u.id = i.owner JOIN comment c ON c.issue = i.id",
        "SELECT t.name, s.id FROM tag t JOIN user s ON t.name = s.name COLLATE NOCASE ORDER BY t.id, s.id",
        "SELECT t.id, s.id FROM tag t JOIN user s ON t.name = s.age ORDER BY t.id, s.id",
    ]);
}

#[test]
fn groups() {
    check(&[
        "SELECT owner, count(*) AS n FROM issue GROUP BY owner ORDER BY n DESC, owner",
        "SELECT owner, sum(points), avg(points), min(points), max(points), total(points), count(points) FROM issue GROUP BY owner ORDER BY owner",
        "SELECT count(*), sum(points), max(title) FROM issue WHERE owner = 99",
        "SELECT count(DISTINCT owner) FROM issue",
        "SELECT owner, group_concat(title, '; ' ORDER BY id DESC) AS titles FROM issue GROUP BY owner ORDER BY owner",
        "SELECT open, count(*) FILTER (WHERE points > 2) AS big FROM issue GROUP BY open ORDER BY open",
        "SELECT owner FROM issue GROUP BY owner HAVING count(*) > 1 ORDER BY owner",
        "SELECT u.id, u.name, count(i.id) AS n FROM user u LEFT JOIN issue i ON i.owner = u.id GROUP BY u.id ORDER BY n DESC, u.id LIMIT 3",
        "SELECT age / 10 AS decade, count(*), sum(age) + 1 FROM user GROUP BY age / 10 ORDER BY decade",
        "SELECT age / 10 AS decade, count(*) FROM user GROUP BY 1 ORDER BY count(*) DESC, decade",
        "SELECT max(points) - min(points) AS spread FROM issue HAVING count(*) > 2",
        "SELECT owner, sum(points * 2) FROM issue WHERE points IS NOT NULL GROUP BY owner HAVING sum(points) > 1 ORDER BY 2, 1",
        "SELECT DISTINCT owner FROM issue ORDER BY owner DESC",
        "SELECT DISTINCT owner, open FROM issue ORDER BY open, owner",
        "SELECT DISTINCT age IS NULL AS unknown FROM user ORDER BY 1",
        "SELECT min(name COLLATE NOCASE) FROM user",
    ]);
}

#[test]
fn subqueries() {
    check(&[
        "SELECT id FROM user WHERE EXISTS (SELECT 1 FROM issue WHERE issue.owner = user.id) ORDER BY id",
        "SELECT id FROM user WHERE NOT EXISTS (SELECT 1 FROM issue WHERE issue.owner = user.id AND open) ORDER BY id",
        "SELECT id FROM user WHERE id IN (SELECT owner FROM issue) ORDER BY id",
        "SELECT id FROM user WHERE id NOT IN (SELECT owner FROM issue) ORDER BY id",
        "SELECT id FROM user WHERE id NOT IN (SELECT owner FROM issue WHERE owner IS NOT NULL) ORDER BY id",
        "SELECT id, (SELECT count(*) FROM issue WHERE issue.owner = user.id) AS n FROM user ORDER BY n DESC, id",
        "SELECT id, (SELECT title FROM issue WHERE owner = user.id ORDER BY points DESC, issue.id LIMIT 1) AS best FROM user ORDER BY id",
        "SELECT id FROM user WHERE age > (SELECT avg(age) FROM user) ORDER BY id",
        "SELECT id, age = (SELECT max(age) FROM user) AS oldest FROM user ORDER BY id",
        "SELECT id, id IN (SELECT owner FROM issue) AS owns FROM user ORDER BY id",
        "SELECT id, id NOT IN (SELECT owner FROM issue WHERE points > 100) AS free FROM user ORDER BY id",
        "SELECT id FROM user WHERE age > 30 OR EXISTS (SELECT 1 FROM issue WHERE owner = user.id) ORDER BY id",
        "SELECT id FROM user WHERE (SELECT count(*) FROM issue WHERE owner = user.id) > 1 ORDER BY id",
        "SELECT owner, sum(points) FROM issue GROUP BY owner HAVING sum(points) > (SELECT avg(points) FROM issue) ORDER BY owner",
        "SELECT owner, (SELECT name FROM user WHERE id = issue.owner) AS who, count(*) FROM issue GROUP BY owner ORDER BY owner",
        "SELECT id FROM user WHERE EXISTS (SELECT 1 FROM issue i JOIN comment c ON c.issue = i.id WHERE i.owner = user.id) ORDER BY id",
        "SELECT id FROM issue WHERE EXISTS (SELECT 1 FROM comment) ORDER BY id",
        "SELECT id FROM issue WHERE owner IN (SELECT id FROM user WHERE age > 20) AND open ORDER BY id",
        "SELECT id FROM user WHERE id IN (SELECT author FROM comment c WHERE c.issue IN (SELECT id FROM issue WHERE owner IS NOT NULL)) ORDER BY id",
        "SELECT i.id FROM issue i WHERE points >= (SELECT max(points) FROM issue j WHERE j.owner = i.owner) ORDER BY i.id",
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM issue WHERE owner = user.id) THEN 'yes' ELSE 'no' END AS e, id FROM user ORDER BY id",
    ]);
}

#[test]
fn compounds_and_ctes() {
    check(&[
        "SELECT id FROM user UNION SELECT owner FROM issue ORDER BY id",
        "SELECT id FROM user UNION ALL SELECT owner FROM issue ORDER BY 1",
        "SELECT id FROM user EXCEPT SELECT owner FROM issue ORDER BY id",
        "SELECT id FROM user INTERSECT SELECT owner FROM issue ORDER BY id DESC",
        "SELECT name FROM user UNION SELECT name FROM tag UNION ALL SELECT title FROM issue ORDER BY name",
        "WITH busy AS (SELECT owner, count(*) AS n FROM issue GROUP BY owner) SELECT u.name, b.n FROM busy b JOIN user u ON u.id = b.owner WHERE b.n > (SELECT avg(n) FROM busy) ORDER BY u.id",
        "WITH a(x) AS (SELECT age FROM user), b AS (SELECT x + 1 AS y FROM a) SELECT y, count(*) FROM b GROUP BY y ORDER BY y",
        "SELECT x.id FROM (SELECT id FROM user ORDER BY age DESC, id LIMIT 3) x ORDER BY x.id",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) ORDER BY 1",
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM issue GROUP BY owner) GROUP BY n ORDER BY n",
    ]);
}

#[test]
fn parameters_stand_for_their_values() {
    let mut both = Both::new();
    (0..sql_support::steps() - 3).for_each(|step| both.step(step).expect("a sound step"));
    let literal =
        "SELECT id, 'x' || name FROM user WHERE age >= 30 OR id IN (1, 3) ORDER BY id LIMIT 3";
    let expected = both.db.query_sql(literal, ()).expect("a sound statement").to_json().unwrap();
    let by_position = SqlParams::from(("x", 30, 1, 3)).push(3);
    let named = || SqlParams::new().set("x", "x").set("age", 30).set("a", 1).set("b", 3);
    let cases = [
        ("?", "?", "?", "?", "?", by_position.clone()),
        ("?1", "?2", "?3", "?4", "?4", SqlParams::from(("x", 30, 1, 3))),
        ("$1", "$2", "$3", "$4", "$5", by_position),
        (":x", "@age", "$a", ":b", ":b", named()),
    ];
    for (x, age, a, b, limit, params) in cases {
        let sql = format!(
            "SELECT id, {x} || name FROM user WHERE age >= {age} OR id IN ({a}, {b}) ORDER BY id \
             LIMIT {limit}"
        );
        let live = both.db.subscribe_sql(&sql, params).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let mut found = live.rows().to_json().unwrap();
        // The column is named after its text, which differs.
        for row in found.as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            let value = row.remove(&format!("{x} || name")).expect("the second column");
            row.insert("'x' || name".into(), value);
        }
        assert_eq!(found, expected, "{sql}");
    }
    // Those by name may also come from the parameters of a query.
    let query = Query::sql("SELECT id FROM user WHERE id = :id");
    let live = both.db.subscribe_with(query, &Params::new().set("id", 3)).expect("a value");
    assert_eq!(live.rows().len(), 1);
}

#[test]
fn a_live_statement_may_get_another_limit() {
    let mut both = Both::new();
    (0..3).for_each(|step| both.step(step).expect("a sound step"));
    let sql = "SELECT owner, count(*) FROM issue GROUP BY owner ORDER BY 2 DESC, 1 LIMIT 1";
    let mut live = both.db.subscribe_sql(sql, ()).expect("a sound statement");
    assert_eq!(live.rows().len(), 1);
    live.set_limit(Some(2)).expect("another limit");
    assert_eq!(live.rows().len(), 2);
    live.set_limit(None).expect("no limit");
    assert!(live.rows().len() > 2);
    both.db.verify().expect("the moved result is that of a fresh evaluation");
    let error = live.set_start(None).and_then(|()| live.set_start(Some(row! { owner: 1 })));
    assert!(error.is_err_and(|error| error.to_string().contains("a statement of SQL is whole")));
}

#[test]
fn a_statement_runs_within_a_transaction() {
    let both = Both::new();
    let count = both.db.transaction(|tx| {
        tx.insert("user", row! { id: 1, name: "Ann" })?;
        let tree = tx.query_sql("SELECT count(*) AS n FROM user WHERE name = ?", ["Ann"])?;
        Ok(tree.first().and_then(|entry| entry.get("n")?.as_i64()))
    });
    assert_eq!(count.expect("a sound transaction"), Some(1));
}
