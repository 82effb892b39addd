//! The application's server: its endpoints for named queries and custom mutations.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Value as Json, json};

use super::tracker::{connect, top, users};

/// What it does, and what it was asked.
#[derive(Default)]
pub(crate) struct Behaviour {
    /// A status that it answers everything with.
    pub(crate) status: Option<u16>,
    /// The bodies of the requests that it answered otherwise, with their paths and tokens.
    pub(crate) asked: Vec<(String, Option<String>, Json)>,
}

/// A running application server over a tracker's file. It goes on until the process ends.
pub(crate) struct App {
    port: u16,
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
}

impl App {
    pub(crate) fn start(file: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let behaviour: Arc<Mutex<Behaviour>> = Arc::default();
        let (file, shared) = (file.to_path_buf(), Arc::clone(&behaviour));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (file, shared) = (file.clone(), Arc::clone(&shared));
                std::thread::spawn(move || answer(stream, &file, &shared));
            }
        });
        Self { port, behaviour }
    }

    /// The environment of a server that uses it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        let url = |path: &str| format!("http://127.0.0.1:{}/{path}", self.port);
        [("ZERO_QUERY_URL", url("query")), ("ZERO_MUTATE_URL", url("mutate"))]
    }

    pub(crate) fn set_status(&self, status: Option<u16>) {
        self.behaviour.lock().expect("no holder panics").status = status;
    }

    /// The names of the queries that it was asked for, in order.
    pub(crate) fn names_asked(&self) -> Vec<String> {
        let behaviour = self.behaviour.lock().expect("no holder panics");
        let asked = behaviour.asked.iter().filter(|(path, ..)| path.starts_with("/query"));
        let queries = asked.flat_map(|(_, _, body)| body[1].as_array().into_iter().flatten());
        queries.filter_map(|query| query["name"].as_str()).map(str::to_owned).collect()
    }

    /// The tokens with which it was asked, without repetitions.
    pub(crate) fn tokens(&self) -> Vec<Option<String>> {
        let behaviour = self.behaviour.lock().expect("no holder panics");
        let mut tokens: Vec<_> =
            behaviour.asked.iter().map(|(_, token, _)| token.clone()).collect();
        tokens.dedup();
        tokens
    }
}

/// Reads one request and answers it.
fn answer(mut stream: TcpStream, file: &Path, shared: &Mutex<Behaviour>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: BTreeMap<String, &str> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body: Json = serde_json::from_slice(&body).unwrap_or(Json::Null);
    let token = headers.get("authorization").map(|value| value.replace("Bearer ", ""));
    let status = shared.lock().expect("no holder panics").status;
    let (status, answer) = match (status, token.as_deref()) {
        (Some(status), _) => (status, json!({"error": "as it was told"})),
        (None, Some("expired")) => (401, json!({"error": "expired"})),
        (None, token) => {
            // A token is the name of its user.
            let user = token.map_or(Json::Null, Json::from);
            let answer = if path.starts_with("/query") {
                queries(&body, &user)
            } else {
                mutations(&body, &user, file)
            };
            let asked = (path, token.map(str::to_owned), body);
            shared.lock().expect("no holder panics").asked.push(asked);
            (200, answer)
        }
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
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

fn mutations(body: &Json, user: &Json, file: &Path) -> Json {
    let group = body["clientGroupID"].as_str().unwrap_or_default();
    let mut results = Vec::new();
    for mutation in body["mutations"].as_array().into_iter().flatten() {
        let mut file = connect(file);
        let transaction = file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let transaction = transaction.expect("a transaction");
        if mutation["name"] == "_zero_cleanupResults" {
            let args = &mutation["args"][0];
            let sql = "DELETE FROM _zero_mutations WHERE clientID = ? AND mutationID <= ?";
            let up_to = args["upToMutationID"].as_i64();
            transaction.execute(sql, (args["clientID"].as_str(), up_to)).expect("a delete");
        } else {
            let id = json!({"clientID": mutation["clientID"], "id": mutation["id"]});
            results.push(json!({"id": id, "result": carry_out(&transaction, group, mutation)}));
        }
        transaction.commit().expect("a commit");
    }
    json!({"kind": "MutateResponse", "userID": user, "mutations": results})
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
    let args = &mutation["args"][0];
    if let Some(message) = args["reject"].as_str() {
        let result = json!({"error": "app", "message": message, "details": {"code": 7}});
        let sql = "INSERT INTO _zero_mutations VALUES (?, ?, ?, ?)";
        transaction.execute(sql, (group, client, id, result.to_string())).expect("a result");
        return result;
    }
    for op in args["ops"].as_array().into_iter().flatten() {
        let value = &op["value"];
        assert_eq!((op["table"].as_str(), op["op"].as_str()), (Some("issue"), Some("update")));
        // What is stored is not what the client guessed.
        let title = format!("{}!", value["title"].as_str().unwrap_or_default());
        let sql = "UPDATE issue SET title = ? WHERE id = ?";
        transaction.execute(sql, (title, value["id"].as_str())).expect("an update");
    }
    json!({})
}
