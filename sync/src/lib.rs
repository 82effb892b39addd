//! The sync server: live queries for many clients over WebSockets, in the protocol of Zero's clients.
//!
//! | module | what it does | what it does not know |
//! |---|---|---|
//! | [`auth`] | who somebody is: tokens verified by a secret, a key, or an issuer's keys | what users may do |
//! | [`claims`] | who a client is, as far as a token says | how tokens are verified |
//! | [`rules`] | who may read and write which rows, compiled into queries and checked at writes | where claims come from |
//! | [`validate`] | the rules of the protocol, checked on recorded sessions | how the server keeps them |

pub mod auth;
pub mod claims;
mod http_client;
pub mod rules;
#[cfg(test)]
mod test_http;
pub mod validate;
