//! Setting up, examining, and tearing down, against real servers.

use penstock_postgres::TableName;
use penstock_postgres::connect::{Config, ServerError};
use penstock_postgres::setup::{
    Outcome, Plugin, Report, SchemaEvents, Setup, SetupError, System, Tables, doctor, set_up,
    tear_down,
};
use penstock_postgres_harness::{Installation, Options, Server, until};

fn config(server: &Server) -> Config {
    Config::parse(&server.url()).expect("a URL")
}

fn listed(names: &[&str]) -> Setup {
    let names = names.iter().map(|name| TableName::new("public", *name)).collect();
    Setup { tables: Tables::Listed(names), ..Setup::default() }
}

/// The problems of a report, each with the first SQL that is proposed.
fn problems(report: &Report) -> Vec<(String, String, String)> {
    let problems = report.problems().map(|check| match &check.outcome {
        Outcome::Problem { what, sql } => {
            (check.subject.clone(), what.clone(), sql.first().cloned().unwrap_or_default())
        }
        _ => unreachable!("problems are problems"),
    });
    problems.collect()
}

fn each_version() -> Vec<Server> {
    let all = Installation::all().expect("a Postgres to test with");
    all.iter().map(|it| Server::start(it, Options::fast()).expect("it starts")).collect()
}

const SCHEMA: &str = "
create table plain (id int primary key, name text not null, twice int generated always as (id * 2) stored);
create table by_index (code text not null, n int);
create unique index by_index_code on by_index (code);
alter table by_index replica identity using index by_index_code;
create table everything (a int, b text);
alter table everything replica identity full;
create table parts (id int, day date, primary key (id, day)) partition by range (day);
create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
create schema other;
create table other.plain (id bigint primary key);
";

#[tokio::test]
async fn all_tables_are_set_up_described_and_torn_down() {
    for server in each_version() {
        server.sql(SCHEMA).expect("made");
        let (config, setup) = (config(&server), Setup::default());
        let ready = set_up(&config, &setup).await.expect("ready");
        assert!(ready.report.is_ready(), "{}", ready.report);
        let described: Vec<_> = ready
            .tables
            .iter()
            .map(|table| {
                let columns: Vec<_> = (table.relation.columns.iter())
                    .map(|column| format!("{}{}", column.name, if column.key { "*" } else { "" }))
                    .collect();
                (table.relation.name.to_string(), columns.join(" "), table.key.join(" "))
            })
            .collect();
        let expected = [
            ("other.plain", "id*", "id"),
            ("public.by_index", "code* n", "code"),
            ("public.everything", "a* b*", ""),
            ("public.parts", "id* day*", "id day"),
            ("public.plain", "id* name", "id"),
        ];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(described, expected);
        let plain = &ready.tables[4];
        assert_eq!(
            (plain.left_out.as_slice(), plain.not_null.as_slice()),
            (&["twice".to_owned()][..], &[true, true][..])
        );
        assert!(ready.tables[3].partitioned);

        let again = set_up(&config, &setup).await.expect("again");
        assert_eq!(again.tables, ready.tables);
        assert_eq!(again.system.identifier, ready.system.identifier);

        server
            .sql("select pg_create_logical_replication_slot('penstock', 'pgoutput')")
            .expect("made");
        let removed = tear_down(&config, &setup).await.expect("removed");
        assert_eq!(removed, ["the slot penstock", "the publication penstock"]);
        assert_eq!(tear_down(&config, &setup).await.expect("nothing left"), Vec::<String>::new());
        let left = "select (select count(*) from pg_publication) + (select count(*) from pg_replication_slots)";
        assert_eq!(server.value(left).expect("an answer"), "0");
    }
}

