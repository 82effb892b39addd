//! How a file is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for another connection's lock unless said otherwise.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How an SQLite file is opened.
///
/// ```
/// use std::time::Duration;
/// use penstock::source::SqliteOptions;
///
/// let options = SqliteOptions::new("tasks.db").busy_timeout(Duration::from_secs(1));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(super) path: PathBuf,
    pub(super) busy_timeout: Duration,
    pub(super) create: bool,
    pub(super) read_only: bool,
    pub(super) create_indexes: bool,
    pub(super) change_log: bool,
    pub(super) only_attached_writers: bool,
    pub(super) relaxed_durability: bool,
}

impl SqliteOptions {
    /// The file at a path, with default options. `:memory:` is a database of its own in memory.
    pub fn new(path: impl AsRef<Path>) -> SqliteOptions {
        SqliteOptions {
            path: path.as_ref().to_owned(),
            busy_timeout: BUSY_TIMEOUT,
            create: false,
            read_only: false,
            create_indexes: false,
            change_log: false,
            only_attached_writers: false,
            relaxed_durability: false,
        }
    }

    /// How long an operation waits for a lock of another connection before it fails; 5 seconds
    /// unless said here. Meanwhile the thread is blocked.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Whether a file that is not there is made, empty. By default that is an error.
    #[must_use]
    pub fn create_if_missing(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether the file is only read; then every transaction is refused.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether an index named `penstock_…` is created in the file for a live query that no index
    /// of the file serves. Such indexes stay in the file; each costs its space, a first build of
    /// O(n log n), and O(log n) per write of its table by anyone. Without this, such a query reads
    /// its whole table whenever it has to read on; see
    /// [`missing_indexes`](super::SqliteSource::missing_indexes).
    #[must_use]
    pub fn create_indexes(mut self, create: bool) -> Self {
        self.create_indexes = create;
        self
    }

    /// Whether a change log is installed in the file, by which the writes of other connections and
    /// processes are followed row by row; see
    /// [`install_change_log`](super::SqliteSource::install_change_log).
    #[must_use]
    pub fn change_log(mut self, install: bool) -> Self {
        self.change_log = install;
        self
    }

    /// The promise that nobody writes to the file but this database and connections attached to
    /// it ([`SqliteSource::attach`](super::SqliteSource::attach)). Then what those write is
    /// followed row by row without a change log. Where the promise is broken results go wrong
    /// without notice.
    #[must_use]
    pub fn only_attached_writers(mut self, promised: bool) -> Self {
        self.only_attached_writers = promised;
        self
    }

    /// Whether commits return before they are on the disk (`PRAGMA synchronous = NORMAL`). With a
    /// write-ahead log the file stays sound, but the last commits before a power failure may be
    /// undone. For who can do them again, or syncs the log now and then.
    #[must_use]
    pub fn relaxed_durability(mut self, relaxed: bool) -> Self {
        self.relaxed_durability = relaxed;
        self
    }
}
