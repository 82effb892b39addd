//! Followers of real servers: copies, changes of rows and tables under live queries, restarts, lost
//! slots, and that the replica is equal to the server in the end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use penstock::Subscription;
use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower, Phase, Status};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::{Plugin, SchemaEvents, Setup, Tables};
use penstock_postgres::stream;
use penstock_postgres_harness::{Installation, Options, Server};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);

fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("follower-{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

fn follow(server: &Server, path: &Path) -> Follower {
    let setup = Setup { schema_events: SchemaEvents::IfAllowed, ..Setup::default() };
    follow_as(server, path, setup)
}

fn follow_as(server: &Server, path: &Path, setup: Setup) -> Follower {
    let config = Config::parse(&server.url()).expect("a URL");
    let mut options = FollowOptions::new(config, setup, ReplicaOptions::new(path));
    options.stream = stream::Options {
        position_pause: Duration::from_millis(100),
        probe_pause: Duration::from_millis(200),
        backoff: stream::Backoff::new(Duration::from_millis(20), Duration::from_millis(500), 1),
        ..stream::Options::default()
    };
    Follower::start(options).expect("a follower")
}

fn copied(server: &Server, path: &Path) -> Follower {
    let follower = follow(server, path);
    follower.wait_until_copied(LONG).expect("a copy");
    follower
}

#[expect(clippy::disallowed_methods, reason = "a deadline that only a failing test meets")]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LONG, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait_for(follower: &Follower, what: &str, is: impl Fn(&Status) -> bool) {
    until(what, || {
        let status = follower.status();
        assert!(!matches!(status.phase, Phase::Failed(_)), "{status}");
        is(&status)
    });
}

/// Waits until a live result has some number of rows.
fn rows(live: &Subscription, count: usize) {
    until(&format!("{count} rows"), || live.rows().len() == count);
}

fn check_equal(follower: &Follower, tables: usize) {
    let verified = follower.verify(LONG).expect("sums");
    assert_eq!(verified.len(), tables, "{verified:?}");
    for table in verified {
        assert!(table.is_equal(), "{table:?}");
    }
}

const TABLES: &str = "
    create table task(id int primary key, title text not null, done bool not null default false,
        size numeric(10,2), due timestamptz, tags text[], meta jsonb);
    create table note(task int references task, nr bigint, body text, primary key (task, nr));
    alter table note replica identity full;
    insert into task select i, 'task ' || i, i % 3 = 0, i / 4.0, '2026-01-01'::timestamptz + i * interval '1 hour',
        array['a', i::text], jsonb_build_object('n', i) from generate_series(1, 500) i;
    insert into note select i, n, repeat(md5(i::text), 200) from generate_series(1, 50) i, generate_series(1, 2) n";

#[test]
fn transactions_that_have_piled_up_become_one_where_that_is_asked_for() {
    let server = Server::fast().expect("a server");
    server
        .sql("create table tick(id int primary key, n int); insert into tick values (1, 0)")
        .expect("a table");
    for together in [1, 100] {
        let path = path(&format!("together-{together}"));
        let config = Config::parse(&server.url()).expect("a URL");
        let mut options = FollowOptions::new(config, Setup::default(), ReplicaOptions::new(path));
        options.together = together;
        let follower = Follower::start(options).expect("a follower");
        follower.wait_until_copied(LONG).expect("a copy");
        let db = follower.database();
        let mut live = db.subscribe_sql("SELECT n FROM tick WHERE id = 1", ()).expect("live");
        // While the replica is held, nothing is applied; what is read meanwhile piles up. How much that is
        // cannot be known, so it is done until there was some.
        until("some come together", || {
            let before = follower.status().transactions;
            let sql = "do $$ begin for i in 1..200 loop update tick set n = n + 1; commit; end loop; end $$";
            let held = db.transaction(|_| server.sql(sql).map_err(penstock::Error::abort));
            held.expect("written");
            wait_for(&follower, "all is applied", |status| status.transactions == before + 200);
            let patches = live.changes().count();
            assert!(
                (1..=200).contains(&patches) && (together > 1 || patches == 200),
                "{patches} patches"
            );
            together == 1 || patches < 200
        });
        let n = server.value("select n from tick").expect("a number");
        until("the last state", || {
            live.rows()
                .iter()
                .all(|entry| entry.get("n").map(|n| n.to_owned().to_string()) == Some(n.clone()))
        });
        check_equal(&follower, 1);
        follower.tear_down().expect("removed");
    }
}

