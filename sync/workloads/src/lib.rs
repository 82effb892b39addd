//! What it costs to serve clients. See `sync-workloads --help` and `sync-load --help`, and
//! `BENCHMARKS.md` for what the figures mean.
//!
//! Three processes take part: the server, which is the tool as it is delivered; the load generator,
//! whose clients speak the protocol over sockets; and the driver, which fills the database, writes, and
//! reads what the server costs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`queries`] | what clients want |
//! | [`oracle`] | which rows a client must hold, by the database's own SELECTs |
//! | [`load`] | the load generator |
//! | [`clock`], [`process`] | one clock for all processes; what another process has used |
//! | [`database`] | where the rows are, and how they are written |
//! | [`subject`] | a server with its clients, and the proof that they are right |
//! | [`real`] | the published client |
//! | [`workloads`] | the workloads by name, with their targets |
//! | [`run`] | the measurements |

pub mod clock;
pub mod database;
pub mod load;
pub mod oracle;
pub mod process;
pub mod queries;
pub mod real;
pub mod run;
pub mod subject;
pub mod workloads;
