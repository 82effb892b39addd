//! The workloads on dbsp: one circuit with one worker, a transaction of its for each of ours.

mod engine;
mod model;
mod queries;
mod tables;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    penstock_competitors::child::main::<engine::Dbsp>()
}
