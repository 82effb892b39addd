//! The load generator: clients that speak the protocol over sockets, each a group of its own.
//!
//! Of pokes no more is read than what is needed to know which rows a client holds: a row operation that
//! many clients receive is parsed once. A client's rows are a hash each.
//!
//! | module | what it holds |
//! |---|---|
//! | `frame` | frames taken apart |
//! | `rows` | row operations, each parsed once, and what a client holds |
//! | `client` | a client, its socket and its store |
//! | `control` | what the driver asks, and the answers |
//! | `lags` | how long writes took to arrive |
//! | [`options`] | the command line |
//! | [`remote`] | the driver's side |

mod client;
mod control;
mod frame;
mod lags;
pub mod options;
pub mod remote;
mod rows;

pub use client::connect_url;
pub use control::{obey, run_alone};
pub use lags::Lags;

use crate::queries::{Query, of_owners, of_person};

/// What clients want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The five queries of a person each, from this person on.
    Person {
        /// The person of the first client.
        first: u32,
    },
    /// Lists of the issues of so many owners.
    Owners {
        /// How many there are.
        count: u32,
    },
}

impl Wants {
    /// The queries of a client, by its number.
    #[must_use]
    pub fn queries(self, client: u32) -> Vec<Query> {
        match self {
            Wants::Person { first } => of_person(first + client),
            Wants::Owners { count } => of_owners(count),
        }
    }
}
