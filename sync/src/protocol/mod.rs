//! The wire protocol of Zero's clients, versions 30 to 51: what comes up, what goes down, and nothing of
//! why. All frames are JSON text, `[type, body]`.
//!
//! | module | what it does |
//! |---|---|
//! | [`connect`] | the upgrade request: who connects, with what in its header |
//! | [`upstream`] | messages from clients |
//! | [`downstream`] | messages to clients, as text |
//! | [`cookie`] | how far a client's store is |
//! | [`error`] | what is told to a client that cannot go on |

pub mod connect;
pub mod cookie;
pub mod downstream;
pub mod error;
pub mod upstream;

/// The versions of the protocol that are served.
pub const VERSIONS: std::ops::RangeInclusive<u32> = 30..=51;

/// The number of a connection; never used twice by a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);
