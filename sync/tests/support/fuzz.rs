//! The bodies of the fuzz targets of this crate, and what is fuzzed: messages as clients send them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use penstock::{Budget, Database, Params, Query};
use penstock_sync::claims::Claims;
use penstock_sync::protocol::connect::ConnectRequest;
use penstock_sync::protocol::upstream::{DesiredOp, Upstream, Wanted};
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::writes::sqlite::{SqliteWriter, is_internal};
use penstock_sync::writes::{Crud, Written, parse_ops};
use serde_json::{Value as Json, json};

/// Deterministic pseudo-random numbers (xorshift).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as usize
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.next() % limit
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Changes, removes, inserts and doubles some bytes.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, b"\0\x7f\xff\"{,[:%"[self.below(9)]),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail.iter().take(64));
                }
            }
        }
    }
}

/// Messages as clients send them, one of each kind and some queries.
pub(crate) fn seeds() -> Vec<Json> {
    let column = |name: &str, op: &str, value: Json| {
        json!({"type": "simple", "op": op, "left": {"type": "column", "name": name},
            "right": {"type": "literal", "value": value}})
    };
    let related = |table: &str, parent: &str, child: &str| {
        json!({"correlation": {"parentField": [parent], "childField": [child]},
            "subquery": {"table": table, "alias": "x", "orderBy": [["id", "asc"]]}})
    };
    let asts = [
        json!({"table": "note", "where": column("owner", "=", json!("bob")), "limit": 3,
            "orderBy": [["body", "desc"], ["id", "asc"]]}),
        json!({"table": "note", "related": [related("part", "id", "note")],
            "start": {"row": {"id": "a1", "body": null}, "exclusive": true}, "orderBy": [["body", "asc"]]}),
        json!({"table": "secret", "where": column("word", "LIKE", json!("%a_\\%"))}),
        json!({"table": "note", "where": {"type": "or", "conditions": [
            column("id", "IN", json!(["a1", "b1", null])),
            {"type": "and", "conditions": [column("body", "IS NOT", json!(null)),
                {"type": "correlatedSubquery", "op": "NOT EXISTS", "related": related("secret", "id", "note")}]},
            {"type": "correlatedSubquery", "op": "EXISTS", "related": related("part", "id", "note")}]}}),
    ];
    let puts: Vec<Json> = (0..asts.len())
        .map(|at| json!({"op": "put", "hash": format!("h{at}"), "ttl": 1000, "ast": asts[at]}))
        .collect();
    let named =
        json!({"op": "put", "hash": "n", "ttl": -1, "name": "open", "args": [{"limit": 5}]});
    let crud = |op: &str, table: &str, value: Json| json!({"op": op, "tableName": table, "primaryKey": ["id"], "value": value});
    let ops = json!([
        crud("insert", "note", json!({"id": "n1", "owner": "ada", "body": "x"})),
        crud("update", "note", json!({"id": "b1", "body": "mine"})),
        crud("upsert", "secret", json!({"id": "s1", "word": "mine"})),
        crud("delete", "note", json!({"id": "b1"})),
        crud("update", "note", json!({"id": "a1", "owner": "bob"})),
    ]);
    let mutation = json!({"type": "crud", "id": 1, "clientID": "c-fuzz", "name": "_zero_crud",
        "args": [{"ops": ops}], "timestamp": 1.5});
    vec![
        json!(["changeDesiredQueries", {"desiredQueriesPatch": puts}]),
        json!(["changeDesiredQueries", {"desiredQueriesPatch":
            [named, {"op": "del", "hash": "h1"}, {"op": "clear"}]}]),
        json!(["initConnection", {"desiredQueriesPatch": puts, "activeClients": ["c-fuzz"],
            "deleted": {"clientIDs": ["d"], "clientGroupIDs": ["e"]},
            "userQueryURL": "http://localhost/x", "userQueryHeaders": {"x-a": "b"},
            "clientSchema": {"tables": {"note": {"columns": {"id": {"type": "string"}}, "primaryKey": ["id"]}}}}]),
        json!(["push", {"clientGroupID": "g-fuzz", "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": "r"}]),
        json!(["ping", {}]),
        json!(["updateAuth", {"auth": "a.b.c"}]),
        json!(["deleteClients", {"clientIDs": ["x"]}]),
        json!(["ackMutationResponses", {"clientID": "c-fuzz", "id": 3}]),
        json!(["inspect", {"id": 1, "op": "queries"}]),
        json!(["pull", {"clientGroupID": "g", "cookie": null, "requestID": "r"}]),
        json!(["closeConnection", []]),
    ]
}

