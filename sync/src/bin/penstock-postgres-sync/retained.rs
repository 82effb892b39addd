//! A warning when the server keeps much of its log because of the slot.

use penstock_postgres::follow::Status;

/// Bytes in a megabyte.
const MEGABYTE: u64 = 1 << 20;

/// Whether the server keeps more log than it should, and whether that was said.
#[derive(Debug)]
pub(crate) struct Retained {
    /// In megabytes.
    most: u64,
    is_said: bool,
}

impl Retained {
    /// Warns above this many megabytes.
    pub(crate) fn new(most: u64) -> Retained {
        Retained { most, is_said: false }
    }

    /// What to say now: once each time that the limit is passed.
    pub(crate) fn warning(&mut self, status: &Status) -> Option<String> {
        let stream = status.stream.as_ref()?;
        self.of(stream.retained_bytes()?)
    }

    fn of(&mut self, bytes: u64) -> Option<String> {
        let megabytes = bytes / MEGABYTE;
        let was_said = std::mem::replace(&mut self.is_said, megabytes > self.most);
        (self.is_said && !was_said).then(|| {
            format!(
                "the server keeps {megabytes} MB of its log for the slot, more than {} MB; it is freed as \
                 the stream is applied, or by tear-down if nobody needs the slot any more",
                self.most
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_each_time() {
        let mut retained = Retained::new(100);
        assert_eq!(retained.of(100 * MEGABYTE), None);
        let warning = retained.of(101 * MEGABYTE).expect("a warning");
        assert!(warning.starts_with("the server keeps 101 MB of its log"), "{warning}");
        assert_eq!(retained.of(500 * MEGABYTE), None);
        assert_eq!(retained.of(5 * MEGABYTE), None);
        assert!(retained.of(200 * MEGABYTE).is_some());
    }
}
