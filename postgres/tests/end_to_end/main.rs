//! Random workloads against real servers, through pgoutput and through wal2json.
//!
//! A seed makes a database: tables of columns of all supported types, with keys and replica identities
//! of every sort; transactions of several connections over them, with rollbacks and savepoints; changes
//! of the tables in between. After each quiesce every table of the replica equals the server's, live
//! queries equal the same SQL on the server, and the patches of each live query give its result. Both
//! sides print their values, the server by SQL of the test (see [`form`]).
//!
//! | variable | |
//! |---|---|
//! | `PENSTOCK_END_TO_END_SEEDS` | how many seeds are run of each plugin; 6 unless it is set |
//! | `PENSTOCK_END_TO_END_FIRST` | the first of them; 1 unless it is set |
//!
//! A failure names its seed and the file with all statements that were run. The numbers of seeds that
//! have found faults are in [`KEPT`], and always run.

mod cases;
mod compare;
mod conditions;
mod ddl;
mod form;
mod kinds;
mod literals;
mod queries;
mod rng;
mod schema;
mod workload;
mod world;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use penstock_postgres::setup::Plugin;
use penstock_postgres_harness::{Installation, Options, Server};

use crate::compare::Live;
use crate::queries::TestQuery;
use crate::world::{How, World};

/// Seeds that have found faults.
const KEPT: &[u64] = &[16, 43];

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")),
        Err(_) => default,
    }
}

fn server(plugin: Plugin) -> Server {
    let installation = match plugin {
        Plugin::Pgoutput => Installation::newest(),
        Plugin::Wal2json => Installation::with_wal2json(),
    };
    let installation = installation.unwrap_or_else(|error| panic!("{error}"));
    Server::start(&installation, Options::fast()).expect("a server")
}

fn run_seeds(plugin: Plugin) {
    let (first, count) =
        (number("PENSTOCK_END_TO_END_FIRST", 1), number("PENSTOCK_END_TO_END_SEEDS", 6));
    let server = server(plugin);
    let range = first..first + count;
    let kept = KEPT.iter().copied().filter(|seed| !range.contains(seed));
    let seeds = kept.chain(range.clone());
    let mut failures = Vec::new();
    for seed in seeds {
        if let Err(failure) = run_seed(&server, How::of_seed(plugin, seed)) {
            eprintln!("{failure}");
            failures.push(seed);
        }
        server
            .sql(&format!("drop database seed_{}_{seed}", plugin.name()))
            .expect("it is not in use");
    }
    assert!(failures.is_empty(), "failing seeds of {}: {failures:?}", plugin.name());
}

fn run_seed(server: &Server, how: How) -> Result<(), String> {
    let mut world = World::new(server, how, "seed", 4);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("a panic: {}", text.unwrap_or("see above")))
    });
    let name = format!("end-to-end-{}-{}.sql", how.plugin.name(), how.seed);
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    outcome.map_err(|problem| {
        std::fs::write(&script, &world.workload.script).expect("a file of the test's folder");
        world.stop();
        format!("{how:?}: {problem}\nall statements: {}", script.display())
    })
}

#[test]
fn random_workloads_through_pgoutput() {
    run_seeds(Plugin::Pgoutput);
}

#[test]
fn random_workloads_through_wal2json() {
    run_seeds(Plugin::Wal2json);
}

#[test]
fn kept_cases_through_pgoutput() {
    cases::run(&server(Plugin::Pgoutput), Plugin::Pgoutput);
}

#[test]
fn kept_cases_through_wal2json() {
    cases::run(&server(Plugin::Wal2json), Plugin::Wal2json);
}

/// A world that is copied and equal.
fn equal_world(server: &Server, plugin: Plugin, name: &str) -> World {
    let mut world = World::new(server, How::of_seed(plugin, 1), name, 3);
    world.workload.write(40);
    world.workload.touch_all();
    world.follow(true);
    world.check().unwrap_or_else(|problem| panic!("{problem}"));
    world
}

/// An update of all rows of the workload's first table.
fn update_all(world: &World) -> String {
    let table = &world.workload.model.tables[0];
    let column = table.joining().quoted();
    format!("update {} set {column} = coalesce({column}, 0) + 1", table.sql())
}

/// The canary of the comparison: a change that the server keeps back is found.
#[test]
fn a_change_that_is_not_applied_is_found() {
    let server = server(Plugin::Pgoutput);
    let mut world = equal_world(&server, Plugin::Pgoutput, "canary");
    let hide = "alter publication penstock set (publish = 'insert, delete, truncate')";
    let show = "alter publication penstock set (publish = 'insert, update, delete, truncate')";
    world.admin.sql(hide).expect("a publication");
    world.admin.sql(&update_all(&world)).expect("a change");
    world.admin.sql(show).expect("a publication");
    world.quiesce().unwrap_or_else(|problem| panic!("{problem}"));
    let problem = world.compare_tables().expect_err("a change is missing");
    let name = world.workload.model.tables[0].in_replica();
    assert!(problem.starts_with(&format!("table {name}(")), "{problem}");
    assert!(problem.contains("only in the server"), "{problem}");
}

/// The same for a replica that was written by somebody else, through wal2json.
#[test]
fn a_row_that_is_not_in_the_replica_is_found() {
    let server = server(Plugin::Wal2json);
    let mut world = equal_world(&server, Plugin::Wal2json, "canary");
    let name = world.workload.model.tables[0].in_replica();
    world.stop();
    let file = rusqlite::Connection::open(world.path()).expect("a file");
    let sql = format!(
        "DELETE FROM {0} WHERE rowid = (SELECT max(rowid) FROM {0})",
        schema::quoted(&name)
    );
    assert_eq!(file.execute(&sql, ()).expect("a table"), 1);
    drop(file);
    world.follow(false);
    world.quiesce().unwrap_or_else(|problem| panic!("{problem}"));
    let problem = world.compare_tables().expect_err("a row is missing");
    assert!(problem.starts_with(&format!("table {name}(")), "{problem}");
}

/// The canary of the patches: one that is lost is found.
#[test]
fn a_patch_that_is_lost_is_found() {
    let server = server(Plugin::Pgoutput);
    let mut world = equal_world(&server, Plugin::Pgoutput, "patches");
    let table = &world.workload.model.tables[0];
    let joining = table.joining().quoted();
    let query = TestQuery {
        replica: format!("SELECT {joining} AS c0 FROM {}", schema::quoted(&table.in_replica())),
        server: format!("select {joining} from {}", table.sql()),
        forms: vec![form::Form::Integer],
        is_ordered: false,
    };
    let start = || Live::start(&world.db(), query.clone()).expect("live");
    let (mut whole, mut lacking) = (start(), start());
    let sql = update_all(&world);
    world.admin.sql(&sql).expect("a change");
    world.quiesce().unwrap_or_else(|problem| panic!("{problem}"));
    whole.check(&world.admin, 0).unwrap_or_else(|problem| panic!("{problem}"));
    let problem = lacking.check(&world.admin, 1).expect_err("a patch is missing");
    assert!(problem.contains("do not give its result"), "{problem}");
}