/// Values that stand where others are expected.
fn odd(noise: &mut Noise) -> Json {
    let deep = (0..60).fold(json!(1), |within, _| json!([within]));
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(""),
        json!("a\"b'; DROP TABLE note; --"),
        json!("\u{0}\u{ffff}\u{10ffff}"),
        json!("x".repeat(2000)),
        json!([]),
        json!({}),
        json!({"type": "and", "conditions": []}),
        json!({"table": "_zero_clients"}),
        deep,
    ];
    odd[noise.below(odd.len())].clone()
}

/// Puts something odd in the place of one value, wherever it stands.
fn replace(noise: &mut Noise, json: &mut Json) {
    let inner = match json {
        Json::Array(items) if !items.is_empty() => {
            let at = noise.below(items.len());
            items.get_mut(at)
        }
        Json::Object(members) if !members.is_empty() => {
            let at = noise.below(members.len());
            members.values_mut().nth(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if noise.below(6) > 0 => replace(noise, inner),
        _ => *json = odd(noise),
    }
}

/// A message with something wrong about it: a value, the text, its end, numbers, names that are there
/// twice, halves of characters.
pub(crate) fn damaged(noise: &mut Noise, seeds: &[Json]) -> String {
    let mut json = seeds[noise.below(seeds.len())].clone();
    match noise.below(6) {
        0 | 1 => {
            for _ in 0..1 + noise.below(2) {
                replace(noise, &mut json);
            }
            json.to_string()
        }
        2 => {
            let mut bytes = json.to_string().into_bytes();
            noise.damage(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        3 => {
            let text = json.to_string();
            let mut end = noise.below(text.len() + 1);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].to_owned()
        }
        4 => json.to_string().replacen('"', "\"\\ud800", 1 + noise.below(3)),
        _ => json.to_string().replacen("\":", "\":1e999,\"a\":2,\"a\":", noise.below(4)),
    }
}

/// Whose rows may be read and written in what is fuzzed.
struct World {
    database: Database,
    writer: SqliteWriter,
    rules: Rules,
}

fn claims() -> Claims {
    Claims { members: json!({"sub": "ada"}).as_object().cloned().unwrap_or_default() }
}

/// One for the whole process, since inputs must not change what is not theirs.
fn world() -> &'static Mutex<World> {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    WORLD.get_or_init(|| {
        let connection = rusqlite::Connection::open_in_memory().expect("memory");
        connection
            .execute_batch(
                "CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, body TEXT);
                 CREATE TABLE part(id TEXT PRIMARY KEY NOT NULL, note TEXT NOT NULL, body TEXT);
                 CREATE TABLE secret(id TEXT PRIMARY KEY NOT NULL, note TEXT, word TEXT NOT NULL UNIQUE);
                 INSERT INTO note VALUES ('a1', 'ada', 'one'), ('b1', 'bob', 'XYZZY'), ('b2', 'bob', NULL);
                 INSERT INTO part VALUES ('pa', 'a1', 'x'), ('pb', 'b1', 'XYZZY');
                 INSERT INTO secret VALUES ('s1', 'a1', 'XYZZY one'), ('s2', 'b1', 'XYZZY two');",
            )
            .expect("tables");
        let source = penstock::SqliteSource::from_connection(connection).expect("a source");
        let database = Database::builder().with_source(source).expect("a database");
        let own = json!([["allow", {"type": "simple", "op": "=", "left": {"type": "column", "name": "owner"},
            "right": {"type": "static", "anchor": "authData", "field": "sub"}}]]);
        let rules = Rules::parse(&json!({"tables": {"note": {"row": {"select": own, "insert": own,
            "delete": own, "update": {"preMutation": own, "postMutation": own}}}}}));
        let rules = rules.expect("good rules");
        let shared = SharedRules::new(rules.clone());
        let writer = SqliteWriter::new(database.clone(), shared).expect("a writer");
        Mutex::new(World { database, writer, rules })
    })
}

