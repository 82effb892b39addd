//! A client that keeps to nothing.

use std::time::Duration;

use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::server::LONG;
use crate::world::{MARK, World, schema, token};

pub(crate) struct Hostile {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// All texts that it was sent.
    pub(crate) seen: Vec<String>,
    pub(crate) closed: Option<CloseFrame>,
}

pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The header of the upgrade: base64 of JSON.
pub(crate) fn protocol(json: &Json) -> String {
    escape(&base64::engine::general_purpose::STANDARD.encode(json.to_string()))
}

/// The first message, with these queries.
pub(crate) fn init(queries: &Json) -> Json {
    json!(["initConnection", {"desiredQueriesPatch": queries, "clientSchema": schema()}])
}

impl Hostile {
    /// Connects with any path and header.
    pub(crate) async fn open(world: &World, path: &str, protocol: &str) -> Result<Hostile, Error> {
        let url = format!("ws://127.0.0.1:{}{path}", world.server.port());
        let mut request = url.into_client_request()?;
        if !protocol.is_empty() {
            let value = protocol.parse().map_err(|_| Error::Utf8("no header".to_owned()))?;
            request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Hostile { socket, seen: Vec::new(), closed: None })
    }

    /// Connects as a user, by a token or without one.
    pub(crate) async fn connect(
        world: &World,
        name: &str,
        user: &str,
        auth: Option<&str>,
    ) -> Hostile {
        let path = format!(
            "/sync/v51/connect?clientID=c-{0}&clientGroupID=g-{0}&userID={1}&baseCookie=&ts=1&lmid=0&wsid=w",
            escape(name),
            escape(user)
        );
        let header = match auth {
            Some(auth) => json!({"authToken": auth}),
            None => json!({}),
        };
        Hostile::open(world, &path, &protocol(&header)).await.expect("the upgrade")
    }

    /// Connects as somebody who may connect, and has said what he wants: nothing.
    pub(crate) async fn ada(world: &World, name: &str) -> Hostile {
        let mut hostile = Hostile::connect(world, name, "ada", Some(&token("ada"))).await;
        hostile.say(&init(&json!([])).to_string()).await;
        hostile
    }

    pub(crate) async fn say(&mut self, text: &str) {
        // A server that has closed is noticed when its answer is read.
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// The next frame of text; nothing once the socket is closed.
    pub(crate) async fn next(&mut self) -> Option<Json> {
        loop {
            let next = tokio::time::timeout(LONG, self.socket.next()).await;
            match next.expect("a frame or an end")? {
                Ok(Message::Text(text)) => {
                    self.seen.push(text.to_string());
                    return Some(serde_json::from_str(&text).expect("JSON"));
                }
                Ok(Message::Close(frame)) => self.closed = frame,
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Reads until the server has answered a ping, or closed; whether it goes on.
    pub(crate) async fn settle(&mut self) -> bool {
        self.say("[\"ping\",{}]").await;
        while let Some(frame) = self.next().await {
            if frame[0] == "pong" {
                return true;
            }
        }
        false
    }

    /// Reads until the server closes; the error that it gave.
    pub(crate) async fn end(&mut self) -> Option<Json> {
        let mut error = None;
        while let Some(frame) = self.next().await {
            if frame[0] == "error" {
                error = Some(frame[1].clone());
            }
        }
        error
    }

    /// The kind of the error with which the server closes.
    pub(crate) async fn end_kind(&mut self) -> Option<String> {
        self.end().await.and_then(|error| error["kind"].as_str().map(str::to_owned))
    }

    /// Wants a query and reads until it is told what becomes of it: its rows, or why there are none.
    pub(crate) async fn ask(&mut self, hash: &str, ast: &Json) -> Result<Vec<Json>, String> {
        let patch = json!([{"op": "put", "hash": hash, "ttl": 0, "ast": ast}]);
        let message = json!(["changeDesiredQueries", {"desiredQueriesPatch": patch}]);
        self.say(&message.to_string()).await;
        let mut rows = Vec::new();
        loop {
            let Some(frame) = self.next().await else { return Err("closed".to_owned()) };
            if frame[0] == "transformError" {
                let errors = frame[1].as_array().expect("errors");
                if let Some(error) = errors.iter().find(|error| error["id"] == hash) {
                    return Err(error["message"].as_str().expect("a text").to_owned());
                }
            }
            if frame[0] == "error" {
                return Err(frame[1].to_string());
            }
            rows.extend(frame[1]["rowsPatch"].as_array().into_iter().flatten().cloned());
            let got = frame[1]["gotQueriesPatch"].as_array().into_iter().flatten();
            if got.into_iter().any(|got| got["op"] == "put" && got["hash"] == hash) {
                return Ok(rows);
            }
        }
    }

    /// Fails if it was told anything that is not for it, or that is of the server's inside.
    pub(crate) fn has_learnt_nothing(&self) {
        for text in &self.seen {
            let inside =
                [MARK, "SELECT ", "INSERT INTO", "app.db", "/tmp", "state.db", "SQLSTATE", "src/"];
            for part in inside {
                assert!(!text.contains(part), "{part} in {text}");
            }
        }
    }
}

/// Does not return before the server had time for what it should not do.
pub(crate) async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
