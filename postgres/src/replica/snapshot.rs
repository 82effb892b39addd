//! Which transactions a copy of a table holds already.

use std::fmt;
use std::str::FromStr;

/// What `pg_current_snapshot()` says of a snapshot: which transactions it sees.
///
/// Transactions of the stream have ids of 32 bits, those of a snapshot 64; they are compared within
/// the 2^31 ids around the snapshot, as the server itself does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All transactions before this one are seen, or were rolled back.
    pub xmin: u64,
    /// This transaction and all later ones are not seen.
    pub xmax: u64,
    /// Those between that were in progress, and are not seen; in ascending order.
    pub in_progress: Vec<u64>,
}

impl Snapshot {
    /// Whether a transaction that was committed is seen.
    pub fn sees(&self, xid: u32) -> bool {
        let distance = xid.wrapping_sub(self.xmin as u32) as i32;
        let xid = self.xmin.wrapping_add_signed(i64::from(distance));
        xid < self.xmin || (xid < self.xmax && self.in_progress.binary_search(&xid).is_err())
    }
}

/// As the server writes it: `10:20:10,14,15`.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (at, xid) in self.in_progress.iter().enumerate() {
            write!(f, "{}{xid}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// A text that is not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a snapshot; pg_current_snapshot() gives one: 10:20:10,14,15")]
pub struct NotASnapshot(pub String);

impl FromStr for Snapshot {
    type Err = NotASnapshot;

    fn from_str(text: &str) -> Result<Snapshot, NotASnapshot> {
        let read = || {
            let mut parts = text.split(':');
            let (xmin, xmax, list) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() {
                return None;
            }
            let ids = list.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok());
            let mut in_progress = ids.collect::<Option<Vec<u64>>>()?;
            in_progress.sort_unstable();
            Some(Snapshot { xmin: xmin.parse().ok()?, xmax: xmax.parse().ok()?, in_progress })
        };
        read().ok_or_else(|| NotASnapshot(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_server() {
        for text in ["10:10:", "10:20:10,14,15", "4294967290:4294967300:4294967299"] {
            assert_eq!(text.parse::<Snapshot>().map(|read| read.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "1:2", "1:2:3:4", "a:2:", "1:2:x"] {
            assert_eq!(text.parse::<Snapshot>(), Err(NotASnapshot(text.to_owned())));
        }
    }

    #[test]
    fn what_was_in_progress_is_not_seen() {
        let snapshot: Snapshot = "10:20:10,14,15".parse().expect("a snapshot");
        let seen: Vec<u32> = (5..25).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 18, 19]);
    }

    #[test]
    fn ids_of_32_bits_wrap_around() {
        let snapshot: Snapshot = "4294967290:4294967300:4294967299".parse().expect("a snapshot");
        for (xid, seen) in
            [(u32::MAX - 10, true), (u32::MAX, true), (0, true), (3, false), (4, false), (9, false)]
        {
            assert_eq!(snapshot.sees(xid), seen, "{xid}");
        }
    }
}