/// Takes any text for a frame, a header, a query and a mutation. Tells whether it was a message. Panics
/// where somebody would read or write what is not theirs.
pub(crate) fn message(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    header(&text);
    let Ok(message) = Upstream::parse(&text) else { return false };
    match message {
        Upstream::ChangeDesiredQueries(ops) => ops.into_iter().for_each(desired),
        Upstream::InitConnection(init) => init.desired.into_iter().for_each(desired),
        Upstream::Push(push) => {
            push.mutations.iter().for_each(|of| write(&Json::Array(of.args.clone())));
        }
        _ => {}
    }
    true
}

/// The path, the query and the header, each a line; and all of it as any one of them.
fn header(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, query, protocol) = (line(), line(), line());
    let requests = [
        ConnectRequest::parse(path, query, Some(protocol)),
        ConnectRequest::parse("/sync/v51/connect", text, None),
        ConnectRequest::parse("/sync/v51/connect", "clientID=c&clientGroupID=g", Some(text)),
    ];
    for request in requests.into_iter().flatten() {
        assert!(!request.client_id.is_empty() && !request.group_id.is_empty());
    }
}

fn desired(op: DesiredOp) {
    let DesiredOp::Put { what: Wanted::Ast(ast), .. } = op else { return };
    let world = world().lock().expect("no input has failed");
    let guarded = world.rules.read(&ast, &claims());
    let Ok(query) = Query::from_ast(&guarded) else { return };
    let budget =
        Budget { reads: 100_000, time: Duration::from_secs(10), rows: 1000, places: 10_000 };
    let Ok(mut live) = world.database.subscribe_within(query, &Params::default(), budget) else {
        return;
    };
    for row in live.row_set_within(budget).into_iter().flatten() {
        let table = row.table().name();
        let owner = row.get("owner").and_then(|owner| owner.as_str().map(str::to_owned));
        assert!(table == "note" && owner.as_deref() == Some("ada"), "{ast} reads {row}");
        assert!(!is_internal(table), "{ast} reads {row}");
    }
}

/// Everything that is not the writer's own.
const OTHERS: &str = "SELECT id, owner, body FROM note WHERE owner <> 'ada' ORDER BY id";
const SECRETS: &str = "SELECT id, note, word FROM secret ORDER BY id";

fn write(args: &Json) {
    static CLIENT: AtomicI64 = AtomicI64::new(0);
    let world = world().lock().expect("no input has failed");
    let rows =
        |sql: &str| world.database.query_sql(sql, ()).expect("rows").to_json().expect("JSON");
    let before = (rows(OTHERS), rows(SECRETS));
    let client = CLIENT.fetch_add(1, Ordering::Relaxed);
    let crud = Crud {
        group: "g".to_owned(),
        client: client.to_string(),
        user: Some("ada".to_owned()),
        mutation_id: 1,
        ops: parse_ops(args),
        claims: claims(),
    };
    let written = world.writer.write(&crud).expect("a database that works");
    assert_eq!((rows(OTHERS), rows(SECRETS)), before, "{args} writes what is not ada's");
    if let Written::Refused { message } = written {
        let is_its_own = args.to_string().contains("XYZZY");
        assert!(is_its_own || !message.contains("XYZZY"), "{args} is told {message}");
    }
    // What is its own goes again, so that inputs do not depend on those before.
    world
        .database
        .transaction(|tx| {
            tx.execute("DELETE FROM note WHERE owner = 'ada' AND id <> 'a1'", [0_i64; 0])?;
            tx.execute("DELETE FROM \"_zero_clients\"", [0_i64; 0])?;
            tx.execute("DELETE FROM \"_zero_mutations\"", [0_i64; 0]).map(drop)
        })
        .expect("a database that works");
}
