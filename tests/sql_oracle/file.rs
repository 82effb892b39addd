//! Files for SQLite.

use rusqlite::Connection;

use super::case::Case;

/// A file that is removed with its value.
pub(crate) struct File(std::path::PathBuf);

impl File {
    pub(crate) fn new(case: &Case) -> File {
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("oracle-{}-{number}-{}.db", std::process::id(), case.seed);
        File(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    /// A connection that does not wait for the disk.
    pub(crate) fn connect(&self) -> Connection {
        let connection = Connection::open(&self.0).expect("a file");
        connection.pragma_update(None, "synchronous", "OFF").expect("a setting");
        connection
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            // It may not be there.
            let _ = std::fs::remove_file(name);
        }
    }
}
