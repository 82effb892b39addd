//! A relay that reads the frames between clients and a server, and may change them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderMap;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What becomes of a frame.
pub(crate) enum Passes {
    AsItIs,
    /// These in its place, if any.
    Instead(Vec<String>),
    /// These in its place, and then the connection ends.
    Last(Vec<String>),
}

type Hook = dyn Fn(Way, &str, &str) -> Passes + Send + Sync;

/// A relay in a thread of its own, which ends with the process.
pub(crate) struct Relay {
    port: u16,
    target: Arc<AtomicU16>,
}

impl Relay {
    /// Passes on to a port of this machine. `hook` is given the way, the URL of the upgrade and the frame.
    pub(crate) fn to(
        port: u16,
        hook: impl Fn(Way, &str, &str) -> Passes + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let own = listener.local_addr().expect("an address").port();
        let target = Arc::new(AtomicU16::new(port));
        let (shared, hook): (_, Arc<Hook>) = (Arc::clone(&target), Arc::new(hook));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    let (hook, port) = (Arc::clone(&hook), shared.load(Ordering::SeqCst));
                    tokio::spawn(async move {
                        // Whichever side goes ends both.
                        let _ = pass(stream, port, &*hook).await;
                    });
                }
            });
        });
        Self { port: own, target }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// New connections go to another port.
    pub(crate) fn point_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }
}

async fn pass(stream: TcpStream, port: u16, hook: &Hook) -> Option<()> {
    let (mut url, mut headers) = (String::new(), HeaderMap::new());
    #[expect(clippy::result_large_err, reason = "the trait asks for it")]
    let accept = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        url = request.uri().to_string();
        for name in ["sec-websocket-protocol", "cookie", "origin"] {
            if let Some(value) = request.headers().get(name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(protocol) = headers.get("sec-websocket-protocol") {
            response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
        }
        Ok(response)
    };
    let mut client = tokio_tungstenite::accept_hdr_async(stream, accept).await.ok()?;
    let mut request = format!("ws://127.0.0.1:{port}{url}").into_client_request().ok()?;
    request.headers_mut().extend(headers);
    let (mut server, _) = tokio_tungstenite::connect_async(request).await.ok()?;
    loop {
        let (way, message) = tokio::select! {
            message = client.next() => (Way::ToServer, message?.ok()?),
            message = server.next() => (Way::ToClient, message?.ok()?),
        };
        let (messages, goes_on) = match &message {
            Message::Text(text) => match hook(way, &url, text) {
                Passes::AsItIs => (vec![message], true),
                Passes::Instead(texts) => (texts.into_iter().map(Message::text).collect(), true),
                Passes::Last(texts) => (texts.into_iter().map(Message::text).collect(), false),
            },
            Message::Close(_) => (vec![message], false),
            _ => (vec![message], true),
        };
        for message in messages {
            match way {
                Way::ToServer => server.send(message).await.ok()?,
                Way::ToClient => client.send(message).await.ok()?,
            }
        }
        if !goes_on {
            let _ = client.close(None).await;
            let _ = server.close(None).await;
            return Some(());
        }
    }
}
