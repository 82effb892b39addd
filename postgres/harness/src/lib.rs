//! Real Postgres servers in temporary directories, for tests.
//!
//! ```no_run
//! use penstock_postgres_harness::{Installation, Options, Server};
//!
//! # fn main() -> Result<(), penstock_postgres_harness::Error> {
//! for installation in Installation::all()? {
//!     let server = Server::start(&installation, Options::default())?;
//!     server.sql("create table t (id int primary key)")?;
//!     println!("{} listens at {}", installation.version, server.url());
//! } // The server stops and its directory goes.
//! # Ok(())
//! # }
//! ```
//!
//! A server is a child process of the test. It is stopped by its process id when its [`Server`] is
//! dropped; should the test itself be killed, a watchdog stops it. Nothing is installed and no server
//! but its own is touched.
//!
//! | module | what it holds |
//! |---|---|
//! | [`install`] | which major versions are on this machine |
//! | [`server`] | starting, stopping, killing, restoring, promoting |
//! | [`client`] | SQL from any thread, inside a runtime or not |
//! | [`proxy`] | a connection that can be cut, frozen, delayed and split |
//! | [`compare`] | what is different between two tables |

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes, with a deadline")]

pub mod client;
pub mod compare;
pub mod install;
pub mod proxy;
pub mod server;

mod folder;
mod options;
mod owner;
mod wait;
mod watchdog;

pub use client::{Client, Rows};
pub use compare::difference;
pub use install::Installation;
pub use options::Options;
pub use proxy::Proxy;
pub use server::{Backup, Server};
pub use wait::{until, until_equal};

/// What went wrong with a server of a test, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl Error {
    fn new(doing: impl std::fmt::Display, error: impl std::fmt::Display) -> Error {
        Error(format!("{doing}: {error}"))
    }
}
