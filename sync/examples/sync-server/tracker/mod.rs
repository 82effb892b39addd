//! The issue tracker.
//!
//! | module | what it does |
//! |---|---|
//! | `command` | options, and the server from its start to its end |
//! | `data` | the tables, and what is in them at first |
//! | `backend` | who may read and write what, and what carries it out |
//! | `trickle` | writes without end, if asked to |
//! | `check` | two clients without a browser, to see whether all works |

mod backend;
mod check;
pub(crate) mod command;
mod data;
mod trickle;
