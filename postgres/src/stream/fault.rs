//! Why streams break and end.

use pgwire_replication::PgWireError;

use crate::assemble::AssembleError;
use crate::connect::{ServerError, is_passing};
use crate::lsn::Lsn;

/// Why everything must be copied again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// Somebody dropped the slot.
    #[error("the replication slot {slot} is gone")]
    SlotGone {
        /// The slot.
        slot: String,
    },
    /// The server gave the slot up.
    #[error(
        "the replication slot {slot} was invalidated: {reason} (max_slot_wal_keep_size limits how far a slot may lag)"
    )]
    SlotInvalidated {
        /// The slot.
        slot: String,
        /// The server's reason.
        reason: String,
    },
    /// Somebody dropped the publication, so that what was changed since cannot be read.
    #[error("the publication is gone: {reason}")]
    PublicationGone {
        /// What the server says.
        reason: String,
    },
    /// The slot was made anew, or somebody else reads from it.
    #[error(
        "the replication slot {slot} is at {confirmed}, ahead of {position}, which is what was received: it was made \
         anew, or something else reads from it"
    )]
    SlotAhead {
        /// The slot.
        slot: String,
        /// Where it stands.
        confirmed: Lsn,
        /// What the consumer has.
        position: Lsn,
    },
    /// This is another server.
    #[error("this is another server: its system identifier is {found}, not {expected}")]
    OtherSystem {
        /// The one that was copied.
        expected: u64,
        /// The one that answers.
        found: u64,
    },
    /// The server has failed over to, or was restored to, a state without all that was received.
    #[error(
        "the server is on timeline {found}, which does not hold what was received on timeline {timeline} up to \
         {position}: it failed over or was restored from a backup, and lost transactions"
    )]
    OtherTimeline {
        /// The timeline of the consumer.
        timeline: u32,
        /// That of the server.
        found: u32,
        /// What the consumer has.
        position: Lsn,
    },
    /// The server's log ends before what was received.
    #[error(
        "the server's log ends at {end}, before {position}, which was received: it was put back to an older state"
    )]
    ServerBehind {
        /// Where its log ends.
        end: Lsn,
        /// What the consumer has.
        position: Lsn,
    },
    /// The server's history is not what was received.
    #[error(
        "the server's history is another one than what was received (at {at}): it was put back to an older state and \
         written to since"
    )]
    Diverged {
        /// Where it differs.
        at: Lsn,
    },
}

/// Why a stream is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Everything must be copied again.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The server refuses, and will go on to: the message says what to change.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The stream has what cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AssembleError),
}

/// Why a connection came to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// It may work again.
    Passing(String),
    /// It will not.
    Final(Box<StreamError>),
    /// The consumer is gone.
    Dropped,
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Fault {
        match error.is_passing() {
            true => Fault::Passing(error.to_string()),
            false => Fault::Final(Box::new(error.into())),
        }
    }
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Fault {
        Fault::Final(Box::new(lost.into()))
    }
}

impl From<AssembleError> for Fault {
    fn from(error: AssembleError) -> Fault {
        Fault::Final(Box::new(error.into()))
    }
}

impl Fault {
    /// What an error of a replication connection means.
    pub(super) fn of_replication(error: &PgWireError, server: &str, slot: &str) -> Fault {
        let reason = error.to_string();
        match error {
            PgWireError::Server(message) => Fault::of_server(message, slot),
            PgWireError::Io(_) | PgWireError::Task(_) | PgWireError::Internal(_) => {
                Fault::Passing(reason)
            }
            _ => {
                let (server, passing, encryption) = (server.to_owned(), false, false);
                ServerError::Connect { server, reason, passing, encryption }.into()
            }
        }
    }

    /// The server takes no writes, for now: its standbys take over from it, or it is starting.
    pub(super) fn standby(server: &str) -> Fault {
        Fault::Passing(format!("{server} is a standby; the server that takes writes is waited for"))
    }

    /// What a message of the server means, which ends with its code: `… (SQLSTATE 55006)`.
    fn of_server(message: &str, slot: &str) -> Fault {
        let code = message.rsplit_once("(SQLSTATE ").map(|(_, code)| code.trim_end_matches(')'));
        let (code, text) = (code.unwrap_or("XX000"), message.split(" (SQLSTATE").next());
        let text = text.unwrap_or(message).to_owned();
        Fault::of_code(code, text, slot)
    }

    /// What an answer about a slot means.
    pub(super) fn of_code(code: &str, message: String, slot: &str) -> Fault {
        let slot = slot.to_owned();
        match code {
            "42704" if message.contains("replication slot") => Lost::SlotGone { slot }.into(),
            "42704" if message.contains("publication") => {
                Lost::PublicationGone { reason: message }.into()
            }
            // The log is removed, or the slot given up.
            "58P01" if message.contains("WAL segment") => {
                Lost::SlotInvalidated { slot, reason: message }.into()
            }
            "55000" if message.contains("replication slot") => {
                Lost::SlotInvalidated { slot, reason: message }.into()
            }
            _ if is_passing(code) => Fault::Passing(message),
            _ => ServerError::Refused {
                doing: format!("reading from the replication slot {slot}"),
                message,
                code: code.to_owned(),
            }
            .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_lost() {
        let of = |message: &str| Fault::of_server(message, "s");
        assert_eq!(
            of("replication slot \"s\" is active for PID 7 (SQLSTATE 55006)"),
            Fault::Passing("replication slot \"s\" is active for PID 7".into())
        );
        assert!(matches!(
            of("the database system is shutting down (SQLSTATE 57P03)"),
            Fault::Passing(_)
        ));
        let gone = of("replication slot \"s\" does not exist (SQLSTATE 42704)");
        assert_eq!(gone, Lost::SlotGone { slot: "s".into() }.into());
        let invalidated = "can no longer get changes from replication slot \"s\" (SQLSTATE 55000)";
        assert!(matches!(of(invalidated), Fault::Final(error)
            if matches!(*error, StreamError::Lost(Lost::SlotInvalidated { .. }))));
        let publication = of("publication \"p\" does not exist (SQLSTATE 42704)");
        let reason = "publication \"p\" does not exist".to_owned();
        assert_eq!(publication, Lost::PublicationGone { reason }.into());
        let table = of("relation \"t\" does not exist (SQLSTATE 42P01)");
        assert!(matches!(table, Fault::Final(error)
            if error.to_string().contains("relation \"t\" does not exist (SQLSTATE 42P01)")));
    }
}
