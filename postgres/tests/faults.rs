//! What goes wrong between a server and its replica, against real servers: processes that are killed,
//! networks that break, slots, histories and disks that are lost, transactions of a million rows, tables
//! that are altered all the time, clocks that jump. In each nothing is lost and nothing doubled: the
//! replica is equal to the server at the end, and what happened was said.
//!
//! By default everything runs in a short form. With `PENSTOCK_FAULTS_LONG=1` the random tests take many
//! more turns, with other seeds each time; a failing one prints its seed, which `PENSTOCK_FAULTS_SEED`
//! gives back to it.
//!
//! | module | what it is |
//! |---|---|
//! | `turns` | how long the tests are, and their random numbers |
//! | `how` | the ways in which a server is followed: through pgoutput or wal2json, with reports of DDL or not |
//! | `load` | the tables, and writers that change them at random |
//! | `followed` | a follower in this process, and all that it says |
//! | `child` | the same in a process of its own: this test program, told by its environment |
//! | `equal` | whether the replica is equal to the server |
//! | `kill`, `network`, `slots`, `history`, `disk`, `large`, `schema`, `standby`, `clock` | the tests |

#[path = "faults/child.rs"]
mod child;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/equal.rs"]
mod equal;
#[path = "faults/followed.rs"]
mod followed;
#[path = "faults/history.rs"]
mod history;
#[path = "faults/how.rs"]
mod how;
#[path = "faults/kill.rs"]
mod kill;
#[path = "faults/large.rs"]
mod large;
#[path = "faults/load.rs"]
mod load;
#[path = "faults/network.rs"]
mod network;
#[path = "faults/schema.rs"]
mod schema;
#[path = "faults/slots.rs"]
mod slots;
#[path = "faults/standby.rs"]
mod standby;
#[path = "faults/turns.rs"]
mod turns;
