//! Subscribing to many queries together: the same results, counts and patches as one by one, however
//! many threads fill them, and nothing at all on an error.
#![cfg(feature = "parallel")]

mod support;
mod together_support;

use penstock::operators::explain::LevelReport;
use penstock::{
    ColumnType, Database, Desc, Error, MemorySource, Params, Query, Related, Schema, Source,
    Subscription, Table, col, exists, param, row,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use support::ast::ast;
use support::case::{Case, Step};
use support::faults::{Faults, Faulty};
use support::script::{Action, Ending, Script};
use together_support::Breaking;

const CASES: u32 = 600;
const THREADS: [usize; 3] = [1, 2, 8];

fn database(source: impl Source + 'static, threads: usize) -> Result<Database, Error> {
    Database::builder().threads(threads).verify_every_commit(true).with_source(source)
}

/// Everything that is counted, without times.
fn figures(mut report: LevelReport) -> String {
    fn forget_times(report: &mut LevelReport) {
        report.stats.hydrate_nanos = 0;
        report.stats.maintain_nanos = 0;
        report.children.iter_mut().for_each(forget_times);
    }
    forget_times(&mut report);
    format!("{report:?}")
}

fn explained(live: &[Subscription]) -> Vec<String> {
    live.iter().map(|live| figures(live.explain().report().clone())).collect()
}

/// The patches that have come, of each subscription.
fn patches(live: &mut [Subscription]) -> Vec<String> {
    live.iter_mut()
        .map(|live| live.changes().map(|patch| format!("{patch:?}\n")).collect())
        .collect()
}

fn with_params(queries: &[Query]) -> Vec<(Query, Params)> {
    queries.iter().map(|query| (query.clone(), Params::new())).collect()
}

fn nothing_is_left(db: &Database) -> Result<(), String> {
    let usage = db.memory_usage().map_err(|error| error.to_string())?;
    match (usage.levels, usage.partitions, usage.relations) {
        (0, 0, 0) => Ok(()),
        left => Err(format!("levels, partitions and relations that are left: {left:?}")),
    }
}

/// Queries and transactions of a case.
struct Run {
    script: Script,
    schema: Schema,
    queries: Vec<Query>,
}

impl Run {
    fn new(case: &Case) -> Result<Run, String> {
        let script = Script::new(case, true);
        let schema = script.start.schema()?;
        let mut queries = Vec::new();
        for action in &script.actions {
            if let Action::Subscribe { query, .. } = action {
                queries.push(match query.ast {
                    false => query.build(&script.start.tables),
                    true => {
                        let (ast, format) = ast(query, &script.start.tables);
                        Query::from_ast_with_format(&ast, &format)
                            .map_err(|error| format!("{ast}: {error}"))?
                    }
                });
            }
        }
        Ok(Run { script, schema, queries })
    }

    /// Makes the transactions of the case; returns the patches after each.
    fn transact(&self, db: &Database, live: &mut [Subscription]) -> Result<Vec<String>, String> {
        let mut log = Vec::new();
        for action in &self.script.actions {
            let Action::Transaction { writes, ending, .. } = action else { continue };
            let outcome = db.transaction(|tx| {
                for (write, accepted) in writes {
                    let outcome = write.make(&self.script.start.tables, tx);
                    assert_eq!(outcome.is_ok(), *accepted, "{write:?}: {outcome:?}");
                }
                if *ending == Ending::Abort { Err(Error::abort("on purpose")) } else { Ok(()) }
            });
            if outcome.is_ok() != (*ending == Ending::Commit) {
                return Err(format!("expected {ending:?}, the outcome is {outcome:?}"));
            }
            log.extend(patches(live));
        }
        Ok(log)
    }

    fn filled(&self, source: impl Source + 'static, threads: usize) -> Result<Database, String> {
        let db = database(source, threads).map_err(|error| error.to_string())?;
        self.script.start.load(&db)?;
        Ok(db)
    }
}

/// With the first of the queries live before, as others are in an application.
fn same_for_all_threads(case: &Case) -> Result<(), String> {
    let run = Run::new(case)?;
    let text = |error: Error| error.to_string();
    let memory = || MemorySource::new(run.schema.clone());
    let alone = run.filled(memory(), 1)?;
    let one_by_one = run.queries.iter().map(|query| alone.subscribe(query.clone()));
    let mut one_by_one = one_by_one.collect::<Result<Vec<_>, _>>().map_err(text)?;
    let size = |db: &Database| db.memory_usage().map(|usage| (usage.levels, usage.partitions));
    let expected_size = size(&alone).map_err(text)?;
    let expected_log = run.transact(&alone, &mut one_by_one)?;
    let mut first = None;
    for threads in THREADS {
        let db = run.filled(memory(), threads)?;
        let before = db.subscribe(run.queries[0].clone()).map_err(text)?;
        let mut live = db.subscribe_all(with_params(&run.queries)).map_err(text)?;
        let mut rows = Vec::new();
        for (live, query) in live.iter().zip(&run.queries) {
            let (tree, fresh) = (live.rows(), db.query(query).map_err(text)?);
            if tree != fresh {
                return Err(format!("{query:?}: {tree:?} is not {fresh:?}"));
            }
            rows.push(format!("{tree:?}"));
        }
        if size(&db).map_err(text)? != expected_size {
            return Err(format!("one by one there are {expected_size:?}, here {:?}", size(&db)));
        }
        let usage = format!("{:?}", db.memory_usage());
        let (counts, log) = (explained(&live), run.transact(&db, &mut live)?);
        if log != expected_log {
            return Err(format!("{threads} threads: {log:?} is not {expected_log:?}"));
        }
        let found = (rows, usage, counts, explained(&live));
        let expected = first.get_or_insert_with(|| found.clone());
        if *expected != found {
            return Err(format!("{threads} threads: {found:?} is not {expected:?}"));
        }
        drop((before, live));
        nothing_is_left(&db)?;
    }
    Ok(())
}

/// Lets every operation of the source fail in turn.
fn nothing_on_an_error(case: &Case) -> Result<(), String> {
    let run = Run::new(case)?;
    let faults = std::sync::Arc::<Faults>::default();
    let inner = MemorySource::new(run.schema.clone());
    let db = run.filled(Faulty { inner, faults: std::sync::Arc::clone(&faults) }, 2)?;
    let before = db.subscribe(run.queries[0].clone()).map_err(|error| error.to_string())?;
    let size = |usage: penstock::MemoryUsage| (usage.levels, usage.partitions, usage.relations);
    let size = || db.memory_usage().map(size).map_err(|error| error.to_string());
    let (expected, rows) = (size()?, before.rows());
    for n in 1..200 {
        faults.arm(n);
        let outcome = db.subscribe_all(with_params(&run.queries));
        match (faults.disarm(), outcome) {
            (false, Ok(live)) => {
                drop((live, before));
                return nothing_is_left(&db);
            }
            (true, Err(Error::OfSeveral { number, error })) => {
                if !(1..=run.queries.len()).contains(&number) {
                    return Err(format!("query {number} of {}", run.queries.len()));
                }
                if !matches!(*error, Error::Source(_)) {
                    return Err(format!("failure {n} became {error}"));
                }
            }
            // The read itself could not begin.
            (true, Err(Error::Source(_))) => {}
            (_, outcome) => return Err(format!("failure {n}: {outcome:?}")),
        }
        let (now, same) = (size()?, before.rows() == rows);
        if now != expected || !same {
            return Err(format!("failure {n}: {expected:?} became {now:?}, same rows: {same}"));
        }
    }
    Ok(())
}

fn tape(shortest: usize, longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), shortest..=longest)
}

