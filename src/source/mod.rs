//! Sources: where rows live, behind [`penstock_operators::source::Source`].
//!
//! [`MemorySource`] keeps its tables in memory and is the reference for what a source does;
//! `SqliteSource` reads and writes an SQLite file.
//! Sources know neither queries nor subscriptions.

mod access;
mod load;
mod memory;
mod pending;
mod pieces;
mod rows;
mod shape;
mod span;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
mod tree;
mod unique;

#[cfg(test)]
mod tests;

pub use memory::MemorySource;
pub(crate) use shape::check_shape;
#[cfg(feature = "sqlite")]
pub use sqlite::{Attached, SqliteOptions, SqliteSource};

/// A hasher state that is the same in every process, so that no answer depends on the run.
type FixedState = ahash::RandomState;

fn fixed_state() -> FixedState {
    FixedState::with_seeds(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344)
}
