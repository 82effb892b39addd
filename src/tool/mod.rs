//! What command-line tools over databases share: values, results and changes as text, and values
//! given on the command line.

pub mod json;
pub mod param;
pub mod plain;
#[cfg(test)]
mod samples;
pub mod text;
