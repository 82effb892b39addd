//! How far a client's store is.
//!
//! A cookie is opaque to clients, but for its order: they compare cookies as text, and refuse one that is
//! not greater than the one before. Ours are `z`, the version as 13 base-32 digits, a dot and a *tag*.
//! Versions count the pokes of a client group; the tag tells one history of a group from another, so that
//! a version which was given out twice, by a server that had lost its state in between, is never taken
//! for the other. The `z` makes them greater than what other servers of the protocol give out.

use std::fmt;

/// Base 32 in the order of the characters.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// Digits for 64 bits.
const LENGTH: usize = 13;

/// The tag of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

/// How far a client's store is: which history, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cookie {
    /// How many pokes the group has had.
    pub version: u64,
    /// In which history.
    pub tag: Tag,
}

impl Cookie {
    /// Reads a cookie; `None` if it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Cookie> {
        let (version, tag) = text.strip_prefix('z')?.split_once('.')?;
        if version.len() != LENGTH {
            return None;
        }
        Some(Cookie { version: number(version)?, tag: Tag(u32::try_from(number(tag)?).ok()?) })
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |number, byte| {
        let digit = DIGITS.binary_search(&byte).ok()? as u64;
        number.checked_mul(32)?.checked_add(digit)
    })
}

fn digits(mut number: u64, length: usize) -> String {
    let mut text = vec![b'0'; length];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 32) as usize];
        number /= 32;
    }
    text.into_iter().map(char::from).collect()
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "z{}.{}", digits(self.version, LENGTH), digits(u64::from(self.tag.0), 7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_grow_as_text_with_their_versions() {
        let versions = [0, 1, 9, 10, 31, 32, 1 << 32, u64::MAX];
        let text = |version, tag| Cookie { version, tag: Tag(tag) }.to_string();
        for (at, version) in versions.iter().enumerate() {
            let cookie = text(*version, 77);
            assert_eq!(Cookie::parse(&cookie), Some(Cookie { version: *version, tag: Tag(77) }));
            for later in &versions[at + 1..] {
                assert!(cookie < text(*later, 0) && text(*version, u32::MAX) < text(*later, 0));
            }
        }
        assert!(text(0, 0).as_str() > "4iqomg:01");
    }

    #[test]
    fn others_cookies_are_not_ours() {
        for text in ["", "z", "00:01", "z0.0", "z000000000000w.0000000", "zvvvvvvvvvvvvv.0000000"] {
            assert_eq!(Cookie::parse(text), None, "{text}");
        }
    }
}
