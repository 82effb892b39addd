//! LIKE patterns.
//!
//! `%` matches any run of characters, `_` exactly one Unicode scalar value, `\` makes the next
//! character literal; both wildcards match newlines, and the whole text must match. Without
//! regard to case, both sides go through Unicode simple case folding, so `ß` does not match `ss`.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A compiled pattern. Equal where the texts and the regard to case are.
#[derive(Clone, Debug)]
pub struct LikePattern {
    source: String,
    case_insensitive: bool,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// One character; folded where case does not count.
    Char(char),
    /// Any one character.
    One,
    /// Any run of characters.
    Many,
}

/// A pattern that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LikeError {
    /// The last character is an escape.
    #[error("the LIKE pattern {0:?} ends in an escape character with nothing to escape")]
    TrailingEscape(String),
}

impl LikePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// An escape character at the end.
    pub fn new(pattern: &str, case_insensitive: bool) -> Result<LikePattern, LikeError> {
        let literal = |char| Part::Char(if case_insensitive { fold(char) } else { char });
        let mut parts = Vec::new();
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            parts.push(match char {
                '%' if parts.last() == Some(&Part::Many) => continue,
                '%' => Part::Many,
                '_' => Part::One,
                '\\' => match chars.next() {
                    Some(escaped) => literal(escaped),
                    None => return Err(LikeError::TrailingEscape(pattern.to_owned())),
                },
                char => literal(char),
            });
        }
        Ok(LikePattern { source: pattern.to_owned(), case_insensitive, parts })
    }

    /// Whether a text matches as a whole. Cost: O(text · pattern) at worst, and O(text) for
    /// patterns with at most one run.
    pub fn matches(&self, text: &str) -> bool {
        if text.is_ascii() {
            let bytes = text.as_bytes();
            return self.run(bytes.len(), |at| (char::from(bytes[at]), at + 1));
        }
        self.run(text.len(), |at| {
            // `at` is always a character boundary before the end.
            let char = text[at..].chars().next().unwrap_or('\u{fffd}');
            (char, at + char.len_utf8())
        })
    }

    /// Greedy matching: on a mismatch the last run takes one character more.
    fn run(&self, len: usize, next: impl Fn(usize) -> (char, usize)) -> bool {
        let (mut at, mut part) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < len {
            let (char, after) = next(at);
            match self.parts.get(part) {
                Some(Part::Many) => {
                    part += 1;
                    retry = Some((part, at));
                    if part == self.parts.len() {
                        return true;
                    }
                    continue;
                }
                Some(Part::One) => {
                    (at, part) = (after, part + 1);
                    continue;
                }
                Some(Part::Char(expected))
                    if *expected == char || (self.case_insensitive && *expected == fold(char)) =>
                {
                    (at, part) = (after, part + 1);
                    continue;
                }
                _ => {}
            }
            let Some((after_run, from)) = retry else { return false };
            let (_, longer) = next(from);
            (at, part) = (longer, after_run);
            retry = Some((after_run, longer));
        }
        self.parts[part..].iter().all(|part| *part == Part::Many)
    }
}

/// Unicode simple case folding.
fn fold(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(char)
        .and_then(|folded| char::from_u32(folded.get()))
        .unwrap_or(char)
}

impl PartialEq for LikePattern {
    fn eq(&self, other: &LikePattern) -> bool {
        self.source == other.source && self.case_insensitive == other.case_insensitive
    }
}

impl Eq for LikePattern {}

impl Hash for LikePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
        self.case_insensitive.hash(state);
    }
}

impl fmt::Display for LikePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", if self.case_insensitive { "ilike" } else { "like" }, self.source)
    }
}
