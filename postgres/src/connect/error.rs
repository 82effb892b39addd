//! What goes wrong with a server.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::tls::{NOT_OFFERED, TlsError};

/// What goes wrong with a server, in its own words and with its code where it said something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No session came about.
    #[error("cannot connect to {server}: {reason}")]
    Connect {
        /// The server and database.
        server: String,
        /// Why not.
        reason: String,
        /// Whether it may work later with nothing changed on our side.
        passing: bool,
        /// Whether it is about how the connection is encrypted.
        encryption: bool,
    },
    /// The server refused a statement.
    #[error("{doing}: {message} (SQLSTATE {code})")]
    Refused {
        /// What was being done.
        doing: String,
        /// The server's message.
        message: String,
        /// Its code of five characters.
        code: String,
    },
    /// The connection broke off.
    #[error("{doing}: the connection was lost: {reason}")]
    Lost {
        /// What was being done.
        doing: String,
        /// What the operating system or the protocol says.
        reason: String,
    },
    /// The server answered what it should not, or something is not as it must be.
    #[error("{doing}: {reason}")]
    Unexpected {
        /// What was being done.
        doing: String,
        /// What is wrong.
        reason: String,
    },
}

impl ServerError {
    /// Whether the same may work later with nothing changed on our side: the server is starting or
    /// stopping, out of connections, or the network broke.
    pub fn is_passing(&self) -> bool {
        match self {
            ServerError::Connect { passing, .. } => *passing,
            ServerError::Refused { code, .. } => is_passing(code),
            ServerError::Lost { .. } => true,
            ServerError::Unexpected { .. } => false,
        }
    }

    /// Whether it might work otherwise encrypted, or not encrypted.
    pub(super) fn is_of_encryption(&self) -> bool {
        matches!(self, ServerError::Connect { encryption: true, .. })
    }

    /// The server's code, if it said something.
    pub fn code(&self) -> Option<&str> {
        match self {
            ServerError::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// An error of a statement.
    pub fn new(doing: impl Into<String>, error: &tokio_postgres::Error) -> ServerError {
        let doing = doing.into();
        match error.as_db_error() {
            Some(of_server) => ServerError::Refused {
                doing,
                message: of_server.message().to_owned(),
                code: of_server.code().code().to_owned(),
            },
            None if error.is_closed() || has_io(error) => {
                ServerError::Lost { doing, reason: in_words(error) }
            }
            None => ServerError::Unexpected { doing, reason: in_words(error) },
        }
    }

    /// For `map_err`: an error of doing this.
    pub(crate) fn of<'a>(doing: &'a str) -> impl Fn(tokio_postgres::Error) -> ServerError + 'a {
        move |error| ServerError::new(doing, &error)
    }

    /// An answer that makes no sense.
    pub(crate) fn unexpected(doing: impl Into<String>, reason: impl Into<String>) -> ServerError {
        ServerError::Unexpected { doing: doing.into(), reason: reason.into() }
    }

    pub(super) fn connecting(server: String, error: &tokio_postgres::Error) -> ServerError {
        let source = std::error::Error::source(error);
        if let Some(error) = source.and_then(|source| source.downcast_ref::<TlsError>()) {
            return ServerError::encrypting(server, error);
        }
        let (reason, passing, encryption) = match error.as_db_error() {
            Some(said) => {
                let code = said.code().code();
                // There is no line for us in `pg_hba.conf`: there may be one for us who come otherwise.
                let encryption = *said.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
                (format!("{} (SQLSTATE {code})", said.message()), is_passing(code), encryption)
            }
            None if source.is_some_and(|source| source.to_string() == DRIVER_NOT_OFFERED) => {
                (NOT_OFFERED.to_owned(), false, true)
            }
            None => (in_words(error), error.is_closed() || has_io(error), false),
        };
        ServerError::Connect { server, reason, passing, encryption }
    }

    pub(super) fn encrypting(server: String, error: &TlsError) -> ServerError {
        let passing = matches!(error, TlsError::Io(_));
        ServerError::Connect { server, reason: error.to_string(), passing, encryption: true }
    }

    pub(super) fn no_answer(server: String, waited: Duration) -> ServerError {
        let reason = format!("no answer in {} seconds", waited.as_secs());
        ServerError::Connect { server, reason, passing: true, encryption: false }
    }
}

/// In which words the driver says that a server offers no encryption.
const DRIVER_NOT_OFFERED: &str = "server does not support TLS";

/// Whether a code tells of something that passes: connection errors, too many connections, the
/// server starting or stopping, or a lock or slot that somebody else holds for now.
pub(crate) fn is_passing(code: &str) -> bool {
    let passing = [
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::OBJECT_IN_USE,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    code.starts_with("08") || passing.iter().any(|state| state.code() == code)
}

fn in_words(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn has_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}
