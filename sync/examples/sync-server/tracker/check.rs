//! Two clients without a browser: what one edits, the other sees.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// Longer than anything takes; only a failure waits so long.
const LONG: Duration = Duration::from_secs(60);
/// Frames after which what is waited for does not come any more.
const FRAMES_MAX: usize = 10_000;

/// Lets one client edit and another see it; returns what was seen, for people.
///
/// # Errors
/// What did not come, or came wrong.
pub(crate) fn run(address: SocketAddr) -> Result<String, String> {
    let mut ada = Client::connect(address, "ada")?;
    let mut grace = Client::connect(address, "grace")?;
    let rows = grace.rows;
    let title = "An edit that everybody sees";
    ada.update(1, &json!({"id": "sample-01", "title": title}))?;
    grace.wait("the other client's edit", |part| {
        part["rowsPatch"]
            .as_array()
            .is_some_and(|ops| ops.iter().any(|op| op["value"]["title"] == title))
    })?;
    ada.wait("the acknowledgement", |part| part["lastMutationIDChanges"]["ada"] == 1)?;
    ada.update(2, &json!({"id": "sample-01", "title": " "}))?;
    ada.wait("the refusal of an empty title", |part| {
        let patch = part["mutationsPatch"].as_array().into_iter().flatten();
        let mut messages = patch.filter_map(|op| op["mutation"]["result"]["message"].as_str());
        messages.any(|message| message.contains("a title has 1 to 120 characters"))
    })?;
    Ok(format!("two clients of {rows} rows each: an edit arrived, a wrong one was refused"))
}

struct Client {
    name: &'static str,
    socket: WebSocket<TcpStream>,
    /// How many rows came with its queries.
    rows: usize,
}

impl Client {
    /// Connects, and waits for the rows of its query.
    fn connect(address: SocketAddr, name: &'static str) -> Result<Client, String> {
        let query = json!({
            "table": "issue",
            "orderBy": [["created", "desc"]],
            "related": [{
                "correlation": {"parentField": ["id"], "childField": ["issue_id"]},
                "subquery": {"table": "comment", "alias": "comments"},
            }],
        });
        let init = json!({"initConnectionMessage": ["initConnection", {
            "desiredQueriesPatch": [{"op": "put", "hash": "issues", "ttl": 0, "ast": query}],
            "activeClients": [name],
        }]});
        let header =
            utf8_percent_encode(&STANDARD.encode(init.to_string()), NON_ALPHANUMERIC).to_string();
        let url = format!(
            "ws://{address}/sync/v51/connect?clientID={name}&clientGroupID=check-{name}&userID={name}&baseCookie=&ts=0&lmid=0&wsid={name}"
        );
        let mut request = url.into_client_request().map_err(text)?;
        let value = header.parse().map_err(text)?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        let stream = TcpStream::connect_timeout(&address, LONG).map_err(text)?;
        stream.set_read_timeout(Some(LONG)).map_err(text)?;
        let (socket, _) = client::client(request, stream).map_err(text)?;
        let mut client = Client { name, socket, rows: 0 };
        client.wait("the rows of a query", |part| {
            part["gotQueriesPatch"].as_array().is_some_and(|ops| !ops.is_empty())
        })?;
        Ok(client)
    }

    /// Updates an issue.
    fn update(&mut self, id: u64, value: &Json) -> Result<(), String> {
        let op =
            json!({"op": "update", "tableName": "issue", "primaryKey": ["id"], "value": value});
        let mutation = json!({
            "type": "crud", "id": id, "clientID": self.name, "name": "_zero_crud",
            "args": [{"ops": [op]}], "timestamp": 0,
        });
        let push = json!(["push", {
            "clientGroupID": format!("check-{}", self.name), "mutations": [mutation],
            "pushVersion": 1, "timestamp": 0, "requestID": id.to_string(),
        }]);
        self.socket.send(Message::text(push.to_string())).map_err(text)
    }

    /// Reads frames until a part of a poke is as wanted.
    fn wait(&mut self, what: &str, is_it: impl Fn(&Json) -> bool) -> Result<(), String> {
        for _ in 0..FRAMES_MAX {
            let frame = self
                .socket
                .read()
                .map_err(|error| format!("{} waits for {what}: {error}", self.name))?;
            let Message::Text(frame) = frame else { continue };
            let message: Json = serde_json::from_str(&frame).map_err(text)?;
            if message[0] == "error" {
                return Err(format!("{} is told {frame}", self.name));
            }
            if message[0] == "pokePart" {
                self.rows += message[1]["rowsPatch"].as_array().map_or(0, Vec::len);
                if is_it(&message[1]) {
                    return Ok(());
                }
            }
        }
        Err(format!("{} waits for {what}, which does not come", self.name))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
