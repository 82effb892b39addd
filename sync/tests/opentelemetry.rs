//! Spans and metrics arrive at a collector.

#[path = "support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with other tests, which use more of it")]
#[path = "operations/tasks.rs"]
mod tasks;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use penstock_sync::validate::Store;
use serde_json::Value as Json;
use support::http::until;
use support::server::Server;
use tasks::{all, connect, folder, insert, member};

/// What a collector has received: the path, whether the key was shown, the body.
type Received = Arc<Mutex<Vec<(String, bool, Json)>>>;

/// A collector that takes everything.
fn collector() -> (u16, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let received = Received::default();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || answer(stream, &kept));
        }
    });
    (port, received)
}

fn answer(stream: std::net::TcpStream, received: &Received) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let (mut length, mut has_key) = (0, false);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            has_key |= header == "x-key: hush";
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = serde_json::from_slice(&body).expect("JSON");
        received.lock().expect("no panic").push((path, has_key, body));
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").ok()?;
    }
}

/// All spans of this name.
fn spans(received: &Received, name: &str) -> Vec<Json> {
    let received = received.lock().expect("no panic");
    let of = |body: &Json| body["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
    let traces = received.iter().filter(|(path, ..)| path == "/v1/traces");
    let all = traces.flat_map(|(.., body)| of(body).as_array().cloned().unwrap_or_default());
    all.filter(|span| span["name"] == name).collect()
}

fn attribute<'s>(of: &'s Json, key: &str) -> &'s Json {
    let all = of["attributes"].as_array().expect("attributes");
    let found = all.iter().find(|attribute| attribute["key"] == key);
    &found.unwrap_or_else(|| panic!("there is no {key} in {of}"))["value"]
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_with_their_ids_and_metrics_arrive_at_a_collector() {
    let (port, received) = collector();
    let folder = folder("opentelemetry");
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}/")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hush".to_owned()),
        ("OTEL_SERVICE_NAME", "tasks".to_owned()),
    ];
    let mut server = Server::sqlite_with(&folder.file("app.db"), &["--allow-all"], &environment);
    let mut client = connect(&server, &member("g", "one"), Store::default(), all()).await;
    client.until_got(&["all"]).await;
    let id = client.crud(insert("n", "new")).await;
    client.until("told", |session| session.store().last_mutation_id("client-one") == id).await;

    // The poke that told of the mutation, with the ids of what it is about.
    let poke = until("the span of the poke", || {
        let told = |poke: &Json| *attribute(poke, "rows") == serde_json::json!({"intValue": "1"});
        spans(&received, "poke").into_iter().find(told)
    });
    assert_eq!(attribute(&poke, "group")["stringValue"], "g");
    assert_eq!(attribute(&poke, "clients")["intValue"], "1");
    for id in ["version", "transaction"] {
        let number = attribute(&poke, id)["intValue"].as_str().expect("a number");
        assert!(number.parse::<u64>().expect("a number") > 0, "{id}");
    }
    let events = poke["events"].as_array().expect("events");
    let acknowledged = events.iter().find(|event| event["name"] == "mutations are acknowledged");
    let acknowledged = acknowledged.unwrap_or_else(|| panic!("{poke}"));
    assert_eq!(attribute(acknowledged, "client")["stringValue"], "client-one");
    assert_eq!(attribute(acknowledged, "mutation")["intValue"], "1");
    let text = |name: &str| poke[name].as_str().expect("a text").to_owned();
    assert_eq!((text("traceId").len(), text("spanId").len()), (32, 16), "{poke}");
    let time = |name: &str| text(name).parse::<u64>().expect("a time");
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{poke}");
    let push = until("the span of the push", || spans(&received, "push").pop());
    assert_eq!(attribute(&push, "connection")["intValue"], "1");

    client.close().await;
    server.stop();
    // What is left is sent at the end.
    let ended = until("the span of the connection", || spans(&received, "connection").pop());
    assert_eq!(attribute(&ended, "client")["stringValue"], "client-one");
    let received = received.lock().expect("no panic");
    assert!(
        received.iter().all(|(_, has_key, _)| *has_key),
        "with the headers that were asked for"
    );
    let of = |kind: &str| -> Vec<&Json> {
        let bodies = received.iter().filter(|(path, ..)| path == "/v1/metrics");
        let resources = bodies.map(|(.., body)| &body["resourceMetrics"][0]);
        resources
            .inspect(|of| {
                assert_eq!(attribute(&of["resource"], "service.name")["stringValue"], "tasks")
            })
            .flat_map(|of| of["scopeMetrics"][0]["metrics"].as_array().expect("metrics"))
            .filter(|metric| metric[kind]["dataPoints"].is_array())
            .collect()
    };
    let has = |kind: &str, name: &str, unit: &str| {
        of(kind).iter().any(|metric| metric["name"] == name && metric["unit"] == unit)
    };
    assert!(has("sum", "penstock_pokes_total", "1"));
    assert!(has("gauge", "penstock_memory_bytes", "By"));
    assert!(has("histogram", "penstock_serving_lag_seconds", "s"));
    let sums = of("sum");
    assert!(sums.iter().all(|sum| sum["sum"]["isMonotonic"] == true));
}
