//! What a workload runs over: the data, and the source that holds them.

use std::fmt;

use penstock::{Database, Error};

use crate::data::{Data, Sizes};
use crate::sqlite::{Plain, Scratch, fill, open_file, open_memory};
use crate::tables;

/// How many times the rows of the reference there are, in tenths. Displayed as `0.1` or `10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(u32);

impl Scale {
    /// As many rows as the reference.
    pub const ONE: Scale = Scale(10);
    /// A tenth of them.
    pub const TENTH: Scale = Scale(1);
    /// Ten times as many.
    pub const TEN: Scale = Scale(100);

    /// A whole number above zero, or `0.1` to `0.9`.
    pub fn parse(text: &str) -> Option<Scale> {
        let tenths = match text.strip_prefix("0.") {
            Some(tenths) => tenths.parse().ok().filter(|_| tenths.len() == 1)?,
            None => text.parse::<u32>().ok()?.checked_mul(10)?,
        };
        (tenths > 0).then_some(Scale(tenths))
    }

    /// As a number.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// The name of a workload in the output: `W4` at scale 1, else `W4@10`.
    pub fn name_of(self, workload: &str) -> String {
        if self == Scale::ONE { workload.to_owned() } else { format!("{workload}@{self}") }
    }

    /// The sizes of the tables.
    pub fn sizes(self) -> Sizes {
        Sizes::tenths(self.0)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.factor())
    }
}

/// Where the rows live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The library's own tables in memory.
    Memory,
    /// A file of SQLite with a write-ahead log.
    SqliteFile,
    /// A database of SQLite in memory.
    SqliteMemory,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [SourceKind; 3] =
        [SourceKind::Memory, SourceKind::SqliteFile, SourceKind::SqliteMemory];

    /// The name on the command line and in the output.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Memory => "memory",
            SourceKind::SqliteFile => "sqlite",
            SourceKind::SqliteMemory => "sqlite-memory",
        }
    }

    /// Whether SQLite holds the rows.
    pub fn is_sqlite(self) -> bool {
        self != SourceKind::Memory
    }
}

/// Generated data, and the kind of source to put them into.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The rows and sizes.
    pub data: Data,
    /// Where they go.
    pub source: SourceKind,
}

/// A filled database, and beside one over SQLite the same tables once more, for SQLite alone.
pub struct Opened {
    /// The database.
    pub db: Database,
    /// SQLite without this library; absent over the memory source.
    pub plain: Option<Plain>,
    /// The folder of the files, which goes last.
    _scratch: Option<Scratch>,
}

impl Opened {
    /// A database in memory with other tables than the generated ones.
    pub fn of(db: Database) -> Opened {
        Opened { db, plain: None, _scratch: None }
    }
}

impl Setting {
    /// Fills the source. Over SQLite the database has the given indexes (`table (column, …)`), as
    /// an application that runs the workload's query would make them; the memory source makes its
    /// own.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn open(&self, indexes: &[&str]) -> Result<Opened, Error> {
        self.open_over(indexes, tables::database)
    }

    /// As [`open`](Setting::open), but indexes of the memory source stay when the last query that
    /// needs them goes.
    ///
    /// # Errors
    /// As [`open`](Setting::open).
    pub fn open_with_lasting_indexes(&self, indexes: &[&str]) -> Result<Opened, Error> {
        self.open_over(indexes, tables::database_with_lasting_indexes)
    }

    fn open_over(
        &self,
        indexes: &[&str],
        in_memory: impl Fn(&Data) -> Result<Database, Error>,
    ) -> Result<Opened, Error> {
        match self.source {
            SourceKind::Memory => {
                Ok(Opened { db: in_memory(&self.data)?, plain: None, _scratch: None })
            }
            SourceKind::SqliteFile => self.open_files(indexes),
            SourceKind::SqliteMemory => self.open_in_memory(indexes),
        }
    }

    fn open_files(&self, indexes: &[&str]) -> Result<Opened, Error> {
        let scratch = Scratch::new()?;
        let [ours, plain] = ["live.db", "plain.db"].map(|name| scratch.file(name));
        // Closing the connection moves the log into the file, so that it can be copied.
        fill(&mut open_file(&ours)?, &self.data, indexes)?;
        std::fs::copy(&ours, &plain)
            .map_err(|error| Error::abort(format!("cannot copy a file: {error}")))?;
        let plain = Some(Plain::new(open_file(&plain)?));
        Ok(Opened { db: tables::over(open_file(&ours)?)?, plain, _scratch: Some(scratch) })
    }

    fn open_in_memory(&self, indexes: &[&str]) -> Result<Opened, Error> {
        let (mut ours, mut plain) = (open_memory()?, open_memory()?);
        fill(&mut ours, &self.data, indexes)?;
        fill(&mut plain, &self.data, indexes)?;
        Ok(Opened { db: tables::over(ours)?, plain: Some(Plain::new(plain)), _scratch: None })
    }
}
