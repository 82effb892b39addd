//! Relations: joins, aggregates and what else makes rows that no table holds.

pub mod plan;
