//! Who somebody is: tokens verified by a shared secret, a public key, or the keys that an issuer publishes.
//!
//! | module | what it does |
//! |---|---|
//! | `key` | one key, and with which algorithms it may be used |
//! | `jwks` | the keys behind a URL, fetched, kept and renewed |
//! | `token` | a token against a key: signature, times, issuer, audience |
//!
//! Without any key tokens are opaque: nothing is verified and nothing is claimed. They are then only
//! passed on to the application, which decides.

mod error;
mod jwks;
mod key;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use error::{AuthError, SettingsError};

use crate::claims::Claims;
use jwks::KeySet;
use key::Key;
use token::{Expected, Token};

/// What time it is: seconds since 1970-01-01 UTC.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// By how much the clocks of an issuer and of this server may differ, unless said otherwise.
pub const LEEWAY: Duration = Duration::from_secs(10);

/// The clock of the operating system.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        #[expect(clippy::disallowed_methods, reason = "tokens are valid for a time on the clock")]
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    })
}

/// How tokens are verified. At most one of `secret`, `jwk` and `jwks_url` may be given; with none of
/// them tokens are opaque.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The secret that the issuer shares with this server: HS256, HS384, HS512.
    pub secret: Option<String>,
    /// One key as JSON (a JWK).
    pub jwk: Option<String>,
    /// Where the issuer publishes its keys (a JWKS).
    pub jwks_url: Option<String>,
    /// What `iss` must be, where this is given.
    pub issuer: Option<String>,
    /// What `aud` must be or hold, where this is given.
    pub audience: Option<String>,
    /// By how much clocks may differ; [`LEEWAY`] where it is not given.
    pub leeway: Option<Duration>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("jwk", &self.jwk.as_ref().map(|_| "…"))
            .field("jwks_url", &self.jwks_url)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("leeway", &self.leeway)
            .finish()
    }
}

/// Verifies tokens. Cheap to clone: clones share the keys.
#[derive(Clone)]
pub struct Verifier {
    keys: Keys,
    expected: Arc<Expected>,
    clock: Clock,
}

#[derive(Clone)]
enum Keys {
    Opaque,
    One(Arc<Key>),
    Published(Arc<KeySet>),
}

impl Verifier {
    /// A verifier as the settings say. Nothing is fetched before the first token comes.
    ///
    /// # Errors
    /// More than one source of keys, a key or URL that is none, or an issuer or audience without keys.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Verifier, SettingsError> {
        let Settings { secret, jwk, jwks_url, issuer, audience, leeway } = settings;
        let keys = match (secret, jwk, jwks_url) {
            (None, None, None) if issuer.is_some() || audience.is_some() => {
                return Err(SettingsError::NoKeys);
            }
            (None, None, None) => Keys::Opaque,
            (Some(secret), None, None) => Keys::One(Arc::new(Key::of_secret(secret)?)),
            (None, Some(jwk), None) => Keys::One(Arc::new(Key::of_json(jwk)?)),
            (None, None, Some(url)) => Keys::Published(Arc::new(KeySet::new(url)?)),
            _ => return Err(SettingsError::SeveralKeys),
        };
        let leeway = leeway.unwrap_or(LEEWAY).as_secs_f64();
        let expected = Expected { issuer: issuer.clone(), audience: audience.clone(), leeway };
        Ok(Verifier { keys, expected: Arc::new(expected), clock })
    }

    /// One that verifies nothing: tokens are opaque.
    #[must_use]
    pub fn opaque() -> Verifier {
        let expected = Expected { issuer: None, audience: None, leeway: 0.0 };
        Verifier { keys: Keys::Opaque, expected: Arc::new(expected), clock: system_clock() }
    }

    /// Whether nothing is verified.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        matches!(self.keys, Keys::Opaque)
    }

    /// What a token claims, if it is genuine and valid now. An opaque token claims nothing.
    ///
    /// Cost: one check of a signature; a request to the issuer where it is signed with a key not seen
    /// before, at most one every few seconds for all tokens together.
    ///
    /// # Errors
    /// Why the token is refused. No error holds the token or a part of it but names and times.
    pub async fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        let key = match &self.keys {
            Keys::Opaque => return Ok(Claims::default()),
            Keys::One(key) => {
                let token = Token::read(token)?;
                return token.verify([&**key], &self.expected, (self.clock)());
            }
            Keys::Published(keys) => keys,
        };
        let token = Token::read(token)?;
        let keys = key.keys_for(&token).await?;
        token.verify(keys.iter().map(|key| &**key), &self.expected, (self.clock)())
    }

    /// As [`verify`](Verifier::verify), for a user who has said who it is: the token must say the same.
    ///
    /// # Errors
    /// As `verify`, and a token of somebody else. A token that names nobody is somebody else's.
    pub async fn verify_for(&self, token: &str, user: Option<&str>) -> Result<Claims, AuthError> {
        let claims = self.verify(token).await?;
        if !self.is_opaque() && claims.user() != user {
            return Err(AuthError::WrongUser);
        }
        Ok(claims)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = match &self.keys {
            Keys::Opaque => "opaque",
            Keys::One(_) => "one key",
            Keys::Published(_) => "published keys",
        };
        f.debug_struct("Verifier").field("keys", &keys).finish_non_exhaustive()
    }
}