#[tokio::test]
async fn everything_that_is_missing_is_said_at_once_with_the_sql_that_solves_it() {
    let options = Options {
        wal_level: "replica".into(),
        max_replication_slots: 0,
        max_wal_senders: 0,
        ..Options::fast()
    };
    let installation = Installation::newest().expect("a Postgres to test with");
    let server = Server::start(&installation, options).expect("it starts");
    server
        .sql(
            "create table keyless (a int); create table candidate (a int not null unique);
             create table nothing (a int primary key); alter table nothing replica identity nothing;
             create unlogged table unlogged (a int primary key); create view seen as select 1;
             create table secret (a int primary key); alter table secret enable row level security;
             create role ann login; grant select on keyless, candidate, nothing, secret to ann",
        )
        .expect("made");
    let url = server.url().replacen("postgres@", "ann@", 1);
    let config = Config::parse(&url).expect("a URL");
    let setup =
        listed(&["keyless", "candidate", "nothing", "unlogged", "seen", "secret", "absent"]);
    let report = doctor(&config, &setup).await.expect("examined");
    let found = problems(&report);
    let expected = [
        ("wal_level", "ALTER SYSTEM SET wal_level = 'logical'"),
        ("max_replication_slots", "SELECT slot_name, active FROM pg_replication_slots"),
        ("max_wal_senders", "ALTER SYSTEM SET max_wal_senders = 5"),
        ("role", "ALTER ROLE \"ann\" REPLICATION"),
        ("publication penstock", "GRANT CREATE ON DATABASE \"postgres\" TO \"ann\""),
        ("table public.absent", "GRANT USAGE ON SCHEMA \"public\" TO \"ann\""),
        (
            "table public.candidate",
            "ALTER TABLE \"public\".\"candidate\" REPLICA IDENTITY USING INDEX \"candidate_a_key\"",
        ),
        ("table public.keyless", "ALTER TABLE \"public\".\"keyless\" ADD PRIMARY KEY (…)"),
        ("table public.nothing", "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY DEFAULT"),
        ("table public.secret", "ALTER ROLE \"ann\" BYPASSRLS"),
        ("table public.seen", ""),
        ("table public.unlogged", "ALTER TABLE \"public\".\"unlogged\" SET LOGGED"),
    ];
    let found: Vec<(&str, &str)> =
        found.iter().map(|(subject, _, sql)| (subject.as_str(), sql.as_str())).collect();
    assert_eq!(found, expected, "{report}");

    let error = set_up(&config, &setup).await.expect_err("not ready");
    assert_eq!(error, SetupError::NotReady(report));
    assert!(error.to_string().contains("PROBLEM  wal_level: it is replica"), "{error}");
    assert_eq!(server.value("select count(*) from pg_publication").expect("an answer"), "0");
}

/// What the report proposes does solve the problems.
#[tokio::test]
async fn the_sql_proposed_makes_the_server_ready() {
    let server = Server::fast().expect("it starts");
    server
        .sql(
            "create table candidate (a int not null unique); create table keyless (a int);
             create table nothing (a int primary key); alter table nothing replica identity nothing;
             create unlogged table unlogged (a int primary key);
             create role ann login; alter table candidate owner to ann; alter table keyless owner to ann;
             alter table nothing owner to ann; alter table unlogged owner to ann",
        )
        .expect("made");
    let config = Config::parse(&server.url().replacen("postgres@", "ann@", 1)).expect("a URL");
    let setup = listed(&["candidate", "keyless", "nothing", "unlogged"]);
    let report = doctor(&config, &setup).await.expect("examined");
    assert!(!report.is_ready());
    for check in report.problems() {
        let Outcome::Problem { sql, .. } = &check.outcome else { unreachable!("a problem") };
        // A key cannot be guessed; the way after it can be run as it stands.
        let sql = sql.iter().find(|sql| !sql.contains('…')).expect("SQL that can be run");
        server.sql(sql).expect(sql);
    }
    let ready = set_up(&config, &setup).await.expect("ready now");
    assert_eq!(ready.tables.len(), 4);
}

/// A table that the server would not let anybody change any more is not followed.
#[tokio::test]
async fn columns_of_an_identity_that_are_not_published_are_a_problem() {
    for server in each_version() {
        let major = server.installation().major;
        server
            .sql(
                "create table made (id int primary key, a int, twice int generated always as (a * 2) stored);
                 alter table made replica identity full",
            )
            .expect("made");
        let report = doctor(&config(&server), &listed(&["made"])).await.expect("examined");
        let found = problems(&report);
        let refused = major >= 18;
        assert_eq!(found.len(), usize::from(refused), "{report}");
        server.sql("create publication ours for table made").expect("made");
        let update = server.sql("insert into made(id, a) values (1, 1); update made set a = 2");
        assert_eq!(update.is_err(), refused, "major {major}: {update:?}");
        if major < 15 {
            continue;
        }
        server
            .sql(
                "create table part (id int primary key, a int, b int);
                 alter table part replica identity full; create publication part for table part (id, a)",
            )
            .expect("made");
        let setup =
            Setup { publication: "part".into(), tables: Tables::Published, ..Setup::default() };
        let report = doctor(&config(&server), &setup).await.expect("examined");
        let found = problems(&report);
        assert_eq!(found[0].0, "table public.part", "{report}");
        assert!(found[0].1.contains("(b)"), "{report}");
        let update = server.sql("insert into part values (1, 1, 1); update part set a = 2");
        assert!(update.is_err(), "the server does not mind");
        server.sql(&found[0].2).expect("what the report proposes");
        server.sql("update part set a = 2").expect("it can be changed again");
        let report = doctor(&config(&server), &setup).await.expect("examined");
        assert!(report.is_ready(), "{report}");
    }
}

