//! Where the server is and who asks: connection strings, sessions, and what goes wrong with them.

mod error;
mod parameters;
mod parse;
mod tls;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Connection, NoTls, Socket};

pub use error::ServerError;
pub(crate) use error::is_passing;
pub use parse::NotAConfig;

use crate::types::SESSION_SETTINGS;
use tls::{Connector, Mode, Tls};

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
    tls: Tls,
}

/// A session for SQL. Its settings are those of [`SESSION_SETTINGS`].
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    is_encrypted: bool,
}

impl Session {
    /// Over a connection. An error of it comes out of the statement that is running.
    fn over<S, T>(both: (Client, Connection<S, T>), is_encrypted: bool) -> Session
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: TlsStream + Unpin + Send + 'static,
    {
        let (client, connection) = both;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Session { client, driver, is_encrypted }
    }
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
    /// of the variable `PGPASSWORD` is taken. How the connection is encrypted, `sslmode`, `sslrootcert`,
    /// `sslcert` and `sslkey` say, or the variables that `libpq` has for them; unless they do, it is
    /// encrypted if the server can.
    ///
    /// # Errors
    ///
    /// The text cannot be read, or asks for what is not supported: more than one host, channel binding.
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
        // Files are read before the time begins to count.
        let connector = match self.mode() {
            Mode::Disable => None,
            _ => Some(self.connector()?),
        };
        let connecting = self.connect_with(config, connector);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(ServerError::no_answer(self.name(), CONNECT_TIMEOUT)),
        }
    }

    /// Connects as `sslmode` has it.
    async fn connect_with(
        &self,
        config: tokio_postgres::Config,
        connector: Option<Connector>,
    ) -> Result<Session, ServerError> {
        let Some(connector) = connector else { return self.connect_plainly(config).await };
        let is_enough = self.tls.mode == Mode::Prefer;
        let mode = if is_enough { SslMode::Prefer } else { SslMode::Require };
        match self.connect_encrypted(config.clone(), mode, connector).await {
            // Also where the server has no place for us who come encrypted.
            Err(error) if is_enough && error.is_of_encryption() => {
                self.connect_plainly(config).await
            }
            outcome => outcome,
        }
    }

    async fn connect_plainly(
        &self,
        mut config: tokio_postgres::Config,
    ) -> Result<Session, ServerError> {
        let connected = config.ssl_mode(SslMode::Disable).connect(NoTls).await;
        let failed = |error| ServerError::connecting(self.name(), &error);
        Ok(Session::over(connected.map_err(failed)?, false))
    }

    async fn connect_encrypted(
        &self,
        mut config: tokio_postgres::Config,
        mode: SslMode,
        connector: Connector,
    ) -> Result<Session, ServerError> {
        let connected = config.ssl_mode(mode).connect(connector.clone()).await;
        let failed = |error| ServerError::connecting(self.name(), &error);
        let both: (Client, Connection<Socket, _>) = connected.map_err(failed)?;
        Ok(Session::over(both, connector.has_encrypted()))
    }

    fn connector(&self) -> Result<Connector, ServerError> {
        let connector = Connector::new(&self.tls, &self.host);
        connector.map_err(|error| ServerError::encrypting(self.name(), &error))
    }

    /// How connections are encrypted: through Unix sockets they are not.
    fn mode(&self) -> Mode {
        if self.host.starts_with('/') { Mode::Disable } else { self.tls.mode }
    }

    /// How to connect for replication, once and soon: reading `slot` through `publication` from a
    /// position on.
    pub(crate) async fn replication(
        &self,
        slot: &str,
        publication: &str,
        settings: &[(&str, &str)],
    ) -> Result<pgwire_replication::ReplicationConfig, ServerError> {
        let is_encrypted = match self.mode() {
            Mode::Disable => false,
            // As it is with other connections to this server.
            Mode::Prefer => self.connect().await?.is_encrypted,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => true,
        };
        let host = match is_encrypted {
            false => self.host.clone(),
            true => {
                let connector = self.connector()?;
                let opened = tls::forward(&self.host, self.port, &connector).await;
                let folder =
                    opened.map_err(|error| ServerError::encrypting(self.name(), &error))?;
                folder.to_string_lossy().into_owned()
            }
        };
        let password = self.inner.get_password().unwrap_or_default();
        let mut config = pgwire_replication::ReplicationConfig::new(
            host,
            self.user.clone(),
            String::from_utf8_lossy(password),
            self.database.clone(),
            crate::setup::quoted(slot),
            crate::setup::quoted(publication),
        );
        config = config.with_port(self.port).with_options(self.options(settings));
        config.application_name = Some("penstock".into());
        Ok(config)
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
}
