//! What workloads over a Postgres database share: the tables with their rows, what clients look at, and
//! targets.

pub mod fixture;
pub mod queries;
pub mod target;
