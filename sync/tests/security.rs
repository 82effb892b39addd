//! Attacks on a real server over real sockets: after each, a client that behaves well is served as if
//! nothing had happened, everything that the server counts is back within its limits, and nothing that
//! the attacker was told is for others' eyes.
//!
//! `PENSTOCK_SECURITY_FRAMES=20000` sends more fuzzed frames than the default.

#[path = "security/denied.rs"]
mod denied;
#[path = "security/faults.rs"]
mod faults;
#[path = "security/frames.rs"]
mod frames;
#[path = "security/groups.rs"]
mod groups;
#[path = "security/hostile.rs"]
mod hostile;
#[path = "security/internal.rs"]
mod internal;
#[path = "security/limits.rs"]
mod limits;
#[path = "security/names.rs"]
mod names;
#[path = "security/queries.rs"]
mod queries;
#[path = "security/ready.rs"]
mod ready;
#[path = "security/slow.rs"]
mod slow;
#[path = "support/mod.rs"]
mod support;
#[path = "security/tokens.rs"]
mod tokens;
#[path = "security/world.rs"]
mod world;
