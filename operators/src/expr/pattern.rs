//! `LIKE` and `GLOB`.
//!
//! As in SQLite: a zero byte ends a text, characters are read from bytes that need not be UTF-8,
//! and only ASCII letters have case.

use super::MatchKind;

/// The longest pattern in bytes; beyond it SQLite raises an error.
pub(super) const PATTERN_BYTES_MAX: usize = 50_000;

/// What a place in the pattern is for.
#[derive(Clone, Copy)]
struct Rules {
    /// Any run of characters; 0 for none.
    all: u32,
    /// Any one character; 0 for none.
    one: u32,
    /// The escape character of LIKE, `[` of GLOB; 0 for none.
    special: u32,
    glob: bool,
}

/// How a comparison ended.
#[derive(PartialEq)]
enum Outcome {
    Match,
    NoMatch,
    /// No match, whatever a run of characters before takes.
    Hopeless,
}

/// Whether a text matches a pattern. At worst O(text · pattern) for each run of characters in the
/// pattern but the last.
pub(super) fn matches(kind: MatchKind, text: &[u8], pattern: &[u8], escape: Option<u32>) -> bool {
    let rules = match kind {
        MatchKind::Like => {
            // An escape character is none of the others.
            let not_escape = |char: u32| if escape == Some(char) { 0 } else { char };
            Rules {
                all: not_escape('%'.into()),
                one: not_escape('_'.into()),
                special: escape.unwrap_or(0),
                glob: false,
            }
        }
        MatchKind::Glob => {
            Rules { all: '*'.into(), one: '?'.into(), special: '['.into(), glob: true }
        }
    };
    compare(rules, Chars(ended(pattern)), Chars(ended(text))) == Outcome::Match
}

/// The escape character, if the text is one character.
pub(super) fn escape_char(text: &[u8]) -> Option<u32> {
    let mut chars = Chars(ended(text));
    let escape = chars.next();
    (escape != 0 && chars.0.is_empty()).then_some(escape)
}

/// The text up to a zero byte.
pub(super) fn ended(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| *byte == 0).map_or(text, |end| &text[..end])
}

/// The first character of a text that is not empty.
pub(super) fn first_char(text: &[u8]) -> u32 {
    Chars(text).next()
}

/// Characters not read yet.
#[derive(Clone, Copy)]
struct Chars<'a>(&'a [u8]);

impl Chars<'_> {
    /// The next character; 0 at the end.
    fn next(&mut self) -> u32 {
        let Some((&first, mut rest)) = self.0.split_first() else { return 0 };
        let mut char = u32::from(first);
        if first >= 0xc0 {
            char = match first {
                0xc0..=0xdf => char & 0x1f,
                0xe0..=0xef => char & 0x0f,
                0xf0..=0xf7 => char & 0x07,
                0xf8..=0xfb => char & 0x03,
                0xfc | 0xfd => char & 0x01,
                _ => 0,
            };
            while let Some((&byte, after)) = rest.split_first()
                && byte & 0xc0 == 0x80
            {
                char = (char << 6).wrapping_add(u32::from(byte & 0x3f));
                rest = after;
            }
            if char < 0x80 || char & 0xffff_f800 == 0xd800 {
                char = 0xfffd;
            }
        }
        self.0 = rest;
        char
    }

    fn peek_byte(self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }
}

fn compare(rules: Rules, mut pattern: Chars<'_>, mut text: Chars<'_>) -> Outcome {
    // Where the pattern goes on after an escaped character, which is no wildcard.
    let mut escaped = usize::MAX;
    loop {
        let mut char = pattern.next();
        if char == 0 {
            return if text.0.is_empty() { Outcome::Match } else { Outcome::NoMatch };
        }
        if char == rules.all {
            return after_run(rules, pattern, text);
        }
        if char == rules.special {
            if rules.glob {
                if !in_set(&mut pattern, text.next()) {
                    return Outcome::NoMatch;
                }
                continue;
            }
            char = pattern.next();
            if char == 0 {
                return Outcome::NoMatch;
            }
            escaped = pattern.0.len();
        }
        let other = text.next();
        let wildcard = char == rules.one && pattern.0.len() != escaped && other != 0;
        if !same(rules, char, other) && !wildcard {
            return Outcome::NoMatch;
        }
    }
}

/// Goes on after a wildcard for any run of characters.
fn after_run(rules: Rules, mut pattern: Chars<'_>, mut text: Chars<'_>) -> Outcome {
    let mut here = pattern;
    let mut char = pattern.next();
    while char != 0 && (char == rules.all || char == rules.one) {
        if char == rules.one && text.next() == 0 {
            return Outcome::Hopeless;
        }
        here = pattern;
        char = pattern.next();
    }
    if char == 0 {
        return Outcome::Match;
    }
    if char == rules.special {
        if rules.glob {
            while !text.0.is_empty() {
                let outcome = compare(rules, here, text);
                if outcome != Outcome::NoMatch {
                    return outcome;
                }
                text.next();
            }
            return Outcome::Hopeless;
        }
        char = pattern.next();
        if char == 0 {
            return Outcome::Hopeless;
        }
    }
    loop {
        let other = text.next();
        if other == 0 {
            return Outcome::Hopeless;
        }
        if same(rules, char, other) {
            let outcome = compare(rules, pattern, text);
            if outcome != Outcome::NoMatch {
                return outcome;
            }
        }
    }
}

fn same(rules: Rules, a: u32, b: u32) -> bool {
    let lower = |char: u32| match u8::try_from(char) {
        Ok(byte) if !rules.glob => u32::from(byte.to_ascii_lowercase()),
        _ => char,
    };
    a == b || lower(a) == lower(b)
}

/// Reads the rest of `[…]`; whether a character is in it. 0 is in no set.
fn in_set(pattern: &mut Chars<'_>, char: u32) -> bool {
    if char == 0 {
        return false;
    }
    let mut member = pattern.next();
    let inverted = member == u32::from('^');
    if inverted {
        member = pattern.next();
    }
    let mut seen = false;
    if member == u32::from(']') {
        seen = char == member;
        member = pattern.next();
    }
    let mut before = 0;
    while member != 0 && member != u32::from(']') {
        let next = pattern.peek_byte();
        if member == u32::from('-') && next != b']' && next != 0 && before > 0 {
            member = pattern.next();
            seen |= (before..=member).contains(&char);
            before = 0;
        } else {
            seen |= char == member;
            before = member;
        }
        member = pattern.next();
    }
    member != 0 && seen != inverted
}
