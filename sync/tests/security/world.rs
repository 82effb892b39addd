//! What is attacked: notes of several users, secrets of nobody, a table that is large, and rules.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use penstock_sync::validate::Store;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::support::raw::{Raw, Who};
use crate::support::server::{Folder, LONG, Server};

pub(crate) const SECRET: &str = "a secret that is long enough for what it is for";

/// Is in every value that the attacker has no right to see, and in no name.
pub(crate) const MARK: &str = "XYZZY";

/// A name that is hard on whoever puts SQL together from texts.
pub(crate) const EVIL: &str = "a\"b'; DROP TABLE note; --";

/// Bytes by which the server may have grown after an attack.
const GROWTH_MAX: u64 = 256 << 20;

/// Open files more than before the attack that are none of it: the pool's, the scraper's.
const FILES_MORE: usize = 24;

const TABLES: &str = "PRAGMA journal_mode = wal;
    CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, body TEXT);
    CREATE TABLE part(id TEXT PRIMARY KEY NOT NULL, note TEXT NOT NULL, body TEXT);
    CREATE TABLE secret(id TEXT PRIMARY KEY NOT NULL, note TEXT, word TEXT NOT NULL UNIQUE);
    CREATE TABLE big(id INTEGER PRIMARY KEY NOT NULL, k INTEGER NOT NULL, v INTEGER NOT NULL, t TEXT NOT NULL);
    INSERT INTO note VALUES ('a1', 'ada', 'one'), ('a2', 'ada', 'two'),
        ('b1', 'bob', 'XYZZY of bob'), ('b2', 'bob', 'XYZZY as well');
    INSERT INTO part VALUES ('pa', 'a1', 'of ada'), ('pb', 'b1', 'XYZZY of bob');
    INSERT INTO secret VALUES ('s1', 'a1', 'XYZZY one'), ('s2', 'b1', 'XYZZY two');
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
        INSERT INTO big SELECT n, 1, n % 7, printf('%0200d', n) FROM n;";

/// A server over these tables.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
    files: usize,
    bytes: u64,
}

/// A condition that a column equals a value.
pub(crate) fn equals(column: &str, right: Json) -> Json {
    json!({"type": "simple", "op": "=", "left": {"type": "column", "name": column}, "right": right})
}

pub(crate) fn literal(value: impl Into<Json>) -> Json {
    json!({"type": "literal", "value": value.into()})
}

/// A condition that there is a row of a table with the same value.
pub(crate) fn exists(table: &str, parent: &str, child: &str, within: Option<Json>) -> Json {
    let mut subquery = json!({"table": table, "alias": "x"});
    if let Some(within) = within {
        subquery["where"] = within;
    }
    json!({"type": "correlatedSubquery", "op": "EXISTS", "related":
        {"correlation": {"parentField": [parent], "childField": [child]}, "subquery": subquery}})
}

fn rules() -> Json {
    let own = || equals("owner", json!({"type": "static", "anchor": "authData", "field": "sub"}));
    let of_own = || exists("note", "note", "id", Some(own()));
    let allow = |condition: Json| json!([["allow", condition]]);
    let all = || allow(json!({"type": "and", "conditions": []}));
    json!({"tables": {
        "note": {"row": {"select": allow(own()), "insert": allow(own()), "delete": allow(own()),
            "update": {"preMutation": allow(own()), "postMutation": allow(own())}}},
        "part": {"row": {"select": allow(of_own()), "insert": allow(of_own())}},
        "big": {"row": {"select": all()}},
        EVIL: {"row": {"select": all(), "insert": all(), "update": {"preMutation": all(), "postMutation": all()}}},
    }})
}

#[expect(clippy::disallowed_methods, reason = "tokens expire by the clock")]
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

pub(crate) fn signed(claims: &Json, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("a token")
}

pub(crate) fn token(user: &str) -> String {
    signed(&json!({"sub": user, "exp": now() + 10_000}), SECRET)
}

pub(crate) fn schema() -> Json {
    let text = || json!({"type": "string"});
    json!({"tables": {
        "note": {"columns": {"id": text(), "owner": text(), "body": text()}, "primaryKey": ["id"]},
        "part": {"columns": {"id": text(), "note": text(), "body": text()}, "primaryKey": ["id"]},
    }})
}

/// Somebody who is who he says, in a group of his own.
pub(crate) fn who(name: &str, user: &str) -> Who {
    Who { user: Some(user.to_owned()), auth: Some(token(user)), ..Who::new(name, schema()) }
}

pub(crate) fn put(hash: &str, ast: &Json) -> Json {
    json!([{"op": "put", "hash": hash, "ttl": 0, "ast": ast}])
}

pub(crate) fn op(kind: &str, table: &str, value: Json) -> Json {
    json!({"op": kind, "tableName": table, "primaryKey": ["id"], "value": value})
}

