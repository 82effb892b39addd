//! One key, and with which algorithms it may be used.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::SettingsError;

const SECRET: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A key. What kind of key it is decides which algorithms a token may name, never the token.
pub(super) struct Key {
    /// Its name among others.
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

impl Key {
    pub(super) fn of_secret(secret: &str) -> Result<Key, SettingsError> {
        if secret.is_empty() {
            return Err(SettingsError::EmptySecret);
        }
        let decoding = DecodingKey::from_secret(secret.as_bytes());
        Ok(Key { id: None, algorithms: SECRET.to_vec(), decoding })
    }

    pub(super) fn of_json(json: &str) -> Result<Key, SettingsError> {
        let bad = |reason: String| SettingsError::BadKey { reason };
        let jwk: Jwk = serde_json::from_str(json).map_err(|error| bad(error.to_string()))?;
        Key::of_jwk(&jwk).map_err(bad)
    }

    /// # Errors
    /// Why it is not a key to verify signatures with.
    pub(super) fn of_jwk(jwk: &Jwk) -> Result<Key, String> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
            return Err("it is not for signatures (\"use\" is not \"sig\")".to_owned());
        }
        let verify = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
        if !common.key_operations.as_ref().is_none_or(verify) {
            return Err("it is not for verifying (\"key_ops\" lacks \"verify\")".to_owned());
        }
        let possible: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => RSA,
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                _ => return Err("its curve is not supported; P-256 and P-384 are".to_owned()),
            },
            AlgorithmParameters::OctetKeyPair(curve) => match curve.curve {
                EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
                _ => return Err("its curve is not supported; Ed25519 is".to_owned()),
            },
            AlgorithmParameters::OctetKey(_) => SECRET,
            _ => return Err("keys of its type are not supported".to_owned()),
        };
        let algorithms = match common.key_algorithm {
            None => possible.to_vec(),
            Some(named) => match Algorithm::try_from(named) {
                Ok(named) if possible.contains(&named) => vec![named],
                _ => return Err(format!("its type does not go with its algorithm {named}")),
            },
        };
        let decoding = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        Ok(Key { id: common.key_id.clone(), algorithms, decoding })
    }

    /// Whether whoever can verify with it can sign with it.
    pub(super) fn is_secret(&self) -> bool {
        self.algorithms.iter().any(|algorithm| SECRET.contains(algorithm))
    }
}
