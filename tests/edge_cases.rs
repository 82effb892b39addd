//! The edge cases that must hold, each as one test of its number.
//!
//! `check` has the notation in which cases are written; `ast` makes queries as JSON, where hints
//! such as `flip` can be given. All that are written in it run over memory and over SQLite. Case 50 is about which rows a server sends and has no meaning
//! without one, so it is not here.

#[path = "edge_cases/ast.rs"]
mod ast;
#[path = "edge_cases/check.rs"]
mod check;
#[path = "edge_cases/exists.rs"]
mod exists;
#[path = "edge_cases/exists_order.rs"]
mod exists_order;
#[path = "edge_cases/fixture.rs"]
mod fixture;
#[path = "edge_cases/joins.rs"]
mod joins;
#[path = "edge_cases/limits.rs"]
mod limits;
#[path = "../examples/support/sqlite_tables.rs"]
mod sqlite_tables;
#[path = "edge_cases/transactions.rs"]
mod transactions;
#[path = "edge_cases/values.rs"]
mod values;
