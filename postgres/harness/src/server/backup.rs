//! Backups, and servers that go on from them.

use std::fs;
use std::path::PathBuf;

use crate::Error;
use crate::folder::{self, Folder};
use crate::server::{Server, Stop, write};

/// A copy of a stopped server's data directory.
#[derive(Debug)]
pub struct Backup(Folder);

impl Backup {
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

impl Server {
    /// Stops the server in order, copies its data directory, and starts it again.
    ///
    /// # Errors
    ///
    /// The server's, or those of copying.
    pub fn back_up(&mut self) -> Result<Backup, Error> {
        self.stop(Stop::Fast)?;
        let backup = Backup(Folder::new()?);
        folder::copy(&self.data(), &backup.data())?;
        self.start_again()?;
        Ok(backup)
    }

    /// Puts the data directory back to what it was, slots included, as somebody does who copies
    /// files: the server does not know that it has a future which it lost, and stays on its
    /// timeline.
    ///
    /// # Errors
    ///
    /// The server's, or those of copying.
    pub fn go_back(&mut self, backup: &Backup) -> Result<(), Error> {
        self.put(backup)?;
        self.start_again()
    }

    /// Restores the data directory as backups are restored: through recovery, onto a new timeline.
    /// Slots are kept only if asked for; the usual tools leave them out.
    ///
    /// # Errors
    ///
    /// The server's, or those of copying.
    pub fn restore(&mut self, backup: &Backup, keep_slots: bool) -> Result<(), Error> {
        self.put(backup)?;
        if !keep_slots {
            let slots = self.data().join("pg_replslot");
            fs::remove_dir_all(&slots).map_err(|error| Error::new(slots.display(), error))?;
            fs::create_dir(&slots).map_err(|error| Error::new(slots.display(), error))?;
        }
        self.onto_a_new_timeline()
    }

    /// Stops the server and starts it on a new timeline, as a standby that is promoted with nothing
    /// lost: a fail-over as its clients see it, slots included.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn fail_over(&mut self) -> Result<(), Error> {
        self.stop(Stop::Fast)?;
        self.onto_a_new_timeline()
    }

    fn put(&mut self, backup: &Backup) -> Result<(), Error> {
        self.stop(Stop::Immediate)?;
        let data = self.data();
        fs::remove_dir_all(&data).map_err(|error| Error::new(data.display(), error))?;
        folder::copy(&backup.data(), &data)?;
        self.owner.take(&data)
    }

    fn onto_a_new_timeline(&mut self) -> Result<(), Error> {
        let data = self.data();
        write(&data.join("recovery.signal"), "")?;
        write(&data.join("postgresql.auto.conf"), "restore_command = '/bin/false'\n")?;
        self.owner.take(self.folder.path())?;
        self.start_again()?;
        crate::until("the server leaves recovery", || {
            self.value("select pg_is_in_recovery()").is_ok_and(|answer| answer == "f")
        });
        Ok(())
    }
}
