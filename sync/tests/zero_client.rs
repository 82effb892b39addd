//! The published Zero client, unmodified, against the server: both as processes of their own.

#[path = "support/mod.rs"]
mod support;
mod zero_client {
    mod app;
    mod auth;
    mod client;
    mod conformance;
    mod driver;
    mod errors;
    mod forwarded;
    mod named;
    mod postgres;
    mod reading;
    mod returning;
    mod tracker;
    mod writing;
}
