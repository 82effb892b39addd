//! What goes wrong inside, told to clients by a number: the text is for the log alone.
//!
//! Texts of the engine, of databases and of the system name tables, columns, values, files and
//! addresses that a client has no right to know of. So a client is told what it can do, and a number;
//! under that number the log has all of it.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::server::now;

/// How many bytes of a text are logged.
const TEXT_MAX: usize = 2000;
/// How many lines are logged in ten seconds; a client must not be able to fill the disk.
const LINES_MAX: u64 = 1000;
/// The ten seconds.
const WINDOW_MS: u64 = 10_000;

/// What a client is told in the place of a text that is not for its eyes, which goes to the log.
pub(crate) fn concealed(told: &str, full: &dyn Display) -> String {
    let id = next_id();
    log(&id, &full.to_string());
    format!("{told}; the server's log says more, under {id}")
}

/// A number that no other fault has, of this run or another.
fn next_id() -> String {
    static RUN: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let run = RUN.get_or_init(|| now().unix_ms);
    format!("{run:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Writes a fault to the log: one line, whatever is in it.
fn log(id: &str, text: &str) {
    static WINDOW: Mutex<Window> = Mutex::new(Window { since: 0, lines: 0, left_out: 0 });
    let allowed = {
        let mut window = WINDOW.lock().unwrap_or_else(PoisonError::into_inner);
        window.allow(now().mono_ms)
    };
    match allowed {
        Some(0) => tracing::warn!(fault = id, "{}", one_line(text)),
        Some(left_out) => {
            tracing::warn!(left_out, "faults before this one were too many to be logged");
            tracing::warn!(fault = id, "{}", one_line(text));
        }
        None => {}
    }
}

/// How many lines there were lately.
struct Window {
    since: u64,
    lines: u64,
    left_out: u64,
}

impl Window {
    /// Whether one more line may be written, and how many were not since the last that was.
    fn allow(&mut self, now_ms: u64) -> Option<u64> {
        if now_ms.saturating_sub(self.since) >= WINDOW_MS {
            (self.since, self.lines) = (now_ms, 0);
        }
        if self.lines >= LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// A text without anything that would look like another line of the log.
fn one_line(text: &str) -> String {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut line = String::with_capacity(end);
    for character in text[..end].chars() {
        match character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            true => line.extend(character.escape_unicode()),
            false => line.push(character),
        }
    }
    if end < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_a_number_and_nothing_else() {
        let told = |full: &str| concealed("it cannot be done", &full);
        let (one, other) = (told("secret.db: no"), told("secret.db: no"));
        assert!(one.starts_with("it cannot be done; the server's log says more, under "));
        assert!(one != other && !one.contains("secret"), "{one}");
    }

    #[test]
    fn a_fault_is_one_line_of_the_log_and_not_a_long_one() {
        assert_eq!(one_line("a\nb\u{1b}[2J\u{2028}é"), "a\\u{a}b\\u{1b}[2J\\u{2028}é");
        let long = one_line(&"é".repeat(3000));
        assert!(long.len() <= TEXT_MAX + '…'.len_utf8() && long.ends_with('…'));
    }

    #[test]
    fn many_faults_do_not_fill_the_disk() {
        let mut window = Window { since: 0, lines: 0, left_out: 0 };
        let written = (0..5000).filter(|_| window.allow(20_000).is_some()).count();
        assert_eq!(written as u64, LINES_MAX);
        assert_eq!(window.allow(30_000), Some(4000));
        assert_eq!(window.allow(30_000), Some(0));
    }
}
