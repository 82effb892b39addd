//! The application's own endpoints over HTTP: what named queries mean, and mutators of its own.
//!
//! | module | what it does |
//! |---|---|
//! | `pattern` | to which URLs a client may have requests sent |
//! | `request` | a request with its attempts, and what goes wrong with it |
//! | `answer` | what an answer says |
//! | `cache` | meanings of queries, kept for a moment |

mod answer;
mod cache;
mod pattern;
mod request;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::http_client;
use crate::hub::Meanings;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::services::Caller;
use cache::Cache;
pub use pattern::BadPattern;
use pattern::Pattern;

/// How long the application may take to answer, unless said otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How long its answer may be, in bytes.
const LONGEST_ANSWER: usize = 16 << 20;

/// How to ask the application.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// URLs that may be asked. The first is asked where the client does not say; it has no
    /// placeholders. In the others and in their host, `*` stands for anything and `:name` for one part.
    pub urls: Vec<String>,
    /// What is sent as `X-Api-Key`.
    pub api_key: Option<String>,
    /// Whether cookies of the connection are passed on.
    pub forward_cookies: bool,
    /// Names of headers that a client may have sent along.
    pub allowed_headers: Vec<String>,
    /// How long an answer may take; [`TIMEOUT`] where it is not given.
    pub timeout: Option<Duration>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("urls", &self.urls)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("forward_cookies", &self.forward_cookies)
            .field("allowed_headers", &self.allowed_headers)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Why the application cannot be asked as the settings say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No URL is given.
    #[error("no URL of the application's endpoint is given")]
    NoUrl,
    /// A URL cannot be used.
    #[error(transparent)]
    BadUrl(#[from] BadPattern),
    /// Requests cannot be made.
    #[error("requests cannot be made: {0}")]
    NoClient(String),
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Transform,
    Push,
}

/// An endpoint of the application. Cheap to clone: clones share connections and what is kept.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    app: App,
    client: reqwest::Client,
    default: Url,
    patterns: Vec<Pattern>,
    settings: Settings,
    cache: Mutex<Cache>,
}

/// A named query: what the client calls it, its name in the application, and its arguments.
pub type NamedQuery = (String, String, Vec<Json>);

impl Endpoint {
    /// An endpoint. Nothing is connected yet.
    ///
    /// # Errors
    /// URLs that cannot be used.
    pub fn new(settings: Settings, app: App) -> Result<Endpoint, SettingsError> {
        let first = settings.urls.first().ok_or(SettingsError::NoUrl)?;
        let default = pattern::plain(first)?;
        let patterns = settings.urls.iter().map(|url| Pattern::parse(url));
        let patterns = patterns.collect::<Result<_, _>>()?;
        let client = http_client::build(settings.timeout.unwrap_or(TIMEOUT))
            .map_err(|error| SettingsError::NoClient(error.to_string()))?;
        let cache = Mutex::default();
        Ok(Endpoint(Arc::new(Inner { app, client, default, patterns, settings, cache })))
    }

    /// What named queries mean. Without queries the application is asked all the same: whether it
    /// knows the user. An answer is kept for five seconds.
    ///
    /// # Errors
    /// What the client is told: that the application does not know the user, cannot be reached, or
    /// refuses altogether. A query that it refuses is no error but has one as its meaning.
    pub async fn transform(
        &self,
        caller: &Caller,
        queries: &[NamedQuery],
    ) -> Result<Meanings, ErrorBody> {
        let this = &*self.0;
        let key = |query: &NamedQuery| cache::key(caller, &query.1, &query.2);
        let mut meanings = Meanings::new();
        let mut asked = Vec::new();
        {
            let mut cache = this.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for query in queries {
                match cache.get(&key(query)) {
                    Some(ast) => meanings.push((query.0.clone(), Ok(ast))),
                    None => asked.push(query),
                }
            }
        }
        if asked.is_empty() && !queries.is_empty() {
            return Ok(meanings);
        }
        let body: Vec<Json> = asked
            .iter()
            .map(|(id, name, args)| json!({ "id": id, "name": name, "args": args }))
            .collect();
        let ids: Vec<Json> = asked.iter().map(|query| query.0.clone().into()).collect();
        let answer =
            this.post(Purpose::Transform, caller, &json!(["transform", body]), &ids).await?;
        let found = answer::transformed(&answer, caller.user.as_deref(), &asked, &ids)?;
        let mut cache = this.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for (query, (_, meaning)) in asked.iter().zip(&found) {
            if let Ok(ast) = meaning {
                cache.put(key(query), ast.clone());
            }
        }
        meanings.extend(found);
        Ok(meanings)
    }

    /// Has the application carry out mutations: the body of a push message. What became of each the
    /// application writes into its database; here only counts whether it took them.
    ///
    /// # Errors
    /// What the client is told: that the application does not know the user, cannot be reached, refuses
    /// them, or has not had those before.
    pub async fn push(&self, caller: &Caller, body: &Json) -> Result<(), ErrorBody> {
        let mut body = body.clone();
        if let Some(members) = body.as_object_mut() {
            // It is in the header.
            members.remove("auth");
        }
        let ids = answer::mutation_ids(&body);
        let answer = self.0.post(Purpose::Push, caller, &body, &ids).await?;
        answer::pushed(&answer, caller.user.as_deref(), &ids)
    }

    /// Tells the application that a client has seen the failures of its mutations up to an id. `now` is
    /// in milliseconds since 1970.
    ///
    /// # Errors
    /// As [`push`](Endpoint::push).
    pub async fn clean_up(
        &self,
        caller: &Caller,
        group: &str,
        client: &str,
        up_to: u64,
        now: u64,
    ) -> Result<(), ErrorBody> {
        let args = json!({ "type": "single", "clientGroupID": group, "clientID": client,
            "upToMutationID": up_to });
        let mutation = json!({ "type": "custom", "id": 0, "clientID": client,
            "name": "_zero_cleanupResults", "args": [args], "timestamp": now });
        let body = json!({ "clientGroupID": group, "mutations": [mutation], "pushVersion": 1,
            "timestamp": now, "requestID": format!("cleanup-{group}-{client}-{up_to}") });
        self.push(caller, &body).await
    }
}

impl Purpose {
    fn kind(self) -> ErrorKind {
        match self {
            Purpose::Transform => ErrorKind::TransformFailed,
            Purpose::Push => ErrorKind::PushFailed,
        }
    }

    /// A failure of this server's request, not of the application.
    fn failure(self, reason: &str, message: impl Into<String>, ids: &[Json]) -> ErrorBody {
        ErrorBody::new(self.kind(), message).with("reason", reason).with(self.ids(), ids.to_vec())
    }

    /// How the list of what has failed is called.
    fn ids(self) -> &'static str {
        match self {
            Purpose::Transform => "queryIDs",
            Purpose::Push => "mutationIDs",
        }
    }
}
