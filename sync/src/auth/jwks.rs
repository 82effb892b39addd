//! The keys behind a URL, fetched, kept and renewed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use reqwest::Url;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::key::Key;
use super::token::Token;
use super::{AuthError, SettingsError};
use crate::http_client;

/// Keys are not asked for again sooner than this, whatever tokens come.
const PAUSE: Duration = Duration::from_secs(5);

/// Keys older than this are asked for again, so that one that the issuer has withdrawn goes. Those
/// known go on being used meanwhile, and for as long as the issuer does not answer.
const RENEW_AFTER: Duration = Duration::from_secs(600);

/// How long the issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long its answer may be, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// The keys that an issuer publishes.
pub(super) struct KeySet {
    url: Url,
    client: reqwest::Client,
    known: RwLock<Known>,
    /// When was asked last, and what was wrong if something was. Held while asking.
    asked: Mutex<Option<Asked>>,
    pub(super) pause: Duration,
    pub(super) renew_after: Duration,
}

#[derive(Default)]
struct Known {
    keys: Arc<Vec<Arc<Key>>>,
    since: Option<Instant>,
}

struct Asked {
    at: Instant,
    problem: Option<String>,
}

impl KeySet {
    pub(super) fn new(url: &str) -> Result<KeySet, SettingsError> {
        let bad = |reason: String| SettingsError::BadUrl { reason };
        let url = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(format!("\"{}\" is neither http nor https", url.scheme())));
        }
        let client = http_client::build(TIMEOUT).map_err(|error| bad(error.to_string()))?;
        Ok(KeySet {
            url,
            client,
            known: RwLock::default(),
            asked: Mutex::default(),
            pause: PAUSE,
            renew_after: RENEW_AFTER,
        })
    }

    /// The keys with which a token may have been signed: at least one.
    pub(super) async fn keys_for(
        self: &Arc<Self>,
        token: &Token<'_>,
    ) -> Result<Vec<Arc<Key>>, AuthError> {
        let (found, old) = self.look(token);
        if !found.is_empty() {
            if old {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.ask().await });
            }
            return Ok(found);
        }
        let problem = self.ask().await;
        let (found, _) = self.look(token);
        if !found.is_empty() {
            return Ok(found);
        }
        match problem {
            Some(reason) if self.read_known(|known| known.since.is_none()) => {
                Err(AuthError::NoKeys { reason })
            }
            _ => {
                let key = token.key.clone().unwrap_or_else(|| "it names none".to_owned());
                let key = key.chars().take(100).collect();
                Err(AuthError::UnknownKey { key })
            }
        }
    }

    /// The keys known that fit a token, and whether it is time to renew them.
    fn look(&self, token: &Token<'_>) -> (Vec<Arc<Key>>, bool) {
        self.read_known(|known| {
            let named = |key: &&Arc<Key>| token.key.is_none() || token.key == key.id;
            let fits = |key: &&Arc<Key>| key.algorithms.contains(&token.algorithm);
            // A name that is there with other algorithms is not asked for again: its key refuses.
            let mut found: Vec<Arc<Key>> = known.keys.iter().filter(named).cloned().collect();
            if found.iter().any(|key| fits(&key)) {
                found.retain(|key| fits(&key));
            }
            (found, known.since.is_some_and(|since| since.elapsed() >= self.renew_after))
        })
    }

    fn read_known<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for the keys, unless that was done within the last seconds. Says what was wrong when it was
    /// last done.
    async fn ask(&self) -> Option<String> {
        let mut asked = self.asked.lock().await;
        if let Some(asked) = &*asked
            && asked.at.elapsed() < self.pause
        {
            return asked.problem.clone();
        }
        let answer = self.fetch().await;
        let at = Instant::now();
        let problem = match answer {
            Ok(keys) => {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                *known = Known { keys: Arc::new(keys), since: Some(at) };
                None
            }
            Err(problem) => Some(problem),
        };
        *asked = Some(Asked { at, problem: problem.clone() });
        problem
    }

    async fn fetch(&self) -> Result<Vec<Arc<Key>>, String> {
        let at =
            |problem: String| format!("{}: {problem}", self.url.origin().ascii_serialization());
        let answer = self.client.get(self.url.clone()).send().await;
        let answer = answer.map_err(|error| at(http_client::in_words(&error)))?;
        if !answer.status().is_success() {
            return Err(at(format!("it answered with status {}", answer.status().as_u16())));
        }
        let body = http_client::body(answer, LONGEST_ANSWER).await.map_err(at)?;
        read_keys(&body).map_err(at)
    }
}

/// The usable keys of a set. Those of kinds that are not supported are left out, as are secrets, which
/// nobody should publish.
fn read_keys(body: &[u8]) -> Result<Vec<Arc<Key>>, String> {
    let json: Json = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let Some(listed) = json.get("keys").and_then(Json::as_array) else {
        return Err("no list of \"keys\" in the answer".to_owned());
    };
    let usable = |json: &Json| {
        let jwk: Jwk = serde_json::from_value(json.clone()).ok()?;
        Key::of_jwk(&jwk).ok().filter(|key| !key.is_secret()).map(Arc::new)
    };
    let keys: Vec<Arc<Key>> = listed.iter().filter_map(usable).collect();
    if keys.is_empty() {
        return Err(format!("none of the {} keys in the answer can be used", listed.len()));
    }
    Ok(keys)
}
