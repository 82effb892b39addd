//! The workloads of Penstock on other engines, side by side.
//!
//! The binary builds what is needed, runs every engine and workload in a process of its own and
//! prints what they cost: [`options`], [`engine`], [`process`], [`run`] and [`table`]. What the
//! engines written in Rust share is here too: [`workload`], [`changes`], [`rows`] and [`child`].

pub mod changes;
pub mod child;
pub mod engine;
pub mod options;
pub mod process;
pub mod rows;
pub mod run;
pub mod table;
pub mod workload;
