//! Random schemas, data, queries and transactions: what the engine maintains equals a fresh
//! evaluation and an independent one after every transaction, and its patches say exactly what
//! changed. See `support::harness` for everything that is checked.
//!
//! `PROPTEST_CASES` is the number of cases of all tests here together; 10 000 unless set. A failing
//! case is printed with what it does and with its bytes; its seed is kept in
//! `tests/proptest-regressions/` and tried first from then on. Its bytes can be kept as a file of
//! `fuzz/corpus-kept/queries_and_batches/`, which `fuzz_smoke` runs.

#[path = "../examples/support/sqlite_tables.rs"]
mod sqlite_tables;
mod support;

use penstock::{Database, Schema, SqliteSource};
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRng, TestRunner};
use support::case::{Case, Step};
use support::harness::{Options, run};
use support::store::Telling;

/// How many cases there are in all, unless `PROPTEST_CASES` is set.
const CASES: u32 = 10_000;

fn tape(shortest: usize, longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), shortest..=longest)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(tape(6, 14), 1..=5).prop_map(Step::Transaction),
        1 => tape(0, 120).prop_map(Step::Subscribe),
        1 => any::<u8>().prop_map(Step::Unsubscribe),
        1 => tape(4, 20).prop_map(Step::Change),
    ]
}

/// Cases of a profile with up to so many subscriptions to begin with.
fn cases(profile: u8, queries: usize) -> impl Strategy<Value = Case> {
    let rows = prop::collection::vec(tape(4, 10), 0..=40);
    let queries = prop::collection::vec(tape(0, 140), 1..=queries);
    let steps = prop::collection::vec(step(), 1..=16);
    (tape(0, 40), rows, queries, steps).prop_map(move |(schema, rows, queries, steps)| Case {
        profile,
        schema,
        rows,
        queries,
        steps,
    })
}

fn any_profile(queries: usize) -> impl Strategy<Value = Case> {
    (0..5u8).prop_flat_map(move |profile| cases(profile, queries))
}

/// Runs a share of the cases, in hundredths of all.
fn check(
    seeds: &'static str,
    share: u32,
    cases: impl Strategy<Value = Case>,
    property: impl Fn(&Case) -> Result<(), String>,
) {
    let mut config = Config::default();
    let all = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { CASES };
    config.cases = (all * share / 100).max(1);
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(seeds)));
    config.max_shrink_iters = 20_000;
    let outcome =
        TestRunner::new(config).run(&cases, |case| property(&case).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:?}\nseed kept in {seeds}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn maintained(case: &Case) -> Result<(), String> {
    run(case, Options::default()).map(drop)
}

#[test]
fn results_of_all_kinds_are_maintained() {
    check("tests/proptest-regressions/all_kinds.txt", 20, cases(0, 3), maintained);
}

#[test]
fn windows_are_maintained() {
    check("tests/proptest-regressions/windows.txt", 18, cases(1, 3), maintained);
}

#[test]
fn conditions_are_maintained() {
    check("tests/proptest-regressions/conditions.txt", 18, cases(2, 3), maintained);
}

#[test]
fn related_rows_are_maintained() {
    check("tests/proptest-regressions/related.txt", 18, cases(3, 3), maintained);
}

#[test]
fn shared_results_are_maintained() {
    check("tests/proptest-regressions/shared.txt", 14, cases(4, 6), maintained);
}

#[test]
fn failing_sources_change_nothing() {
    let options = Options { faults: true, ..Options::default() };
    check("tests/proptest-regressions/faults.txt", 8, any_profile(2), |case| {
        run(case, options).map(drop)
    });
}

#[test]
fn what_others_write_is_maintained() {
    check("tests/proptest-regressions/others.txt", 12, any_profile(3), |case| {
        let told = |telling| Options { others: Some(telling), ..Options::default() };
        run(case, told(Telling::Rows))?;
        run(case, told(Telling::Nothing)).map(drop)
    });
}

#[test]
fn failing_to_follow_others_changes_nothing() {
    check("tests/proptest-regressions/others_faults.txt", 6, any_profile(2), |case| {
        let told = |telling| Options { faults: true, others: Some(telling), ..Options::default() };
        run(case, told(Telling::Rows))?;
        run(case, told(Telling::Nothing)).map(drop)
    });
}

