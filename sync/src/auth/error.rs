//! Why a token is refused, and why settings are.

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It is no token.
    #[error("the token cannot be read: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It is signed in a way that the keys are not for; `none` is never allowed.
    #[error("the token is signed with {found}, but the key is for {allowed}")]
    Algorithm {
        /// What the token says.
        found: String,
        /// With what tokens may be signed.
        allowed: String,
    },
    /// The issuer publishes no such key.
    #[error("the token is signed with a key that the issuer does not publish ({key})")]
    UnknownKey {
        /// The key's name in the token.
        key: String,
    },
    /// No keys are known: the issuer has never answered.
    #[error("there are no keys to verify tokens with: {reason}")]
    NoKeys {
        /// Why they cannot be fetched.
        reason: String,
    },
    /// It was not signed with the key, or was changed since.
    #[error("the token's signature is not right")]
    BadSignature,
    /// It was valid once.
    #[error("the token has expired, {} seconds ago", seconds.ceil())]
    Expired {
        /// How long ago, in seconds.
        seconds: f64,
    },
    /// It is going to be valid.
    #[error("the token is not valid yet, but in {} seconds", seconds.ceil())]
    NotYetValid {
        /// In how many seconds.
        seconds: f64,
    },
    /// It is from somebody else.
    #[error("the token is not from the expected issuer")]
    WrongIssuer,
    /// It is for somebody else.
    #[error("the token is not for the expected audience")]
    WrongAudience,
    /// It is of another user than the one who presents it.
    #[error("the token is of another user than the connection")]
    WrongUser,
}

impl AuthError {
    /// Whether the same token may be accepted later with nothing changed on the client's side.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, AuthError::NoKeys { .. } | AuthError::NotYetValid { .. })
    }
}

/// Why tokens cannot be verified as the settings say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Which key it should be is not clear.
    #[error("give one of the secret, the JWK and the JWKS URL, not several of them")]
    SeveralKeys,
    /// An issuer or audience is expected, but cannot be trusted without a key.
    #[error(
        "an issuer or audience is checked only with a secret, a JWK or a JWKS URL; none is given"
    )]
    NoKeys,
    /// The secret is empty.
    #[error("the secret for tokens is empty")]
    EmptySecret,
    /// The key cannot be read or used.
    #[error("the JWK cannot be used: {reason}")]
    BadKey {
        /// Why not.
        reason: String,
    },
    /// The URL cannot be read or used.
    #[error("the JWKS URL cannot be used: {reason}")]
    BadUrl {
        /// Why not.
        reason: String,
    },
}
