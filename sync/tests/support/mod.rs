//! What tests of the server share.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod raw;
pub(crate) mod server;