fn cases() -> impl Strategy<Value = Case> {
    let rows = prop::collection::vec(tape(4, 10), 0..=40);
    let queries = prop::collection::vec(tape(0, 140), 1..=7);
    let write = prop::collection::vec(tape(6, 14), 1..=5).prop_map(Step::Transaction);
    let steps = prop::collection::vec(write, 0..=4);
    (0..5u8, tape(0, 40), rows, queries, steps).prop_map(
        |(profile, schema, rows, queries, steps)| Case { profile, schema, rows, queries, steps },
    )
}

/// Runs a share of the cases, in hundredths of all.
fn check(seeds: &'static str, share: u32, property: impl Fn(&Case) -> Result<(), String>) {
    let mut config = Config::default();
    let all = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { CASES };
    config.cases = (all * share / 100).max(1);
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(seeds)));
    let outcome =
        TestRunner::new(config).run(&cases(), |case| property(&case).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:?}\nseed kept in {seeds}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn threads_change_nothing() {
    check("tests/proptest-regressions/together.txt", 75, same_for_all_threads);
}

#[test]
fn a_failing_source_leaves_nothing() {
    check("tests/proptest-regressions/together_faults.txt", 25, nothing_on_an_error);
}

fn schema() -> Result<Schema, Error> {
    use ColumnType::{Integer, Text};
    Ok(Schema::new([
        Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
        Table::new("issue")
            .column("id", Integer)
            .column("owner", Integer)
            .column("modified", Integer)
            .primary_key(["id"]),
        Table::new("tagged")
            .column("issue", Integer)
            .column("tag", Integer)
            .primary_key(["issue", "tag"]),
        Table::new("tag").column("id", Integer).column("name", Text).primary_key(["id"]),
    ])?)
}