#[test]
fn a_database_is_copied_and_kept_through_changes_of_rows_and_tables() {
    let server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    let follower = copied(&server, &path("kept"));
    let db = follower.database();
    let open = "SELECT t.title, count(n.nr) AS notes FROM task t JOIN note n ON n.task = t.id \
                WHERE t.done = false GROUP BY t.title";
    let open = db.subscribe_sql(open, ()).expect("live");
    let titles = db.subscribe_sql("SELECT id, title FROM task ORDER BY id", ()).expect("live");
    assert_eq!((open.rows().len(), titles.rows().len()), (34, 500));
    check_equal(&follower, 2);

    server
        .sql(
            "begin; update task set done = true where id = 1; update note set nr = nr + 10 where task = 2;
             delete from note where task = 4; insert into task(id, title) values (501, 'new'); commit;
             begin; insert into task(id, title) values (502, 'not'); rollback;
             update note set task = 7 where task = 5 and nr = 1 and false; update task set id = 1000 where id = 500",
        )
        .expect("changes");
    rows(&open, 32);
    rows(&titles, 501);

    server
        .sql(
            "alter table task add column owner text default 'nobody';
             insert into task(id, title) values (2000, 'wide');
             create table label(id int primary key, name text); insert into label values (1, 'red');
             alter table note rename column body to content; update note set content = 'x' where task = 6;
             alter table task add column stamp timestamptz default clock_timestamp();
             insert into task(id, title, owner) values (2001, 'wider', 'ann')",
        )
        .expect("changes");
    rows(&titles, 503);
    assert!(
        titles.status().is_ok() && open.status().is_err(),
        "only a rename ends, and only there"
    );
    until("the new table", || db.query_sql("SELECT * FROM label", ()).is_ok_and(|t| t.len() == 1));
    let owners = db.subscribe_sql("SELECT owner, count(*) FROM task GROUP BY owner", ());
    assert_eq!(owners.expect("live").rows().len(), 2);
    server.sql("truncate note; drop table label").expect("changes");
    until("an empty table", || db.query_sql("SELECT * FROM note", ()).is_ok_and(|t| t.is_empty()));
    check_equal(&follower, 2);
    let status = follower.status();
    assert_eq!((status.restarts, status.divergences), (0, 0), "{status}");
    let removed = follower.tear_down().expect("a server");
    assert!(removed.iter().any(|what| what.contains("slot")), "{removed:?}");
    assert_eq!(server.value("select count(*) from pg_replication_slots").expect("a count"), "0");
}

#[test]
fn a_follower_goes_on_after_its_own_end_and_the_servers() {
    let mut server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    let path = path("goes-on");
    let follower = copied(&server, &path);
    follower.join();
    server.sql("insert into task(id, title) values (501, 'meanwhile')").expect("a change");
    let follower = copied(&server, &path);
    let live = follower.database().subscribe_sql("SELECT id FROM task", ()).expect("live");
    rows(&live, 501);
    assert_eq!(follower.status().copies, 0);
    server.crash().expect("it starts again");
    server.sql("insert into task(id, title) values (502, 'after')").expect("a change");
    rows(&live, 502);
    assert_eq!((follower.status().copies, follower.status().restarts), (0, 0));
    check_equal(&follower, 2);
}

