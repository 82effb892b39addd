//! The validator of sessions: the recorded ones obey every rule, and each rule finds a wrong one.

#[path = "validate/recorded.rs"]
mod recorded;
#[path = "validate/wrong.rs"]
mod wrong;
