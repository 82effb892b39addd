//! The sync server: live queries for many clients over WebSockets, in the protocol of Zero's clients.
//!
//! | module | what it does | what it does not know |
//! |---|---|---|
//! | [`auth`] | who somebody is: tokens verified by a secret, a key, or an issuer's keys | what users may do |
//! | [`claims`] | who a client is, as far as a token says | how tokens are verified |

pub mod auth;
pub mod claims;
mod http_client;
#[cfg(test)]
mod test_http;
