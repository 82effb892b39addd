//! What tests of the server share.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod application;
pub(crate) mod exposition;
pub(crate) mod fuzz;
pub(crate) mod http;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod server;
