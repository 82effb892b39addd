//! A client's socket: frames in, frames out, and signs of life.
//!
//! Pings are answered here, so that a client never takes a hub that is busy for one that is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite;
use tracing::Instrument as _;

use super::Shared;
use super::clock::unix_us;
use super::http::ENDING;
use super::hub_thread::Command;
use crate::hub::{Commit, Input, monotonic_us};
use crate::measure::Limit;
use crate::protocol::connect::ConnectRequest;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::Upstream;
use crate::protocol::{ConnectionId, downstream};

/// How long an error is held back after the first frame, `connected`: the published client looks
/// into its store before it takes that in, and would take itself for connected after the error.
const SETTLING: Duration = Duration::from_millis(250);

/// How long a client that was sent away may take to close its side.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The code of a close because of a message that is too large.
const TOO_LARGE: u16 = 1009;

/// How many signs of life may wait for a client.
const SIGNS_MAX: usize = 8;

/// What is sent to a client.
pub(crate) enum Frame {
    Text(Arc<str>),
    /// What was sent before tells of a commit.
    Told(Commit),
    /// A sign of life, counted as long as it waits.
    Sign(Arc<str>, #[expect(dead_code, reason = "held until it is sent")] Arc<()>),
    Close(u16, String),
}

type Sink = futures_util::stream::SplitSink<WebSocket, Message>;
type Stream = futures_util::stream::SplitStream<WebSocket>;

/// Serves a client until it goes or is sent away.
pub(super) async fn serve(
    socket: WebSocket,
    request: Result<ConnectRequest, ErrorBody>,
    shared: Arc<Shared>,
) {
    let (mut sink, stream) = socket.split();
    let request = match request {
        Ok(request) => request,
        Err(error) => return refuse(&mut sink, &error, &shared).await,
    };
    let (token, user) = (request.auth.as_deref(), request.user_id.as_deref());
    let claims = match shared.services.verify(token, user).await {
        Ok(claims) => claims,
        Err(error) => return refuse(&mut sink, &error, &shared).await,
    };
    let connection = ConnectionId(shared.next_connection.fetch_add(1, Ordering::Relaxed));
    let span = tracing::debug_span!(
        "connection",
        connection = connection.0,
        group = request.group_id,
        client = request.client_id,
    );
    span.in_scope(|| {
        tracing::debug!(wsid = request.wsid, protocol = request.version, "a client connects");
    });
    let queued = Arc::new(AtomicUsize::new(0));
    let (sender, frames) = unbounded_channel();
    let input = Input::Connect {
        connection,
        request: Box::new(request),
        claims,
        queued: Arc::clone(&queued),
    };
    if shared.commands.send(Command::Open(input, connection, sender.clone())).is_err() {
        return refuse(&mut sink, &ending(), &shared).await;
    }
    let reading = read(stream, connection, &shared, &queued, sender);
    let writing = write(sink, frames, &shared, &queued);
    // Whichever ends first ends both.
    let both = async {
        tokio::pin!(reading);
        tokio::select! {
            () = &mut reading => tracing::debug!("the client has gone"),
            has_said_so = writing => {
                tracing::debug!("the client has been sent away, or does not read");
                if has_said_so {
                    // A socket that is closed while something of the client is unread is reset, and what
                    // was sent last may never be read.
                    let _ = timeout(LAST_WORDS, reading).await;
                }
            }
        }
    };
    both.instrument(span).await;
    // A hub that is gone has forgotten it.
    let _ = shared.commands.send(Command::Input(Input::Closed { connection }));
}

/// What a client is told that comes too late.
fn ending() -> ErrorBody {
    ErrorBody::new(ErrorKind::Rehome, format!("{ENDING}; connect again"))
}

/// Tells a client why it is not served.
async fn refuse(sink: &mut Sink, error: &ErrorBody, shared: &Shared) {
    shared.measures.error(error.kind);
    tracing::info!(kind = error.kind.name(), "a client is not served");
    tracing::debug!(reason = error.message, "why it is not served");
    // A client that is gone need not be told.
    let _ = sink.send(Message::text(error.frame())).await;
    let _ = sink.send(close(1000, &error.message)).await;
}

fn close(code: u16, reason: &str) -> Message {
    // A close frame has room for 123 bytes.
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from(&reason[..end]) }))
}

