//! A request with its attempts, and what goes wrong with it.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::Value as Json;

use super::{Inner, LONGEST_ANSWER, Purpose};
use crate::fault::concealed;
use crate::http_client;
use crate::protocol::error::ErrorBody;
use crate::services::Caller;

/// How often a request is made that fails for a reason that may pass.
const ATTEMPTS: u32 = 4;

/// How many bytes of an answer are shown to the developer of a client.
const SHOWN: usize = 512;

/// Headers that clients have no say in, whatever is allowed.
const OWN_HEADERS: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "transfer-encoding",
    "x-api-key",
];

/// What came of an attempt that is not to be repeated, or may be.
enum Problem {
    Final(Refusal),
    Passing(Refusal),
}

/// What the client is told, and what only the log is.
struct Refusal {
    told: ErrorBody,
    full: Option<String>,
}

impl From<ErrorBody> for Refusal {
    fn from(told: ErrorBody) -> Refusal {
        Refusal { told, full: None }
    }
}

impl Refusal {
    fn logged(self) -> ErrorBody {
        let Refusal { mut told, full } = self;
        if let Some(full) = full {
            told.message = concealed(&told.message, &full);
        }
        told
    }
}

impl Inner {
    /// Sends JSON and gives the JSON that is answered.
    pub(super) async fn post(
        &self,
        purpose: Purpose,
        caller: &Caller,
        body: &Json,
        ids: &[Json],
    ) -> Result<Json, ErrorBody> {
        let url = self.url(caller).map_err(|problem| purpose.failure("internal", problem, ids))?;
        let headers = self.headers(caller);
        let body = body.to_string();
        let mut attempt = 1;
        loop {
            let request = self.client.post(url.clone()).headers(headers.clone()).body(body.clone());
            match self.attempt(purpose, request, ids).await {
                Ok(answer) => return Ok(answer),
                Err(Problem::Passing(_)) if attempt < ATTEMPTS => {}
                Err(Problem::Passing(refusal) | Problem::Final(refusal)) => {
                    return Err(refusal.logged());
                }
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        purpose: Purpose,
        request: reqwest::RequestBuilder,
        ids: &[Json],
    ) -> Result<Json, Problem> {
        let failure = |reason: &str, problem: String| {
            let told = "the application's endpoint cannot be asked";
            Refusal { told: purpose.failure(reason, told, ids), full: Some(problem) }
        };
        let answer = request.send().await.map_err(|error| {
            let problem = http_client::in_words(&error);
            match error.is_timeout() {
                true => Problem::Final(failure("timeout", problem)),
                false => Problem::Passing(failure("internal", problem)),
            }
        })?;
        let status = answer.status();
        let body = http_client::body(answer, LONGEST_ANSWER).await;
        if !status.is_success() {
            let error = refused(purpose, status, &body.unwrap_or_default(), ids);
            return Err(match status.is_server_error() {
                true => Problem::Passing(error),
                false => Problem::Final(error),
            });
        }
        let body = body.map_err(|problem| Problem::Passing(failure("internal", problem)))?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the application's endpoint did not answer with JSON: {error}");
            Problem::Final(purpose.failure("parse", message, ids).into())
        })
    }

    /// Where the request goes.
    fn url(&self, caller: &Caller) -> Result<Url, String> {
        let mut url = match &caller.url {
            None => self.default.clone(),
            Some(asked) => {
                let url = Url::parse(asked).map_err(|error| {
                    format!("the URL that the client asks for is none: {error}")
                })?;
                if !self.patterns.iter().any(|pattern| pattern.allows(&url)) {
                    return Err(format!("the URL \"{asked}\" is not among those configured"));
                }
                url
            }
        };
        url.set_fragment(None);
        url.query_pairs_mut()
            .append_pair("schema", &self.app.schema())
            .append_pair("appID", self.app.id());
        Ok(url)
    }

    /// What cannot be the value of a header is left out.
    fn headers(&self, caller: &Caller) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        for (name, value) in &caller.headers {
            let allowed = self.settings.allowed_headers.iter();
            let is_allowed = allowed.into_iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
            let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
            if let (true, false, Ok(name), Some(value)) =
                (is_allowed, is_own, HeaderName::from_bytes(name.as_bytes()), value.as_str())
            {
                put(name, value);
            }
        }
        put(reqwest::header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.settings.api_key {
            put(HeaderName::from_static("x-api-key"), key);
        }
        if let Some(token) = &caller.auth {
            put(reqwest::header::AUTHORIZATION, &format!("Bearer {token}"));
        }
        if let Some(cookies) = caller.cookies.as_ref().filter(|_| self.settings.forward_cookies) {
            put(reqwest::header::COOKIE, cookies);
        }
        if let Some(origin) = &caller.origin {
            put(reqwest::header::ORIGIN, origin);
        }
        headers
    }
}

/// The failure that a status other than success is.
fn refused(purpose: Purpose, status: StatusCode, body: &[u8], ids: &[Json]) -> Refusal {
    let is_failing = status.is_server_error();
    let status = status.as_u16();
    let message = format!("the application's endpoint answered with status {status}");
    let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned();
    let shown = if body.len() > SHOWN { shown + "..." } else { shown };
    let told = purpose.failure("http", message, ids).with("status", status);
    match is_failing {
        // What an application says while it fails is not written for users.
        true => Refusal { told, full: Some(shown) },
        false => told.with("bodyPreview", shown).into(),
    }
}

/// How long to wait after an attempt: twice as long each time.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis((100 << attempt.min(4).saturating_sub(1)).min(1000))
}
