//! Writes that clients state themselves (CRUD mutations), each applied once, in order per client, with
//! its number kept in the same transaction.
//!
//! | module | what it does |
//! |---|---|
//! | `op` | what a mutation asks for, as it comes from a client |
//! | `apply` | operations in a transaction of the engine, under the rules |
//! | [`sqlite`] | into an SQLite file |
//! | [`postgres`] | into a Postgres database, checked on its replica |
//! | `told` | what a client is told of what a database refuses |
//! | [`rate`] | how many mutations a user may send |

mod apply;
mod op;
pub mod postgres;
pub mod rate;
pub mod sqlite;
mod told;

use std::future::Future;
use std::pin::Pin;

use serde_json::{Value as Json, json};

use crate::claims::Claims;
pub use op::{Kind, Op, parse_ops};

/// A CRUD mutation.
#[derive(Clone, Debug, PartialEq)]
pub struct Crud {
    /// The client group.
    pub group: String,
    /// The client within the group.
    pub client: String,
    /// Who it is, if anybody.
    pub user: Option<String>,
    /// The mutation's number. A client counts from 1.
    pub mutation_id: i64,
    /// What is to be done, from [`parse_ops`]. What could not be read is refused, but counted.
    pub ops: Result<Vec<Op>, String>,
    /// What is known of the user, for the rules.
    pub claims: Claims,
}

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Its operations have taken effect, together with its number.
    Applied,
    /// It was processed before; nothing has changed.
    AlreadyProcessed,
    /// Another one must come first; nothing has changed.
    OutOfOrder {
        /// The number of that one.
        expected: i64,
    },
    /// Its operations failed, or the rules do not allow them. None has taken effect, but its number has,
    /// and the failure is a row of the table of mutations.
    Refused {
        /// What is wrong, for the application's developer.
        message: String,
    },
}

/// Why it is not known, or not yet decided, what becomes of a mutation. It may be sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The database cannot be written to at present.
    #[error("the database cannot be written to at present: {reason}")]
    Unavailable {
        /// Why not.
        reason: String,
    },
    /// Mutations of the client group have been written for another user.
    #[error("the client group belongs to another user")]
    OtherUser,
}

/// The tables that hold the numbers of mutations and those that failed, by the names that live queries know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookkeeping {
    /// Has `clientGroupID`, `clientID`, `lastMutationID`, `userID`; its key is the first two.
    pub clients_table: String,
    /// Has `clientGroupID`, `clientID`, `mutationID`, `result`; its key is the first three.
    pub mutations_table: String,
}

/// What an asynchronous call gives.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, WriteError>> + Send + 'a>>;

/// Where mutations are written.
///
/// Calls for one client must be made one after the other, in the order in which its mutations came;
/// those for different clients may be made at once.
pub trait Writer: Send + Sync {
    /// Applies a mutation with all that belongs to it, in one transaction.
    fn crud(&self, crud: Crud) -> Answer<'_, Written>;

    /// Forgets the failures of a client's mutations up to a number, as the client has seen them.
    fn forget(&self, group: String, client: String, up_to: i64) -> Answer<'_, ()>;

    /// Whether a table is not for clients, whatever rules say.
    fn is_internal(&self, table: &str) -> bool;

    /// The tables with the numbers and the failures.
    fn bookkeeping(&self) -> Bookkeeping;
}

/// A failure as clients read it.
fn failure(message: &str) -> Json {
    json!({ "error": "app", "message": message })
}

fn unavailable(reason: impl ToString) -> WriteError {
    WriteError::Unavailable { reason: reason.to_string() }
}