async fn read(
    mut stream: Stream,
    connection: ConnectionId,
    shared: &Shared,
    queued: &AtomicUsize,
    sender: tokio::sync::mpsc::UnboundedSender<Frame>,
) {
    let limits = &shared.limits;
    let unhandled = Arc::new(Semaphore::new(limits.unhandled()));
    let signs = Arc::new(());
    loop {
        let message = match timeout(limits.silent, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => {
                if is_too_large(&error) {
                    shared.measures.hits.note(Limit::FrameBytes);
                }
                return;
            }
            Ok(None) => return,
            Err(_) => {
                return shared.measures.hits.note(Limit::Silence);
            }
        };
        let bytes = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        if bytes > limits.frame_bytes {
            shared.measures.hits.note(Limit::FrameBytes);
            let reason = format!("a message may have {} bytes", limits.frame_bytes);
            // Who writes closes the socket then, unless it is closed.
            let _ = sender.send(Frame::Close(TOO_LARGE, reason));
            sender.closed().await;
            return;
        }
        let input = match message {
            Message::Text(text) => {
                shared.traffic.frames_in.fetch_add(1, Ordering::Relaxed);
                shared.traffic.bytes_in.fetch_add(text.len() as u64, Ordering::Relaxed);
                match Upstream::parse(&text) {
                    Ok(Upstream::Ping) => {
                        // Who does not read those that wait needs no more of them.
                        if Arc::strong_count(&signs) <= SIGNS_MAX {
                            let pong = downstream::pong();
                            queued.fetch_add(pong.len(), Ordering::Relaxed);
                            if sender.send(Frame::Sign(pong, Arc::clone(&signs))).is_err() {
                                return;
                            }
                        }
                        continue;
                    }
                    Ok(message) => Input::Message { connection, message },
                    Err(problem) => Input::Unreadable { connection, problem },
                }
            }
            Message::Binary(_) => {
                let problem = "a binary frame; all messages are text".to_owned();
                Input::Unreadable { connection, problem }
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        let is_unreadable = matches!(input, Input::Unreadable { .. });
        if unhandled.available_permits() < limits.room_for(bytes) as usize {
            shared.measures.hits.note(Limit::UnhandledBytes);
        }
        let room = Arc::clone(&unhandled).acquire_many_owned(limits.room_for(bytes)).await;
        // It is never closed.
        let Ok(room) = room else { return };
        // A hub that has ended has told the client, or the end of its frames does.
        let has_ended = shared.commands.send(Command::Message(input, Arc::new(room))).is_err();
        if is_unreadable || has_ended {
            // What is left to do is to read until the client has been told and closes.
            while let Ok(Some(Ok(_))) = timeout(limits.silent, stream.next()).await {}
            return;
        }
    }
}

/// Takes note of how long it took from a commit to here.
fn measure(shared: &Shared, commit: Commit) {
    if let Some(committed) = commit.committed {
        let long = unix_us().saturating_sub(committed.at_us);
        // The other machine's clock may be ahead.
        let long = u64::try_from(long).unwrap_or(0);
        shared.measures.commit_lag.observe(Duration::from_micros(long));
    }
    let long = monotonic_us().saturating_sub(commit.known_us);
    shared.measures.serving_lag.observe(Duration::from_micros(long));
}

/// Whether a frame could not be read for its size.
fn is_too_large(error: &axum::Error) -> bool {
    use std::error::Error as _;
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(tungstenite::Error::Capacity(_)) = found.downcast_ref() {
            return true;
        }
        cause = found.source();
    }
    false
}

/// Writes what comes; returns whether it has ended by telling the client so.
async fn write(
    mut sink: Sink,
    mut frames: UnboundedReceiver<Frame>,
    shared: &Shared,
    queued: &AtomicUsize,
) -> bool {
    let limits = shared.limits;
    let mut quiet_since = Instant::now();
    let mut settled = None;
    loop {
        let frame = match tokio::time::timeout_at(quiet_since + limits.quiet, frames.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) if shared.is_ending.load(Ordering::Acquire) => {
                // The hub has ended without knowing it.
                refuse(&mut sink, &ending(), shared).await;
                return true;
            }
            Ok(None) => return false,
            Err(_) => {
                // The client wants to hear something now and then.
                let pong = downstream::pong();
                queued.fetch_add(pong.len(), Ordering::Relaxed);
                Frame::Text(pong)
            }
        };
        quiet_since = Instant::now();
        let mut next = Some(frame);
        let mut told = Vec::new();
        while let Some(frame) = next {
            match frame {
                Frame::Told(commit) => told.push(commit),
                Frame::Text(text) | Frame::Sign(text, _) => {
                    let bytes = text.len();
                    if settled.is_none() && *text == *downstream::pong() {
                        // Nothing comes before `connected`, however long the hub takes for it.
                        queued.fetch_sub(bytes, Ordering::Relaxed);
                        next = frames.try_recv().ok();
                        continue;
                    }
                    let settled = *settled.get_or_insert_with(|| Instant::now() + SETTLING);
                    if text.starts_with("[\"error\"") && Instant::now() < settled {
                        // What comes before it does not wait. A client that is gone shows below.
                        let _ = timeout(limits.write_time, sink.flush()).await;
                        sleep_until(settled).await;
                    }
                    let sent = timeout(limits.write_time, sink.feed(Message::text(&*text))).await;
                    queued.fetch_sub(bytes, Ordering::Relaxed);
                    shared.traffic.frames_out.fetch_add(1, Ordering::Relaxed);
                    shared.traffic.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
                    match sent {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return false,
                        Err(_) => {
                            shared.measures.hits.note(Limit::WriteTime);
                            return false;
                        }
                    }
                }
                Frame::Close(code, reason) => {
                    // A client that is gone need not be told.
                    let sent = timeout(limits.write_time, sink.send(close(code, &reason))).await;
                    return matches!(sent, Ok(Ok(())));
                }
            }
            next = frames.try_recv().ok();
        }
        match timeout(limits.write_time, sink.flush()).await {
            Ok(Ok(())) => told.into_iter().for_each(|commit| measure(shared, commit)),
            Ok(Err(_)) => return false,
            Err(_) => {
                shared.measures.hits.note(Limit::WriteTime);
                return false;
            }
        }
    }
}
