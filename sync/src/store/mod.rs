//! Where client groups are kept between runs.
//!
//! | module | what it does |
//! |---|---|
//! | `sqlite` | an SQLite file, or memory |
//! | `retention` | groups that nobody has used for long are forgotten |
//! | `thread` | keeps on a thread of its own, so that nobody waits for a disk |
//!
//! What is lost with a store is only time: a client whose group is not known is sent everything anew.

mod retention;
mod sqlite;
mod thread;

pub use retention::Retention;
pub use sqlite::SqliteStore;
pub use thread::StoreThread;
