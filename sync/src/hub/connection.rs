//! Connections: one client each, and how far its store is.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use serde_json::{Map, Value as Json};

use crate::claims::Claims;
use crate::services::Caller;

/// How far a client's store is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Base {
    /// It is empty.
    Empty,
    /// At a version of its group, as this server has told it.
    Version(u64),
    /// At this cookie, as it says.
    Text(String),
}

/// A connection.
pub(crate) struct Connection {
    pub(crate) group: Arc<str>,
    pub(crate) client: String,
    pub(crate) user: Option<String>,
    pub(crate) auth: Option<String>,
    pub(crate) claims: Claims,
    pub(crate) base: Base,
    /// The cookie that the client has.
    pub(crate) cookie: Option<String>,
    /// Whether it has said what it wants.
    pub(crate) has_initialised: bool,
    /// Whether it has had its first poke.
    pub(crate) is_greeted: bool,
    /// The question to the application on whose answer it waits.
    pub(crate) validating: Option<u64>,
    /// When it is to connect again, if it is.
    pub(crate) leaves_at: Option<u64>,
    /// Since when it does not keep up.
    pub(crate) behind_since: Option<u64>,
    /// Bytes that have been handed to its queue and not been sent.
    pub(crate) queued: Arc<AtomicUsize>,
    /// How many there were at its last message.
    pub(crate) queued_before: usize,
    pub(crate) since_ms: u64,
    /// Where it asks its mutations to be sent, if it does, and with what headers.
    pub(crate) push_url: Option<String>,
    pub(crate) push_headers: Map<String, Json>,
    pub(crate) query_url: Option<String>,
    pub(crate) query_headers: Map<String, Json>,
    /// The cookies and the origin with which it came.
    pub(crate) cookies: Option<String>,
    pub(crate) origin: Option<String>,
}

/// What the application is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Queries,
    Mutations,
}

impl Connection {
    /// On whose behalf the application is asked.
    pub(crate) fn caller(&self, what: For) -> Caller {
        let (url, headers) = match what {
            For::Queries => (&self.query_url, &self.query_headers),
            For::Mutations => (&self.push_url, &self.push_headers),
        };
        Caller {
            user: self.user.clone(),
            auth: self.auth.clone(),
            url: url.clone(),
            headers: headers.clone(),
            cookies: self.cookies.clone(),
            origin: self.origin.clone(),
        }
    }
}
