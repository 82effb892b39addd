//! The workloads on differential-dataflow: one worker in this thread, an epoch per transaction,
//! complete before the next begins.

mod engine;
mod model;
mod queries;
mod tables;
mod top;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    penstock_competitors::child::main::<engine::Differential>()
}