const OWNERS: i64 = 20;

fn load(db: &Database) -> Result<(), Error> {
    let name = |id: i64| format!("no. {id}");
    db.load("user", (0..OWNERS).map(|id| row! { id: id, name: name(id) }))?;
    db.load("tag", (0..9).map(|id| row! { id: id, name: name(id) }))?;
    let issue = |id: i64| row! { id: id, owner: id * 7 % OWNERS, modified: id * 37 % 101 };
    db.load("issue", (0..400).map(issue))?;
    let pairs = (0..400).flat_map(|issue| (0..issue % 4).map(move |n| (issue, (issue + n) % 9)));
    db.load("tagged", pairs.map(|(issue, tag)| row! { issue: issue, tag: tag }))?;
    Ok(())
}

/// Trees, junctions with limits, gates, statements with joins and aggregates, and some of them
/// again.
fn queries() -> Vec<(Query, Params)> {
    some_queries(true)
}

fn some_queries(with_counts: bool) -> Vec<(Query, Params)> {
    let tags = || Related::many("tagged").on("id", "issue").then("tag").on("tag", "id");
    let issues = || Query::table("issue").filter(col("owner").eq(param("owner")));
    let tree = issues()
        .order_by("modified", Desc)
        .limit(15)
        .related("user", Related::one("user").on("owner", "id"))
        .related("tags", tags().order_by("name", Desc).limit(2));
    let gated = issues().filter(exists(tags().filter(col("name").eq("no. 3")))).limit(4);
    let counted = "SELECT u.name, count(*) AS n FROM issue i JOIN user u ON u.id = i.owner \
                   WHERE i.modified > 50 GROUP BY u.id ORDER BY n DESC, u.name LIMIT 5";
    let mut queries = Vec::new();
    for owner in (0..OWNERS).chain(0..3) {
        let params = Params::new().set("owner", owner);
        queries.push((tree.clone(), params.clone()));
        queries.push((gated.clone(), params));
        if with_counts && owner % 5 == 0 {
            queries.push((Query::sql(counted), Params::new()));
        }
    }
    queries
}

