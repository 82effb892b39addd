//! Meanings of queries, kept for a moment: clients that connect at once want the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::services::Caller;

/// For how long a meaning is kept. Tokens may be valid for little longer.
const KEPT: Duration = Duration::from_secs(5);

/// How many are kept.
const MOST: usize = 10_000;

/// What was answered, to whom, and when.
#[derive(Default)]
pub(super) struct Cache(BTreeMap<Key, (Instant, Json)>);

/// A digest of what an answer depends on, which may be long.
pub(super) type Key = [u8; 32];

/// What an answer depends on.
pub(super) fn key(caller: &Caller, name: &str, args: &[Json]) -> Key {
    let Caller { user, auth, url, headers, cookies, origin } = caller;
    let all = json!([user, auth, url, headers, cookies, origin, name, args]);
    Sha256::digest(all.to_string()).into()
}

impl Cache {
    pub(super) fn get(&mut self, key: &Key) -> Option<Json> {
        let (at, ast) = self.0.get(key)?;
        (at.elapsed() < KEPT).then(|| ast.clone())
    }

    pub(super) fn put(&mut self, key: Key, ast: Json) {
        if self.0.len() >= MOST {
            self.0.retain(|_, (at, _)| at.elapsed() < KEPT);
        }
        if self.0.len() < MOST {
            self.0.insert(key, (Instant::now(), ast));
        }
    }
}
