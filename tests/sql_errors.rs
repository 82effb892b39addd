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

fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(error_with(sql, ()), *expected, "{sql}");
    }
}
