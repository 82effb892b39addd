//! Positions in a server's write-ahead log.

use std::fmt;
use std::str::FromStr;

/// A log sequence number: a byte position in the write-ahead log of one server on one timeline.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before everything: what a server takes for "from where the slot stands".
    pub const ZERO: Lsn = Lsn(0);

    /// How many bytes of log lie between `earlier` and this position; none if it is not earlier.
    pub fn since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// As the server writes it: the upper and lower half in hexadecimal digits, `16/B374D848`.
impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a log position; one is two hexadecimal numbers with a slash: 16/B374D848")]
pub struct NotAnLsn(pub String);

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Lsn, NotAnLsn> {
        let bad = || NotAnLsn(text.to_owned());
        let half = |digits: &str| match digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            true => u32::from_str_radix(digits, 16).map_err(|_| bad()),
            false => Err(bad()),
        };
        let (upper, lower) = text.split_once('/').ok_or_else(bad)?;
        Ok(Lsn(u64::from(half(upper)?) << 32 | u64::from(half(lower)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_and_read_as_the_server_does() {
        for (text, value) in
            [("0/0", 0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", u64::MAX)]
        {
            assert_eq!(text.parse(), Ok(Lsn(value)));
            assert_eq!(Lsn(value).to_string(), text);
        }
        assert_eq!("0/1a".parse(), Ok(Lsn(26)));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "/", "1/", "/1", "1", "1/2/3", "+1/2", "1/ 2", "100000000/0", "g/0"] {
            assert_eq!(text.parse::<Lsn>(), Err(NotAnLsn(text.to_owned())));
        }
    }
}
