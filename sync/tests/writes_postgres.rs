//! CRUD mutations into real Postgres servers, with their replica.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::Setup;
use penstock_postgres_harness::Server;
use penstock_sync::app::App;
use penstock_sync::claims::Claims;
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::writes::postgres::{PostgresWriter, set_up};
use penstock_sync::writes::{Crud, WriteError, Writer, Written, parse_ops};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);

/// Names that would do harm if they were read as SQL.
const EVIL: &str = "x\"; DROP TABLE issue; --'";

const TABLES: &str = "
    create type mood as enum ('glad', 'so''so');
    create domain short as varchar(3);
    create table issue(id uuid primary key, title text not null default 'untitled', owner text,
        open bool not null default true, n int unique, check (n <> 13));
    create table part(issue uuid references issue deferrable initially deferred, nr bigint,
        primary key (issue, nr));
    create table every(id int primary key, i8 bigint, f8 float8, num numeric(10,2), b bool, t text,
        vc varchar(5), ch char(4), u uuid, m mood, s short, d date, tm time, ts timestamp,
        tz timestamptz, iv interval, j json, jb jsonb, by bytea, bt bit(3), ia int[], ta text[],
        tza timestamptz[], da date[], ja jsonb[]);
    create table hidden(id int primary key, secret text);";

struct World {
    server: Server,
    follower: Follower,
    writer: PostgresWriter,
    runtime: Runtime,
    file: PathBuf,
}

fn made(name: &str, rules: Rules) -> World {
    let server = Server::fast().expect("a server");
    server.sql(TABLES).expect("tables");
    server
        .sql(&format!(
            "create table \"{0}\"(id int primary key, \"{0}\" text)",
            EVIL.replace('"', "\"\"")
        ))
        .expect("a table");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config::parse(&server.url()).expect("a URL");
    let app = App::default();
    for _ in 0..2 {
        let session = runtime.block_on(config.connect()).expect("a session");
        runtime.block_on(set_up(&session, &app)).expect("the tables of the bookkeeping");
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("writes-postgres-{name}.db"));
    remove(&file);
    let setup = Setup::default();
    let options = FollowOptions::new(config.clone(), setup.clone(), ReplicaOptions::new(&file));
    let follower = Follower::start(options).expect("a follower");
    follower.wait_until_copied(LONG).expect("a copy");
    let writer =
        PostgresWriter::new(app, config, setup, follower.database(), SharedRules::new(rules), 3);
    World { server, follower, writer, runtime, file }
}

fn remove(file: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = file.to_path_buf().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
}

impl World {
    fn write(&self, crud: &Crud) -> Result<Written, WriteError> {
        self.runtime.block_on(self.writer.crud(crud.clone()))
    }

    fn value(&self, sql: &str) -> String {
        self.server.value(sql).expect("a value")
    }

    fn refused(&self, crud: &Crud) -> String {
        match self.write(crud) {
            Ok(Written::Refused { message }) => message,
            other => panic!("it should be refused: {other:?}"),
        }
    }

    fn end(self) {
        drop(self.follower);
        remove(&self.file);
    }
}

fn op(kind: &str, table: &str, key: &[&str], value: Json) -> Json {
    json!({"op": kind, "tableName": table, "primaryKey": key, "value": value})
}

fn uuid(n: i64) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

fn issue(kind: &str, id: i64, mut value: Json) -> Json {
    value["id"] = json!(uuid(id));
    op(kind, "issue", &["id"], value)
}

