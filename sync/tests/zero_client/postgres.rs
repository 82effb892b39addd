//! Clients of a running Postgres.

use penstock_postgres_harness as harness;
use serde_json::{Value as Json, json};

use super::app::App;
use super::client::{Query, same};
use super::driver::fresh_name;
use super::named::{mutations_land, names_mean};
use super::tracker::{client, column, is, related, top, users};
use crate::support::server::{Folder, Server};

const TABLES: &str = r#"
    CREATE TABLE "user"(id text PRIMARY KEY, name text NOT NULL, role text);
    CREATE TABLE issue(
        id text PRIMARY KEY, title varchar NOT NULL UNIQUE, open boolean NOT NULL,
        rank double precision NOT NULL, owner_id text REFERENCES "user", meta jsonb);
    CREATE TABLE label(id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE issue_label(issue_id text, label_id text, PRIMARY KEY(issue_id, label_id));
    CREATE TABLE comment(id text PRIMARY KEY, issue_id text NOT NULL, body text NOT NULL, at int NOT NULL);
    INSERT INTO "user" VALUES ('u1', 'Ada', 'admin'), ('u2', 'Grace', NULL);
    INSERT INTO issue SELECT 'i' || n, 'Issue ' || n, n % 2 = 1, n, 'u' || n % 2 + 1,
        jsonb_build_object('n', n) FROM generate_series(1, 10) n;
    INSERT INTO comment SELECT 'c' || n || '-' || c, 'i' || n, 'Comment ' || c, c
        FROM generate_series(1, 10) n, generate_series(1, 3) c;
"#;

/// A Postgres with the tables of the tracker, and a server that keeps its replica in a folder.
struct Served {
    postgres: harness::Server,
    server: Server,
    _folder: Folder,
}

fn serve() -> Served {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres.sql(TABLES).expect("tables");
    over(postgres, &["--allow-all"], &[])
}

/// A server over the database, with further arguments and variables of its environment.
fn over(
    postgres: harness::Server,
    more: &[&str],
    environment: &[(&'static str, String)],
) -> Served {
    let folder = Folder::new(&format!("postgres-{}", fresh_name()));
    let path = |name: &str| folder.file(name).to_string_lossy().into_owned();
    let (replica, state) = (path("replica.db"), path("state.db"));
    let more = [&["--replica", &replica, "--state", &state], more].concat();
    let server = Server::postgres_with(&postgres.url(), &more, environment);
    Served { postgres, server, _folder: folder }
}

impl Served {
    fn sql(&self, sql: &str) {
        self.postgres.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Whether the server's tables hold no results of mutations.
    fn has_no_results(&self) -> bool {
        self.is_true("SELECT NOT EXISTS(SELECT FROM zero_0.mutations)")
    }

    fn is_true(&self, sql: &str) -> bool {
        self.postgres.value(sql).expect("a value") == "t"
    }
}

#[test]
fn rows_of_postgres_are_shown_and_written() {
    let served = serve();
    let client = client(&served.server.url());
    let view = client.view(&top(2));
    assert_eq!(column(&view.complete(), "id"), ["i10", "i9"]);
    let expected = json!({"id": "i10", "title": "Issue 10", "open": false, "rank": 10,
        "owner_id": "u1", "meta": {"n": 10}});
    let shown = view.now().data;
    assert!(same(&shown[0], &expected), "{shown}");
    let comments = json!({"table": "comment", "orderBy": [["at", "desc"]], "limit": 2});
    let ast = json!({"table": "issue", "where": is("id", "=", json!("i9")),
        "related": [related("comments", ("id", "issue_id"), comments)]});
    let detail = client.view(&Query::new(ast));
    assert_eq!(column(&detail.complete()[0]["comments"], "id"), ["c9-3", "c9-2"]);

    // One transaction over two tables is shown as one.
    served.sql(
        "BEGIN; UPDATE issue SET title = 'Both', rank = 99 WHERE id = 'i9';
        DELETE FROM comment WHERE id = 'c9-3'; COMMIT",
    );
    let now = detail.until("the title", |shown| shown.data[0]["title"] == "Both").data;
    assert_eq!(column(&now[0]["comments"], "id"), ["c9-2", "c9-1"]);
    view.until("the order", |shown| column(&shown.data, "id") == ["i9", "i10"]);

    let row = json!({"id": "new", "title": "Mine", "open": true, "rank": 100, "owner_id": "u2",
        "meta": [1, "two", null]});
    client.crud("insert", json!([{"op": "insert", "table": "issue", "value": row}]));
    view.until("the row", |shown| column(&shown.data, "id") == ["new", "i9"]);
    harness::until("the row is stored", || {
        served.is_true("SELECT EXISTS(SELECT FROM issue WHERE id = 'new' AND meta->>1 = 'two')")
    });
    // What Postgres refuses is taken back; the next goes through.
    client.crud(
        "taken",
        json!([{"op": "update", "table": "issue",
        "value": {"id": "new", "title": "Both"}}]),
    );
    view.until("optimistic", |shown| shown.data[0]["title"] == "Both");
    view.until("rolled back", |shown| shown.data[0]["title"] == "Mine");
    client.crud("delete", json!([{"op": "delete", "table": "issue", "value": {"id": "new"}}]));
    harness::until("the row is gone", || {
        served.is_true("SELECT NOT EXISTS(SELECT FROM issue WHERE id = 'new')")
    });
    view.until("without it", |shown| column(&shown.data, "id") == ["i9", "i10"]);
    let refused = |shown: &Json| shown["id"] == "new" && shown["title"] == "Both";
    let refused = view.all().iter().filter(|shown| refused(&shown.data[0])).count();
    assert_eq!(refused, 1, "shown once and never again");
}

#[test]
fn a_restart_of_the_server_or_of_postgres_goes_unnoticed() {
    let mut served = serve();
    let proxy = harness::Proxy::to(served.server.port()).expect("a proxy");
    let client = client(&format!("http://127.0.0.1:{}", proxy.port()));
    let (view, people) = (client.view(&top(2)), client.view(&users()));
    view.complete();
    people.complete();
    served.server.kill();
    client.until_state("connecting");
    served.sql("DELETE FROM issue WHERE id = 'i10'");
    client.crud(
        "away",
        json!([{"op": "insert", "table": "user", "value": {"id": "u3", "name": "Edsger"}}]),
    );
    served.server.start();
    proxy.point_to(served.server.port());
    view.until("without it", |shown| column(&shown.data, "id") == ["i9", "i8"]);
    harness::until("the user is stored", || {
        served.is_true("SELECT EXISTS(SELECT FROM \"user\" WHERE id = 'u3')")
    });
    served.postgres.stop(harness::server::Stop::Immediate).expect("an end");
    client.crud(
        "down",
        json!([{"op": "update", "table": "user", "value": {"id": "u3", "name": "E. W."}}]),
    );
    served.postgres.start_again().expect("a start");
    served.sql("UPDATE issue SET title = 'After' WHERE id = 'i9'");
    view.until("the title", |shown| shown.data[0]["title"] == "After");
    harness::until("the name is stored", || {
        served.is_true("SELECT EXISTS(SELECT FROM \"user\" WHERE name = 'E. W.')")
    });
    people.until("the name", |shown| column(&shown.data, "name") == ["Ada", "Grace", "E. W."]);
    let told = client.told();
    assert_eq!((&told["stateNotFound"], &told["updateNeeded"]), (&json!(0), &json!([])), "{told}");
}

#[test]
fn the_application_answers_for_names_and_mutations_over_postgres() {
    let postgres = harness::Server::fast().expect("a Postgres");
    postgres.sql(TABLES).expect("tables");
    let app = App::postgres(&postgres.url());
    let served = over(postgres, &[], &app.environment());
    mutations_land(&served.server, || served.has_no_results());
    names_mean(&app, &served.server, |sql| served.sql(sql));
}