#[tokio::test]
async fn an_existing_publication_gives_its_columns_and_rows() {
    for server in each_version() {
        server.sql("create table t (id int primary key, a int, b int)").expect("made");
        let major = server.installation().major;
        let filter = if major >= 15 { " (id, b) where (id > 10)" } else { "" };
        server.sql(&format!("create publication mine for table t{filter}")).expect("made");
        let setup =
            Setup { publication: "mine".into(), tables: Tables::Published, ..Setup::default() };
        let ready = set_up(&config(&server), &setup).await.expect("ready");
        let [table] = ready.tables.as_slice() else { panic!("{:?}", ready.tables) };
        let columns: Vec<&str> = table.relation.columns.iter().map(|it| it.name.as_str()).collect();
        if major >= 15 {
            assert_eq!(columns, ["id", "b"]);
            assert_eq!(table.filter.as_deref(), Some("(id > 10)"));
        } else {
            assert_eq!(columns, ["id", "a", "b"]);
        }
        let removed = tear_down(&config(&server), &setup).await.expect("removed");
        assert_eq!(removed, Vec::<String>::new(), "a publication of somebody else stays");
        let absent = Setup { publication: "absent".into(), ..setup };
        let report = doctor(&config(&server), &absent).await.expect("examined");
        let found = problems(&report);
        assert_eq!(found[0].1, "it does not exist");
    }
}

#[tokio::test]
async fn tables_are_added_to_a_publication_that_lacks_them() {
    let server = Server::fast().expect("it starts");
    server
        .sql("create table a (id int primary key); create table b (id int primary key)")
        .expect("made");
    let config = config(&server);
    let names = |tables: &[penstock_postgres::setup::SourceTable]| -> Vec<String> {
        tables.iter().map(|table| table.relation.name.table.clone()).collect()
    };
    let first = set_up(&config, &listed(&["a"])).await.expect("ready");
    assert_eq!(names(&first.tables), ["a"]);
    let second = set_up(&config, &listed(&["a", "b"])).await.expect("ready");
    assert_eq!(names(&second.tables), ["a", "b"]);
}

#[tokio::test]
async fn which_server_it_is_can_be_told() {
    let installation = Installation::newest().expect("a Postgres to test with");
    let mut server = Server::start(&installation, Options::fast()).expect("it starts");
    let read = || async { System::read(&config(&server).connect().await?).await };
    let before = read().await.expect("read");
    assert_eq!(before.major(), installation.major);
    assert_eq!(
        before.identifier.to_string(),
        server.value("select system_identifier from pg_control_system()").expect("an answer")
    );
    assert_eq!(before.timeline, 1);
    server.fail_over().expect("it fails over");
    let read = || async { System::read(&config(&server).connect().await?).await };
    let after = read().await.expect("read");
    assert_eq!((after.identifier, after.timeline), (before.identifier, 2));
}

