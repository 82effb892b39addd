//! What is refused: where it stands in the text, what it is, and what to do instead.

mod sql_support;

use penstock::{Query, SqlParams};
use sql_support::Both;

fn error_with(sql: &str, params: impl Into<SqlParams>) -> String {
    let both = Both::new();
    match both.db.check(&Query::sql(sql).bind(params)) {
        Ok(()) => panic!("taken: {sql}"),
        Err(error) => error.to_string(),
    }
}

/// Statements, each followed by its error, indented; lines that begin with # are headings.
const CASES: &str = include_str!("sql_errors/cases.txt");

#[test]
fn every_refusal_says_where_and_what() {
    let mut lines = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    while let Some(sql) = lines.next() {
        let expected = lines.next().expect("an error after each statement").trim_start();
        assert_eq!(error_with(sql, ()), expected, "{sql}");
        count += 1;
    }
    assert!(count > 75, "{count} cases were read");
}

#[test]
fn an_empty_text_is_no_statement() {
    assert_eq!(
        error_with(" -- nothing\n", ()),
        "the text is empty; a query is one SELECT statement"
    );
}

#[test]
fn parameters_without_values_and_values_without_parameters() {
    let sql = "SELECT id FROM user WHERE id = ? AND age > :age";
    assert_eq!(
        error_with(sql, ()),
        "line 1, column 32: parameter ?1 has no value; no values were given"
    );
    assert_eq!(
        error_with(sql, [1]),
        "line 1, column 44: parameter :age has no value; no values by name were given"
    );
    assert_eq!(
        error_with(sql, SqlParams::new().push(1).set("ages", 1)),
        "line 1, column 44: parameter :age has no value; given are: ages"
    );
    assert_eq!(
        error_with(sql, SqlParams::new().push(1).push(2).set("age", 1)),
        "2 values were given by position, but the statement has 1 such parameters"
    );
    assert_eq!(
        error_with(sql, SqlParams::new().push(1).set(":age", 1).set("x", 1)),
        "the statement has no parameter \"x\", which was given"
    );
    assert_eq!(
        error_with("SELECT id FROM user WHERE age > ?2", [1]),
        "line 1, column 33: parameter ?2 has no value; 1 value was given"
    );
    assert_eq!(
        error_with("SELECT id FROM user WHERE age > ?", [f64::NAN]),
        "line 1, column 33: parameter ? is NaN; give null instead"
    );
    assert_eq!(
        error_with("SELECT id FROM user WHERE age > ?0", [1]),
        "line 1, column 33: ?0 is no parameter"
    );
}

#[test]
fn places_count_lines_and_characters() {
    assert_eq!(
        error_with("SELECT 'äöü',\n       id\nFROM user WHERE 'ä' < nam", ()),
        "line 3, column 23: there is no column \"nam\"; did you mean \"name\"?"
    );
}

#[test]
fn a_statement_is_whole() {
    let both = Both::new();
    let query = Query::sql("SELECT id FROM user").order_by("id", penstock::Desc);
    let error = both.db.check(&query).expect_err("it has an order of its own");
    assert_eq!(
        error.to_string(),
        "a statement of SQL is whole; put conditions, order, limit, start and related rows into \
         its text"
    );
}

#[test]
fn what_is_too_large_is_refused_and_never_overflows() {
    let repeated = |n: usize, before: &str, middle: &str, after: &str| {
        format!("SELECT id FROM user WHERE {}{middle}{}", before.repeat(n), after.repeat(n))
    };
    for n in [70, 500, 5_000] {
        let texts = [
            (repeated(n, "(", "1", ")"), "nested too deeply"),
            (repeated(n, "abs(", "1", ")"), "nested too deeply"),
            (repeated(n, "(SELECT ", "1", ")"), "SELECTs are nested more than 16 deep"),
            (
                repeated(n, "EXISTS (SELECT 1 FROM user WHERE ", "1", ")"),
                "SELECTs are nested more than 16 deep",
            ),
            (repeated(n, "NOT ", "1", ""), "more than 40 signs or NOT"),
            (repeated(n, "- ", "1", ""), "more than 40 signs or NOT"),
            (repeated(n, "", "id", " + id"), "more than 200 operators"),
            (repeated(n, "", "id", " isnull"), "more than 200 operators"),
            (repeated(n, "", "id", " OR id = 1"), "more than 1000 conditions"),
        ];
        for (sql, expected) in texts {
            let both = Both::new();
            match both.db.check(&Query::sql(sql)) {
                Ok(()) => assert!(n < 5_000, "taken: {n} {expected}"),
                Err(error) => {
                    let error = error.to_string();
                    // The parser may say of what is nested that it ends too early.
                    assert!(error.contains(expected) || error.contains("syntax"), "{error}");
                }
            }
        }
    }
}
