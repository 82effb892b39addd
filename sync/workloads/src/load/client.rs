//! A client: its socket, and its store.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::frame::Frame;
use super::rows::{Op, Ops, Store};
use crate::clock::micros;
use crate::queries::{Query, client_schema};

/// After how long without a frame a client asks for a sign of life, as the published one does.
const QUIET: Duration = Duration::from_secs(5);
/// How long anything may take to which a client waits.
const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What all clients count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) pokes: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) ops: RefCell<Ops>,
    pub(crate) counts: RefCell<Counts>,
}

/// What a client knows.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) got: BTreeSet<String>,
    cookie: Option<String>,
    /// The newest write that has arrived, and after each poke with a newer one, when that was.
    pub(crate) newest: Option<u64>,
    pub(crate) arrivals: Vec<(u64, u64)>,
    /// Pokes of the present connection.
    pub(crate) pokes: u64,
    /// Why it has ended, if it was not told to.
    pub(crate) failure: Option<String>,
    pending: Vec<Op>,
    pending_got: Vec<String>,
}

/// A client, connected or not.
pub(crate) struct Client {
    address: String,
    name: String,
    queries: Vec<Query>,
    pub(crate) state: Rc<RefCell<State>>,
    changed: Rc<Notify>,
    shared: Rc<Shared>,
    running: Option<(oneshot::Sender<()>, tokio::task::JoinHandle<()>)>,
}

/// The URL and the header `Sec-WebSocket-Protocol` of a connection: who connects, from which cookie, with
/// which `initConnection`.
#[must_use]
pub fn connect_url(
    address: &str,
    group: &str,
    client: &str,
    cookie: Option<&str>,
    init: Option<&Json>,
) -> (String, String) {
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut protocols = json!({});
    if let Some(init) = init {
        protocols["initConnectionMessage"] = init.clone();
    }
    let protocols = base64::engine::general_purpose::STANDARD.encode(protocols.to_string());
    let protocol = escape(&protocols);
    let url = format!(
        "ws://{address}/sync/v51/connect?clientID={}&clientGroupID={}&baseCookie={}&ts=1&lmid=0&wsid=w",
        escape(client),
        escape(group),
        escape(cookie.unwrap_or_default()),
    );
    (url, protocol)
}

impl Client {
    pub(crate) fn new(
        address: &str,
        name: String,
        queries: Vec<Query>,
        shared: Rc<Shared>,
    ) -> Client {
        let state = State {
            store: Store::new(),
            got: BTreeSet::new(),
            cookie: None,
            newest: None,
            arrivals: Vec::new(),
            pokes: 0,
            failure: None,
            pending: Vec::new(),
            pending_got: Vec::new(),
        };
        Client {
            address: address.to_owned(),
            name,
            queries,
            state: Rc::new(RefCell::new(state)),
            changed: Rc::default(),
            shared,
            running: None,
        }
    }

