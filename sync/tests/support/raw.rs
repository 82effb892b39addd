//! A client that speaks the protocol itself, and checks every frame that it receives.

use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use penstock_sync::validate::{Session, Store, Upgrade};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::server::LONG;

/// Who connects, and how.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) group: String,
    pub(crate) client: String,
    pub(crate) user: Option<String>,
    pub(crate) auth: Option<String>,
    /// The client's schema, `{tables: …}`, sent as long as the store is empty.
    pub(crate) schema: Json,
    /// Whether `initConnection` is the first frame instead of being in the header.
    pub(crate) late: bool,
    /// Whether there are other clients in the group.
    pub(crate) alone: bool,
    /// The other clients of the group that are open somewhere.
    pub(crate) others: Vec<String>,
    pub(crate) version: u32,
    /// Further headers of its upgrade.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl Who {
    /// A client by itself in a group of its own.
    pub(crate) fn new(name: &str, schema: Json) -> Self {
        Self {
            group: format!("group-{name}"),
            client: format!("client-{name}"),
            user: Some("u1".to_owned()),
            auth: None,
            schema,
            late: false,
            alone: true,
            others: Vec::new(),
            version: 51,
            headers: Vec::new(),
        }
    }
}

/// A connected client.
pub(crate) struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Session,
    client: String,
    group: String,
    closed: bool,
    mutation: u64,
    bytes: usize,
}

/// What was received, or that nothing will be any more.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    Message(Json),
    Closed,
}

impl Raw {
    /// Connects as `who`, holding `store`, and asks for queries: a `desiredQueriesPatch`.
    ///
    /// # Errors
    /// The server refused the upgrade.
    pub(crate) async fn connect(
        port: u16,
        who: &Who,
        store: Store,
        queries: Json,
    ) -> Result<Self, Error> {
        Self::connect_with(port, who, store, queries, json!({})).await
    }

    /// The same with further members of `initConnection`.
    ///
    /// # Errors
    /// The server refused the upgrade.
    pub(crate) async fn connect_with(
        port: u16,
        who: &Who,
        store: Store,
        queries: Json,
        more: Json,
    ) -> Result<Self, Error> {
        let active: Vec<&String> = who.others.iter().chain([&who.client]).collect();
        let mut init = json!({"desiredQueriesPatch": queries, "activeClients": active});
        if store.is_empty() {
            init["clientSchema"] = who.schema.clone();
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            init[name] = value.clone();
        }
        let init = json!(["initConnection", init]);
        let mut raw = Self::upgrade(port, who, store, (!who.late).then_some(&init)).await?;
        if who.late {
            raw.send(&init).await;
        }
        Ok(raw)
    }

