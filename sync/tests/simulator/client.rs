//! A client: what it holds, what it wants, and a socket on which frames take their time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_sync::protocol::ConnectionId;
use penstock_sync::validate::{Session, Store, Upgrade};
use serde_json::{Value, json};

use crate::pool;

/// A socket.
pub(crate) struct Socket {
    pub(crate) connection: ConnectionId,
    pub(crate) session: Session,
    /// Frames that the server has sent and the client has not read; `None` closes.
    pub(crate) incoming: VecDeque<Option<Arc<str>>>,
    pub(crate) queued: Arc<AtomicUsize>,
    /// What the client says first, where it does not fit into the header.
    pub(crate) first_frame: Option<Value>,
}

pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) group: String,
    /// What it keeps while it is not connected.
    pub(crate) store: Option<Store>,
    pub(crate) socket: Option<Socket>,
    pub(crate) wanted: BTreeMap<String, Value>,
    /// The id of its last mutation.
    pub(crate) mutations: u64,
    sockets: usize,
}

impl Client {
    pub(crate) fn new(name: String, group: String) -> Client {
        let (store, wanted) = (Some(Store::default()), BTreeMap::new());
        Client { name, group, store, socket: None, wanted, mutations: 0, sockets: 0 }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    fn held(&self) -> &Store {
        match (&self.socket, &self.store) {
            (Some(socket), _) => socket.session.store(),
            (None, Some(store)) => store,
            (None, None) => panic!("a client without a store"),
        }
    }

    pub(crate) fn cookie(&self) -> Option<String> {
        self.held().cookie().map(str::to_owned)
    }

    pub(crate) fn last_mutation_id(&self) -> u64 {
        self.held().last_mutation_id(&self.name)
    }

    /// The operation that asks for a query.
    pub(crate) fn put(hash: &str, ast: &Value, ttl: u64) -> Value {
        json!({"op": "put", "hash": hash, "ttl": ttl, "ast": ast})
    }

    /// Opens a socket; returns its `initConnection` message.
    pub(crate) fn open(
        &mut self,
        connection: ConnectionId,
        active: Vec<String>,
        in_header: bool,
    ) -> (String, Value, Arc<AtomicUsize>) {
        let store = self.store.take().expect("a client is connected once");
        let puts: Vec<Value> =
            self.wanted.iter().map(|(hash, ast)| Client::put(hash, ast, 2000)).collect();
        let mut body = json!({"desiredQueriesPatch": puts, "activeClients": active});
        if store.cookie().is_none() {
            body["clientSchema"] = pool::client_schema();
        }
        let init = json!(["initConnection", body]);
        self.sockets += 1;
        let wsid = format!("{}-{}", self.name, self.sockets);
        let upgrade = Upgrade {
            client: self.name.clone(),
            wsid: wsid.clone(),
            protocol: String::new(),
            alone: false,
            init: in_header.then(|| init.clone()),
        };
        let session = Session::begin(upgrade, store);
        let queued = Arc::new(AtomicUsize::new(0));
        let first_frame = (!in_header).then(|| init.clone());
        let incoming = VecDeque::new();
        self.socket = Some(Socket {
            connection,
            session,
            incoming,
            queued: Arc::clone(&queued),
            first_frame,
        });
        (wsid, init, queued)
    }

    /// Reads a frame; `false` where the server has closed the socket, and the client has it closed too.
    pub(crate) fn read(&mut self) -> Result<bool, String> {
        let Some(socket) = &mut self.socket else { return Ok(true) };
        match socket.incoming.pop_front() {
            None => Ok(true),
            Some(Some(frame)) => {
                socket.queued.fetch_sub(frame.len(), Ordering::Relaxed);
                socket.session.received(&frame);
                match socket.session.violations().first() {
                    Some(violation) => Err(format!("{}: {violation:?}", self.name)),
                    None => Ok(true),
                }
            }
            Some(None) => {
                self.close();
                Ok(false)
            }
        }
    }

    /// The socket is gone, with what was on its way.
    pub(crate) fn close(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.session.closed();
            self.store = Some(socket.session.into_store());
        }
    }

    /// All rows that it holds, as text.
    pub(crate) fn rows(&self) -> BTreeSet<String> {
        let store = self.held();
        let tables = store.counts().into_keys();
        let rows =
            tables.flat_map(|table| store.rows(table).map(move |row| format!("{table} {row}")));
        rows.collect()
    }

    pub(crate) fn got(&self) -> BTreeSet<String> {
        self.held().got().clone()
    }
}