#[test]
fn a_lost_slot_leads_to_a_new_copy() {
    let server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    let path = path("lost");
    let follower = copied(&server, &path);
    follower.join();
    until("the slot's release", || {
        server.sql("select pg_drop_replication_slot('penstock')").is_ok()
    });
    server.sql("delete from note; delete from task where id > 10").expect("a change");
    let follower = follow(&server, &path);
    wait_for(&follower, "a restart", |status| status.restarts == 1);
    follower.wait_until_copied(LONG).expect("a copy");
    assert!(follower.status().last_error.is_some_and(|error| error.contains("is gone")));
    check_equal(&follower, 2);
    assert_eq!(follower.database().query_sql("SELECT * FROM task", ()).expect("rows").len(), 10);
}

#[test]
fn a_slot_of_somebody_else_is_left_alone() {
    let server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    copied(&server, &path("first")).join();
    let follower = follow(&server, &path("second"));
    let error = follower.wait_until_copied(LONG).expect_err("it is not ours").to_string();
    assert!(error.contains("it may belong to another one"), "{error}");
}

/// Follows a publication of somebody else, who adds a table to it and takes it out again: it comes and
/// goes though nobody writes to it.
fn a_publication_that_is_altered(plugin: Plugin) {
    let installation = match plugin {
        Plugin::Pgoutput => Installation::newest(),
        Plugin::Wal2json => Installation::with_wal2json(),
    };
    let server = Server::start(&installation.expect("a Postgres"), Options::fast());
    let server = server.expect("a server");
    server.sql(TABLES).expect("tables");
    server
        .sql(
            "create table label(id int primary key, name text); insert into label values (1, 'red');
             create publication theirs for table task",
        )
        .expect("a publication");
    let setup = Setup {
        publication: "theirs".to_owned(),
        tables: Tables::Published,
        plugin,
        ..Setup::default()
    };
    let path = path(&format!("altered-{}", plugin.name()));
    let follower = follow_as(&server, &path, setup);
    follower.wait_until_copied(LONG).expect("a copy");
    let db = follower.database();
    let tasks = db.subscribe_sql("SELECT id FROM task", ()).expect("live");
    let label = "SELECT name FROM label ORDER BY id";
    assert!(db.query_sql(label, ()).is_err());
    server.sql("alter publication theirs add table label").expect("a change");
    until("the table", || db.query_sql(label, ()).is_ok_and(|rows| rows.len() == 1));
    let labels = db.subscribe_sql(label, ()).expect("live");
    server.sql("insert into label values (2, 'blue')").expect("a change");
    rows(&labels, 2);
    wait_for(&follower, "a quiet stream", |status| status.phase == Phase::Streaming);
    check_equal(&follower, 2);
    server.sql("alter publication theirs drop table label").expect("a change");
    until("it is gone", || db.query_sql(label, ()).is_err());
    assert!(tasks.status().is_ok(), "nothing happened to the other");
    check_equal(&follower, 1);
    let status = follower.status();
    assert_eq!((status.copies, status.restarts, status.divergences), (2, 0, 0), "{status}");
}

#[test]
fn a_table_that_is_added_to_a_publication_is_there_before_it_is_written() {
    a_publication_that_is_altered(Plugin::Pgoutput);
}

#[test]
fn a_table_that_is_added_to_a_publication_is_there_before_it_is_written_through_wal2json() {
    a_publication_that_is_altered(Plugin::Wal2json);
}

#[test]
fn a_new_table_that_nobody_writes_is_there_without_reports_of_ddl() {
    let server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    let follower = follow_as(&server, &path("quiet"), Setup::default());
    follower.wait_until_copied(LONG).expect("a copy");
    let db = follower.database();
    server.sql("create table quiet(id int primary key)").expect("a table");
    until("the table", || db.query_sql("SELECT * FROM quiet", ()).is_ok());
    server.sql("drop table quiet").expect("a change");
    until("it is gone", || db.query_sql("SELECT * FROM quiet", ()).is_err());
    check_equal(&follower, 2);
}
