//! Tests of the sources: one file for each thing that is promised.

mod indexes;
mod load;
mod model;
mod scans;
mod transactions;
