//! The database and the application that the recordings were made with, as far as they show them.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value as Json, json};

use super::recording::recorded;
use crate::support::application::{Http, Request};
use crate::support::server::{Folder, LONG, Server};

/// How many issues there are.
const ISSUES: u32 = 2000;
/// Those among the newest that are closed.
const CLOSED: [u32; 4] = [1992, 1993, 1994, 1996];

pub(crate) fn connect(file: &Path) -> Connection {
    let connection = Connection::open(file).expect("the file");
    connection.busy_timeout(LONG).expect("a timeout");
    connection
}

fn fill(file: &Path) {
    let mut connection = connect(file);
    let tables = "
        PRAGMA journal_mode = wal;
        CREATE TABLE user(id TEXT PRIMARY KEY NOT NULL, name TEXT, email TEXT, role TEXT);
        CREATE TABLE issue(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, open BOOLEAN,
            priority INTEGER, owner_id TEXT, creator_id TEXT, created INTEGER, modified INTEGER);
        CREATE TABLE label(id TEXT PRIMARY KEY NOT NULL, name TEXT);
        CREATE TABLE issue_label(issue_id TEXT NOT NULL, label_id TEXT NOT NULL,
            PRIMARY KEY(issue_id, label_id));
        CREATE TABLE comment(id TEXT PRIMARY KEY NOT NULL, issue_id TEXT, body TEXT,
            created INTEGER, creator_id TEXT);
        CREATE INDEX modified ON issue(modified);
        CREATE INDEX comments ON comment(issue_id, created);
        CREATE INDEX labelled ON issue_label(label_id);
        INSERT INTO comment VALUES ('c1', 'i00000001', 'first', 1700000001500, 'u00050');";
    connection.execute_batch(tables).expect("tables");
    let all = connection.transaction().expect("a transaction");
    let run = |sql: String| assert_eq!(all.execute(&sql, ()), Ok(1), "{sql}");
    for n in 0..100 {
        let role = if n % 10 == 0 { "admin" } else { "member" };
        run(format!(
            "INSERT INTO user VALUES ('u{n:05}', 'User {n}', 'u{n}@example.com', '{role}')"
        ));
    }
    for n in 0..20 {
        run(format!("INSERT INTO label VALUES ('l{n:03}', 'label-{n}')"));
    }
    for n in 0..ISSUES {
        let open = !CLOSED.contains(&n);
        let (owner, creator, at) = (n % 100, n * 7 % 100, 1_700_000_000_000 + u64::from(n) * 1000);
        run(format!(
            "INSERT INTO issue VALUES ('i{n:08}', 'Issue number {n}', 'Lorem ipsum dolor sit amet.…',
                {open}, {}, 'u{owner:05}', 'u{creator:05}', {at}, {at})",
            n % 5
        ));
        run(format!("INSERT INTO issue_label VALUES ('i{n:08}', 'l{:03}')", n % 20));
    }
    all.commit().expect("a commit");
}

/// A database, an application and a server.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) app: Http,
    pub(crate) folder: Folder,
}

impl World {
    /// One with changes to the rows, and with an application that the server knows or not.
    pub(crate) fn new(name: &str, before: &[&str], has_application: bool) -> Self {
        let folder = Folder::new(&format!("transcript-{name}"));
        let file = folder.file("app.db");
        fill(&file);
        for sql in before {
            connect(&file).execute_batch(sql).expect("SQL");
        }
        let app = application(file.clone());
        let environment =
            [("ZERO_QUERY_URL", app.url("query")), ("ZERO_MUTATE_URL", app.url("mutate"))];
        let state = folder.file("state.db");
        let more = ["--allow-all", "--state", &state.to_string_lossy()];
        let environment = if has_application { &environment[..] } else { &[] };
        let server = Server::sqlite_with(&file, &more, environment);
        Self { server, app, folder }
    }

    pub(crate) fn write(&self, sql: &str) {
        let sql = format!("BEGIN IMMEDIATE; {sql}; COMMIT");
        connect(&self.folder.file("app.db")).execute_batch(&sql).expect("SQL");
    }
}

/// What the recorded application answered to a query, by its name.
fn recorded_asts() -> Vec<(String, Json)> {
    let lines = recorded("custom.http.jsonl");
    let answers = lines.iter().flat_map(|line| line["response"]["queries"].as_array().cloned());
    let named = answers.flatten().filter(|query| query["ast"].is_object());
    named
        .map(|query| (query["name"].as_str().expect("a name").to_owned(), query["ast"].clone()))
        .collect()
}

fn is(column: &str, value: &Json) -> Json {
    json!({"type": "simple", "op": "=", "left": {"type": "column", "name": column},
        "right": {"type": "literal", "value": value}})
}

