//! What is told to a client that cannot go on.

use serde_json::{Map, Value as Json, json};

/// The kinds of errors, and what a client makes of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The token is missing, wrong or of another user: the client waits for a new one.
    Unauthorized,
    /// The token is not valid any more: the client waits for a new one.
    AuthInvalidated,
    /// The protocol's version is not served: the application is to be reloaded.
    VersionNotSupported,
    /// The client's tables do not fit the database: the application is to be reloaded.
    SchemaVersionNotSupported,
    /// The client does not know the group any more, or belongs to another.
    ClientNotFound,
    /// The request to connect cannot be understood: the client stops.
    InvalidConnectionRequest,
    /// A frame cannot be understood: the client stops.
    InvalidMessage,
    /// A mutation cannot be understood or is out of order: the client stops.
    InvalidPush,
    /// The application's endpoint refused the mutations: the client stops, or waits for a new token.
    PushFailed,
    /// The application's endpoint refused the queries: the client stops, or waits for a new token.
    TransformFailed,
    /// Too many mutations: the connection goes on.
    MutationRateLimited,
    /// A mutation was not carried out: the client connects again.
    MutationFailed,
    /// The server is about to end, or has moved: the client connects again.
    Rehome,
    /// The client is too slow, or the server is busy: the client connects again.
    Rebalance,
    /// The server cannot take more: the client connects again, later.
    ServerOverloaded,
    /// A fault of the server: the client stops.
    Internal,
}

impl ErrorKind {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Unauthorized => "Unauthorized",
            ErrorKind::AuthInvalidated => "AuthInvalidated",
            ErrorKind::VersionNotSupported => "VersionNotSupported",
            ErrorKind::SchemaVersionNotSupported => "SchemaVersionNotSupported",
            ErrorKind::ClientNotFound => "ClientNotFound",
            ErrorKind::InvalidConnectionRequest => "InvalidConnectionRequest",
            ErrorKind::InvalidMessage => "InvalidMessage",
            ErrorKind::InvalidPush => "InvalidPush",
            ErrorKind::PushFailed => "PushFailed",
            ErrorKind::TransformFailed => "TransformFailed",
            ErrorKind::MutationRateLimited => "MutationRateLimited",
            ErrorKind::MutationFailed => "MutationFailed",
            ErrorKind::Rehome => "Rehome",
            ErrorKind::Rebalance => "Rebalance",
            ErrorKind::ServerOverloaded => "ServerOverloaded",
            ErrorKind::Internal => "Internal",
        }
    }

    /// Whether the connection goes on after it.
    #[must_use]
    pub fn keeps_connection(self) -> bool {
        matches!(self, ErrorKind::MutationRateLimited | ErrorKind::MutationFailed)
    }
}

/// The body of an error message.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorBody {
    /// What it is.
    pub kind: ErrorKind,
    /// For people: what is at fault and what to do.
    pub message: String,
    /// Further members, by kind: `reason`, `status`, `queryIDs`, `mutationIDs`, `minBackoffMs`, ….
    pub extra: Map<String, Json>,
}

impl ErrorBody {
    /// An error without further members.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> ErrorBody {
        ErrorBody { kind, message: message.into(), extra: Map::new() }
    }

    /// With a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> ErrorBody {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The frame. Without `origin` clients take some kinds for final, so it is always there: that of
    /// the further members, else the server's own.
    #[must_use]
    pub fn frame(&self) -> String {
        let mut body = self.extra.clone();
        body.insert("kind".into(), self.kind.name().into());
        body.insert("message".into(), self.message.clone().into());
        body.entry("origin").or_insert_with(|| "zeroCache".into());
        json!(["error", body]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_kind_message_and_origin() {
        let error = ErrorBody::new(ErrorKind::Rebalance, "busy").with("minBackoffMs", 500);
        let frame: Json = serde_json::from_str(&error.frame()).expect("JSON");
        let body = json!({"kind": "Rebalance", "message": "busy", "origin": "zeroCache", "minBackoffMs": 500});
        assert_eq!(frame, json!(["error", body]));
    }
}
