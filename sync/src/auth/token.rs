//! A token against a key: signature, times, issuer, audience.

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value as Json};

use super::AuthError;
use super::key::Key;
use crate::claims::Claims;

/// Longer tokens are refused unread. Headers of HTTP requests, in which tokens travel too, are shorter.
const LONGEST_TOKEN: usize = 64 << 10;

/// What is expected of a token beside its signature.
pub(super) struct Expected {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    /// Seconds.
    pub(super) leeway: f64,
}

/// A token of which so far only the header was read. Nothing in it can be believed.
pub(super) struct Token<'t> {
    text: &'t str,
    pub(super) algorithm: Algorithm,
    /// The name of the key.
    pub(super) key: Option<String>,
}

impl<'t> Token<'t> {
    pub(super) fn read(text: &'t str) -> Result<Token<'t>, AuthError> {
        let malformed = |reason: &str| AuthError::Malformed { reason: reason.to_owned() };
        if text.len() > LONGEST_TOKEN {
            return Err(malformed("it is too long"));
        }
        if text.split('.').count() != 3 {
            return Err(malformed("it does not have three parts"));
        }
        let header = decode_header(text).map_err(|error| match error.kind() {
            ErrorKind::Json(_) => malformed(
                "its header is not JSON that names a supported algorithm; \"none\" is never supported",
            ),
            _ => malformed("its header is not JSON in base64url"),
        })?;
        if header.crit.is_some_and(|critical| !critical.is_empty()) {
            return Err(malformed(
                "its header asks for extensions (\"crit\") that are not supported",
            ));
        }
        Ok(Token { text, algorithm: header.alg, key: header.kid })
    }

    /// What it claims, if it was signed with one of the keys and all is as expected at `now`.
    pub(super) fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
        expected: &Expected,
        now: f64,
    ) -> Result<Claims, AuthError> {
        let mut failure = None;
        for key in keys {
            match self.signed_with(key) {
                Ok(members) => {
                    check(&members, expected, now)?;
                    return Ok(Claims { members });
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or(AuthError::BadSignature))
    }

    fn signed_with(&self, key: &Key) -> Result<Map<String, Json>, AuthError> {
        if !key.algorithms.contains(&self.algorithm) {
            let allowed: Vec<String> =
                key.algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
            let found = format!("{:?}", self.algorithm);
            return Err(AuthError::Algorithm { found, allowed: allowed.join(", ") });
        }
        let mut validation = Validation::new(self.algorithm);
        // Times and names are checked by `check`, with the clock of this server and its own errors.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let read = decode::<Map<String, Json>>(self.text, &key.decoding, &validation);
        Ok(read.map_err(|error| refusal(&error))?.claims)
    }
}

fn refusal(error: &Error) -> AuthError {
    match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
            AuthError::Malformed { reason: "its claims are not an object in JSON".to_owned() }
        }
        ErrorKind::Base64(_) => {
            AuthError::Malformed { reason: "its parts are not base64url".to_owned() }
        }
        _ => AuthError::BadSignature,
    }
}

fn check(members: &Map<String, Json>, expected: &Expected, now: f64) -> Result<(), AuthError> {
    if let Some(end) = time(members, "exp")?
        && now - expected.leeway >= end
    {
        return Err(AuthError::Expired { seconds: now - end });
    }
    if let Some(start) = time(members, "nbf")?
        && now + expected.leeway < start
    {
        return Err(AuthError::NotYetValid { seconds: start - now });
    }
    if let Some(issuer) = &expected.issuer
        && members.get("iss").and_then(Json::as_str) != Some(issuer)
    {
        return Err(AuthError::WrongIssuer);
    }
    if let Some(audience) = &expected.audience {
        let is = |json: &Json| json.as_str() == Some(audience);
        let fits = match members.get("aud") {
            Some(Json::Array(several)) => several.iter().any(is),
            Some(one) => is(one),
            None => false,
        };
        if !fits {
            return Err(AuthError::WrongAudience);
        }
    }
    Ok(())
}

/// A time among the claims, in seconds since 1970-01-01 UTC.
fn time(members: &Map<String, Json>, name: &str) -> Result<Option<f64>, AuthError> {
    match members.get(name) {
        None => Ok(None),
        Some(json) => json.as_f64().map(Some).ok_or_else(|| AuthError::Malformed {
            reason: format!("its claim \"{name}\" is not a number"),
        }),
    }
}