fn application(file: PathBuf) -> Http {
    let asts = recorded_asts();
    Http::start(move |request: &Request| {
        let Some(user) = request.token().and_then(|token| token.strip_prefix("lab:")) else {
            return (401, json!({"error": "expired"}));
        };
        let body = &request.body;
        if request.path.starts_with("/query") {
            let queries = body[1].as_array().into_iter().flatten();
            let queries: Vec<Json> = queries.map(|query| meaning(&asts, query)).collect();
            return (200, json!({"kind": "QueryResponse", "userID": user, "queries": queries}));
        }
        let mut results = Vec::new();
        for mutation in body["mutations"].as_array().into_iter().flatten() {
            match carry_out(&file, &body["clientGroupID"], mutation) {
                Ok(result) => results.extend(result.map(|result| {
                    let id = json!({"clientID": mutation["clientID"], "id": mutation["id"]});
                    json!({"id": id, "result": result})
                })),
                Err(failure) => return (200, failure),
            }
        }
        (200, json!({"kind": "MutateResponse", "userID": user, "mutations": results}))
    })
}

fn meaning(asts: &[(String, Json)], query: &Json) -> Json {
    let (id, name, args) =
        (&query["id"], query["name"].as_str().unwrap_or_default(), &query["args"]);
    let known = asts.iter().find(|(of, _)| of == name).map(|(_, ast)| ast.clone());
    let ast = match (name, known) {
        ("openIssues", Some(mut ast)) => {
            ast["limit"] = args[0]["limit"].clone();
            ast
        }
        ("withLabel", Some(ast)) => {
            let text =
                ast.to_string().replace("label-3", args[0]["name"].as_str().expect("a name"));
            serde_json::from_str(&text).expect("JSON")
        }
        ("detail", Some(mut ast)) => {
            ast["where"] = is("id", &args[0]["id"]);
            ast
        }
        ("users", _) => json!({"table": "user"}),
        ("byOwner", _) => json!({"table": "issue", "where": is("owner_id", &args[0]["owner"])}),
        _ => {
            let message = format!("{name} from app");
            return json!({"error": "app", "id": id, "name": name, "message": message});
        }
    };
    json!({"id": id, "name": name, "ast": ast})
}

/// What the recorded application does with a mutation: its result, or why nothing is carried out.
fn carry_out(file: &Path, group: &Json, mutation: &Json) -> Result<Option<Json>, Json> {
    let mut connection = connect(file);
    let all = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
    let all = all.expect("a transaction");
    let (group, client) = (group.as_str(), mutation["clientID"].as_str());
    let (id, args) = (mutation["id"].as_i64().expect("a number"), &mutation["args"][0]);
    if mutation["name"] == "_zero_cleanupResults" {
        let up_to = args["upToMutationID"].as_i64();
        let sql = "DELETE FROM _zero_mutations WHERE clientID = ? AND mutationID <= ?";
        all.execute(sql, (args["clientID"].as_str(), up_to)).expect("a delete");
        all.commit().expect("a commit");
        return Ok(None);
    }
    let sql = "SELECT lastMutationID FROM _zero_clients WHERE clientGroupID = ? AND clientID = ?";
    let last: Option<i64> =
        all.query_row(sql, (group, client), |row| row.get(0)).optional().expect("a number");
    let next = last.unwrap_or(0) + 1;
    if id < next {
        return Ok(Some(json!({"error": "alreadyProcessed"})));
    }
    if id > next {
        let name = client.unwrap_or_default();
        let message = format!("Client {name} sent mutation ID {id} but expected {next}");
        return Err(json!({"kind": "PushFailed", "origin": "server", "reason": "oooMutation",
            "message": message, "mutationIDs": [{"id": id, "clientID": name}]}));
    }
    let sql = "INSERT INTO _zero_clients(clientGroupID, clientID, lastMutationID) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET lastMutationID = excluded.lastMutationID";
    all.execute(sql, (group, client, id)).expect("a number");
    let result = if args["title"] == "REJECT" {
        let result = json!({"error": "app", "message": "title rejected"});
        let sql = "INSERT INTO _zero_mutations VALUES (?, ?, ?, ?)";
        all.execute(sql, (group, client, id, result.to_string())).expect("a result");
        result
    } else {
        let text = |name: &str| args[name].as_str().map(str::to_owned);
        let number = |name: &str| args[name].as_i64();
        if mutation["name"] == "issue.create" {
            let sql = "INSERT INTO issue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let row = (
                text("id"),
                text("title"),
                text("description"),
                args["open"].as_bool(),
                number("priority"),
                text("ownerID"),
                text("creatorID"),
                number("created"),
                number("modified"),
            );
            all.execute(sql, row).expect("a row");
        } else {
            let sql = "UPDATE issue SET title = ?, modified = ? WHERE id = ?";
            all.execute(sql, (text("title"), number("modified"), text("id"))).expect("an update");
        }
        json!({})
    };
    all.commit().expect("a commit");
    Ok(Some(result))
}
