//! What is to be done, as the hub says.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Commit;
use crate::claims::Claims;
use crate::protocol::ConnectionId;
use crate::protocol::upstream::Push;
use crate::services::Caller;

/// A question to the application: what named queries mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// Its number, to be given with the answer.
    pub request: u64,
    /// The client group.
    pub group: String,
    /// On whose behalf.
    pub caller: Caller,
    /// Each query: the clients' name for it, the application's, and the arguments.
    pub queries: Vec<(String, String, Vec<Json>)>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a frame of text.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        frame: Arc<str>,
    },
    /// What was sent last to a connection tells of a commit: for whoever measures how long that took.
    Told {
        /// Whom.
        connection: ConnectionId,
        /// Of which.
        commit: Commit,
    },
    /// Close a socket, once all frames are sent.
    Close {
        /// Whose.
        connection: ConnectionId,
        /// The code for the close frame.
        code: u16,
        /// For people.
        reason: String,
    },
    /// Verify a new token and answer with [`Input::Verified`](super::Input::Verified).
    Verify {
        /// Whose.
        connection: ConnectionId,
        /// The token, if there is one.
        token: Option<String>,
        /// Who the connection says it is.
        user: Option<String>,
    },
    /// Ask the application and answer with [`Input::Transformed`](super::Input::Transformed).
    Transform(Box<Transform>),
    /// Carry out mutations, in order for each group.
    Push {
        /// Whose.
        connection: ConnectionId,
        /// On whose behalf.
        caller: Caller,
        /// What the token says.
        claims: Claims,
        /// The mutations.
        push: Box<Push>,
    },
    /// Tell the application that a client has seen the results of its mutations up to an id.
    CleanUpResults {
        /// Whose.
        connection: ConnectionId,
        /// The group.
        group: String,
        /// The client.
        client: String,
        /// Up to which.
        id: u64,
        /// On whose behalf.
        caller: Caller,
    },
}

/// What is to be done, in order.
pub type Outputs = Vec<Output>;
