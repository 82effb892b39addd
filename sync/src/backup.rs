//! Copies of SQLite files that are in use, made while others read and write them.
//!
//! A copy shows the file as it was at one moment, whole, with everything that was committed by then. It is
//! written beside its final name and takes that name when it is complete and on the disk, so what is there
//! by its name can be used.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

/// How often it is looked how far a copy is.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long a lock of others is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are copied.
    pub bytes: u64,
    /// About how many there are.
    pub bytes_estimated: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let (done, all) = (megabytes(self.bytes), megabytes(self.bytes_estimated));
        write!(f, "{done:.1} of about {all:.1} MB")
    }
}

/// [Copies](copy) a file for whoever has asked for it on a terminal: shows how far it is, and says what has
/// become of it.
///
/// # Errors
/// As [`copy`].
pub fn copy_for_people(file: &Path, folder: &Path) -> Result<PathBuf, String> {
    let on_terminal = std::io::stderr().is_terminal();
    let copied = copy(file, folder, |progress| {
        if on_terminal {
            eprint!("\r\x1b[K{}: {progress}", file.display());
        }
    });
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    let copied = copied?;
    let bytes = std::fs::metadata(&copied).map_or(0, |file| file.len());
    println!("{} -> {}: {:.1} MB", file.display(), copied.display(), bytes as f64 / 1e6);
    Ok(copied)
}

/// Copies a file of SQLite into a folder, under the same name; the folder is made if it is not there.
/// Returns where the copy is. Cost: that of reading the file once; others read and write meanwhile, as long
/// as the file has a write-ahead log, which every file that a server has opened has.
///
/// # Errors
/// A file that cannot be read, a copy that is there already or cannot be written; for people.
pub fn copy(file: &Path, folder: &Path, progress: impl FnMut(Progress)) -> Result<PathBuf, String> {
    let name = file.file_name().ok_or_else(|| format!("{} is no file", file.display()))?;
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let to = folder.join(name);
    if to.exists() {
        return Err(format!("{} is there already; choose another folder", to.display()));
    }
    let mut unfinished = to.clone().into_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    // What an earlier attempt has left.
    remove(&unfinished)?;
    let copied = copy_to(file, &unfinished, progress);
    if let Err(problem) = copied {
        // What went wrong first is what is said.
        let _ = remove(&unfinished);
        return Err(format!("copying {} to {}: {problem}", file.display(), to.display()));
    }
    std::fs::rename(&unfinished, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(to)
}

fn remove(file: &Path) -> Result<(), String> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", file.display()))
        }
        _ => Ok(()),
    }
}

fn copy_to(file: &Path, to: &Path, mut progress: impl FnMut(Progress)) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(file, flags).map_err(text)?;
    from.busy_timeout(LOCK_PATIENCE).map_err(text)?;
    let number = |name: &str| -> Result<u64, String> {
        let value: i64 = from.pragma_query_value(None, name, |row| row.get(0)).map_err(text)?;
        Ok(value.cast_unsigned())
    };
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    let bytes_estimated = pages * number("page_size")?;
    let mode: String =
        from.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(text)?;
    let target = to.to_str().ok_or("its name is not UTF-8")?.to_owned();
    let is_done = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            // One statement, so that it sees one state of the file.
            let done = from.execute("VACUUM main INTO ?1", [&target]).map(drop);
            is_done.store(true, Ordering::Release);
            (done, from)
        });
        while !is_done.load(Ordering::Acquire) && !copying.is_finished() {
            let bytes = std::fs::metadata(to).map_or(0, |file| file.len());
            progress(Progress { bytes, bytes_estimated: bytes_estimated.max(bytes) });
            std::thread::sleep(LOOK_PAUSE);
        }
        copying.join()
    });
    match done {
        Ok((done, _)) => done.map_err(text)?,
        Err(_) => return Err("the thread that copies has panicked".to_owned()),
    }
    let copy = Connection::open(to).map_err(text)?;
    if mode.eq_ignore_ascii_case("wal") {
        copy.pragma_update(None, "journal_mode", "wal").map_err(text)?;
    }
    copy.close().map_err(|(_, error)| text(error))?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| error.to_string())?;
    let bytes = std::fs::metadata(to).map_or(0, |file| file.len());
    progress(Progress { bytes, bytes_estimated: bytes });
    Ok(())
}

/// The slot whose stream a copy of a replica goes on with, and up to where the copy holds it, as a number.
///
/// # Errors
/// A file that is no replica.
pub fn replica_position(replica: &Path) -> Result<(String, u64), String> {
    let at = |error: rusqlite::Error| format!("{}: {error}", replica.display());
    let connection = Connection::open(replica).map_err(at)?;
    let sql = "SELECT slot, end_lsn FROM penstock_replica";
    let found = connection
        .query_row(sql, (), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))
        .optional();
    found.map_err(at)?.ok_or_else(|| format!("{}: nothing is copied yet", replica.display()))
}

/// Has a copy of a replica go on with the stream of another slot.
///
/// # Errors
/// A file that is no replica, or cannot be written.
pub fn set_replica_slot(replica: &Path, slot: &str) -> Result<(), String> {
    let at = |error: rusqlite::Error| format!("{}: {error}", replica.display());
    let connection = Connection::open(replica).map_err(at)?;
    connection.execute("UPDATE penstock_replica SET slot = ?1", [slot]).map_err(at)?;
    connection.close().map_err(|(_, error)| at(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.db");
        let writer = Connection::open(&file).expect("a file");
        writer
            .execute_batch(
                "PRAGMA journal_mode = wal; PRAGMA user_version = 7;
                 CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);
                 INSERT INTO t SELECT value, hex(randomblob(500)) FROM generate_series(1, 300);",
            )
            .or_else(|_| {
                // Without the table-valued function.
                writer.execute_batch(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
                     INSERT INTO t SELECT i, hex(randomblob(500)) FROM n",
                )
            })
            .expect("rows");
        // Others are in the midst of a transaction, which is not in the copy.
        writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM t").expect("begun");
        let to = folder.path().join("copies").join("one");
        let mut last = None;
        let copied = copy(&file, &to, |progress| last = Some(progress)).expect("a copy");
        assert_eq!(copied, to.join("app.db"));
        let last = last.expect("progress");
        assert!(last.bytes == last.bytes_estimated && last.bytes > 300_000, "{last}");
        let read = Connection::open(&copied).expect("the copy");
        let count: i64 =
            read.query_row("SELECT count(*) FROM t", (), |row| row.get(0)).expect("a count");
        let pragma = |name: &str| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            read.query_row(&sql, (), |row| row.get(0)).expect("a pragma")
        };
        assert_eq!((count, pragma("journal_mode").as_str()), (300, "wal"));
        assert_eq!(
            (pragma("integrity_check").as_str(), pragma("user_version").as_str()),
            ("ok", "7")
        );
        let again = copy(&file, &to, |_| ()).expect_err("it is there");
        assert!(again.contains("there already"), "{again}");
        let missing = copy(&folder.path().join("no.db"), &to, |_| ()).expect_err("no file");
        assert!(missing.contains("no.db"), "{missing}");
        assert!(!to.join("no.db").exists() && !to.join("no.db.unfinished").exists());
    }
}
