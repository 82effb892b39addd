//! A client's socket: frames in, frames out, and signs of life.
//!
//! Pings are answered here, so that a client never takes a hub that is busy for one that is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::hub_thread::Command;
use crate::hub::Input;
use crate::protocol::connect::ConnectRequest;
use crate::protocol::error::ErrorBody;
use crate::protocol::upstream::Upstream;
use crate::protocol::{ConnectionId, downstream};

/// How long an error is held back after the first frame, `connected`: the published client looks
/// into its store before it takes that in, and would take itself for connected after the error.
const SETTLING: Duration = Duration::from_millis(250);

/// What is sent to a client.
pub(crate) enum Frame {
    Text(Arc<str>),
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
        Err(error) => return refuse(&mut sink, &error).await,
    };
    let (token, user) = (request.auth.as_deref(), request.user_id.as_deref());
    let claims = match shared.services.verify(token, user).await {
        Ok(claims) => claims,
        Err(error) => return refuse(&mut sink, &error).await,
    };
    let connection = ConnectionId(shared.next_connection.fetch_add(1, Ordering::Relaxed));
    let queued = Arc::new(AtomicUsize::new(0));
    let (sender, frames) = unbounded_channel();
    let input = Input::Connect {
        connection,
        request: Box::new(request),
        claims,
        queued: Arc::clone(&queued),
    };
    if shared.commands.send(Command::Open(input, connection, sender.clone())).is_err() {
        return;
    }
    let reading = read(stream, connection, &shared, &queued, sender);
    let writing = write(sink, frames, &shared, &queued);
    // Whichever ends first ends both.
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    // A hub that is gone has forgotten it.
    let _ = shared.commands.send(Command::Input(Input::Closed { connection }));
}

/// Tells a client why it is not served.
async fn refuse(sink: &mut Sink, error: &ErrorBody) {
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
    while let Ok(Some(Ok(message))) = timeout(shared.limits.silent, stream.next()).await {
        let input = match message {
            Message::Text(text) => {
                shared.traffic.frames_in.fetch_add(1, Ordering::Relaxed);
                shared.traffic.bytes_in.fetch_add(text.len() as u64, Ordering::Relaxed);
                match Upstream::parse(&text) {
                    Ok(Upstream::Ping) => {
                        let pong = downstream::pong();
                        queued.fetch_add(pong.len(), Ordering::Relaxed);
                        if sender.send(Frame::Text(pong)).is_err() {
                            return;
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
        let is_last = matches!(input, Input::Unreadable { .. });
        if shared.commands.send(Command::Input(input)).is_err() {
            return;
        }
        if is_last {
            // What is left to do is to read until the client has been told and closes.
            while let Ok(Some(Ok(_))) = timeout(shared.limits.silent, stream.next()).await {}
            return;
        }
    }
}

async fn write(
    mut sink: Sink,
    mut frames: UnboundedReceiver<Frame>,
    shared: &Shared,
    queued: &AtomicUsize,
) {
    let limits = shared.limits;
    let mut quiet_since = Instant::now();
    let mut settled = None;
    loop {
        let frame = match tokio::time::timeout_at(quiet_since + limits.quiet, frames.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(_) => {
                // The client wants to hear something now and then.
                let pong = downstream::pong();
                queued.fetch_add(pong.len(), Ordering::Relaxed);
                Frame::Text(pong)
            }
        };
        quiet_since = Instant::now();
        let mut next = Some(frame);
        while let Some(frame) = next {
            match frame {
                Frame::Text(text) => {
                    let bytes = text.len();
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
                    if !matches!(sent, Ok(Ok(()))) {
                        return;
                    }
                }
                Frame::Close(code, reason) => {
                    // A client that is gone need not be told.
                    let _ = timeout(limits.write_time, sink.send(close(code, &reason))).await;
                    return;
                }
            }
            next = frames.try_recv().ok();
        }
        if !matches!(timeout(limits.write_time, sink.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
}
