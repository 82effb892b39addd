//! Backups, and servers that go on from them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::folder::{self, Folder};
use crate::server::{Server, Stop, write};
use crate::{Error, Installation, Options};

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
            drop_slots(&self.data())?;
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

    /// Makes a hot standby, which streams everything from this server through the physical slot
    /// `standby`. From Postgres 17 on it synchronizes the slots that may fail over, and this server sends
    /// through those only what the standby has.
    ///
    /// # Errors
    ///
    /// The servers', or those of copying.
    pub fn standby(&mut self) -> Result<Server, Error> {
        self.sql("select pg_create_physical_replication_slot('standby', true)")?;
        let backup = self.back_up()?;
        let synchronizes = self.installation.major >= 17;
        let mut options = self.options.clone();
        options.settings.extend([
            format!(
                "primary_conninfo = 'host=127.0.0.1 port={} user=postgres dbname=postgres'",
                self.port
            ),
            "primary_slot_name = 'standby'".to_owned(),
            "hot_standby_feedback = on".to_owned(),
            "wal_receiver_status_interval = 1s".to_owned(),
        ]);
        if synchronizes {
            options.settings.push("sync_replication_slots = on".to_owned());
        }
        let standby = Server::of_backup(&self.installation, options, &backup)?;
        if synchronizes {
            self.sql("alter system set synchronized_standby_slots = 'standby'")?;
            self.sql("select pg_reload_conf()")?;
        }
        Ok(standby)
    }

    /// Starts a standby from a backup.
    fn of_backup(
        installation: &Installation,
        options: Options,
        backup: &Backup,
    ) -> Result<Server, Error> {
        let mut standby = Server::unstarted(installation, options)?;
        let data = standby.data();
        folder::copy(&backup.data(), &data)?;
        // Slots belong to the server that they were made on.
        drop_slots(&data)?;
        write(&data.join("standby.signal"), "")?;
        standby.owner.take(standby.folder.path())?;
        standby.start_again()?;
        Ok(standby)
    }

    /// Makes a standby take writes.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn promote(&self) -> Result<(), Error> {
        self.sql("select pg_promote()").map(drop)
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

fn drop_slots(data: &Path) -> Result<(), Error> {
    let slots = data.join("pg_replslot");
    fs::remove_dir_all(&slots).map_err(|error| Error::new(slots.display(), error))?;
    fs::create_dir(&slots).map_err(|error| Error::new(slots.display(), error))
}
