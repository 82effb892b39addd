//! The sync server: live queries for many clients over WebSockets, in the protocol of Zero's clients.
//!
//! | module | what it does | what it does not know |
//! |---|---|---|
//! | [`claims`] | who a client is, as far as a token says | how tokens are verified |

pub mod claims;