    /// Connects, with the cookie that it has, and waits until a poke has come and all queries are
    /// complete. Returns the microseconds from the first byte sent.
    pub(crate) async fn connect(&mut self) -> Result<u64, String> {
        let began = micros();
        let cookie = self.state.borrow().cookie.clone();
        let puts: Vec<Json> = self
            .queries
            .iter()
            .map(|(hash, ast)| json!({"op": "put", "hash": hash, "ttl": 300_000, "ast": ast}))
            .collect();
        let mut init = json!({"desiredQueriesPatch": puts, "activeClients": [self.name]});
        if cookie.is_none() {
            init["clientSchema"] = client_schema();
        }
        let init = json!(["initConnection", init]);
        // The published client's limit for the header.
        let late = init.to_string().len() > 6000;
        let in_header = (!late).then_some(&init);
        let group = format!("group-{}", self.name);
        let (url, protocol) =
            connect_url(&self.address, &group, &self.name, cookie.as_deref(), in_header);
        let text = |error: &dyn std::fmt::Display| format!("{}: {error}", self.name);
        let mut request = url.into_client_request().map_err(|error| text(&error))?;
        let protocol = protocol.parse().map_err(|_| text(&"a header that cannot be sent"))?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let connecting = tokio_tungstenite::connect_async(request);
        let (mut socket, _) = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| text(&"no connection in time"))?
            .map_err(|error| text(&error))?;
        if late {
            let sent = socket.send(Message::text(init.to_string())).await;
            sent.map_err(|error| text(&error))?;
        }
        self.state.borrow_mut().pokes = 0;
        let (stop, stopped) = oneshot::channel();
        let (state, changed) = (Rc::clone(&self.state), Rc::clone(&self.changed));
        let shared = Rc::clone(&self.shared);
        let task = tokio::task::spawn_local(async move {
            let outcome = receive(socket, stopped, &state, &changed, &shared).await;
            state.borrow_mut().failure = outcome.err();
            changed.notify_waiters();
        });
        self.running = Some((stop, task));
        let complete = async {
            loop {
                let changed = self.changed.notified();
                match self.is_complete() {
                    Ok(true) => return Ok(micros() - began),
                    Ok(false) => changed.await,
                    Err(failure) => return Err(text(&failure)),
                }
            }
        };
        tokio::time::timeout(PATIENCE, complete).await.map_err(|_| text(&"not complete in time"))?
    }

    /// Whether a poke has come and all queries are complete, or why that will never be.
    fn is_complete(&self) -> Result<bool, String> {
        let state = self.state.borrow();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => {
                let has = |(hash, _): &Query| state.got.contains(hash);
                Ok(state.pokes > 0 && self.queries.iter().all(has))
            }
        }
    }

    /// Closes the socket.
    pub(crate) async fn close(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            // A task that is gone has closed it.
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

/// Receives until told to stop, or until the server closes.
async fn receive(
    mut socket: Socket,
    mut stopped: oneshot::Receiver<()>,
    state: &RefCell<State>,
    changed: &Notify,
    shared: &Shared,
) -> Result<(), String> {
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(QUIET, socket.next()) => next,
            _ = &mut stopped => {
                // A server that is gone need not be told.
                let _ = socket.close(None).await;
                return Ok(());
            }
        };
        match next {
            Ok(Some(Ok(Message::Text(text)))) => {
                if take(&text, &mut state.borrow_mut(), shared)? {
                    changed.notify_waiters();
                }
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(other))) => return Err(format!("the server sent {other:?}")),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Err("the server closed the socket".to_owned()),
            Err(_) => {
                let sent = socket.send(Message::text(r#"["ping",{}]"#)).await;
                sent.map_err(|error| error.to_string())?;
            }
        }
    }
}

/// Takes a frame; returns whether a poke has ended.
fn take(text: &str, state: &mut State, shared: &Shared) -> Result<bool, String> {
    let mut counts = shared.counts.borrow_mut();
    counts.frames += 1;
    counts.bytes += text.len() as u64;
    match Frame::parse(text)? {
        Frame::Start { base } if base != state.cookie => {
            Err(format!("a poke is on {base:?}, and the client has {:?}", state.cookie))
        }
        Frame::Part(part) => {
            let mut ops = shared.ops.borrow_mut();
            for op in part.ops {
                state.pending.push(ops.read(op)?);
            }
            state.pending_got.extend(part.got);
            Ok(false)
        }
        Frame::End { cookie } => {
            let mut newest = state.newest;
            for op in std::mem::take(&mut state.pending) {
                if let Op::Row { write, .. } = op {
                    newest = newest.max(write);
                }
                state.store.apply(op);
            }
            if let Some(write) = newest.filter(|_| newest > state.newest) {
                state.arrivals.push((write, micros()));
                state.newest = newest;
            }
            state.got.extend(std::mem::take(&mut state.pending_got));
            state.cookie = Some(cookie);
            state.pokes += 1;
            counts.pokes += 1;
            Ok(true)
        }
        Frame::Error(error) => Err(error),
        Frame::Start { .. } | Frame::Other => Ok(false),
    }
}
