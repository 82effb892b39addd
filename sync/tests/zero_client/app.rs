//! The application's server: its endpoints for named queries and custom mutations.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use penstock_postgres_harness as harness;
use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Value as Json, json};

use super::tracker::{connect, top, users};
use crate::support::application::{Http, Request};

/// Where its rows are.
enum Rows {
    Sqlite(PathBuf),
    Postgres(String),
}

/// A running application server over a tracker's tables. It goes on until the process ends.
pub(crate) struct App {
    http: Http,
    /// A status that it answers everything with.
    status: Arc<Mutex<Option<u16>>>,
}

impl App {
    /// One over an SQLite file.
    pub(crate) fn start(file: &Path) -> Self {
        Self::over(Rows::Sqlite(file.to_path_buf()))
    }

    /// One over a Postgres.
    pub(crate) fn postgres(url: &str) -> Self {
        Self::over(Rows::Postgres(url.to_owned()))
    }

    fn over(rows: Rows) -> Self {
        let status: Arc<Mutex<Option<u16>>> = Arc::default();
        let shared = Arc::clone(&status);
        let http = Http::start(move |request| {
            let told = *shared.lock().expect("no holder panics");
            answer(request, told, &rows)
        });
        Self { http, status }
    }

    /// The environment of a server that uses it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [("ZERO_QUERY_URL", self.http.url("query")), ("ZERO_MUTATE_URL", self.http.url("mutate"))]
    }

    pub(crate) fn set_status(&self, status: Option<u16>) {
        *self.status.lock().expect("no holder panics") = status;
    }

    /// What it was asked at a path, with a token that it does not refuse.
    pub(crate) fn asked(&self, path: &str) -> Vec<Request> {
        let mut asked = self.http.requests();
        asked.retain(|of| of.path.starts_with(path) && of.token() != Some("expired"));
        asked
    }

    /// The names of the queries that it was asked for, in order.
    pub(crate) fn names_asked(&self) -> Vec<String> {
        let asked = self.asked("/query");
        let queries = asked.iter().flat_map(|of| of.body[1].as_array().into_iter().flatten());
        queries.filter_map(|query| query["name"].as_str()).map(str::to_owned).collect()
    }

    /// The tokens with which it was asked, without repetitions.
    pub(crate) fn tokens(&self) -> Vec<Option<String>> {
        let asked = self.asked("/");
        let mut tokens: Vec<_> = asked.iter().map(|of| of.token().map(str::to_owned)).collect();
        tokens.dedup();
        tokens
    }
}

fn answer(request: &Request, told: Option<u16>, rows: &Rows) -> (u16, Json) {
    match (told, request.token()) {
        (Some(status), _) => (status, json!({"error": "as it was told"})),
        (None, Some("expired")) => (401, json!({"error": "expired"})),
        (None, token) => {
            // A token is the name of its user, and what comes after a dash tells tokens apart.
            let user = token.map(|token| token.split('-').next().unwrap_or_default());
            let user = user.map_or(Json::Null, Json::from);
            let answer = if request.path.starts_with("/query") {
                queries(&request.body, &user)
            } else {
                mutations(&request.body, &user, rows)
            };
            (200, answer)
        }
    }
}

fn queries(body: &Json, user: &Json) -> Json {
    let one = |query: &Json| {
        let (id, name) = (&query["id"], query["name"].as_str().unwrap_or_default());
        let error =
            |message: &str| json!({"error": "app", "id": id, "name": name, "message": message});
        let ast = match name {
            "top" => top(query["args"][0].as_u64().unwrap_or(1)).ast,
            "users" => users().ast,
            "nothing" => json!({"table": "issue", "limit": 0}),
            "boom" => return error("boom, said the application"),
            "broken" => json!({"table": "no such table"}),
            _ => return error("no query has this name"),
        };
        json!({"id": id, "name": name, "ast": ast})
    };
    let queries: Vec<Json> = body[1].as_array().into_iter().flatten().map(one).collect();
    json!({"kind": "QueryResponse", "userID": user, "queries": queries})
}

fn mutations(body: &Json, user: &Json, rows: &Rows) -> Json {
    let group = body["clientGroupID"].as_str().unwrap_or_default();
    let mut results = Vec::new();
    for mutation in body["mutations"].as_array().into_iter().flatten() {
        let result = match rows {
            Rows::Sqlite(file) => in_sqlite(file, group, mutation),
            Rows::Postgres(url) => in_postgres(url, group, mutation),
        };
        if let Some(result) = result {
            let id = json!({"clientID": mutation["clientID"], "id": mutation["id"]});
            results.push(json!({"id": id, "result": result}));
        }
    }
    json!({"kind": "MutateResponse", "userID": user, "mutations": results})
}

