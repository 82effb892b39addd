//! Checks what a server sends against the rules of the sync protocol, as a client would see it.
//!
//! A [`Session`] is told of one socket's upgrade and frames, in order, and keeps the [`Store`] that
//! a client would have: tests compare its rows with those of the database. Each broken rule is a
//! [`Violation`] that names the [`Rule`] and the frame. Nothing here shares code with the server:
//! what both get wrong in the same way would go unseen.

mod cookie;
mod patch;
mod rule;
mod session;
mod shapes;
mod store;

pub use cookie::before;
pub use rule::{Rule, Violation};
pub use session::{Session, Upgrade};
pub use store::{Schema, Store, TableSchema, plain};
