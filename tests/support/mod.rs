//! What the property tests and the fuzz targets share: random cases, and an evaluator of queries
//! that has nothing in common with the engine.
//!
//! | module | what it is |
//! |---|---|
//! | `values` | comparing values and matching patterns |
//! | `model` | schemas and tables as plain lists, and writes to them |
//! | `query` | the queries of the tests, and what the engine is given for them |
//! | `ast` | the same as AST JSON |
//! | `condition`, `evaluate`, `row_set` | the naive evaluator |
//! | `tape`, `generate`, `vary`, `case` | from random bytes to schemas, rows, queries and writes |
//! | `script` | what a case comes to |
//! | `flat` | applying a patch's flat changes to a naive tree |
//! | `harness` | runs a case and checks everything after every step |
//! | `faults` | a source that fails when told to |
//! | `store` | rows that several databases share, each seeing what the others write |
//! | `fuzz` | the bodies of the fuzz targets |

// Each test crate uses a part of this.
#![allow(dead_code)]

pub(crate) mod ast;
pub(crate) mod case;
pub(crate) mod condition;
pub(crate) mod evaluate;
pub(crate) mod faults;
pub(crate) mod flat;
pub(crate) mod fuzz;

pub(crate) mod generate;
pub(crate) mod harness;
pub(crate) mod model;
pub(crate) mod query;
pub(crate) mod row_set;
pub(crate) mod script;
pub(crate) mod store;
pub(crate) mod tape;
pub(crate) mod values;
pub(crate) mod vary;
