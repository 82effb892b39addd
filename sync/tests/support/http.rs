//! Requests over plain HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::exposition::Scraped;
use super::server::LONG;

/// The status code, the head and the body of an answer; `None` where nobody answers.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String, String)> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_read_timeout(Some(LONG)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some((code, head.to_ascii_lowercase(), body.to_owned()))
}

/// What a server says of itself to Prometheus.
pub(crate) fn scrape(port: u16) -> Scraped {
    let (code, head, body) = get(port, "/metrics").expect("an answer");
    assert_eq!(code, 200, "{body}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    Scraped::read(&body)
}

/// Waits until something holds.
#[expect(clippy::disallowed_methods, reason = "a deadline that only a failing test meets")]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LONG, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}
