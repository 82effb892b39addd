//! LIKE patterns.
//!
//! `%` stands for any run of characters, `_` for one character (a Unicode scalar value), and `\`
//! takes the next character literally; both wildcards match line breaks. The whole text must
//! match. Without regard to case, both sides go through Unicode simple case folding, which maps
//! characters one by one: `ß` does not match `SS`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A compiled pattern. Two are equal if text and case sensitivity are. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct LikePattern {
    pattern: Arc<str>,
    case_insensitive: bool,
    /// The stretches before, between and after the `%`, at least one; of those between, the empty
    /// ones are left out.
    segments: Arc<[Segment]>,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LikeError {
    /// The last character is an escape character with nothing to escape.
    #[error("the pattern ends in a lone escape character")]
    LoneEscape,
}

/// A stretch of a pattern without `%`.
#[derive(Clone, Debug)]
struct Segment {
    /// The characters, case-folded where case is ignored; `None` is `_`.
    items: Vec<Option<char>>,
    /// The characters as text, where there is no `_`.
    literal: Option<Box<str>>,
}

/// How texts are compared with segments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Exact,
    /// Ignoring case.
    Folded,
    /// Ignoring case, in a text of ASCII characters only.
    FoldedAscii,
}

impl LikePattern {
    /// Compiles a pattern. O(length).
    ///
    /// # Errors
    ///
    /// [`LikeError::LoneEscape`].
    pub fn new(pattern: &str, case_insensitive: bool) -> Result<LikePattern, LikeError> {
        let mut segments = Vec::new();
        let mut chars = pattern.chars();
        let mut items = Vec::new();
        while let Some(char) = chars.next() {
            let literal = match char {
                '%' => {
                    segments.push(Segment::new(std::mem::take(&mut items)));
                    continue;
                }
                '_' => {
                    items.push(None);
                    continue;
                }
                '\\' => chars.next().ok_or(LikeError::LoneEscape)?,
                other => other,
            };
            items.push(Some(if case_insensitive { fold(literal) } else { literal }));
        }
        segments.push(Segment::new(items));
        let last = segments.len() - 1;
        let mut position = 0;
        segments.retain(|segment| {
            let anchored = position == 0 || position == last;
            position += 1;
            anchored || !segment.items.is_empty()
        });
        Ok(LikePattern { pattern: pattern.into(), case_insensitive, segments: segments.into() })
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether case is ignored.
    pub fn is_case_insensitive(&self) -> bool {
        self.case_insensitive
    }

    /// Whether a text matches. At worst O(length of the text · length of the pattern); no
    /// allocation.
    pub fn matches(&self, text: &str) -> bool {
        let mode = match self.case_insensitive {
            false => Mode::Exact,
            true if text.is_ascii() => Mode::FoldedAscii,
            true => Mode::Folded,
        };
        let (first, middle, last) = match &*self.segments {
            [] => return text.is_empty(),
            [only] => return only.strip_prefix(text, mode).is_some_and(str::is_empty),
            [first, middle @ .., last] => (first, middle, last),
        };
        let Some(rest) = first.strip_prefix(text, mode) else { return false };
        let Some(mut rest) = last.strip_suffix(rest, mode) else { return false };
        // The leftmost place for each stretch leaves the most for those after it.
        for segment in middle {
            match segment.strip_through(rest, mode) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }
}

impl PartialEq for LikePattern {
    fn eq(&self, other: &LikePattern) -> bool {
        self.pattern == other.pattern && self.case_insensitive == other.case_insensitive
    }
}

impl Eq for LikePattern {}

/// `like "…"` or, ignoring case, `ilike "…"`.
impl fmt::Display for LikePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.case_insensitive { "ilike" } else { "like" };
        write!(f, "{operator} {:?}", self.pattern)
    }
}

impl Hash for LikePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pattern.hash(state);
        self.case_insensitive.hash(state);
    }
}

impl Segment {
    fn new(items: Vec<Option<char>>) -> Segment {
        let literal = items.iter().copied().collect::<Option<String>>();
        Segment { literal: literal.map(Into::into), items }
    }

    /// What follows the segment at the start of the text.
    fn strip_prefix<'t>(&self, text: &'t str, mode: Mode) -> Option<&'t str> {
        match (&self.literal, mode) {
            (Some(literal), Mode::Exact) => text.strip_prefix(&**literal),
            (Some(literal), Mode::FoldedAscii) => {
                let (start, rest) = text.split_at_checked(literal.len())?;
                start.eq_ignore_ascii_case(literal).then_some(rest)
            }
            _ => {
                let mut chars = text.chars();
                for item in &self.items {
                    let char = chars.next()?;
                    if !matches_item(*item, char, mode) {
                        return None;
                    }
                }
                Some(chars.as_str())
            }
        }
    }

    /// What precedes the segment at the end of the text.
    fn strip_suffix<'t>(&self, text: &'t str, mode: Mode) -> Option<&'t str> {
        match (&self.literal, mode) {
            (Some(literal), Mode::Exact) => text.strip_suffix(&**literal),
            (Some(literal), Mode::FoldedAscii) => {
                let (rest, end) = text.split_at_checked(text.len().checked_sub(literal.len())?)?;
                end.eq_ignore_ascii_case(literal).then_some(rest)
            }
            _ => {
                let mut chars = text.chars();
                for item in self.items.iter().rev() {
                    let char = chars.next_back()?;
                    if !matches_item(*item, char, mode) {
                        return None;
                    }
                }
                Some(chars.as_str())
            }
        }
    }

    /// What follows the first occurrence of the segment in the text.
    fn strip_through<'t>(&self, text: &'t str, mode: Mode) -> Option<&'t str> {
        match (&self.literal, mode) {
            (Some(literal), Mode::Exact) => text.split_once(&**literal).map(|(_, rest)| rest),
            (Some(literal), Mode::FoldedAscii) => {
                let literal = literal.as_bytes();
                let at = text
                    .as_bytes()
                    .windows(literal.len())
                    .position(|window| window.eq_ignore_ascii_case(literal))?;
                text.get(at + literal.len()..)
            }
            _ => text.char_indices().find_map(|(at, _)| self.strip_prefix(text.get(at..)?, mode)),
        }
    }
}

#[inline]
fn matches_item(item: Option<char>, char: char, mode: Mode) -> bool {
    item.is_none_or(|expected| expected == char || (mode != Mode::Exact && expected == fold(char)))
}

/// Unicode simple case folding.
#[inline]
fn fold(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(char)
        .and_then(|folded| char::from_u32(folded.get()))
        .unwrap_or(char)
}
