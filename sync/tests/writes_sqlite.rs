//! CRUD mutations into SQLite files.

use std::path::{Path, PathBuf};

use penstock::{Database, SqliteOptions};
use penstock_sync::claims::Claims;
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::writes::sqlite::SqliteWriter;
use penstock_sync::writes::{Crud, WriteError, Writer, Written, parse_ops};
use serde_json::{Value as Json, json};

/// Names that would do harm if they were read as SQL.
const EVIL: &str = "x\"; DROP TABLE issue; --'";

fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("writes-{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

fn open(path: &Path) -> Database {
    Database::open_with(SqliteOptions::new(path).create_if_missing(true)).expect("a database")
}

fn made(name: &str, rules: Rules) -> (Database, SqliteWriter) {
    let db = open(&path(name));
    db.transaction(|tx| {
        tx.change_schema(&format!(
            "CREATE TABLE issue (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, open BOOLEAN NOT NULL DEFAULT 1,
                owner TEXT, size REAL, meta JSON, slug TEXT NOT NULL DEFAULT (hex(randomblob(8))) UNIQUE,
                CHECK (title <> 'bad'));
             CREATE TABLE part (issue TEXT NOT NULL, nr INTEGER NOT NULL, body TEXT, PRIMARY KEY (issue, nr),
                FOREIGN KEY (issue) REFERENCES issue DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE \"{0}\" (id INTEGER PRIMARY KEY NOT NULL, \"{0}\" TEXT);",
            EVIL.replace('"', "\"\"")
        ))
    })
    .expect("tables");
    let writer = SqliteWriter::new(db.clone(), SharedRules::new(rules)).expect("a writer");
    (db, writer)
}

fn op(kind: &str, table: &str, key: &[&str], value: Json) -> Json {
    json!({"op": kind, "tableName": table, "primaryKey": key, "value": value})
}

fn issue(kind: &str, value: Json) -> Json {
    op(kind, "issue", &["id"], value)
}

fn crud(id: i64, ops: &[Json]) -> Crud {
    Crud {
        group: "g".to_owned(),
        client: "c".to_owned(),
        user: Some("ada".to_owned()),
        mutation_id: id,
        ops: parse_ops(&json!([{ "ops": ops }])),
        claims: claims("ada"),
    }
}

fn claims(user: &str) -> Claims {
    Claims { members: json!({ "sub": user }).as_object().cloned().unwrap_or_default() }
}

fn rows(db: &Database, sql: &str) -> Vec<Json> {
    let tree = db.query_sql(sql, ()).expect("a query").to_json().expect("JSON");
    tree.as_array().cloned().unwrap_or_default()
}

fn last(db: &Database) -> i64 {
    rows(db, "SELECT \"clientGroupID\", \"clientID\", \"lastMutationID\" AS n FROM _zero_clients")
        .first()
        .map_or(0, |client| client["n"].as_i64().expect("a number"))
}

fn refused(written: Result<Written, WriteError>) -> String {
    match written {
        Ok(Written::Refused { message }) => message,
        other => panic!("it should be refused: {other:?}"),
    }
}

#[test]
fn operations_are_applied_once_and_in_order() {
    let (db, writer) = made("once", Rules::allow_all());
    let first = crud(
        1,
        &[
            issue("insert", json!({"id": "a", "title": "one", "size": 1, "meta": {"x": [1]}})),
            issue("upsert", json!({"id": "b", "title": "two", "open": false})),
            issue("insert", json!({"id": "a", "title": "ignored"})),
        ],
    );
    assert_eq!(writer.write(&first), Ok(Written::Applied));
    assert_eq!(writer.write(&first), Ok(Written::AlreadyProcessed));
    let select = "SELECT id, title, open, owner, size, meta FROM issue ORDER BY id";
    let a = json!({"id": "a", "title": "one", "open": true, "owner": null, "size": 1, "meta": {"x": [1]}});
    let b = json!({"id": "b", "title": "two", "open": false, "owner": null, "size": null, "meta": null});
    assert_eq!(rows(&db, select), [a, b]);
    assert_eq!(writer.write(&crud(3, &[])), Ok(Written::OutOfOrder { expected: 2 }));
    assert_eq!(last(&db), 1);
    let second = crud(
        2,
        &[
            issue("upsert", json!({"id": "b", "owner": "bob"})),
            issue("update", json!({"id": "a", "title": "changed", "meta": null})),
            issue("update", json!({"id": "none", "title": "x"})),
            issue("delete", json!({"id": "none"})),
            op("insert", "part", &["issue", "nr"], json!({"issue": "a", "nr": 1, "body": "p"})),
            op("delete", "part", &["nr", "issue"], json!({"issue": "a", "nr": 1})),
        ],
    );
    assert_eq!(writer.write(&second), Ok(Written::Applied));
    let select = "SELECT id, title, owner, meta FROM issue ORDER BY id";
    let a = json!({"id": "a", "title": "changed", "owner": null, "meta": null});
    let b = json!({"id": "b", "title": "two", "owner": "bob", "meta": null});
    assert_eq!(rows(&db, select), [a, b]);
    assert_eq!(rows(&db, "SELECT issue, nr FROM part"), [Json::Null; 0]);
    // The number and the rows come in one transaction: nothing is live that saw one without the other.
    let clients = rows(&db, "SELECT * FROM _zero_clients");
    assert_eq!(
        clients,
        [json!({"clientGroupID": "g", "clientID": "c", "lastMutationID": 2, "userID": "ada"})]
    );
}

#[test]
fn a_failure_undoes_all_operations_and_is_taken_note_of() {
    let (db, writer) = made("failure", Rules::allow_all());
    let good = issue("insert", json!({"id": "a", "title": "one"}));
    let cases = [
        (issue("insert", json!({"id": "b", "title": "bad"})), "CHECK"),
        (issue("insert", json!({"id": "b"})), "NOT NULL"),
        (issue("insert", json!({"id": "b", "title": 7})), "column \"title\": expected text"),
        (issue("insert", json!({"id": "b", "titel": "x"})), "column \"titel\""),
        (issue("update", json!({"id": "a", "title": null})), "column \"title\""),
        (op("insert", "issues", &["id"], json!({"id": 1})), "there is no table \"issues\""),
        (op("delete", "issue", &["title"], json!({"title": "one"})), "no key of the columns title"),
        (op("insert", "_zero_clients", &["clientID"], json!({"clientID": 1})), "there is no table"),
        (op("insert", "_ZERO_clients", &["clientID"], json!({"clientID": 1})), "there is no table"),
        (op("insert", "sqlite_master", &["name"], json!({"name": 1})), "there is no table"),
        // Looked at when the transaction ends.
        (op("insert", "part", &["issue", "nr"], json!({"issue": "none", "nr": 1})), "FOREIGN KEY"),
    ];
    let mut id = 0;
    for (wrong, problem) in cases {
        id += 1;
        let message = refused(writer.write(&crud(id, &[good.clone(), wrong.clone()])));
        assert!(message.contains(problem), "{wrong}: {message}");
        assert_eq!(rows(&db, "SELECT id FROM issue"), [Json::Null; 0], "{wrong}");
        assert_eq!(last(&db), id);
        let noted =
            rows(&db, &format!("SELECT * FROM _zero_mutations WHERE \"mutationID\" = {id}"));
        let result = json!({"error": "app", "message": message});
        assert_eq!(
            noted,
            [json!({"clientGroupID": "g", "clientID": "c", "mutationID": id, "result": result})]
        );
        assert_eq!(writer.write(&crud(id, &[wrong])), Ok(Written::AlreadyProcessed));
    }
    let unreadable = Crud { ops: parse_ops(&json!([7])), ..crud(id + 1, &[]) };
    assert!(refused(writer.write(&unreadable)).contains("no list of \"ops\""));
    assert_eq!(writer.write(&crud(id + 2, &[good])), Ok(Written::Applied));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let forget = |up_to| runtime.block_on(writer.forget("g".into(), "c".into(), up_to));
    assert_eq!(forget(id), Ok(()));
    assert_eq!(rows(&db, "SELECT \"mutationID\" FROM _zero_mutations").len(), 1);
    assert_eq!(forget(i64::MAX), Ok(()));
    assert_eq!(rows(&db, "SELECT \"mutationID\" FROM _zero_mutations").len(), 0);
}

#[test]
fn names_and_values_are_never_read_as_sql() {
    let (db, writer) = made("evil", Rules::allow_all());
    let ops = [
        op("insert", EVIL, &["id"], json!({"id": 1, EVIL: EVIL})),
        op("upsert", EVIL, &["id"], json!({"id": 2, EVIL: "'); DELETE FROM issue; --"})),
        op("update", EVIL, &["id"], json!({"id": 1, EVIL: "?1 \u{0} $2"})),
        issue("insert", json!({"id": EVIL, "title": EVIL, "owner": "\\\"'"})),
        issue("update", json!({"id": EVIL, "owner": "' OR 1 = 1"})),
    ];
    let mut crud = crud(1, &ops);
    crud.client = EVIL.to_owned();
    crud.group = "g' OR '1' = '1".to_owned();
    assert_eq!(writer.write(&crud), Ok(Written::Applied));
    assert_eq!(
        rows(&db, "SELECT title, owner FROM issue"),
        [json!({"title": EVIL, "owner": "' OR 1 = 1"})]
    );
    let table = db.query(&penstock::Query::table(EVIL)).and_then(|tree| tree.to_json());
    let both =
        json!([{"id": 1, EVIL: "?1 \u{0} $2"}, {"id": 2, EVIL: "'); DELETE FROM issue; --"}]);
    assert_eq!(table.expect("rows"), both);
    for (name, problem) in [("id = 1 OR 1", "key"), ("\"id\"", "key")] {
        let mut next = crud.clone();
        next.mutation_id += 1;
        let wrong = op("delete", "issue", &[name], json!({ name: EVIL }));
        next.ops = parse_ops(&json!([{ "ops": [wrong] }]));
        assert!(refused(writer.write(&next)).contains(problem));
        crud = next;
    }
    assert_eq!(rows(&db, "SELECT id FROM issue").len(), 1);
}

#[test]
fn rules_hold_before_and_after() {
    let own = json!({"type": "simple", "op": "=", "left": {"type": "column", "name": "owner"},
        "right": {"type": "static", "anchor": "authData", "field": "sub"}});
    let of_own = json!({"type": "correlatedSubquery", "op": "EXISTS", "related": {
        "correlation": {"parentField": ["issue"], "childField": ["id"]},
        "subquery": {"table": "issue", "where": own}}});
    let allow = |condition: &Json| json!([["allow", condition]]);
    let rules = Rules::parse(&json!({"tables": {
        "issue": {"row": {"insert": allow(&own), "delete": allow(&own),
            "update": {"preMutation": allow(&own), "postMutation": allow(&own)}}},
        "part": {"row": {"insert": allow(&of_own)}}}}))
    .expect("good rules");
    let (db, writer) = made("rules", rules);
    db.transaction(|tx| {
        tx.execute("INSERT INTO issue (id, title, owner) VALUES ('b', 't', 'bob')", [0; 0])
    })
    .expect("a row");
    let mut id = 0;
    let mut write = |ops: &[Json]| {
        id += 1;
        writer.write(&crud(id, ops))
    };
    let mine = |id: &str| issue("insert", json!({"id": id, "title": "t", "owner": "ada"}));
    let part = |of: &str| op("insert", "part", &["issue", "nr"], json!({"issue": of, "nr": 1}));
    // The order within a mutation does not matter: the part is looked at when its issue is there.
    assert_eq!(write(&[part("a"), mine("a")]), Ok(Written::Applied));
    for denied in [
        issue("insert", json!({"id": "x", "title": "t", "owner": "bob"})),
        issue("insert", json!({"id": "x", "title": "t"})),
        issue("upsert", json!({"id": "x", "title": "t"})),
        issue("upsert", json!({"id": "b", "owner": "ada"})),
        issue("update", json!({"id": "b", "owner": "ada"})),
        issue("update", json!({"id": "a", "owner": "bob"})),
        issue("delete", json!({"id": "b"})),
        part("b"),
        op("update", "part", &["issue", "nr"], json!({"issue": "a", "nr": 1, "body": "x"})),
        op("insert", EVIL, &["id"], json!({"id": 1})),
    ] {
        let message = refused(write(&[mine("c"), denied.clone()]));
        assert!(message.contains("may"), "{denied}: {message}");
    }
    // Nobody learns whether a row is there that he may not write.
    let of = |id: &str, written: Result<Written, WriteError>| refused(written).replace(id, "?");
    let update = |id: &str| issue("update", json!({"id": id, "title": "x"}));
    assert_eq!(of("\"b\"", write(&[update("b")])), of("\"q\"", write(&[update("q")])));
    let delete = |id: &str| issue("delete", json!({ "id": id }));
    assert_eq!(of("\"b\"", write(&[delete("b")])), of("\"q\"", write(&[delete("q")])));
    assert_eq!(write(&[update("a"), mine("c"), delete("c")]).map(|_| ()), Ok(()));
    let left = rows(&db, "SELECT id, title, owner FROM issue ORDER BY id");
    let b = json!({"id": "b", "title": "t", "owner": "bob"});
    assert!(left.contains(&b) && left.iter().all(|row| row["id"] != "x"), "{left:?}");
}

#[test]
fn a_file_that_cannot_be_written_loses_nothing() {
    let file = path("locked");
    drop(open(&file));
    let options = SqliteOptions::new(&file).busy_timeout(std::time::Duration::from_millis(1));
    let db = Database::open_with(options).expect("a database");
    db.transaction(|tx| tx.change_schema("CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)"))
        .expect("a table");
    let writer =
        SqliteWriter::new(db.clone(), SharedRules::new(Rules::allow_all())).expect("a writer");
    let other = rusqlite::Connection::open(&file).expect("a connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let insert = crud(1, &[op("insert", "t", &["id"], json!({"id": 1}))]);
    assert!(matches!(writer.write(&insert), Err(WriteError::Unavailable { .. })));
    other.execute_batch("COMMIT").expect("the lock given up");
    assert_eq!(writer.write(&insert), Ok(Written::Applied));
    assert_eq!(rows(&db, "SELECT id FROM t").len(), 1);
    // Another server on the file goes on where this one stopped.
    let again =
        SqliteWriter::new(open(&file), SharedRules::new(Rules::allow_all())).expect("a writer");
    assert_eq!(again.write(&insert), Ok(Written::AlreadyProcessed));
}

#[test]
fn many_clients_write_at_once() {
    let (db, writer) = made("many", Rules::allow_all());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..8 {
            let writer = writer.clone();
            clients.spawn(async move {
                for id in 1..=20 {
                    let row = json!({"id": format!("{client}-{id}"), "title": "t"});
                    let mutation =
                        Crud { client: client.to_string(), ..crud(id, &[issue("insert", row)]) };
                    // Each twice, as after a connection that broke.
                    assert_eq!(writer.crud(mutation.clone()).await, Ok(Written::Applied));
                    assert_eq!(writer.crud(mutation).await, Ok(Written::AlreadyProcessed));
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.expect("a client without a problem");
        }
    });
    assert_eq!(rows(&db, "SELECT id FROM issue").len(), 160);
    let last =
        rows(&db, "SELECT \"clientID\" AS c FROM _zero_clients WHERE \"lastMutationID\" = 20");
    assert_eq!(last.len(), 8);
}
