//! The workloads of Penstock: their data, their queries, and how they are measured.
//!
//! The binary `workloads` runs them and prints the figures; `BENCHMARKS.md` in the repository says
//! what they mean. [`data`] generates the tables and the change streams, [`tables`] puts them into
//! a database, [`sqlite`] into files of SQLite, [`workloads`] holds the workloads, [`baseline`] the
//! same work done by hand without an engine, [`scratch`] what the results must be, [`check`] the
//! checksum that all of them must meet, [`plot`] the curves.
//! The binary `instructions` is the gate on what the hot paths cost ([`instructions`]).

pub mod alloc;
pub mod baseline;
pub mod check;
pub mod command;
pub mod cpu;
pub mod data;
pub mod instructions;
pub mod plot;
pub mod report;
pub mod resident;
pub mod scratch;
pub mod setting;
pub mod sqlite;
pub mod tables;
pub mod workloads;

/// Settings under which a suite takes seconds: `quick!(Criterion)`.
#[macro_export]
macro_rules! quick {
    ($criterion:ty) => {
        <$criterion>::default()
            .sample_size(20)
            .warm_up_time(::std::time::Duration::from_millis(300))
            .measurement_time(::std::time::Duration::from_millis(700))
    };
}
