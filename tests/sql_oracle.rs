//! SQLite is the oracle: over random schemas and data, the results of random live queries are
//! after every one of random transactions what SQLite itself returns for the same SQL.
//!
//! `SQL_ORACLE_CASES` is the number of cases, 5 000 unless set; `SQL_ORACLE_FROM` is the seed of
//! the first. With `SQL_ORACLE_SEED` only the case of that seed is run. A failing case is made
//! smaller and printed as SQL; in that form it can be kept in `tests/data/sql_found.sql`, of which
//! every case is run by `found_cases_hold`.
//!
//! What SQLite leaves open is not asked: columns that are neither grouped nor aggregated, the
//! order of `group_concat` without ORDER BY, scalar subqueries of several rows without a total
//! order, LIMIT without one, and which of several equal values (1 and 1.0, or texts under NOCASE)
//! stands for them where they are grouped.

#[path = "sql_oracle/case.rs"]
mod case;
#[path = "sql_oracle/compare.rs"]
mod compare;
#[path = "sql_oracle/expression.rs"]
mod expression;
#[path = "sql_oracle/file.rs"]
mod file;
#[path = "sql_oracle/found.rs"]
mod found;
#[path = "sql_oracle/from.rs"]
mod from;
#[path = "sql_oracle/kinds.rs"]
mod kinds;
#[path = "sql_oracle/live.rs"]
mod live;
#[path = "sql_oracle/nested.rs"]
mod nested;
#[path = "sql_oracle/oracle.rs"]
mod oracle;
#[path = "sql_oracle/query.rs"]
mod query;
#[path = "sql_oracle/random.rs"]
mod random;
#[path = "sql_oracle/schema.rs"]
mod schema;
#[path = "sql_oracle/script.rs"]
mod script;
#[path = "sql_oracle/select.rs"]
mod select;
#[path = "sql_oracle/shrink.rs"]
mod shrink;
#[path = "sql_oracle/subquery.rs"]
mod subquery;
#[path = "sql_oracle/tally.rs"]
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use case::{Case, case};
use live::{Outcome, run};
use tally::Tally;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a case; a panic is a failure like others.
fn run_caught(case: &Case) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// Runs the case of a seed; a failing one is made smaller.
fn run_seed(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let case = case(seed);
    match run_caught(&case) {
        Ok(outcome) => {
            tally.add(&case, &outcome);
            Ok(())
        }
        Err(problem) => {
            let (case, problem) = shrink::shrink(case, problem, &|case| run_caught(case).err());
            Err(format!("seed {seed}: {problem}\n\n{case}"))
        }
    }
}

#[test]
fn found_cases_hold() {
    let cases = found::run(include_str!("data/sql_found.sql"));
    assert!(matches!(cases, Ok(1..)), "{cases:?}");
}

#[test]
fn live_results_are_sqlites() {
    if let Some(seed) = number("SQL_ORACLE_SEED") {
        if let Err(failure) = run_seed(seed, &mut Tally::default()) {
            panic!("{failure}");
        }
        return;
    }
    let first = number("SQL_ORACLE_FROM").unwrap_or(0);
    let cases = number("SQL_ORACLE_CASES").unwrap_or(5_000);
    let failures_max = number("SQL_ORACLE_FAILURES").unwrap_or(3) as usize;
    let next = AtomicU64::new(first);
    let work = || {
        let (mut tally, mut failures) = (Tally::default(), Vec::new());
        while failures.len() < failures_max {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + cases {
                break;
            }
            failures.extend(run_seed(seed, &mut tally).err());
        }
        (tally, failures)
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    let done: Vec<(Tally, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for (part, failed) in done {
        tally.merge(part);
        failures.extend(failed);
    }
    println!("{tally}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    tally.check(cases);
}