    /// Connects as `who`, holding `store`, and says what it wants in the header or not yet.
    ///
    /// # Errors
    /// The server refused the upgrade.
    pub(crate) async fn upgrade(
        port: u16,
        who: &Who,
        store: Store,
        init: Option<&Json>,
    ) -> Result<Self, Error> {
        let mut protocols = json!({});
        if let Some(init) = init {
            protocols["initConnectionMessage"] = init.clone();
        }
        if let Some(auth) = &who.auth {
            protocols["authToken"] = auth.as_str().into();
        }
        let text = base64::engine::general_purpose::STANDARD.encode(protocols.to_string());
        let protocol = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        let wsid = format!("ws-{}-{}", who.client, store.cookie().unwrap_or_default().len());
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let user =
            who.user.as_ref().map_or(String::new(), |user| format!("&userID={}", escape(user)));
        let url = format!(
            "ws://127.0.0.1:{port}/sync/v{}/connect?clientID={}&clientGroupID={}{user}&baseCookie={}&ts=1.5&lmid={}&wsid={wsid}",
            who.version,
            escape(&who.client),
            escape(&who.group),
            escape(store.cookie().unwrap_or_default()),
            store.last_mutation_id(&who.client),
        );
        let mut request = url.into_client_request()?;
        let value = protocol.parse().expect("escaped text is a header value");
        request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        for (name, value) in &who.headers {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        let (socket, response) = tokio_tungstenite::connect_async(request).await?;
        let upgrade = Upgrade {
            client: who.client.clone(),
            wsid,
            protocol,
            alone: who.alone,
            init: init.cloned(),
        };
        let mutation = store.last_mutation_id(&who.client);
        let mut session = Session::begin(upgrade, store);
        let echoed = response.headers().get("Sec-WebSocket-Protocol");
        session.accepted(echoed.and_then(|value| value.to_str().ok()));
        Ok(Self {
            socket,
            session,
            client: who.client.clone(),
            group: who.group.clone(),
            closed: false,
            mutation,
            bytes: 0,
        })
    }

    /// Sends a message. A socket that the server has closed takes it silently.
    pub(crate) async fn send(&mut self, message: &Json) {
        let text = message.to_string();
        self.session.sent(&text);
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// Sends what need not be a message.
    pub(crate) async fn send_text(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// Changes what is wanted: a `desiredQueriesPatch`.
    pub(crate) async fn want(&mut self, patch: Json) {
        self.send(&json!(["changeDesiredQueries", {"desiredQueriesPatch": patch}])).await;
    }

    /// Writes rows as the next mutation: CRUD operations `[{op, tableName, primaryKey, value}]`.
    pub(crate) async fn crud(&mut self, ops: Json) -> u64 {
        self.mutation += 1;
        let mutation = json!({"type": "crud", "id": self.mutation, "clientID": self.client,
            "name": "_zero_crud", "args": [{"ops": ops}], "timestamp": 1});
        let push = json!({"clientGroupID": self.group, "mutations": [mutation], "pushVersion": 1,
            "timestamp": 1, "requestID": format!("r{}", self.mutation)});
        self.send(&json!(["push", push])).await;
        self.mutation
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Received {
        loop {
            if self.closed {
                return Received::Closed;
            }
            let next = tokio::time::timeout(LONG, self.socket.next()).await;
            match next.expect("a frame or an end") {
                Some(Ok(Message::Text(text))) => {
                    self.bytes += text.len();
                    self.session.received(&text);
                    let message = serde_json::from_str(&text).unwrap_or(Json::Null);
                    return Received::Message(message);
                }
                Some(Ok(Message::Binary(_))) => self.session.received_binary(),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    self.closed = true;
                    self.session.closed();
                }
            }
        }
    }

    /// The next frame, if one comes soon: for what must not come.
    pub(crate) async fn next_or_idle(&mut self) -> Option<Received> {
        self.next_within(std::time::Duration::from_millis(200)).await
    }

    /// The next frame, if one comes within a time.
    pub(crate) async fn next_within(&mut self, time: std::time::Duration) -> Option<Received> {
        tokio::time::timeout(time, self.next()).await.ok()
    }

    /// Receives until a condition holds of what the client has.
    ///
    /// # Panics
    /// The connection ended before, or a rule was broken.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Session) -> bool) {
        while !holds(&self.session) {
            let received = self.next().await;
            let ended = received == Received::Closed && !holds(&self.session);
            assert!(!ended, "{what}: closed, {:?}", self.session.ended_by());
        }
        self.check();
    }

    /// Receives until it has these queries.
    pub(crate) async fn until_got(&mut self, hashes: &[&str]) {
        let has =
            |session: &Session| hashes.iter().all(|hash| session.store().got().contains(*hash));
        self.until(&format!("got {hashes:?}"), has).await;
    }

    /// Receives until the server closes the socket; the kind of the error that it gave.
    pub(crate) async fn until_closed(&mut self) -> Option<String> {
        while self.next().await != Received::Closed {}
        self.session.quiet();
        self.check();
        self.session.ended_by().map(str::to_owned)
    }

    /// Asks for a `pong` and receives until it comes: what the server had to say before is there.
    pub(crate) async fn ping(&mut self) {
        self.send(&json!(["ping", {}])).await;
        while self.next().await != Received::Message(json!(["pong", {}])) {
            assert!(!self.closed, "closed, {:?}", self.session.ended_by());
        }
    }

    /// Fails if the server broke a rule.
    pub(crate) fn check(&self) {
        let broken: Vec<String> =
            self.session.violations().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{}: {broken:#?}", self.client);
    }

    /// Bytes of all frames received.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn store(&self) -> &Store {
        self.session.store()
    }

    /// Closes the socket; what it holds.
    pub(crate) async fn close(mut self) -> Store {
        let _ = self.socket.close(None).await;
        self.check();
        self.session.into_store()
    }

    /// Drops the socket without a word and whatever was broken; what it holds.
    pub(crate) fn into_store(self) -> Store {
        self.session.into_store()
    }

    /// Drops the socket without a word; what it holds.
    pub(crate) fn cut(self) -> Store {
        self.check();
        self.session.into_store()
    }
}
