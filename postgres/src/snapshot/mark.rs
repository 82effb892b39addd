//! What a copy holds of the stream.

use std::fmt;
use std::str::FromStr;

use crate::lsn::Lsn;

/// From which snapshot a table was copied. Its text form is for writing it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The copy holds every transaction whose commit lies before this position.
    pub lsn: Lsn,
    /// The copy also holds these of the later ones; none if it holds none.
    pub visible: Option<Visible>,
}

/// Which transactions a snapshot sees, by their numbers of 64 bits, as `pg_current_snapshot()`
/// says.
///
/// The stream names transactions by the lower 32 bits. Both ways of counting agree for numbers that
/// lie less than 2^31 apart, which the server sees to: older ones are frozen. Subtransactions have
/// numbers of their own, but the stream and the snapshot both name only the outermost transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    /// All below are visible.
    pub from: u64,
    /// None from here on is visible.
    pub to: u64,
    /// Those in between that were running, and so are not visible. Sorted.
    pub running: Vec<u64>,
}

impl Mark {
    /// Whether the copy holds a transaction already.
    pub fn holds(&self, commit: Lsn, xid: u32) -> bool {
        commit < self.lsn || self.visible.as_ref().is_some_and(|visible| visible.sees(xid))
    }
}

impl Visible {
    /// Whether a transaction was visible, by the lower half of its number.
    pub fn sees(&self, xid: u32) -> bool {
        let distance = xid.wrapping_sub(self.from as u32).cast_signed();
        let Some(full) = self.from.checked_add_signed(i64::from(distance)) else { return true };
        full < self.from || (full < self.to && self.running.binary_search(&full).is_err())
    }
}

/// A text that is not a mark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the mark of a copy, such as 0/16B3748 or 0/16B3748 10:20:10,14")]
pub struct NotAMark(pub String);

/// The position, and behind a blank the snapshot as the server writes it.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.visible {
            None => write!(f, "{}", self.lsn),
            Some(visible) => write!(f, "{} {visible}", self.lsn),
        }
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Mark, NotAMark> {
        let bad = || NotAMark(text.to_owned());
        let (lsn, visible) = match text.split_once(' ') {
            Some((lsn, visible)) => (lsn, Some(visible.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        Ok(Mark { lsn: lsn.parse().map_err(|_| bad())?, visible })
    }
}

/// As `pg_snapshot` is written: `10:20:10,14`.
impl fmt::Display for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.from, self.to)?;
        for (index, xid) in self.running.iter().enumerate() {
            write!(f, "{}{xid}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Visible {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Visible, NotAMark> {
        let bad = || NotAMark(text.to_owned());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| bad());
        let mut parts = text.split(':');
        let (Some(from), Some(to), Some(running), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let running = running.split(',').filter(|xid| !xid.is_empty()).map(number);
        let mut running = running.collect::<Result<Vec<u64>, _>>()?;
        running.sort_unstable();
        Ok(Visible { from: number(from)?, to: number(to)?, running })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_written_and_read() {
        for text in ["0/16B3748", "0/16B3748 10:20:10,14", "1/0 10:10:"] {
            let mark: Mark = text.parse().expect(text);
            assert_eq!(mark.to_string(), text);
        }
        for text in ["", "x", "0/1 10:20", "0/1 10:20:a", "0/1 1:2:3:4"] {
            assert_eq!(
                text.parse::<Mark>(),
                Err(NotAMark(text.to_owned())).map_err(|_| text.parse::<Mark>().expect_err("bad"))
            );
        }
    }

    #[test]
    fn a_position_alone_decides_by_the_commit() {
        let mark: Mark = "0/64".parse().expect("a mark");
        assert!(mark.holds(Lsn(99), 7) && !mark.holds(Lsn(100), 7));
    }

    #[test]
    fn a_snapshot_sees_what_had_ended() {
        let mark: Mark = "0/64 10:20:10,14".parse().expect("a mark");
        let held: Vec<u32> = (8..22).filter(|xid| mark.holds(Lsn(200), *xid)).collect();
        assert_eq!(held, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert!(mark.holds(Lsn(99), 14));
    }

    #[test]
    fn numbers_of_32_bits_wrap_around() {
        let epoch = 1u64 << 32;
        let visible =
            Visible { from: epoch - 2, to: epoch + 3, running: vec![epoch - 2, epoch + 1] };
        let seen = |xid: u32| visible.sees(xid);
        assert!(seen(u32::MAX - 2), "below");
        assert!(!seen(u32::MAX - 1), "running");
        assert!(seen(u32::MAX) && seen(0) && seen(2));
        assert!(!seen(1) && !seen(3) && !seen(1000));
    }
}