#[test]
fn results_filled_in_steps_are_maintained() {
    check("tests/proptest-regressions/steps.txt", 10, any_profile(3), |case| {
        let in_steps = Options { in_steps: true, ..Options::default() };
        run(case, in_steps)?;
        let in_sqlite = Options { open: Some(in_sqlite), ..in_steps };
        run(case, in_sqlite).map_err(|error| format!("over SQLite: {error}"))?;
        let others = Options { others: Some(Telling::Nothing), ..in_steps };
        run(case, others).map(drop).map_err(|error| format!("beside others: {error}"))
    });
}

#[test]
fn failing_steps_change_nothing() {
    check("tests/proptest-regressions/steps_faults.txt", 2, any_profile(2), |case| {
        run(case, Options { in_steps: true, faults: true, ..Options::default() }).map(drop)
    });
}

/// A database over SQLite in memory.
fn in_sqlite(schema: &Schema) -> Result<(Database, Option<Database>), String> {
    let source = sqlite_tables::sqlite_source(schema).map_err(|error| error.to_string())?;
    let db = Database::builder().with_source(source).map_err(|error| error.to_string())?;
    Ok((db, None))
}

/// Two databases over one SQLite file, the same for each case.
fn sharing(schema: &Schema, change_log: bool) -> Result<(Database, Option<Database>), String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("properties.db");
    let open = |made: bool| -> Result<_, Box<dyn std::error::Error>> {
        let connection = rusqlite::Connection::open(&path)?;
        // Nothing here has to outlive the machine.
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")?;
        if !made {
            let create = |table| connection.execute_batch(&sqlite_tables::create_table(table));
            schema.tables().iter().try_for_each(create)?;
        }
        let mut source = SqliteSource::from_connection(connection)?;
        if change_log {
            source.install_change_log()?;
        }
        Ok(Database::builder().with_source(source)?)
    };
    let _ = std::fs::remove_file(&path);
    let one = open(false).map_err(|error| error.to_string())?;
    Ok((one, Some(open(true).map_err(|error| error.to_string())?)))
}

#[test]
fn results_over_sqlite_are_maintained() {
    let options = Options { open: Some(in_sqlite), ..Options::default() };
    check("tests/proptest-regressions/sqlite.txt", 10, any_profile(3), |case| {
        run(case, options).map(drop)
    });
}

#[test]
fn what_other_connections_write_is_maintained() {
    let options = |open| Options { open: Some(open), ..Options::default() };
    check("tests/proptest-regressions/sqlite_others.txt", 2, any_profile(3), |case| {
        run(case, options(|schema| sharing(schema, true)))?;
        run(case, options(|schema| sharing(schema, false))).map(drop)
    });
}

#[test]
fn the_same_case_gives_the_same_patches() {
    check("tests/proptest-regressions/deterministic.txt", 4, any_profile(3), |case| {
        let (first, second) = (run(case, Options::default())?, run(case, Options::default())?);
        if first == second { Ok(()) } else { Err(format!("{first}\nand then\n{second}")) }
    });
}

/// The cases have something to check: changes of every kind, at the root and below, and row sets.
#[test]
fn the_cases_are_not_trivial() {
    let mut runner = TestRunner::deterministic();
    let mut log = String::new();
    for profile in 0..5 {
        for _ in 0..100 {
            let case = cases(profile, 3).new_tree(&mut runner).expect("a case").current();
            log.push_str(&run(&case, Options::default()).expect("a maintained case"));
        }
    }
    let kinds =
        ["Insert {", "Remove {", "Update {", "Move {", "Path([Step", "puts: [t", "deletes: [t"];
    for (kind, least) in kinds.into_iter().zip([500, 500, 300, 50, 500, 200, 100]) {
        let found = log.matches(kind).count();
        assert!(found >= least, "{kind} occurs {found} times");
    }
    assert!(log.lines().count() >= 1000, "{} patches", log.lines().count());
}

/// The harness finds a mistake: here one in the evaluator that it compares with.
#[test]
fn a_mistake_is_found() {
    let options = Options { broken_oracle: true, ..Options::default() };
    let mut config = Config::with_cases(2000);
    config.failure_persistence = None;
    config.max_shrink_iters = 200;
    // The same cases each time: whether it is found does not hang on luck.
    let random = TestRng::deterministic_rng(config.rng_algorithm);
    let outcome = TestRunner::new_with_rng(config, random)
        .run(&cases(2, 3), |case| run(&case, options).map(drop).map_err(TestCaseError::fail));
    assert!(matches!(outcome, Err(TestError::Fail(..))), "2000 cases did not find it");
}
