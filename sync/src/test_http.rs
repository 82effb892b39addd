//! An HTTP server within a test, that answers as the test says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use serde_json::Value as Json;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path with its query string.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Json,
}

impl Asked {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What is answered: a status and a body.
pub(crate) type Answer = (u16, String);

type Answering = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// A server. It ends when this is dropped.
pub(crate) struct TestServer {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Mutex<Answering>>,
    running: tokio::task::JoinHandle<()>,
}

impl TestServer {
    /// Starts one.
    pub(crate) async fn start(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> TestServer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let answer: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Box::new(answer)));
        let (log, answering) = (Arc::clone(&asked), Arc::clone(&answer));
        let router = Router::new().fallback(move |request: Request| {
            let (log, answering) = (Arc::clone(&log), Arc::clone(&answering));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.expect("a body");
                let asked = Asked {
                    target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let (status, text) = answering.lock().expect("not poisoned")(&asked);
                log.lock().expect("not poisoned").push(asked);
                let mut response = Response::builder().status(status);
                if (300..400).contains(&status) {
                    response = response.header("location", &text);
                }
                response.body(Body::from(text)).expect("a response")
            }
        });
        let running = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the server runs");
        });
        TestServer { url, asked, answer, running }
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answer: impl FnMut(&Asked) -> Answer + Send + 'static) {
        *self.answer.lock().expect("not poisoned") = Box::new(answer);
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}