#[test]
fn trees_gates_and_aggregates_together() -> Result<(), Box<dyn std::error::Error>> {
    let alone = database(MemorySource::new(schema()?), 1)?;
    load(&alone)?;
    let one_by_one: Result<Vec<_>, _> = queries()
        .iter()
        .map(|(query, params)| alone.subscribe_with(query.clone(), params))
        .collect();
    let mut one_by_one = one_by_one?;
    let write = |db: &Database| {
        db.transaction(|tx| {
            tx.insert("issue", row! { id: 1_000, owner: 5, modified: 102 })?;
            tx.insert("tagged", row! { issue: 1_000, tag: 3 })?;
            tx.update("tag", row! { id: 2, name: "no. 3" })?;
            tx.update("issue", row! { id: 7, owner: 5 })
        })
    };
    let trees = |live: &[Subscription]| live.iter().map(Subscription::rows).collect::<Vec<_>>();
    let before = trees(&one_by_one);
    write(&alone)?;
    let expected = patches(&mut one_by_one);
    assert!(expected.iter().filter(|patch| !patch.is_empty()).count() > 20);
    let mut first = None;
    for threads in THREADS {
        let db = database(MemorySource::new(schema()?), threads)?;
        load(&db)?;
        let mut live = db.subscribe_all(queries())?;
        assert_eq!(trees(&live), before, "{threads} threads");
        let counts = (explained(&live), db.memory_usage()?);
        let expected_counts = first.get_or_insert_with(|| counts.clone());
        assert_eq!(*expected_counts, counts, "{threads} threads");
        write(&db)?;
        assert_eq!(patches(&mut live), expected, "{threads} threads");
        assert_eq!(trees(&live), trees(&one_by_one), "{threads} threads");
        drop(live);
        nothing_is_left(&db)?;
    }
    Ok(())
}

/// The first query that cannot be filled is named, whoever reads for it.
#[test]
fn a_source_that_fails_for_one_owner() -> Result<(), Box<dyn std::error::Error>> {
    for threads in THREADS {
        let (source, broken) = Breaking::new(schema()?);
        let db = database(source, threads)?;
        load(&db)?;
        broken.set(&[11.into()]);
        let error = db.subscribe_all(some_queries(false)).expect_err("a broken source");
        assert!(matches!(error, Error::OfSeveral { number: 23, .. }), "{threads}: {error:?}");
        let text = "query 23 of those subscribed to together: reading: broken for a test";
        assert_eq!(error.to_string(), text);
        nothing_is_left(&db)?;
        broken.set(&[]);
        assert_eq!(db.subscribe_all(some_queries(false))?.len(), some_queries(false).len());
    }
    Ok(())
}

#[test]
fn the_first_query_that_is_wrong_is_named() -> Result<(), Box<dyn std::error::Error>> {
    let db = database(MemorySource::new(schema()?), 2)?;
    let mut list = queries();
    list[4].0 = Query::table("issue").filter(col("bogus").eq(1));
    list[9].0 = Query::table("nowhere");
    let error = db.subscribe_all(list).expect_err("an unknown column");
    let text = "query 5 of those subscribed to together: where: column \"bogus\" is not in table \
                \"issue\"; it has: id, owner, modified";
    assert_eq!(error.to_string(), text);
    nothing_is_left(&db)?;
    assert!(db.subscribe_all([])?.is_empty());
    let inside = db.transaction(|_| db.subscribe_all(queries()).map(drop));
    assert!(matches!(inside, Err(Error::Reentrant { operation: "Database::subscribe_all" })));
    Ok(())
}

#[cfg(feature = "sqlite")]
#[test]
fn over_sqlite_the_caller_does_all() -> Result<(), Box<dyn std::error::Error>> {
    let connection = rusqlite::Connection::open_in_memory()?;
    connection.execute_batch(
        "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE issue (id INTEGER PRIMARY KEY, owner INTEGER, modified INTEGER);
         CREATE TABLE tagged (issue INTEGER, tag INTEGER, PRIMARY KEY (issue, tag)) WITHOUT ROWID;
         CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL);",
    )?;
    let db = database(penstock::SqliteSource::from_connection(connection)?, 8)?;
    load(&db)?;
    let live = db.subscribe_all(queries())?;
    for (live, (query, params)) in live.iter().zip(queries()) {
        assert_eq!(live.rows(), db.query_with(&query, &params)?);
    }
    Ok(())
}