#[tokio::test]
async fn ddl_is_reported_into_the_log_and_what_reports_it_goes_again() {
    let server = Server::fast().expect("it starts");
    let setup = Setup { schema_events: SchemaEvents::IfAllowed, ..Setup::default() };
    let ready = set_up(&config(&server), &setup).await.expect("ready");
    assert!(ready.schema_events);
    server.sql("select pg_create_logical_replication_slot('s', 'pgoutput')").expect("made");
    server.sql("create table t (id int primary key, a text)").expect("made");
    server.sql("insert into t values (1, 'x')").expect("written");
    server.sql("alter table t add b int not null default 7").expect("altered");
    server.sql("create temporary table passing (id int)").expect("made");
    server.sql("drop table t").expect("dropped");
    let messages = server
        .sql(
            "select convert_from(data, 'UTF8') from pg_logical_slot_peek_binary_changes('s', null, null, \
             'proto_version', '1', 'publication_names', 'penstock', 'messages', 'true') where get_byte(data, 0) = 77",
        );
    // The framing has zero bytes, which are not text: look at the bytes instead.
    assert!(messages.is_err());
    let messages = server
        .sql(
            "select encode(data, 'escape') from pg_logical_slot_peek_binary_changes('s', null, null, \
             'proto_version', '1', 'publication_names', 'penstock', 'messages', 'true') where get_byte(data, 0) = 77",
        )
        .expect("an answer");
    let texts: Vec<String> = messages.into_iter().flatten().flatten().collect();
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(
        texts[0].contains("penstock/schema") && texts[0].contains("\"CREATE TABLE\""),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains("\"ALTER TABLE\"") && texts[1].contains("\"missing\" : \"7\""),
        "{}",
        texts[1]
    );
    assert!(
        texts[2].contains("\"DROP TABLE\"") && texts[2].contains("\"table\" : \"t\""),
        "{}",
        texts[2]
    );
    let removed = tear_down(&config(&server), &setup).await.expect("removed");
    assert_eq!(
        removed.last().map(String::as_str),
        Some("the event triggers of the schema penstock")
    );
    assert_eq!(server.value("select count(*) from pg_event_trigger").expect("an answer"), "0");

    server.sql("create role ann login; create table mine (id int primary key); alter table mine owner to ann").expect("made");
    server
        .sql("grant create on database postgres to ann; alter role ann replication")
        .expect("granted");
    let ann = Config::parse(&server.url().replacen("postgres@", "ann@", 1)).expect("a URL");
    let setup = Setup { schema_events: SchemaEvents::IfAllowed, ..listed(&["mine"]) };
    let ready = set_up(&ann, &setup).await.expect("ready without them");
    assert!(!ready.schema_events);
    let schemas = "select count(*) from pg_namespace where nspname = 'penstock'";
    assert_eq!(server.value(schemas).expect("an answer"), "0", "nothing is left half made");
}

#[tokio::test]
async fn wal2json_needs_no_publication_and_refuses_partitions() {
    let installation = Installation::with_wal2json().expect("a Postgres with wal2json");
    let server = Server::start(&installation, Options::fast()).expect("it starts");
    server.sql(SCHEMA).expect("made");
    let setup = Setup { plugin: Plugin::Wal2json, ..Setup::default() };
    let report = doctor(&config(&server), &setup).await.expect("examined");
    let found = problems(&report);
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0].0, "table public.parts");
    server.sql("drop table parts").expect("dropped");
    let ready = set_up(&config(&server), &setup).await.expect("ready");
    assert_eq!(ready.tables.len(), 4);
    assert_eq!(server.value("select count(*) from pg_publication").expect("an answer"), "0");
}

#[tokio::test]
async fn a_plugin_that_the_server_does_not_trust_is_named() {
    let installation = Installation::with_wal2json().expect("a Postgres with wal2json");
    let server = Server::start(&installation, Options::fast()).expect("it starts");
    let known = "select count(*) from pg_settings where name = 'output_plugin_libraries'";
    let known = server.value(known).expect("an answer") == "1";
    if known {
        server.sql("alter system set output_plugin_libraries = 'pgoutput'").expect("set");
        server.sql("select pg_reload_conf()").expect("read");
        let listed = "show output_plugin_libraries";
        until("the setting is read", || server.value(listed).expect("an answer") == "pgoutput");
    }
    let setup = Setup { plugin: Plugin::Wal2json, ..Setup::default() };
    let report = doctor(&config(&server), &setup).await.expect("examined");
    let found: Vec<String> = problems(&report).into_iter().map(|(_, _, sql)| sql).collect();
    let sql = "ALTER SYSTEM SET output_plugin_libraries = pgoutput, wal2json".to_owned();
    assert_eq!(found, if known { vec![sql.clone()] } else { Vec::new() });
    if known {
        server.sql(&sql).expect("what is proposed can be run");
        server.sql("select pg_reload_conf()").expect("read");
    }
    until("a slot can be made", || {
        server.sql("select pg_create_logical_replication_slot('s', 'wal2json')").is_ok()
    });
}

#[tokio::test]
async fn servers_that_do_not_answer_are_named() {
    let server = Server::fast().expect("it starts");
    let (config, url) = (config(&server), server.url());
    let wrong = Config::parse(&url.replace("/postgres", "/absent")).expect("a URL");
    let wrong = wrong.connect().await.expect_err("there is no such database");
    assert!(wrong.to_string().contains("\"absent\" does not exist"), "{wrong}");
    assert!(!wrong.is_passing());
    drop(server);
    let gone = config.connect().await.expect_err("it is stopped");
    assert!(matches!(gone, ServerError::Connect { .. }) && gone.is_passing(), "{gone}");
    assert!(gone.to_string().starts_with("cannot connect to postgres on 127.0.0.1:"), "{gone}");
}
