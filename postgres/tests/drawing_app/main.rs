//! A drawing application moves on while people look: its migrations are applied one by one, under
//! writes, to a database that is followed, and every client stays live and right.
//!
//! | module | what it holds |
//! |---|---|
//! | `app` | what people do, as the statements that the application sends |
//! | `watch` | the clients: live queries, their copies, and the same SQL on the server |
//! | `migrations/` | the schema as SQL, step by step |

mod app;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower, Phase};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::{Plugin, SchemaEvents, Setup, Tables};
use penstock_postgres::{Lsn, stream};
use penstock_postgres_harness::{Installation, Options, Server, until};

use app::{App, PEOPLE};
use watch::{Sql, Watch, queries};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);

/// A migration, and how many tables have to be copied for it.
struct Migration {
    name: &'static str,
    sql: &'static str,
    copies: u64,
    /// A column that it adds, by its table.
    column: (&'static str, &'static str),
}

/// The migrations after the first. Only a new table is copied, and one whose new column has another
/// value in each row.
const MIGRATIONS: [Migration; 7] = [
    Migration {
        name: "0002_file_thumbnail",
        sql: include_str!("migrations/0002_file_thumbnail.sql"),
        copies: 0,
        column: ("file", "thumbnail"),
    },
    Migration {
        name: "0003_user_settings",
        sql: include_str!("migrations/0003_user_settings.sql"),
        copies: 0,
        column: ("user", "feature_flags"),
    },
    Migration {
        name: "0004_pinned_files",
        sql: include_str!("migrations/0004_pinned_files.sql"),
        copies: 0,
        column: ("file_state", "session"),
    },
    Migration {
        name: "0005_soft_deletion",
        sql: include_str!("migrations/0005_soft_deletion.sql"),
        copies: 0,
        column: ("file", "deleted_at"),
    },
    Migration {
        name: "0006_comments",
        sql: include_str!("migrations/0006_comments.sql"),
        copies: 1,
        column: ("file_comment", "body"),
    },
    Migration {
        name: "0007_longer_names",
        sql: include_str!("migrations/0007_longer_names.sql"),
        copies: 0,
        column: ("user", "pronouns"),
    },
    Migration {
        name: "0008_share_tokens",
        sql: include_str!("migrations/0008_share_tokens.sql"),
        copies: 1,
        column: ("file", "share_token"),
    },
];

/// How a run of the application is followed.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    plugin: Plugin,
    events: SchemaEvents,
}

fn path(way: Way) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("drawing-{}.db", way.name));
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

fn follow(server: &Server, way: Way, path: &Path) -> Follower {
    let config = Config::parse(&server.url()).expect("a URL");
    let setup = Setup {
        publication: "drawing_sync".into(),
        tables: Tables::Published,
        plugin: way.plugin,
        schema_events: way.events,
        ..Setup::default()
    };
    let mut options = FollowOptions::new(config, setup, ReplicaOptions::new(path));
    options.stream = stream::Options {
        position_pause: Duration::from_millis(50),
        probe_pause: Duration::from_millis(200),
        poll_pause_max: Duration::from_millis(100),
        ..stream::Options::default()
    };
    let follower = Follower::start(options).expect("a follower");
    follower.wait_until_copied(LONG).expect("a copy");
    follower
}

/// Waits until everything that was written so far is applied.
fn settle(server: &Server, follower: &Follower) {
    let end = server.value("SELECT pg_current_wal_insert_lsn()").expect("a position");
    let end: Lsn = end.parse().expect("a position");
    until("everything is applied", || {
        let status = follower.status();
        assert!(!matches!(status.phase, Phase::Failed(_)), "{status}");
        status.applied >= end
    });
}

fn people_watch(follower: &Follower, version: usize) -> Vec<Watch> {
    let db = follower.database();
    let sql = PEOPLE.iter().flat_map(|person| queries(version, person));
    sql.map(|sql| Watch::new(&db, sql)).collect()
}

fn check(watches: &mut [Watch], server: &Sql) -> usize {
    watches.iter_mut().map(|watch| watch.check(server)).sum()
}

/// A link is switched on, somebody comes by it, and it is switched off.
fn a_guest_comes_and_goes(
    app: &mut App,
    (server, follower, sql): (&Server, &Follower, &Sql),
    watches: &mut [Watch],
) {
    let shown = |watches: &mut [Watch]| {
        settle(server, follower);
        let bobs = queries(1, "bob").swap_remove(0);
        watches.iter_mut().find(|watch| watch.sql == bobs).expect("bob looks").check(sql)
    };
    let before = shown(watches);
    let file = app.create("ann");
    app.share(&file, true);
    app.visit(&file, "bob");
    assert_eq!(shown(watches), before + 1);
    app.share(&file, false);
    assert_eq!(shown(watches), before);
    let states = format!("SELECT count(*) FROM file_state WHERE file_id = '{}'", file.id);
    assert_eq!(server.value(&states).expect("a count"), "1", "the trigger forgets the guest");
}

