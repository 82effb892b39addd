//! As whom a server runs.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// The user of a server: Postgres refuses to run as root, so root starts it as somebody else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    /// Whoever runs the test.
    Myself,
    /// An unprivileged user.
    Other { uid: u32, gid: u32 },
}

impl Owner {
    /// Us, or if we are root the user `postgres`, or `nobody`.
    pub(crate) fn find() -> Result<Owner, Error> {
        let me = std::fs::metadata("/proc/self").map_err(|error| Error::new("/proc", error))?.uid();
        if me != 0 {
            return Ok(Owner::Myself);
        }
        let users = std::fs::read_to_string("/etc/passwd")
            .map_err(|error| Error::new("/etc/passwd", error))?;
        let find = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next() == Some(name)).then_some(())?;
                let (uid, gid) = (fields.nth(1)?, fields.next()?);
                Some(Owner::Other { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            })
        };
        find("postgres").or_else(|| find("nobody")).ok_or_else(|| {
            Error("Postgres does not run as root, and there is no user postgres or nobody".into())
        })
    }

    /// A command that runs as this user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Owner::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a folder and everything in it to this user.
    pub(crate) fn take(self, path: &Path) -> Result<(), Error> {
        let Owner::Other { uid, gid } = self else { return Ok(()) };
        let named = |error| Error::new(path.display(), error);
        chown(path, Some(uid), Some(gid)).map_err(named)?;
        if path.symlink_metadata().map_err(named)?.is_dir() {
            for entry in std::fs::read_dir(path).map_err(named)? {
                self.take(&entry.map_err(named)?.path())?;
            }
        }
        Ok(())
    }
}
