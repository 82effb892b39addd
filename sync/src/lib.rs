//! The sync server: live queries for many clients over WebSockets, in the protocol of Zero's clients.
//!
//! | module | what it does | what it does not know |
//! |---|---|---|
//! | [`app`] | by which name the application goes | who uses it |
//! | [`auth`] | who somebody is: tokens verified by a secret, a key, or an issuer's keys | what users may do |
//! | [`protocol`] | messages and cookies | why they are sent |
//! | [`hub`] | client groups, their live queries, and what clients are told | sockets, clocks, threads |
//! | [`serving`], [`config_file`] | how both tools serve, and options from a file | what is served |
//! | [`limit_options`] | the limits, as options | what they limit |
//! | `fault` | texts that are for the log and not for clients | what went wrong |
//! | [`services`] | what the server needs others for | who they are |
//! | [`stop`] | signals to end | what is under way |
//! | [`store`] | client groups between runs | what is in them |
//! | [`server`] | sockets, HTTP, threads | what is sent over them |
//! | [`backend`] | what a server needs others for, as most have it | groups, queries |
//! | [`endpoint`] | the application's endpoints for queries and mutators | what queries mean |
//! | [`backup`] | copies of files that are in use | what is in them |
//! | [`claims`] | who a client is, as far as a token says | how tokens are verified |
//! | [`logging`] | what is logged, and how it looks | what is of interest |
//! | [`measure`] | what is measured, and how it is told to Prometheus | what it means |
//! | [`options`] | what both tools are told of the application | where data comes from |
//! | [`rules`] | who may read and write which rows, compiled into queries and checked at writes | where claims come from |
//! | `telemetry` | spans and metrics for a collector of OpenTelemetry | what they are of |
//! | [`validate`] | the rules of the protocol, checked on recorded sessions | how the server keeps them |
//! | [`writes`] | mutations applied once and in order, to SQLite and Postgres | sockets, groups |

pub mod app;
pub mod auth;
pub mod backend;
pub mod backup;
pub mod claims;
pub mod config_file;
pub mod endpoint;
mod fault;
mod http_client;
pub mod hub;
pub mod limit_options;
pub mod logging;
pub mod measure;
pub mod options;
pub mod protocol;
pub mod rules;
pub mod server;
pub mod services;
pub mod serving;
pub mod stop;
pub mod store;
#[cfg(feature = "opentelemetry")]
pub mod telemetry;
#[cfg(test)]
mod test_http;
pub mod validate;
pub mod writes;
