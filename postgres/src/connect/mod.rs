//! Where the server is and who asks: connection strings, sessions, and what goes wrong with them.

mod error;
mod parse;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

pub use error::ServerError;
pub(crate) use error::is_passing;
pub use parse::NotAConfig;

use crate::types::SESSION_SETTINGS;

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// For how long the network may be gone before a session is given up.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a server is, the database, and as whom to connect. Neither [`Debug`] nor any error shows
/// the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) inner: tokio_postgres::Config,
    host: String,
    port: u16,
    user: String,
    database: String,
}

/// A session for SQL. Its settings are those of [`SESSION_SETTINGS`].
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The socket is closed with it, so that the server notices at once.
        self.driver.abort();
    }
}

impl Config {
    /// Reads a connection string: `postgres://user:password@host:port/database`, or pairs such as
    /// `host=/run/postgresql dbname=app`, with the names that `libpq` has. Without a password that
    /// of the variable `PGPASSWORD` is taken.
    ///
    /// # Errors
    ///
    /// The text cannot be read, or asks for what is not supported: more than one host, TLS.
    pub fn parse(text: &str) -> Result<Config, NotAConfig> {
        parse::parse(text)
    }

    /// The server and database in words, for messages: `app on db.example.org:5432`.
    pub fn name(&self) -> String {
        match self.host.starts_with('/') {
            true => format!("{} on {}", self.database, self.host),
            false => format!("{} on {}:{}", self.database, self.host, self.port),
        }
    }

    /// The host's name or address, or the folder of its Unix socket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As whom to connect.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The same server through another port of this machine.
    pub fn through(&self, port: u16) -> Config {
        let mut inner = tokio_postgres::Config::new();
        inner.host("127.0.0.1").port(port).user(&self.user).dbname(&self.database);
        if let Some(password) = self.inner.get_password() {
            inner.password(password);
        }
        Config::from_parts(
            inner,
            "127.0.0.1".into(),
            port,
            self.user.clone(),
            self.database.clone(),
        )
    }

    /// Connects for SQL.
    ///
    /// # Errors
    ///
    /// The server cannot be reached within 20 seconds, or refuses.
    pub async fn connect(&self) -> Result<Session, ServerError> {
        let mut config = self.inner.clone();
        config.application_name("penstock").options(self.options(&[]));
        // A network that is gone is noticed, whether we wait for an answer or for room to send.
        config.tcp_user_timeout(NETWORK_TIMEOUT).keepalives_idle(NETWORK_TIMEOUT);
        config.keepalives_interval(NETWORK_TIMEOUT / 3).keepalives_retries(3);
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, config.connect(NoTls));
        let (client, connection) = match connecting.await {
            Ok(connected) => {
                connected.map_err(|error| ServerError::connecting(self.name(), &error))?
            }
            Err(_) => return Err(ServerError::no_answer(self.name(), CONNECT_TIMEOUT)),
        };
        // An error of the connection comes out of the statement that is running.
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Session { client, driver })
    }

    /// How to connect for replication: reading `slot` through `publication` from a position on.
    pub(crate) fn replication(
        &self,
        slot: &str,
        publication: &str,
        settings: &[(&str, &str)],
    ) -> pgwire_replication::ReplicationConfig {
        let password = self.inner.get_password().unwrap_or_default();
        let mut config = pgwire_replication::ReplicationConfig::new(
            self.host.clone(),
            self.user.clone(),
            String::from_utf8_lossy(password),
            self.database.clone(),
            crate::setup::quoted(slot),
            crate::setup::quoted(publication),
        );
        config = config.with_port(self.port).with_options(self.options(settings));
        config.application_name = Some("penstock".into());
        config
    }

    /// The startup parameter that makes settings hold from the start.
    fn options(&self, further: &[(&str, &str)]) -> String {
        let mut options = self.inner.get_options().unwrap_or_default().to_owned();
        for (name, value) in SESSION_SETTINGS.iter().chain(further) {
            let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
            options += &format!(" -c {name}={value}");
        }
        options.trim_start().to_owned()
    }

    fn from_parts(
        inner: tokio_postgres::Config,
        host: String,
        port: u16,
        user: String,
        database: String,
    ) -> Config {
        Config { inner, host, port, user, database }
    }
}
