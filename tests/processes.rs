//! Real processes over one file: others that write, processes that are killed, and locks and
//! permissions that are in the way.
//!
//! The children are this test program itself, told by an environment variable what to do. Nothing
//! waits for a time to pass: a parent waits for what its child prints.
//!
//! | module | what it is |
//! |---|---|
//! | `bank` | the tables, random transactions, and the queries over them |
//! | `child` | starting, telling, hearing and killing a child |
//! | `roles` | what children do |
//! | `follow`, `kill`, `locks`, `permissions` | the tests |

#[path = "processes/bank.rs"]
mod bank;
#[path = "processes/child.rs"]
mod child;
#[path = "processes/follow.rs"]
mod follow;
#[path = "processes/kill.rs"]
mod kill;
#[path = "processes/locks.rs"]
mod locks;
#[cfg(unix)]
#[path = "processes/permissions.rs"]
mod permissions;
#[path = "processes/roles.rs"]
mod roles;
