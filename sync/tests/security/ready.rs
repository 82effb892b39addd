//! Whether the server is ready once its hub has ended: it says so, and has clients come again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use penstock::{ColumnType, Database, Schema, Table, row};
use penstock_sync::claims::Claims;
use penstock_sync::hub;
use penstock_sync::protocol::cookie::Tag;
use penstock_sync::server::{AlwaysReady, Inspect, Limits, Options, Server};
use penstock_sync::services::ReadOnly;
use serde_json::Value as Json;

use crate::support::server::LONG;

/// What a request is answered: the code, and all of it.
fn get(address: SocketAddr, path: &str, is_upgrade: bool) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a socket");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let headers = if is_upgrade { upgrade } else { "connection: close\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).expect("an answer");
    answer.truncate(read);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.expect("a code"), answer)
}

const CONNECT: &str = "/sync/v51/connect?clientID=c&clientGroupID=g&wsid=w";

/// Clients are told to come again, and whoever sends them here that it is too early or too late.
fn is_not_ready(address: SocketAddr) {
    assert_eq!(get(address, "/readyz", false).0, 503);
    let (code, answer) = get(address, CONNECT, true);
    assert_eq!(code, 503, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after:"), "{answer}");
}

fn is_ready(address: SocketAddr) {
    assert_eq!((get(address, "/healthz", false).0, get(address, "/readyz", false).0), (200, 200));
    assert_eq!(get(address, CONNECT, true).0, 101);
}

fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..LONG.as_millis() / 20 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what} does not come");
}

/// Rules that fail for all tables but `t`.
struct Faulty;

impl hub::ReadRules for Faulty {
    fn compile(&self, ast: &Json, _: &Claims) -> Json {
        assert_eq!(ast["table"], "t", "a fault on purpose, for a test");
        ast.clone()
    }

    fn allows_all(&self) -> bool {
        false
    }

    fn generation(&self) -> u64 {
        0
    }
}

#[tokio::test]
async fn a_server_whose_hub_has_ended_is_not_ready() {
    let table = Table::new("t").column("id", ColumnType::Integer).primary_key(["id"]);
    let schema = Schema::new([table]).expect("a schema");
    let database = Database::in_memory(schema).expect("a database");
    database.transaction(|tx| tx.insert("t", row! { "id": 1 })).expect("a row");
    let hub = hub::Options {
        limits: hub::Limits::default(),
        // A fault of this server's own.
        read_rules: Box::new(Faulty),
        is_internal: Box::new(|_| false),
        bookkeeping: None,
        has_query_endpoint: false,
        steps: hub::Steps::default(),
        linger_ms: 0,
        retransform_ms: 300_000,
        tag: Tag(1),
        store: None,
    };
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database,
        hub,
        services: Arc::new(ReadOnly),
        limits: Limits::default(),
        health: Arc::new(AlwaysReady),
        inspect: Inspect::Local,
        pages: Vec::new(),
    };
    let starting = tokio::task::spawn_blocking(|| Server::start(options).expect("a port"));
    let server = starting.await.expect("a server");
    let address = server.address();
    is_ready(address);
    assert!(!server.has_ended());
    // The hub ends by a panic.
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}{CONNECT}"))
        .await
        .expect("the upgrade");
    let init = r#"["initConnection",{"desiredQueriesPatch":[{"op":"put","hash":"h","ttl":0,"ast":{"table":"u"}}]}]"#;
    futures_util::SinkExt::send(&mut socket, init.into()).await.expect("sent");
    until("the end", || server.has_ended());
    is_not_ready(address);
    assert_eq!(get(address, "/healthz", false).0, 503);
    // The open socket is closed, so that its client comes again.
    let rest =
        async { while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {} };
    tokio::time::timeout(LONG, rest).await.expect("closed");
    let stopping = tokio::task::spawn_blocking(move || server.stop(Duration::from_millis(100)));
    stopping.await.expect("stopped");
}
