//! What goes wrong, as one clear message and an exit code.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use penstock::Error;

use penstock::tool::text;

/// How much of a line of SQL is shown above a caret, in terminal columns.
const EXCERPT_WIDTH: usize = 96;

/// Why the tool ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The file cannot be opened or followed. Exit code 1.
    File {
        /// The file as it was given.
        file: String,
        /// Why.
        reason: String,
    },
    /// The query is refused, or its result ended. Exit code 1.
    Query {
        /// The text of the query.
        sql: String,
        /// Why.
        error: Box<Error>,
    },
    /// The command line cannot be followed. Exit code 2.
    Usage(String),
    /// The output failed. A closed pipe is no error: whoever read it has had enough.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl Failure {
    /// Says it on standard error, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if let Failure::Output(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        eprintln!("penstock: {}", self.message());
        ExitCode::from(if matches!(self, Failure::Usage(_)) { 2 } else { 1 })
    }

    /// The message, without the name of the tool.
    pub(crate) fn message(&self) -> String {
        match self {
            Failure::File { file, reason } if reason.contains(file.as_str()) => reason.clone(),
            Failure::File { file, reason } => format!("{file}: {reason}"),
            Failure::Usage(problem) => format!("{problem}; --help shows the usage"),
            Failure::Output(error) => format!("cannot write the output: {error}"),
            Failure::Query { sql, error } => {
                let mut message = error.to_string();
                if let Some((line, column)) = position(&message)
                    && let Some(excerpt) = excerpt(sql, line, column)
                {
                    // Writing to a string does not fail.
                    let _ = write!(message, "\n{excerpt}");
                }
                message
            }
        }
    }
}

/// The `line 1, column 38` that a message has, counted from 1.
fn position(message: &str) -> Option<(usize, usize)> {
    let lower = message.to_ascii_lowercase();
    let rest = &lower[lower.find("line ")? + 5..];
    let (line, rest) = number(rest)?;
    let (column, _) = number(rest.strip_prefix(", column ")?)?;
    Some((line, column))
}

/// The number that a text starts with, and what follows it.
fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A line of the query with a caret below the column; of a long line the part around it.
fn excerpt(sql: &str, line: usize, column: usize) -> Option<String> {
    let line = sql.lines().nth(line.checked_sub(1)?)?;
    let line: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = column.checked_sub(1)?.min(line.len());
    // A third of the excerpt stands before the caret.
    let start =
        if line.len() <= EXCERPT_WIDTH { 0 } else { column.saturating_sub(EXCERPT_WIDTH / 3) };
    let shown: String = line[start..].iter().collect();
    let before: String = line[start..column].iter().collect();
    let (mark, margin) = if start > 0 { ("…", 1) } else { ("", 0) };
    let caret = " ".repeat(text::width(&before) + margin);
    Some(format!("  {mark}{}\n  {caret}^", text::shortened(shown.trim_end(), EXCERPT_WIDTH)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_found_in_messages() {
        assert_eq!(position("line 1, column 38: no windows"), Some((1, 38)));
        assert_eq!(position("the SQL is wrong at line 12, column 3"), Some((12, 3)));
        assert_eq!(position("a guideline, columns"), None);
        assert_eq!(position("no table \"line \""), None);
    }

    #[test]
    fn a_caret_stands_below_the_position() {
        let sql = "SELECT a\nFROM\ttä WHERE bogus = 1";
        assert_eq!(
            excerpt(sql, 2, 15).as_deref(),
            Some("  FROM tä WHERE bogus = 1\n                ^")
        );
        assert_eq!(excerpt(sql, 3, 1), None);
        assert_eq!(excerpt(sql, 1, 99).as_deref(), Some("  SELECT a\n          ^"));
        assert_eq!(excerpt(sql, 0, 0), None);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_caret_is_shown() {
        let sql = format!("SELECT {} FROM t", "column, ".repeat(40));
        let shown = excerpt(&sql, 1, 201).expect("a line");
        let (line, caret) = shown.split_once('\n').expect("two lines");
        assert!(line.starts_with("  …") && line.ends_with('…'), "{line}");
        let at = caret.chars().count() - 1;
        assert_eq!(line.chars().nth(at), sql.chars().nth(200), "{shown}");
    }
}
