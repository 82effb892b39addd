//! Writes without end, as many a second as the table `trickle` says.
//!
//! The rate is a live query, and clients change it like anything else. What is written goes into the file
//! over a connection of its own, as another program would do it: the server follows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock::{Database, Subscription};
use rusqlite::{Connection, params};

/// Issues are not to become more than this.
const ISSUES_MAX: i64 = 60;
/// How long it waits where nothing is asked for.
const IDLE: Duration = Duration::from_millis(200);

const TITLES: [&str; 8] = [
    "The list jumps when it is loaded",
    "Names with a hyphen are cut",
    "A darker dark theme",
    "Sort by what changed last",
    "The map is upside down",
    "Fewer clicks to close an issue",
    "Export to a file",
    "Tests for the calendar",
];
const COMMENTS: [&str; 6] = [
    "Seen again today.",
    "I cannot reproduce this.",
    "Half done.",
    "This needs another pair of eyes.",
    "The same as the one before, I think.",
    "Fixed on my machine.",
];

/// The thread that writes; it ends with this value.
pub(crate) struct Trickle {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Trickle {
    /// Starts the thread.
    ///
    /// # Errors
    /// A database or a thread that cannot be had.
    pub(crate) fn start(database: &Database, path: PathBuf) -> Result<Trickle, String> {
        let rate = database.subscribe_sql("SELECT per_second FROM trickle", ());
        let rate = rate.map_err(|error| error.to_string())?;
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("trickle".to_owned()).spawn(move || {
            if let Err(error) = run(&rate, &path, &ended) {
                eprintln!("sync-server: the trickle has ended: {error}");
            }
        });
        Ok(Trickle { end, thread: Some(thread.map_err(|error| error.to_string())?) })
    }
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It has said why, if it failed.
            let _ = thread.join();
        }
    }
}

fn run(rate: &Subscription, path: &PathBuf, end: &AtomicBool) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let mut random = Random(0x5eed);
    while !end.load(Ordering::Acquire) {
        let per_second = per_second(rate);
        if per_second == 0 {
            std::thread::sleep(IDLE);
            continue;
        }
        write(&connection, &mut random)?;
        let mut pause = Duration::from_secs(1) / per_second;
        // The rate may change meanwhile.
        while !pause.is_zero() && !end.load(Ordering::Acquire) {
            let step = pause.min(IDLE);
            std::thread::sleep(step);
            pause -= step;
        }
    }
    Ok(())
}

/// What is asked for, in writes a second.
fn per_second(rate: &Subscription) -> u32 {
    let tree = rate.try_rows().ok();
    let first = tree.as_ref().and_then(penstock::Tree::first);
    let value = first.as_ref().and_then(|entry| entry.get("per_second")?.as_f64());
    value.map_or(0, |value| value.clamp(0.0, 1000.0) as u32)
}

/// One write of some kind.
fn write(connection: &Connection, random: &mut Random) -> rusqlite::Result<()> {
    let issues: i64 = connection.query_row("SELECT count(*) FROM issue", [], |row| row.get(0))?;
    let some = "(SELECT id FROM issue ORDER BY random() LIMIT 1)";
    let now = i64::try_from(penstock_sync::server::now().unix_ms).unwrap_or(0);
    let id = format!("trickle-{now}-{:08x}", random.next());
    match random.below(10) {
        0 | 1 if issues < ISSUES_MAX => {
            let title = TITLES[random.below(TITLES.len())];
            connection.execute(
                "INSERT INTO issue VALUES (?1, 0, ?2, 'todo', abs(random()) % 4, NULL, ?3)",
                params![id, title, now],
            )?;
        }
        0 | 1 => {
            let oldest =
                "DELETE FROM issue WHERE id = (SELECT id FROM issue ORDER BY created LIMIT 1)";
            connection.execute(oldest, [])?;
        }
        2..=4 => {
            let sql = format!(
                "UPDATE issue SET status = CASE status WHEN 'todo' THEN 'doing' WHEN 'doing' THEN 'done' ELSE 'todo' END WHERE id = {some}"
            );
            connection.execute(&sql, [])?;
        }
        5 => {
            let sql = format!(
                "UPDATE issue SET assignee = (SELECT id FROM user ORDER BY random() LIMIT 1) WHERE id = {some}"
            );
            connection.execute(&sql, [])?;
        }
        6 => {
            let sql = format!("UPDATE issue SET priority = (priority + 1) % 4 WHERE id = {some}");
            connection.execute(&sql, [])?;
        }
        7 => {
            let sql = format!(
                "INSERT OR IGNORE INTO issue_label SELECT {some}, id FROM label ORDER BY random() LIMIT 1"
            );
            connection.execute(&sql, [])?;
        }
        _ => {
            let sql = format!(
                "INSERT INTO comment SELECT ?1, {some}, (SELECT id FROM user ORDER BY random() LIMIT 1), ?2, ?3 WHERE EXISTS (SELECT 1 FROM issue)"
            );
            connection.execute(&sql, params![id, COMMENTS[random.below(COMMENTS.len())], now])?;
            // The newest few of each issue are enough.
            connection.execute(
                "DELETE FROM comment WHERE id IN (SELECT id FROM comment ORDER BY created DESC LIMIT -1 OFFSET 200)",
                [],
            )?;
        }
    }
    Ok(())
}

/// Numbers without a pattern that matters (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % end.max(1)
    }
}
