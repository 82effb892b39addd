//! A server of a test: starting, stopping, killing, restoring, promoting.

mod backup;
mod process;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::folder::Folder;
use crate::owner::Owner;
use crate::{Client, Error, Installation, Options, Rows};

pub use backup::Backup;
use process::Process;
pub use process::{Stop, processes_in};

/// How often another port is tried, if the one that was free has been taken meanwhile.
const PORT_TRIES: u32 = 5;

/// A server in a temporary directory. Dropping it stops the server and removes the directory.
#[derive(Debug)]
pub struct Server {
    installation: Installation,
    options: Options,
    owner: Owner,
    port: u16,
    process: Option<Process>,
    client: Mutex<Option<Client>>,
    // Dropped last.
    folder: Folder,
}

impl Server {
    /// Makes a database cluster and starts it. Takes a second or two.
    ///
    /// # Errors
    ///
    /// What `initdb` or the server says.
    pub fn start(installation: &Installation, options: Options) -> Result<Server, Error> {
        let mut server = Server::unstarted(installation, options)?;
        server.initialize()?;
        server.start_again()?;
        Ok(server)
    }

    /// One without a data directory.
    fn unstarted(installation: &Installation, options: Options) -> Result<Server, Error> {
        let folder = Folder::new()?;
        let owner = Owner::find()?;
        owner.take(folder.path())?;
        Ok(Server {
            installation: installation.clone(),
            options,
            owner,
            port: 0,
            process: None,
            client: Mutex::new(None),
            folder,
        })
    }

    /// Starts the newest version found, without waiting for the disk.
    ///
    /// # Errors
    ///
    /// None is installed, or it does not start.
    pub fn fast() -> Result<Server, Error> {
        Server::start(&Installation::newest()?, Options::fast())
    }

    /// What it runs.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// How to reach it through TCP: user `postgres`, database `postgres`, no password.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The same through a port of ours, such as a proxy's.
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    /// The same through its Unix socket.
    pub fn socket_url(&self) -> String {
        format!(
            "host={} port={} user=postgres dbname=postgres",
            self.folder.path().display(),
            self.port
        )
    }

    /// The TCP port; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Another connection.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn connect(&self) -> Result<Client, Error> {
        Client::connect(&self.url())
    }

    /// Runs statements on a connection that is kept, and made again if it is gone.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn sql(&self, sql: &str) -> Result<Rows, Error> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = kept.take().filter(|client| client.sql("select 1").is_ok());
        let client = match usable {
            Some(client) => client,
            None => self.connect()?,
        };
        kept.insert(client).sql(sql)
    }

    /// Runs statements and gives the first value of the first row; empty for null or none.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn value(&self, sql: &str) -> Result<String, Error> {
        Ok(self.sql(sql)?.into_iter().flatten().next().flatten().unwrap_or_default())
    }

    /// Whether it was started and not stopped since.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The id of its first process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Starts the stopped server again, at the same port. Nothing is done if it runs.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.process.is_some() {
            return Ok(());
        }
        let mut tries = PORT_TRIES;
        loop {
            let chosen = self.port == 0;
            if chosen {
                self.port = free_port()?;
            }
            match self.try_start() {
                Err(_) if chosen && tries > 0 && self.log().contains("could not bind") => {
                    tries -= 1;
                    self.port = 0;
                }
                outcome => return outcome,
            }
        }
    }

    /// Stops it; [`Stop::Kill`] is a crash. Nothing is done if it does not run.
    ///
    /// # Errors
    ///
    /// It did not stop within two minutes.
    pub fn stop(&mut self, how: Stop) -> Result<(), Error> {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match self.process.take() {
            Some(process) => process.stop(how),
            None => Ok(()),
        }
    }

    /// Crashes it and starts it again.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.stop(Stop::Kill)?;
        self.start_again()
    }

    /// Stops it in order and starts it again.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop(Stop::Fast)?;
        self.start_again()
    }

    fn try_start(&mut self) -> Result<(), Error> {
        let (folder, data) = (self.folder.path(), self.data());
        let mut lines = vec![
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("port = {}", self.port),
            format!("unix_socket_directories = '{}'", folder.display()),
        ];
        if self.installation.has_setting("output_plugin_libraries") {
            lines.push("output_plugin_libraries = 'pgoutput, test_decoding, wal2json'".into());
        }
        lines.extend(self.options.lines());
        write(&data.join("penstock.conf"), &(lines.join("\n") + "\n"))?;
        self.owner.take(&data.join("penstock.conf"))?;
        let process = Process::start(
            self.owner.command(&self.installation.bin.join("postgres")),
            &data,
            folder,
            &self.log_file(),
        )?;
        let process = process.ready(&self.url(), &self.log_file())?;
        self.process = Some(process);
        Ok(())
    }

    fn initialize(&self) -> Result<(), Error> {
        let data = self.data();
        let mut command = self.owner.command(&self.installation.bin.join("initdb"));
        command.args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-D",
        ]);
        command.arg(&data).current_dir(self.folder.path()).env_remove("PGDATA");
        let output = command.output().map_err(|error| Error::new("initdb", error))?;
        if !output.status.success() {
            return Err(Error::new("initdb", String::from_utf8_lossy(&output.stderr)));
        }
        let settings = data.join("postgresql.conf");
        let text = fs::read_to_string(&settings).map_err(|e| Error::new(settings.display(), e))?;
        write(&settings, &(text + "\ninclude 'penstock.conf'\n"))?;
        let hba = data.join("pg_hba.conf");
        let text = fs::read_to_string(&hba).map_err(|error| Error::new(hba.display(), error))?;
        write(&hba, &(self.options.hba.join("\n") + "\n" + &text))?;
        for (name, content) in &self.options.files {
            let file = data.join(name);
            write(&file, content)?;
            let secret = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&file, secret)
                .map_err(|error| Error::new(file.display(), error))?;
            self.owner.take(&file)?;
        }
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop(Stop::Immediate);
    }
}

fn free_port() -> Result<u16, Error> {
    let named = |error| Error::new("a free port", error);
    TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .map(|it| it.port())
        .map_err(named)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::new(path.display(), error))
}
