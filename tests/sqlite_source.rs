//! The source over SQLite files: what it reads of them, what it sees of what is written to them by
//! anyone, and what it says when something is wrong.

#[path = "sqlite_source/alter.rs"]
mod alter;
#[path = "sqlite_source/capture.rs"]
mod capture;
#[path = "sqlite_source/failures.rs"]
mod failures;
#[path = "sqlite_source/file.rs"]
mod file;
#[path = "sqlite_source/others.rs"]
mod others;
#[path = "sqlite_source/reading.rs"]
mod reading;
#[path = "sqlite_source/schema.rs"]
mod schema;
#[path = "sqlite_source/values.rs"]
mod values;
#[path = "sqlite_source/writing.rs"]
mod writing;
