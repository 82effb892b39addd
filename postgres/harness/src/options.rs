//! How a server of a test is set up.

/// How a server of a test is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether commits reach the disk; on, as in earnest.
    pub fsync: bool,
    /// `wal_level`; `logical`.
    pub wal_level: String,
    /// `wal_sender_timeout` in milliseconds; a minute, the server's default.
    pub wal_sender_timeout_ms: u32,
    /// `max_slot_wal_keep_size` in megabytes; no limit.
    pub max_slot_wal_keep_size_mb: Option<u32>,
    /// `max_replication_slots`; 10.
    pub max_replication_slots: u32,
    /// `max_wal_senders`; 10.
    pub max_wal_senders: u32,
    /// Further lines of `postgresql.conf`.
    pub settings: Vec<String>,
    /// Further lines at the top of `pg_hba.conf`. Everybody is trusted unless one of these says
    /// otherwise.
    pub hba: Vec<String>,
    /// Further files of the data directory, which only the server may read: names and contents.
    pub files: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            fsync: true,
            wal_level: "logical".into(),
            wal_sender_timeout_ms: 60_000,
            max_slot_wal_keep_size_mb: None,
            max_replication_slots: 10,
            max_wal_senders: 10,
            settings: Vec::new(),
            hba: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Options {
    /// Without waiting for the disk: for tests that do not crash the machine.
    pub fn fast() -> Options {
        Options { fsync: false, ..Options::default() }
    }

    /// The lines of `postgresql.conf`, but for where it listens.
    pub(crate) fn lines(&self) -> Vec<String> {
        let switch = if self.fsync { "on" } else { "off" };
        let mut lines = vec![
            format!("fsync = {switch}"),
            format!("full_page_writes = {switch}"),
            format!("wal_level = {}", self.wal_level),
            format!("wal_sender_timeout = {}", self.wal_sender_timeout_ms),
            format!("max_replication_slots = {}", self.max_replication_slots),
            format!("max_wal_senders = {}", self.max_wal_senders),
            "max_connections = 60".into(),
            "shared_buffers = 16MB".into(),
            "min_wal_size = 32MB".into(),
            "timezone = 'UTC'".into(),
            "log_timezone = 'UTC'".into(),
        ];
        if let Some(limit) = self.max_slot_wal_keep_size_mb {
            lines.push(format!("max_slot_wal_keep_size = {limit}MB"));
        }
        lines.extend(self.settings.iter().cloned());
        lines
    }
}
