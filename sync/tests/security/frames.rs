//! Frames and headers that are no messages, nearly messages, or too large.

use std::io::Write as _;

use serde_json::json;

use crate::hostile::{Hostile, escape, init, protocol};
use crate::support::fuzz::{Noise, damaged, message, seeds};
use crate::world::{World, token};

fn frames() -> usize {
    let text = std::env::var("PENSTOCK_SECURITY_FRAMES").unwrap_or_default();
    text.parse().unwrap_or(400)
}

#[tokio::test]
async fn fuzzed_frames_are_answered_or_end_their_own_connection() {
    let world = World::new("frames", &[]);
    let mut noise = Noise(0x5bd1_e995);
    let (seeds, auth) = (seeds(), token("ada"));
    let mut hostile = Hostile::connect(&world, "fuzz", "ada", Some(&auth)).await;
    let (mut ended, mut lived) = (0, 0);
    for number in 0..frames() {
        let frame = damaged(&mut noise, &seeds);
        hostile.say(&frame).await;
        if hostile.settle().await {
            lived += 1;
            continue;
        }
        hostile.has_learnt_nothing();
        ended += 1;
        // In the header as well, every third time.
        hostile =
            Hostile::connect(&world, &format!("fuzz{}", number % 50), "ada", Some(&auth)).await;
        if number % 3 == 0 {
            hostile.say(&init(&json!([])).to_string()).await;
        }
    }
    hostile.has_learnt_nothing();
    assert!(ended > frames() / 20 && lived > frames() / 20, "{ended} ended, {lived} lived");
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn fuzzed_headers_are_answered_or_closed() {
    let world = World::new("headers", &[]);
    let mut noise = Noise(0xc2b2_ae35);
    let seeds = seeds();
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..frames() / 3 {
        // The first message damaged within a good header, and the header itself damaged.
        let message = damaged(&mut noise, &seeds);
        let within = format!("{{\"initConnectionMessage\":{message},\"authToken\":\"x\"}}");
        let mut header = {
            use base64::Engine as _;
            escape(&base64::engine::general_purpose::STANDARD.encode(within)).into_bytes()
        };
        let mut path =
            b"/sync/v51/connect?clientID=c&clientGroupID=g&userID=ada&baseCookie=&wsid=w".to_vec();
        match noise.below(3) {
            0 => noise.damage(&mut header),
            1 => noise.damage(&mut path),
            _ => {}
        }
        let mut request = b"GET ".to_vec();
        request.extend(&path);
        request.extend(
            b" HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
        );
        request.extend(
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        request.extend(b"sec-websocket-protocol: ");
        request.extend(&header);
        request.extend(b"\r\n\r\n");
        let answer = world.ask(&request);
        let code = answer.split(' ').nth(1).unwrap_or("closed").to_owned();
        *codes.entry(code).or_insert(0) += 1;
    }
    // Most are good enough for HTTP, and are refused by a frame.
    assert!(codes.get("101").is_some_and(|count| *count > 20), "{codes:?}");
    world.is_well().await;
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused() {
    let world =
        World::new("large", &["--max-message-bytes", "100000", "--max-header-bytes", "20000"]);
    // A head beyond the limit, in one line and in many.
    for head in [format!("x: {}\r\n", "a".repeat(40_000)), "x: aaaaaaaaaaaaaaaa\r\n".repeat(4000)] {
        let answer = world.ask(format!("GET / HTTP/1.1\r\nhost: h\r\n{head}\r\n").as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // One within it is served, longer than those of the published client.
    let queries: Vec<_> = (0..40)
        .map(|at| json!({"op": "put", "hash": format!("h{at}"), "ttl": 0, "ast": {"table": "note", "limit": at + 1}}))
        .collect();
    let header = protocol(
        &json!({"initConnectionMessage": init(&json!(queries)), "authToken": token("ada")}),
    );
    assert!((4_000..19_000).contains(&header.len()), "{}", header.len());
    let path =
        "/sync/v51/connect?clientID=c&clientGroupID=g&userID=ada&baseCookie=&ts=1&lmid=0&wsid=w";
    let mut hostile = Hostile::open(&world, path, &header).await.expect("the upgrade");
    assert!(hostile.settle().await);
    // A frame beyond the limit closes with the code at which clients give up what they hold.
    for bytes in [100_001, 150_000] {
        let mut hostile = Hostile::ada(&world, "long").await;
        hostile.say(&format!("[\"ping\",{{\"x\":\"{}\"}}]", "a".repeat(bytes))).await;
        hostile.end().await;
        let code = hostile.closed.as_ref().map(|frame| u16::from(frame.code));
        assert_eq!(code, Some(1009), "{bytes}");
    }
    // One far beyond is not even read.
    let mut hostile = Hostile::ada(&world, "longer").await;
    hostile.say(&"x".repeat(3_000_000)).await;
    assert_eq!(hostile.end_kind().await, None);
    assert_eq!(world.hits("frame_bytes"), 3.0);
    // Deep JSON is no message, and no stack overflow.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let mut hostile = Hostile::ada(&world, "deep").await;
        let deep = format!("[\"ping\",{}1{}]", open.repeat(15_000), close.repeat(15_000));
        hostile.say(&deep).await;
        assert_eq!(hostile.end_kind().await.as_deref(), Some("InvalidMessage"));
        hostile.has_learnt_nothing();
    }
    world.is_well().await;
}

#[tokio::test]
async fn what_is_no_websocket_is_closed() {
    let world = World::new("bytes", &["--max-header-ms", "2000"]);
    let mut noise = Noise(77);
    for length in [0, 1, 16, 300, 5000] {
        let mut bytes = noise.bytes(length);
        bytes.extend(b"\r\n\r\n");
        let answer = world.ask(&bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    for request in [
        "POST /sync/v51/connect HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999999\r\n\r\n",
        "GET /sync/v51/connect?clientID=c&clientGroupID=g HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /%00%ff/../../etc/passwd HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
    ] {
        let answer = world.ask(request.as_bytes());
        let is_refused = ["HTTP/1.1 4", "HTTP/1.1 5"].iter().any(|with| answer.starts_with(with));
        assert!(answer.is_empty() || is_refused, "{answer}");
        assert!(!answer.contains("root:"), "{answer}");
    }
    // After an upgrade: bytes that are no frames.
    let mut stream =
        std::net::TcpStream::connect(("127.0.0.1", world.server.port())).expect("a socket");
    let request = "GET /sync/v51/connect?clientID=c&clientGroupID=g HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("written");
    let _ = stream.write_all(&noise.bytes(10_000));
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    world.is_well().await;
}

/// The inputs that were kept for the fuzz target.
fn kept() -> Vec<(String, Vec<u8>)> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus-kept/sync_message");
    let entries = std::fs::read_dir(&folder).expect("the folder is in the repository");
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.display().to_string(), std::fs::read(&path).expect("a readable file"))
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn the_fuzz_target_runs_over_what_was_kept_and_over_damaged_messages() {
    let kept = kept();
    assert!(kept.len() >= 6, "{} inputs are kept", kept.len());
    let messages = kept.iter().filter(|(_, bytes)| message(bytes)).count();
    assert!(messages >= 4, "{messages} are messages");
    let (mut noise, seeds) = (Noise(0x9e37_79b9_7f4a_7c15), seeds());
    for seed in &seeds {
        assert!(message(seed.to_string().as_bytes()), "{seed}");
    }
    let damaged =
        (0..frames() * 2).filter(|_| message(damaged(&mut noise, &seeds).as_bytes())).count();
    assert!(damaged > frames() / 10, "{damaged} are messages all the same");
    for length in 0..200 {
        message(&noise.bytes(length));
    }
}
