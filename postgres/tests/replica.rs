//! Replicas, kept by transactions that a test makes up: no server is needed.

#[path = "replica/changes.rs"]
mod changes;
#[path = "replica/files.rs"]
mod files;
#[path = "replica/logs.rs"]
mod logs;
#[path = "replica/random.rs"]
mod random;
#[path = "replica/schemas.rs"]
mod schemas;
#[path = "replica/support.rs"]
mod support;