/// The result of a mutation that the application rejects.
fn rejection(mutation: &Json) -> Option<Json> {
    let message = mutation["args"][0]["reject"].as_str()?;
    Some(json!({"error": "app", "message": message, "details": {"code": 7}}))
}

/// What is stored for what the client wrote: not what it guessed.
fn titles(mutation: &Json) -> impl Iterator<Item = (String, &str)> {
    mutation["args"][0]["ops"].as_array().into_iter().flatten().map(|op| {
        assert_eq!((op["table"].as_str(), op["op"].as_str()), (Some("issue"), Some("update")));
        let title = format!("{}!", op["value"]["title"].as_str().unwrap_or_default());
        (title, op["value"]["id"].as_str().expect("an id"))
    })
}

fn in_sqlite(file: &Path, group: &str, mutation: &Json) -> Option<Json> {
    let mut file = connect(file);
    let transaction = file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
    let transaction = transaction.expect("a transaction");
    let result = if mutation["name"] == "_zero_cleanupResults" {
        let args = &mutation["args"][0];
        let sql = "DELETE FROM _zero_mutations WHERE clientID = ? AND mutationID <= ?";
        let up_to = args["upToMutationID"].as_i64();
        transaction.execute(sql, (args["clientID"].as_str(), up_to)).expect("a delete");
        None
    } else {
        Some(carry_out(&transaction, group, mutation))
    };
    transaction.commit().expect("a commit");
    result
}

/// What the library of an application does: the number and the rows in one transaction.
fn carry_out(transaction: &Transaction<'_>, group: &str, mutation: &Json) -> Json {
    let (client, id) = (mutation["clientID"].as_str(), mutation["id"].as_i64().unwrap_or(0));
    let sql = "SELECT lastMutationID FROM _zero_clients WHERE clientGroupID = ? AND clientID = ?";
    let last: Option<i64> =
        transaction.query_row(sql, (group, client), |row| row.get(0)).optional().expect("a number");
    if id <= last.unwrap_or(0) {
        return json!({"error": "alreadyProcessed"});
    }
    let sql = "INSERT INTO _zero_clients(clientGroupID, clientID, lastMutationID) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET lastMutationID = excluded.lastMutationID";
    transaction.execute(sql, (group, client, id)).expect("a number");
    if let Some(result) = rejection(mutation) {
        let sql = "INSERT INTO _zero_mutations VALUES (?, ?, ?, ?)";
        transaction.execute(sql, (group, client, id, result.to_string())).expect("a result");
        return result;
    }
    for (title, issue) in titles(mutation) {
        let sql = "UPDATE issue SET title = ? WHERE id = ?";
        transaction.execute(sql, (title, issue)).expect("an update");
    }
    json!({})
}

/// The same with the tables that the server keeps in a Postgres.
fn in_postgres(url: &str, group: &str, mutation: &Json) -> Option<Json> {
    let database = harness::Client::connect(url).expect("the database");
    let text = |value: &str| format!("'{}'", value.replace('\'', "''"));
    let run = |sql: String| database.sql(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    if mutation["name"] == "_zero_cleanupResults" {
        let args = &mutation["args"][0];
        let client = text(args["clientID"].as_str().expect("a client"));
        let up_to = &args["upToMutationID"];
        run(format!(
            r#"DELETE FROM zero_0.mutations WHERE "clientID" = {client} AND "mutationID" <= {up_to}"#
        ));
        return None;
    }
    let client = text(mutation["clientID"].as_str().expect("a client"));
    let (group, id) = (text(group), mutation["id"].as_u64().expect("a number"));
    let last = run(format!(
        r#"BEGIN; INSERT INTO zero_0.clients AS c ("clientGroupID", "clientID", "lastMutationID")
            VALUES ({group}, {client}, 1) ON CONFLICT ("clientGroupID", "clientID")
            DO UPDATE SET "lastMutationID" = c."lastMutationID" + 1 RETURNING "lastMutationID""#
    ));
    let last = last[0][0].as_deref().and_then(|last| last.parse::<u64>().ok()).expect("a number");
    if last > id {
        run("ROLLBACK".to_owned());
        return Some(json!({"error": "alreadyProcessed"}));
    }
    assert_eq!(last, id, "mutations come in order");
    let result = rejection(mutation);
    if let Some(result) = &result {
        let result = text(&result.to_string());
        run(format!("INSERT INTO zero_0.mutations VALUES ({group}, {client}, {id}, {result})"));
    } else {
        for (title, issue) in titles(mutation) {
            run(format!("UPDATE issue SET title = {} WHERE id = {}", text(&title), text(issue)));
        }
    }
    run("COMMIT".to_owned());
    Some(result.unwrap_or_else(|| json!({})))
}
