//! Those who take their time: heads that never end, frames that never end, clients that never read, and
//! thousands that say nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::hostile::{Hostile, init};
use crate::support::server::LONG;
use crate::world::{World, put, token};

const UPGRADE: &str = "GET /sync/v51/connect?clientID=c&clientGroupID=g HTTP/1.1\r\nhost: h\r\n\
    connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn connect(world: &World) -> TcpStream {
    TcpStream::connect(("127.0.0.1", world.server.port())).expect("a socket")
}

/// Whether the server has closed a socket.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn heads_that_never_end_are_closed() {
    let world = World::new("loris", &["--max-header-ms", "1500"]);
    let mut slow: Vec<TcpStream> = (0..60).map(|_| connect(&world)).collect();
    for (at, stream) in slow.iter_mut().enumerate() {
        // Some say nothing, some begin, some are nearly done.
        let begun = [0, 10, UPGRADE.len()][at % 3];
        stream.write_all(&UPGRADE.as_bytes()[..begun]).expect("written");
    }
    world.serves_well().await;
    let mut byte = 0;
    while !slow.is_empty() {
        byte += 1;
        assert!(byte < 2000, "{} are still open", slow.len());
        slow.retain_mut(|stream| {
            // A byte at a time, which keeps nobody alive.
            let _ = stream.write(b"x");
            !is_closed(stream)
        });
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    world.is_well().await;
}

#[tokio::test]
async fn frames_that_never_end_are_closed() {
    let world = World::new("trickle", &["--max-silent-ms", "2000"]);
    let mut streams: Vec<TcpStream> = (0..20)
        .map(|at| {
            let mut stream = connect(&world);
            let upgrade = UPGRADE.replace("clientID=c", &format!("clientID=c{at}"));
            stream.write_all(format!("{upgrade}\r\n").as_bytes()).expect("written");
            // The head of a frame of a million bytes.
            let head = [&[0x81, 0xff][..], &1_000_000_u64.to_be_bytes(), &[0; 4]].concat();
            stream.write_all(&head).expect("written");
            stream
        })
        .collect();
    let mut byte = 0;
    while !streams.is_empty() {
        byte += 1;
        assert!(byte < 2000, "{} are still open", streams.len());
        streams.retain_mut(|stream| {
            let _ = stream.write(b"x");
            !is_closed(stream)
        });
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(world.hits("silent_ms") >= 20.0);
    world.is_well().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_sent_away() {
    let limits =
        ["--max-queued-bytes", "200000", "--max-behind-ms", "1500", "--max-write-ms", "3000"];
    let world = World::new("deaf", &limits);
    let auth = token("ada");
    let mut deaf = Hostile::connect(&world, "deaf", "ada", Some(&auth)).await;
    deaf.say(&init(&put("big", &json!({"table": "big"}))).to_string()).await;
    // It asks for signs of life and reads none, while what it wants goes on changing.
    let mut most: f64 = 0.0;
    let mut change = 0;
    while world.metric("penstock_connections") > 0.0 {
        change += 1;
        assert!(change < 2000, "it is still connected");
        let ping = tokio::time::timeout(Duration::from_millis(50), async {
            for _ in 0..200 {
                deaf.socket.feed(Message::text("[\"ping\",{}]")).await?;
            }
            deaf.socket.flush().await
        });
        let _ = ping.await;
        world.sql(&format!("UPDATE big SET v = v + 1, t = printf('%0400d', {change})"));
        most = most.max(world.metric("penstock_queued_bytes"));
    }
    // All that waited for it: a poke more than the limit.
    assert!(most < 5_000_000.0, "{most} bytes");
    assert!(world.hits("behind_ms") + world.hits("write_ms") >= 1.0);
    world.is_well().await;
}

#[tokio::test]
async fn clients_that_do_not_say_what_they_want_come_again() {
    let world = World::new("mute", &["--max-initialise-ms", "1000"]);
    let auth = token("ada");
    let mut mute = Vec::new();
    for at in 0..100 {
        mute.push(Hostile::connect(&world, &format!("mute{at}"), "ada", Some(&auth)).await);
    }
    world.serves_well().await;
    for mut one in mute {
        // What the client takes for a reason to connect again.
        assert_eq!(one.end_kind().await.as_deref(), Some("Rebalance"));
    }
    assert!(world.hits("initialise_ms") >= 100.0);
    world.is_well().await;
}

/// How many connections say nothing.
const SILENT: usize = 10_000;

#[tokio::test]
async fn ten_thousand_connections_that_say_nothing_are_borne() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let wanted = SILENT as u64 + 1000;
    let hard = before.maximum.unwrap_or(u64::MAX);
    assert!(
        hard >= wanted,
        "this test needs {wanted} open files in one process, the system allows {hard}: raise the hard \
         limit (`ulimit -Hn`, LimitNOFILE of systemd, --ulimit nofile of containers)"
    );
    let raised =
        Rlimit { current: Some(wanted.max(before.current.unwrap_or(0))), maximum: before.maximum };
    setrlimit(Resource::Nofile, raised).expect("a soft limit up to the hard one");
    let world = World::new("silent", &["--max-header-ms", "600000"]);
    let mut silent = Vec::with_capacity(SILENT);
    for at in 0..SILENT {
        let stream = TcpStream::connect(("127.0.0.1", world.server.port()));
        silent.push(stream.unwrap_or_else(|error| panic!("connection {at}: {error}")));
    }
    world.until("all of them", || world.metric("penstock_open_sockets") > SILENT as f64);
    assert!(world.files() > SILENT);
    // It has them all and serves others.
    let began = world.bytes();
    world.serves_well().await;
    assert!(began < 1 << 30, "{began} bytes");
    drop(silent);
    world.is_well().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let world = World::new("crowded", &["--max-header-ms", "600000", "--max-connections", "300"]);
    let mut silent: Vec<TcpStream> = (0..400).map(|_| connect(&world)).collect();
    for stream in &mut silent[300..] {
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("closed");
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    drop(silent);
    world.until("room", || world.get("/healthz").0 == 200);
    world.is_well().await;
    assert!(world.hits("connections") >= 100.0);
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed_after_a_while() {
    let world = World::new("silenced", &["--max-header-ms", "700"]);
    let mut silent: Vec<TcpStream> = (0..200).map(|_| connect(&world)).collect();
    for stream in &mut silent {
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("closed");
        let said = String::from_utf8_lossy(&answer);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    world.is_well().await;
}
