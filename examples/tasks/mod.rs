//! The parts of the task list.
//!
//! `store` makes the file and has the queries, `views` are the live results, `edit` what can be
//! done to tasks; `draw` and `terminal` are the screen, `keys` what keys do, `script` the edits
//! that are made without one, and `command` is the command line.

pub(crate) mod command;
pub(crate) mod draw;
mod edit;
mod keys;
mod panes;
mod script;
pub(crate) mod store;
mod terminal;
pub(crate) mod views;