fn every_client_stays_live(way: Way) {
    let installation = match way.plugin {
        Plugin::Pgoutput => Installation::newest(),
        Plugin::Wal2json => Installation::with_wal2json(),
    };
    let server =
        Server::start(&installation.expect("a server"), Options::fast()).expect("a server");
    server.sql(include_str!("migrations/0001_init.sql")).expect("tables");
    let mut app = App::start(&server, 7);
    app.acts(40);
    let toast = "SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE relname = 'file'";
    assert_eq!(server.value(toast).expect("an answer"), "t", "drawings do not fit into their rows");

    let path = path(way);
    let follower = follow(&server, way, &path);
    assert_eq!(follower.status().copies, 3);
    assert!(follower.database().query_sql("SELECT * FROM asset", ()).is_err());
    let sql = Sql::on(&server);
    let mut watches = people_watch(&follower, 1);
    assert!(check(&mut watches, &sql) > 20);
    app.acts(40);
    settle(&server, &follower);
    check(&mut watches, &sql);
    a_guest_comes_and_goes(&mut app, (&server, &follower, &sql), &mut watches);
    let mut copies = 3;

    for (migration, version) in MIGRATIONS.iter().zip(2..) {
        let name = migration.name;
        let (before, patches) = (copies, watches[0].patches);
        let operator = server.connect().expect("a server");
        std::thread::scope(|scope| {
            scope.spawn(|| app.acts(25));
            app::run(&operator, migration.sql);
        });
        let has_column = || {
            let (table, column) = migration.column;
            let schema = follower.database().schema();
            let table = schema.tables().iter().find(|found| found.name() == table);
            table.is_some_and(|table| table.column_index(column).is_some())
        };
        if way.events == SchemaEvents::IfAllowed && migration.copies == 0 {
            // Nobody has to write for it.
            until("the new column is there", has_column);
        }
        let file = app.create("ann");
        app.rename(&file, "After the migration");
        app.run("UPDATE \"user\" SET updated_at = updated_at + interval '1 s'");
        if version >= 6 {
            app.run("UPDATE file_comment SET body = body || '.'");
        }
        copies += migration.copies;
        until("what needs a copy has one", || follower.status().copies >= copies);
        settle(&server, &follower);
        assert!(has_column(), "{name}");
        check(&mut watches, &sql);
        assert!(watches[0].patches > patches, "{name}: nobody was told anything");

        app.version = version;
        watches.extend(people_watch(&follower, version));
        check(&mut watches, &sql);
        app.acts(40);
        settle(&server, &follower);
        check(&mut watches, &sql);
        a_guest_comes_and_goes(&mut app, (&server, &follower, &sql), &mut watches);
        let status = follower.status();
        assert_eq!(status.copies - before, migration.copies, "{name}: {status}");
        assert_eq!((status.restarts, status.divergences), (0, 0), "{name}: {status}");
        assert!(status.refused.is_empty(), "{name}: {status}");
    }
    // What only the server looks at moves the position all the same.
    for file in app.files.clone() {
        app.upload(&file);
    }
    settle(&server, &follower);

    let verified = follower.verify(LONG).expect("sums");
    assert_eq!(verified.len(), 4, "{verified:?}");
    assert!(verified.iter().all(|table| table.is_equal()), "{verified:?}");
    drop(watches);
    follower.join();
    app.acts(40);
    let follower = follow(&server, way, &path);
    settle(&server, &follower);
    let mut watches: Vec<Watch> = (1..=8).flat_map(|v| people_watch(&follower, v)).collect();
    assert!(check(&mut watches, &sql) > 20);
    assert_eq!((follower.status().copies, follower.status().restarts), (0, 0));
}

#[test]
fn clients_stay_live_through_migrations() {
    let (plugin, events) = (Plugin::Pgoutput, SchemaEvents::Off);
    every_client_stays_live(Way { name: "plain", plugin, events });
}

#[test]
fn clients_stay_live_through_migrations_that_are_reported() {
    let (plugin, events) = (Plugin::Pgoutput, SchemaEvents::IfAllowed);
    every_client_stays_live(Way { name: "events", plugin, events });
}

#[test]
fn clients_stay_live_through_migrations_without_a_replication_connection() {
    let (plugin, events) = (Plugin::Wal2json, SchemaEvents::Off);
    every_client_stays_live(Way { name: "wal2json", plugin, events });
}
