//! A consumer of a stream, for tests.

use std::time::Duration;

use penstock::Value;
use penstock_postgres::connect::Config;
use penstock_postgres::setup::{Plugin, Setup, System, Tables, set_up};
use penstock_postgres::stream::{
    Backoff, Delivery, LastTransaction, Options, Resume, Stream, StreamError,
};
use penstock_postgres::{Change, Header, Lsn, Step, TableName, Transaction};
use penstock_postgres_harness::{Proxy, Server};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn options() -> Options {
    Options {
        silence_max: Duration::from_secs(3),
        position_pause: Duration::ZERO,
        probe_pause: Duration::from_millis(200),
        poll_pause_max: Duration::from_millis(200),
        backoff: Backoff::new(Duration::from_millis(20), Duration::from_millis(500), 1),
        ..Options::default()
    }
}

pub(crate) fn setup(plugin: Plugin) -> Setup {
    Setup { plugin, ..Setup::default() }
}

/// The first column of all inserted rows and of the new versions of updated ones.
pub(crate) fn inserted(transactions: &[Transaction]) -> Vec<i64> {
    let changes = transactions.iter().flat_map(|transaction| &transaction.changes);
    let ids = changes.filter_map(|change| match change {
        Change::Insert { new, relation } | Change::Update { new, relation, .. } => {
            match (&new[0], relation.name.table.as_str()) {
                (_, "other") => None,
                (penstock_postgres::event::Cell::Value(Value::Int(id)), _) => Some(*id),
                (other, _) => panic!("{other:?}"),
            }
        }
        _ => None,
    });
    ids.collect()
}

/// What tests do to slots.
pub(crate) trait Slots {
    fn make_slot(&self, name: &str, plugin: Plugin);
    fn slot_at(&self, name: &str) -> Lsn;
}

impl Slots for Server {
    fn make_slot(&self, name: &str, plugin: Plugin) {
        let sql =
            format!("select pg_create_logical_replication_slot('{name}', '{}')", plugin.name());
        self.sql(&sql).expect("a slot");
    }

    fn slot_at(&self, name: &str) -> Lsn {
        let sql = format!(
            "select confirmed_flush_lsn from pg_replication_slots where slot_name = '{name}'"
        );
        self.value(&sql).expect("an answer").parse().expect("a position")
    }
}

pub(crate) struct Follower {
    pub(crate) stream: Stream,
    /// What it has written down.
    pub(crate) resume: Resume,
    current: Option<(Header, Vec<Change>)>,
}

impl Follower {
    /// Follows all tables from now on.
    pub(crate) fn new(server: &Server, plugin: Plugin) -> Follower {
        let setup = setup(plugin);
        let resume = prepared(server, &setup);
        Follower::start(&server.url(), setup, resume)
    }

    pub(crate) fn following(server: &Server, setup: Setup) -> Follower {
        let resume = prepared(server, &setup);
        Follower::start(&server.url(), setup, resume)
    }

    pub(crate) fn of_tables(server: &Server, plugin: Plugin, names: &[&str]) -> Follower {
        let names = names.iter().map(|name| TableName::new("public", *name)).collect();
        let setup = Setup { tables: Tables::Listed(names), ..setup(plugin) };
        let resume = prepared(server, &setup);
        Follower::start(&server.url(), setup, resume)
    }

    pub(crate) fn through(server: &Server, plugin: Plugin, proxy: &Proxy) -> Follower {
        let resume = prepared(server, &setup(plugin));
        Follower::start(&server.url_through(proxy.port()), setup(plugin), resume)
    }

    pub(crate) fn resumed(server: &Server, plugin: Plugin, resume: Resume) -> Follower {
        Follower::start(&server.url(), setup(plugin), resume)
    }

    pub(crate) fn start(url: &str, setup: Setup, resume: Resume) -> Follower {
        let config = Config::parse(url).expect("a URL");
        let stream = Stream::start(config, setup, resume.clone(), Vec::new(), options());
        Follower { stream: stream.expect("threads"), resume, current: None }
    }

    pub(crate) fn delivery(&mut self) -> Delivery {
        let delivery = self.stream.wait_for(PATIENCE);
        let delivery =
            delivery.unwrap_or_else(|| panic!("waited in vain: {:?}", self.stream.status()));
        delivery.expect("the stream goes on")
    }

    /// The next transaction, or none if it was something else that came.
    fn step(&mut self) -> Result<Option<Transaction>, StreamError> {
        match self.delivery() {
            Delivery::Connected { timeline } => {
                self.resume.timeline = timeline;
                self.current = None;
            }
            Delivery::Position(position) => {
                assert!(self.current.is_none() && position > self.resume.position);
                self.resume.position = position;
            }
            Delivery::Step(Step::Begin(header)) => {
                assert!(self.current.is_none());
                self.current = Some((header, Vec::new()));
            }
            Delivery::Step(Step::Changes(changes)) => {
                self.current.as_mut().expect("a transaction").1.extend(changes);
            }
            Delivery::Step(Step::Commit { end }) => {
                let (header, changes) = self.current.take().expect("a transaction");
                self.resume.last = Some(LastTransaction { commit: header.commit, xid: header.xid });
                assert!(end > self.resume.position, "{end} after {}", self.resume.position);
                self.resume.position = end;
                return Ok(Some(Transaction::new(header, end, changes)));
            }
            Delivery::Step(Step::Message(_)) => {}
            Delivery::Ended(error) => return Err(error),
        }
        Ok(None)
    }

    /// Takes one delivery, and acknowledges what it says.
    pub(crate) fn take_one(&mut self) -> Option<Transaction> {
        let transaction = self.step().unwrap_or_else(|error| panic!("{error}"));
        if self.current.is_none() {
            self.stream.acknowledge(self.resume.position);
        }
        transaction
    }

    /// The next transactions that have changes, acknowledged.
    pub(crate) fn transactions(&mut self, count: usize) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        while transactions.len() < count {
            transactions
                .extend(self.take_one().filter(|transaction| !transaction.changes.is_empty()));
        }
        transactions
    }

    /// The next transactions, of which the server is not told.
    pub(crate) fn without_acknowledging(&mut self, count: usize) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        while transactions.len() < count {
            let step = self.step().unwrap_or_else(|error| panic!("{error}"));
            transactions.extend(step.filter(|transaction| !transaction.changes.is_empty()));
        }
        transactions
    }

    /// Why the stream ends.
    pub(crate) fn until_ended(&mut self) -> StreamError {
        loop {
            match self.step() {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }
}

/// Sets up, makes the slot, and says where it stands.
fn prepared(server: &Server, setup: &Setup) -> Resume {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let config = Config::parse(&server.url()).expect("a URL");
    let system: System = runtime.expect("a runtime").block_on(async {
        set_up(&config, setup).await.unwrap_or_else(|error| panic!("{error}")).system
    });
    server.make_slot(&setup.slot, setup.plugin);
    let position = server.slot_at(&setup.slot);
    Resume { system: system.identifier, timeline: system.timeline, position, last: None }
}
