//! Accepts connections, with limits on how many there are and how long they take to say what they want.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::inspect::Peer;
use super::{Shared, http};
use crate::measure::Limit;

/// One more connection, counted until it is dropped.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Accepts connections until told to end.
pub(super) async fn listen(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut ended: watch::Receiver<bool>,
) {
    let routes = http::routes(Arc::clone(&shared));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ended.changed() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Mostly too many open files: others have to close first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if shared.open.fetch_add(1, Ordering::AcqRel) >= shared.limits.connections {
            shared.open.fetch_sub(1, Ordering::AcqRel);
            shared.measures.hits.note(Limit::Connections);
            // It is closed; clients come again.
            continue;
        }
        let open = Open(Arc::clone(&shared));
        tokio::spawn(serve(stream, routes.clone(), open, ended.clone()));
    }
}

async fn serve(
    stream: TcpStream,
    routes: axum::Router,
    open: Open,
    mut ended: watch::Receiver<bool>,
) {
    let limits = open.0.limits;
    let measures = Arc::clone(&open.0.measures);
    // Small frames are not held back.
    let _ = stream.set_nodelay(true);
    // Not the one that finds out the version: that waits for the first byte as long as it takes.
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes);
    // A connection without an address is from nowhere near.
    let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let peer = Peer(stream.peer_addr().unwrap_or(nowhere));
    let routes = routes.layer(axum::Extension(Arc::new(open))).layer(axum::Extension(peer));
    let service = TowerToHyperService::new(routes);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            // Other failures are of clients that are gone.
            if let Err(error) = ended
                && let Some(limit) = limit_of(&error)
            {
                measures.hits.note(limit);
            }
        }
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The limit at which a connection failed, if it did at one.
fn limit_of(error: &hyper::Error) -> Option<Limit> {
    match error {
        error if error.is_timeout() => Some(Limit::HeaderTime),
        error if error.is_parse_too_large() => Some(Limit::HeaderBytes),
        _ => None,
    }
}

/// Held by an upgraded socket, so that it stays counted.
#[derive(Clone)]
pub(super) struct Counted(#[expect(dead_code, reason = "held until the socket ends")] Arc<Open>);

impl Counted {
    /// Of a request.
    pub(super) fn of(extensions: &axum::http::Extensions) -> Option<Counted> {
        extensions.get::<Arc<Open>>().map(|open| Counted(Arc::clone(open)))
    }
}
