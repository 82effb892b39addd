//! How both tools serve clients: what they are told on the command line, and the server that it makes.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use penstock::Database;
use sha2::{Digest, Sha256};

use crate::backend::Backend;
use crate::hub;
use crate::limit_options::LimitOptions;
use crate::logging::LogOptions;
use crate::options::InspectOptions;
use crate::protocol::cookie::Tag;
use crate::rules::SharedRules;
use crate::server::{self, Health, Server};
use crate::store::{Retention, SqliteStore, StoreThread};
use crate::writes::Bookkeeping;

/// Options by which clients are served.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    /// Port to listen on; 0 is any free one
    #[arg(long, env = "ZERO_PORT", default_value_t = 4848, value_name = "N")]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 is all of this machine's
    #[arg(long, env = "PENSTOCK_HOST", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// File in which client groups are kept over restarts; without it, clients are sent everything anew
    #[arg(long, env = "PENSTOCK_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// For how many days client groups are kept that nobody uses; one that comes back later is sent everything anew
    #[arg(long, env = "PENSTOCK_KEEP_GROUPS", default_value_t = 30, value_name = "DAYS")]
    pub keep_groups: u32,
    /// How long a client group stays live that nobody is connected to, in seconds
    #[arg(long, env = "PENSTOCK_LINGER", default_value_t = 10, value_name = "S")]
    pub linger: u64,
    /// How often the application is asked anew what named queries mean, in seconds
    #[arg(long, env = "PENSTOCK_RETRANSFORM", default_value_t = 300, value_name = "S")]
    pub retransform: u64,
    /// How long clients are given to be sent away in order when the server ends, in seconds
    #[arg(long, env = "PENSTOCK_STOP_PATIENCE", default_value_t = 10, value_name = "S")]
    pub stop_patience: u64,
    /// What clients may ask for.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
    /// Who may look at `/inspect`.
    #[command(flatten)]
    pub inspect: InspectOptions,
}

/// What is said when a server could not end in order.
pub const NOT_IN_TIME: &str = "clients could not all be sent away in time, or their groups not be saved; \
                               they get what they miss when they connect again";

impl ServeOptions {
    /// How long clients are given to be sent away.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.stop_patience)
    }

    /// Starts a server over a database.
    ///
    /// # Errors
    /// The file of client groups, or the address.
    pub fn start(
        &self,
        database: Database,
        backend: Backend,
        rules: SharedRules,
        tables: Bookkeeping,
        health: Arc<dyn Health>,
    ) -> Result<Server, String> {
        let retention = Retention::days(self.keep_groups);
        let store = match &self.state {
            Some(path) => SqliteStore::open(path, retention)?,
            None => SqliteStore::in_memory(retention)?,
        };
        let writer = backend.writer.clone();
        let hub = hub::Options {
            limits: self.limits.hub(),
            is_internal: Box::new(move |table| {
                writer.as_ref().is_some_and(|writer| writer.is_internal(table))
            }),
            read_rules: Box::new(rules),
            bookkeeping: Some(hub::Bookkeeping {
                clients_table: tables.clients_table,
                mutations_table: tables.mutations_table,
            }),
            has_query_endpoint: backend.queries.is_some(),
            linger_ms: self.linger * 1000,
            retransform_ms: self.retransform * 1000,
            steps: hub::Steps::default(),
            tag: tag(),
            store: Some(Box::new(StoreThread::start(store, Arc::clone(&backend.measures))?)),
        };
        let options = server::Options {
            listen: SocketAddr::new(self.host, self.port),
            database,
            hub,
            services: Arc::new(backend),
            limits: self.limits.server(),
            health,
            inspect: self.inspect.inspect(),
            pages: Vec::new(),
        };
        let server = Server::start(options).map_err(|error| error.to_string())?;
        tracing::info!(address = %server.address(), "listening");
        Ok(server)
    }
}

/// A tag that no other run of a server has had.
fn tag() -> Tag {
    // The clock may have been set back, and the process of a container has the same number each time.
    let drawn = RandomState::new().build_hasher().finish();
    let run = format!("{} {} {drawn}", server::now().unix_ms, std::process::id());
    let digest = Sha256::digest(run.as_bytes());
    let mut first = [0; 4];
    first.copy_from_slice(&digest[..4]);
    Tag(u32::from_be_bytes(first))
}
