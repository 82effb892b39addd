//! A server with its clients, and the proof that they are right.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use penstock_benches::sqlite::Scratch;

use crate::database::{Change, Database, Source};
use crate::load::Wants;
use crate::load::remote::Generator;
use crate::oracle::expected;
use crate::process::Process;

/// How long a server may take until it is ready.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// How often it is looked whether it is ready.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// How long the last write may take to arrive.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(120);

/// The programs that take part.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The sync server for Postgres.
    pub postgres: PathBuf,
    /// The sync server for SQLite.
    pub sqlite: PathBuf,
    /// The load generator; without it, one runs in a thread.
    pub load: Option<PathBuf>,
}

/// A database with a server that serves it, and clients.
pub struct Subject {
    /// The database.
    pub database: Database,
    /// The sync server.
    pub server: Process,
    /// The clients.
    pub generator: Generator,
    /// `HOST:PORT` of the server.
    pub address: String,
    /// How long the server took until it was ready.
    pub start_to_ready: Duration,
    /// The issues that are written.
    pub ids: Vec<String>,
    wants: Wants,
    /// The number of the next write.
    next_write: u64,
    _folder: Scratch,
}

impl Subject {
    /// Starts a server over a database, with nothing of its own to begin with, and a load generator
    /// without clients yet.
    ///
    /// # Errors
    /// Programs that cannot be started.
    pub fn start(
        programs: &Programs,
        mut database: Database,
        wants: Wants,
        groups_max: usize,
    ) -> Result<Subject, String> {
        let folder = Scratch::new().map_err(|error| error.to_string())?;
        let file = |name: &str| folder.file(name).display().to_string();
        let mut arguments = match database.source() {
            Source::Postgres => vec![
                "serve".to_owned(),
                database.location(),
                "--replica".to_owned(),
                file("replica.db"),
            ],
            Source::Sqlite => vec![database.location()],
        };
        let rest = ["--port", "0", "--allow-all", "--state"];
        arguments.extend(rest.into_iter().map(str::to_owned).chain([file("state.db")]));
        let program = match database.source() {
            Source::Postgres => &programs.postgres,
            Source::Sqlite => &programs.sqlite,
        };
        let began = Instant::now();
        let server = Process::start(program, &arguments)?;
        let address = loop {
            let line = server.line(START_PATIENCE)?;
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.trim().to_owned();
            }
        };
        while !is_ready(&address) {
            if began.elapsed() > START_PATIENCE {
                return Err("the server is not ready".to_owned());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        let start_to_ready = began.elapsed();
        let generator = match &programs.load {
            Some(program) => Generator::process(program, &address, groups_max, wants)?,
            None => Generator::thread(&address, groups_max, wants)?,
        };
        let ids = database.column(&hot(wants))?;
        Ok(Subject {
            database,
            server,
            generator,
            address,
            start_to_ready,
            ids,
            wants,
            next_write: 1,
            _folder: folder,
        })
    }

    /// Makes the next writes, each a transaction, at a pace, and returns the number of the first and when
    /// each was sent. Faster than a hundred a second, those of a hundredth of a second are sent together.
    ///
    /// # Errors
    /// The database's.
    pub fn write(
        &mut self,
        change: Change,
        per_second: u64,
        count: u64,
    ) -> Result<(u64, Vec<u64>), String> {
        // What is due within this time is sent together.
        let slices_per_second = per_second.clamp(1, 100);
        let slice = Duration::from_secs(1) / u32::try_from(slices_per_second).unwrap_or(1);
        let (first, began) = (self.next_write, Instant::now());
        let mut sent = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let mut slices = 0_u32;
        while (sent.len() as u64) < count {
            std::thread::sleep((slice * slices).saturating_sub(began.elapsed()));
            slices += 1;
            let due = (per_second * u64::from(slices) / slices_per_second).min(count);
            let some = due - sent.len() as u64;
            sent.extend((0..some).map(|_| crate::clock::micros()));
            self.database.write(change, &self.ids, self.next_write, some)?;
            self.next_write += some;
        }
        Ok((first, sent))
    }

    /// Waits until a last write, which every client sees, has arrived at all.
    ///
    /// # Errors
    /// It does not.
    pub fn settle(&mut self) -> Result<(), String> {
        let hot = self.database.column(&hot(self.wants))?;
        let write = self.next_write;
        self.next_write += 1;
        self.database.write(Change::Modified, &hot, write, 1)?;
        match self.generator.until(write, ARRIVAL_PATIENCE)? {
            0 => Ok(()),
            missing => Err(format!("write {write} has not arrived at {missing} clients")),
        }
    }

    /// Compares what every client holds with what its queries give on the database, which nobody may
    /// write meanwhile. Returns how many rows were compared.
    ///
    /// # Errors
    /// A difference, or nothing to compare.
    pub fn prove(&mut self) -> Result<u64, String> {
        self.settle()?;
        self.database.prepare_oracle()?;
        let (held, mut rows) = (self.generator.held()?, 0);
        for (client, held) in (0..).zip(&held) {
            let expected = expected(&mut self.database, self.wants, client)?;
            if expected != *held {
                return Err(format!(
                    "client {client} holds {held:?}, and its queries give {expected:?}"
                ));
            }
            rows += held.rows;
        }
        if rows == 0 { Err("there was nothing to compare".to_owned()) } else { Ok(rows) }
    }
}

/// Whether a server says that clients are served.
fn is_ready(address: &str) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(START_PATIENCE))?;
        write!(socket, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Issues that are in a list of every client and stay there while they are written.
fn hot(wants: Wants) -> String {
    match wants {
        Wants::Person { .. } => penstock_postgres_workloads::queries::hot_sql(0, 50),
        Wants::Owners { .. } => {
            "SELECT id FROM issue WHERE owner_id = 'u0000' ORDER BY modified DESC, id LIMIT 25"
                .to_owned()
        }
    }
}