impl World {
    /// A server with further arguments.
    pub(crate) fn new(name: &str, more: &[&str]) -> World {
        let folder = Folder::new(&format!("security-{name}"));
        let evil = EVIL.replace('"', "\"\"");
        let file = folder.file("app.db");
        let connection = Connection::open(&file).expect("a file");
        connection.execute_batch(TABLES).expect("tables");
        let sql = format!("CREATE TABLE \"{evil}\"(id TEXT PRIMARY KEY NOT NULL, \"{evil}\" TEXT)");
        connection.execute_batch(&sql).expect("a table");
        let rules = folder.file("rules.json");
        std::fs::write(&rules, self::rules().to_string()).expect("a file");
        let state = folder.file("state.db");
        let (rules, state) = (rules.to_string_lossy(), state.to_string_lossy());
        let mut arguments = vec!["--state", &*state, "--linger", "0", "--inspect"];
        match more.first() {
            Some(&"--allow-all") => {}
            _ => arguments.extend(["--rules", &*rules]),
        }
        arguments.extend(more);
        let environment = [("ZERO_AUTH_SECRET", SECRET.to_owned())];
        let server = Server::sqlite_with(&file, &arguments, &environment);
        let mut world = World { server, folder, files: 0, bytes: 0 };
        (world.files, world.bytes) = (world.files(), world.bytes());
        world
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.file("app.db")
    }

    pub(crate) fn sql(&self, sql: &str) {
        let connection = Connection::open(self.file()).expect("the file");
        connection.busy_timeout(LONG).expect("a timeout");
        connection.execute_batch(sql).expect("SQL");
    }

    /// The rows of a statement, each as its columns' texts.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.file()).expect("the file");
        connection.busy_timeout(LONG).expect("a timeout");
        let mut statement = connection.prepare(sql).expect("SQL");
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let text = |at| row.get::<_, Option<String>>(at).map(|text| text.unwrap_or("-".into()));
            (0..columns).map(text).collect::<Result<Vec<String>, _>>().map(|all| all.join("|"))
        };
        let rows = statement.query_map((), row).expect("rows");
        rows.collect::<Result<_, _>>().expect("texts")
    }

    /// What an HTTP request is answered: the code and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let host = format!("127.0.0.1:{}", self.server.port());
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = self.ask(request.as_bytes());
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (code, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// What is answered to any bytes until the server closes, or nothing comes for long.
    pub(crate) fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.server.port())).expect("a socket");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        // What is refused before all of it is written was answered before.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A metric, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (code, text) = self.get("/metrics");
        assert_eq!(code, 200, "{text}");
        let of = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let value = rest
                .strip_prefix(' ')
                .or_else(|| rest.strip_prefix('{')?.split_once("} ").map(|of| of.1))?;
            value.parse::<f64>().ok()
        };
        let found: Vec<f64> = text.lines().filter_map(of).collect();
        assert!(!found.is_empty(), "{name} is not in\n{text}");
        found.iter().sum()
    }

    /// How often a limit was hit.
    pub(crate) fn hits(&self, limit: &str) -> f64 {
        self.metric(&format!("penstock_limit_hits_total{{limit=\"{limit}\"}}"))
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..LONG.as_millis() / 20 {
            if holds() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} does not come: {}", self.get("/metrics").1);
    }

    /// Files that the server has open.
    pub(crate) fn files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.server.pid());
        std::fs::read_dir(folder).expect("the system tells").count()
    }

    /// Bytes of memory that the server has.
    pub(crate) fn bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.server.pid());
        let status = std::fs::read_to_string(status).expect("the system tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1024
    }

    /// A client that behaves well: sees what is its own and nothing else, writes, and is told of others'
    /// writes.
    pub(crate) async fn serves_well(&self) {
        static WELL: AtomicUsize = AtomicUsize::new(0);
        let who = who(&format!("well{}", WELL.fetch_add(1, Ordering::Relaxed)), "cleo");
        let query =
            put("mine", &json!({"table": "note", "where": equals("owner", literal("cleo"))}));
        let raw = Raw::connect(self.server.port(), &who, Store::default(), query).await;
        let mut raw = raw.expect("the server accepts");
        raw.until_got(&["mine"]).await;
        let ids = |store: &Store| -> Vec<String> {
            store.rows("note").map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
        };
        assert_eq!(ids(raw.store()), [""; 0]);
        let client = who.client.clone();
        let note = |id: &str| json!({"id": id, "owner": "cleo", "body": "well"});
        self.sql("INSERT INTO note VALUES ('c2', 'cleo', 'well')");
        raw.until("another's write", |session| ids(session.store()) == ["c2"]).await;
        let id = raw.crud(json!([op("insert", "note", note("c1"))])).await;
        raw.until("its own write", |session| {
            session.store().last_mutation_id(&client) == id && ids(session.store()) == ["c1", "c2"]
        })
        .await;
        let id = raw
            .crud(json!([
                op("delete", "note", json!({"id": "c1"})),
                op("delete", "note", json!({"id": "c2"}))
            ]))
            .await;
        raw.until("its deletes", |session| {
            session.store().last_mutation_id(&client) == id && ids(session.store()).is_empty()
        })
        .await;
        raw.ping().await;
        raw.close().await;
    }

    /// After an attack: somebody else is served well, and everything counted is back.
    pub(crate) async fn is_well(&self) {
        self.serves_well().await;
        for name in [
            "connections",
            "client_groups",
            "queries",
            "live_queries",
            "group_rows",
            "queued_bytes",
        ] {
            let name = format!("penstock_{name}");
            self.until(&format!("{name} back at nothing"), || self.metric(&name) == 0.0);
        }
        // The one that asks is one.
        self.until("connections closed", || self.metric("penstock_open_sockets") <= 1.0);
        self.until("files closed", || self.files() <= self.files_before() + FILES_MORE);
        self.until("memory back", || self.bytes() <= self.bytes + GROWTH_MAX);
        assert_eq!((self.get("/healthz").0, self.get("/readyz").0), (200, 200));
        let said = self.server.said();
        assert!(!said.contains("panicked"), "{said}");
    }

    fn files_before(&self) -> usize {
        self.files
    }
}