fn crud(id: i64, ops: &[Json]) -> Crud {
    let claims = json!({ "sub": "ada" });
    Crud {
        group: "g".to_owned(),
        client: "c".to_owned(),
        user: Some("ada".to_owned()),
        mutation_id: id,
        ops: parse_ops(&json!([{ "ops": ops }])),
        claims: Claims { members: claims.as_object().cloned().unwrap_or_default() },
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline that only a failing test meets")]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LONG, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn mutations_are_applied_once_in_order_and_whole() {
    let world = made("whole", Rules::allow_all());
    let first = crud(
        1,
        &[
            issue("insert", 1, json!({"owner": "ada"})),
            issue("insert", 1, json!({"owner": "ignored"})),
            issue("upsert", 2, json!({"title": "two", "n": 2})),
            issue("upsert", 2, json!({"open": false})),
            issue("update", 9, json!({"title": "nobody"})),
            issue("delete", 9, json!({})),
            op("insert", "part", &["issue", "nr"], json!({"issue": uuid(1), "nr": 1})),
            op("update", "issue", &["n"], json!({"n": 2, "owner": "by n"})),
        ],
    );
    assert_eq!(world.write(&first), Ok(Written::Applied));
    assert_eq!(world.write(&first), Ok(Written::AlreadyProcessed));
    assert_eq!(world.write(&crud(3, &[])), Ok(Written::OutOfOrder { expected: 2 }));
    let all = "select string_agg(right(id::text, 1) || title || coalesce(owner, '') || open || coalesce(n, 0), ' ' order by id) from issue";
    assert_eq!(world.value(all), "1untitledadatrue0 2twoby nfalse2");
    assert_eq!(world.value("select \"userID\" || \"lastMutationID\" from zero_0.clients"), "ada1");

    let fine = issue("insert", 5, json!({}));
    let cases = [
        (issue("insert", 6, json!({"n": 13})), "issue_n_check"),
        (issue("insert", 6, json!({"n": 2})), "issue_n_key"),
        (issue("update", 1, json!({"title": null})), "not-null"),
        (issue("insert", 6, json!({"title": 7})), "column \"title\": expected a text"),
        (issue("insert", 6, json!({"nonsense": 7})), "no column \"nonsense\""),
        (op("insert", "issue", &["id"], json!({"id": "no uuid"})), "invalid input syntax"),
        (op("insert", "issues", &["id"], json!({"id": 1})), "no table \"issues\""),
        (op("delete", "issue", &["title"], json!({"title": "two"})), "no key of the columns title"),
        (
            op(
                "delete",
                "zero_0.clients",
                &["clientGroupID", "clientID"],
                json!({"clientGroupID": "g", "clientID": "c"}),
            ),
            "no table",
        ),
        (op("insert", "zero.permissions", &["lock"], json!({"lock": true})), "no table"),
        (op("delete", "pg_class", &["oid"], json!({"oid": 1})), "no table"),
        // Looked at when the transaction ends.
        (
            op("insert", "part", &["issue", "nr"], json!({"issue": uuid(7), "nr": 1})),
            "part_issue_fkey",
        ),
    ];
    let mut id = 1;
    for (wrong, problem) in cases {
        id += 1;
        let message = world.refused(&crud(id, &[fine.clone(), wrong.clone()]));
        assert!(message.contains(problem), "{wrong}: {message}");
        let noted = format!(
            "select \"result\"->>'message' from zero_0.mutations where \"mutationID\" = {id}"
        );
        assert_eq!(world.value(&noted), message);
        assert_eq!(world.write(&crud(id, &[wrong])), Ok(Written::AlreadyProcessed));
    }
    assert_eq!(world.value("select count(*) from issue"), "2");
    let forgotten = world.writer.forget("g".into(), "c".into(), id - 1);
    assert_eq!(world.runtime.block_on(forgotten), Ok(()));
    assert_eq!(world.value("select count(*) from zero_0.mutations"), "1");
    // A column that came since, and one whose type is another.
    world
        .server
        .sql("alter table issue drop constraint issue_n_check, add more jsonb, alter n type text")
        .expect("altered");
    let altered = crud(id + 1, &[issue("update", 1, json!({"n": "text", "more": {"a": 1}}))]);
    assert_eq!(world.write(&altered), Ok(Written::Applied));
    world.end();
}

#[test]
fn values_come_back_as_they_were_sent() {
    let world = made("values", Rules::allow_all());
    let row = json!({"id": 1, "i8": 9007199254740991_i64, "f8": 0.1, "num": 12.34, "b": true,
        "t": "it's \\ \"text\"", "vc": "five5", "ch": "four", "u": uuid(3), "m": "so'so", "s": "abc",
        "d": 1_700_006_400_000_i64, "tm": 45_296_007.5, "ts": -86_399_999.25, "tz": 1_795_233_310_160.125,
        "iv": "P1Y2M3DT4H5M6S", "j": {"a": [1, null, "x"]}, "jb": [1.5], "by": "00ff", "bt": "101",
        "ia": [1, null, -3], "ta": ["a", "", "NULL", "\\\"", null], "tza": [0, 1_795_233_310_160.125],
        "da": [86_400_000, -86_400_000], "ja": [{"x": [1]}, null, "y"]});
    let nulls: serde_json::Map<String, Json> = row
        .as_object()
        .expect("an object")
        .keys()
        .map(|name| (name.clone(), if name == "id" { json!(2) } else { Json::Null }))
        .collect();
    let ops = [
        op("insert", "every", &["id"], row.clone()),
        op("upsert", "every", &["id"], Json::Object(nulls.clone())),
        op("insert", "every", &["id"], json!({"id": 3, "ia": [], "ta": [], "tza": []})),
    ];
    assert_eq!(world.write(&crud(1, &ops)), Ok(Written::Applied));
    let shown = |id: i64| {
        let tree =
            world.follower.database().get("every", penstock::row! { id: id }).expect("a table");
        tree.map(|row| row.to_json())
    };
    until("the rows", || shown(3).is_some());
    assert_eq!(shown(1), Some(row.clone()));
    assert_eq!(shown(2), Some(Json::Object(nulls)));
    let third = shown(3).expect("a row");
    assert_eq!((&third["ia"], &third["ta"], &third["tza"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(
        world.value("select ts || ' ' || tz || ' ' || tm || ' ' || d from every where id = 1"),
        "1969-12-31 00:00:00.00075 2026-11-21 03:55:10.160125+00 12:34:56.0075 2023-11-15"
    );
    // Too long is an error, never cut off.
    for (id, wrong) in [
        (2, json!({"id": 1, "vc": "sixsix"})),
        (3, json!({"id": 1, "s": "four"})),
        (4, json!({"id": 1, "ch": "fives"})),
    ] {
        let message = world.refused(&crud(id, &[op("update", "every", &["id"], wrong)]));
        assert!(message.contains("too long"), "{message}");
    }
    // Every type serves as a key where Postgres lets it.
    let update = op("update", "every", &["id"], json!({"id": 1.0, "t": "float key"}));
    assert_eq!(world.write(&crud(5, &[update])), Ok(Written::Applied));
    assert_eq!(world.value("select t from every where id = 1"), "float key");
    world.end();
}

#[test]
fn names_and_values_are_never_read_as_sql() {
    let world = made("evil", Rules::allow_all());
    let ops = [
        op("insert", EVIL, &["id"], json!({"id": 1, EVIL: EVIL})),
        op("upsert", EVIL, &["id"], json!({"id": 2, EVIL: "'); delete from issue; --"})),
        op("update", EVIL, &["id"], json!({"id": 1, EVIL: "$1 \\' {}"})),
        issue("insert", 1, json!({"title": "' || (select secret from hidden) || '"})),
    ];
    let mut evil = crud(1, &ops);
    evil.client = EVIL.to_owned();
    evil.group = "g' or '1' = '1".to_owned();
    assert_eq!(world.write(&evil), Ok(Written::Applied));
    let name = EVIL.replace('"', "\"\"");
    assert_eq!(
        world.value(&format!("select \"{name}\" from \"{name}\" where id = 1")),
        "$1 \\' {}"
    );
    assert_eq!(world.value("select title from issue"), "' || (select secret from hidden) || '");
    for (id, wrong) in [
        (2, op("delete", "issue", &["id = id or id"], json!({"id = id or id": 1}))),
        (3, op("delete", "issue\" where true --", &["id"], json!({"id": 1}))),
        (4, op("delete", "public.issue", &["id"], json!({"id": uuid(1)}))),
        // The server takes no zero bytes in texts.
        (5, issue("update", 1, json!({"title": "\u{0}"}))),
    ] {
        let mut crud = crud(id, &[wrong]);
        (crud.client, crud.group) = (evil.client.clone(), evil.group.clone());
        world.refused(&crud);
    }
    assert_eq!(world.value("select count(*) from issue"), "1");
    world.end();
}

#[test]
fn rules_are_looked_at_on_a_replica_that_shows_earlier_mutations() {
    let own = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "owner"},
        "right": {"type": "static", "anchor": "authData", "field": "sub"}});
    let allow = json!([["allow", own]]);
    let rules =
        Rules::parse(&json!({"tables": {"issue": {"row": {"insert": allow, "delete": allow,
        "update": {"preMutation": allow, "postMutation": allow}}}}}))
        .expect("good rules");
    let world = made("rules", rules);
    world
        .server
        .sql(&format!("insert into issue(id, owner) values ('{}', 'bob')", uuid(100)))
        .expect("a row");
    // Each needs the row of the one before, which the replica shows only after a while.
    let mut id = 0;
    for number in 1..=10 {
        id += 1;
        let insert = issue("insert", number, json!({"owner": "ada", "title": "t", "open": true}));
        assert_eq!(world.write(&crud(id, &[insert])), Ok(Written::Applied));
        id += 1;
        let update = issue("update", number, json!({"title": "changed"}));
        assert_eq!(world.write(&crud(id, &[update])), Ok(Written::Applied));
    }
    let denied = [
        issue("insert", 50, json!({"owner": "bob", "title": "t", "open": true})),
        issue("update", 1, json!({"owner": "bob"})),
        issue("update", 100, json!({"owner": "ada"})),
        issue("update", 77, json!({"owner": "ada"})),
        issue("delete", 100, json!({})),
        op("insert", "hidden", &["id"], json!({"id": 1})),
    ];
    for wrong in denied {
        id += 1;
        let message =
            world.refused(&crud(id, &[issue("update", 1, json!({"title": "x"})), wrong.clone()]));
        assert!(message.contains("may"), "{wrong}: {message}");
        assert_eq!(world.write(&crud(id, &[wrong])), Ok(Written::AlreadyProcessed));
    }
    assert_eq!(world.write(&crud(id + 5, &[])), Ok(Written::OutOfOrder { expected: id + 1 }));
    assert_eq!(
        world.value("select count(*) from issue where title = 'changed' and owner = 'ada'"),
        "10"
    );
    // What was only tried is not in the replica.
    let verified = world.follower.verify(LONG).expect("sums");
    assert!(verified.iter().all(penstock_postgres::follow::Verified::is_equal), "{verified:?}");
    world.end();
}

#[test]
fn many_clients_write_one_row_and_servers_come_back() {
    let mut world = made("many", Rules::allow_all());
    let insert = issue("insert", 1, json!({"title": "0"}));
    assert_eq!(world.write(&crud(1, &[insert])), Ok(Written::Applied));
    world.runtime.block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..6 {
            let writer = world.writer.clone();
            clients.spawn(async move {
                for id in 1..=10 {
                    let update = issue("update", 1, json!({"title": format!("{client} {id}")}));
                    let mutation = Crud { client: client.to_string(), ..crud(id, &[update]) };
                    // What others get in the way of for too long is sent again, as clients do.
                    let mut written = writer.crud(mutation.clone()).await;
                    while matches!(written, Err(WriteError::Unavailable { .. })) {
                        written = writer.crud(mutation.clone()).await;
                    }
                    assert_eq!(written, Ok(Written::Applied));
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.expect("a client without a problem");
        }
    });
    assert_eq!(
        world.value("select count(*) from zero_0.clients where \"lastMutationID\" = 10"),
        "6"
    );
    // Sessions in the pool have lost their server.
    world.server.restart().expect("a restart");
    let update = crud(2, &[issue("update", 1, json!({"title": "after"}))]);
    assert_eq!(world.write(&update), Ok(Written::Applied));
    world.server.stop(penstock_postgres_harness::server::Stop::Fast).expect("a stop");
    let update = crud(3, &[issue("update", 1, json!({"title": "down"}))]);
    assert!(matches!(world.write(&update), Err(WriteError::Unavailable { .. })));
    world.server.start_again().expect("a start");
    assert_eq!(world.write(&update), Ok(Written::Applied));
    assert_eq!(world.value("select title from issue"), "down");
    world.end();
}
