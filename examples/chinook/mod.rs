//! The parts of the music-store example.
//!
//! `store` has the schema with its relationships and loads the data, `queries` are the live
//! queries, `events` what happens in the store, `show` prints results and changes, `run` puts them
//! together and `command` is the command line.

pub(crate) mod command;
mod events;
mod format;
mod queries;
mod run;
mod show;
mod store;
