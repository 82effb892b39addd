//! The tables, and writers that change them at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock_postgres_harness::{Client, Server, until};

use crate::turns::Random;

const TABLES: &str = "
    create table mark(id int primary key, nr int not null);
    insert into mark values (1, 0);
    create table journal(id bigserial primary key, writer int not null, nr int not null);
    create table account(id int primary key, balance bigint not null);
    insert into account select i, 1000 from generate_series(1, 50) i;
    create table item(id int primary key, name text, body text, count int);
    create table note(a int, b int, body text, primary key (a, b));
    alter table note replica identity full;";

/// Makes the tables.
pub(crate) fn tables(server: &Server) {
    server.sql(TABLES).expect("tables");
}

/// Fills them, so that a copy takes its time.
pub(crate) fn fill(server: &Server, rows: u64) {
    let sql = format!(
        "insert into item select i, 'item ' || i, repeat(md5(i::text), 5), i from generate_series(100000, 100000 + {rows}) i;
         insert into note select i, 0, repeat(md5(i::text), 5) from generate_series(100000, 100000 + {rows}) i"
    );
    server.sql(&sql).expect("rows");
}

/// Writers on threads of their own, until they are stopped.
pub(crate) struct Load {
    stopping: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Two writers. A server that is away is waited for.
    pub(crate) fn start(server: &Server, random: &mut Random) -> Load {
        let (stopping, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let threads = (0..2).map(|writer| {
            let (url, random) = (server.url(), random.branch());
            let (stopping, written) = (Arc::clone(&stopping), Arc::clone(&written));
            std::thread::spawn(move || {
                let mut writer = Writer { number: writer, nr: 0, random };
                let mut client = None;
                while !stopping.load(Ordering::SeqCst) {
                    let Some(open) = client.take().or_else(|| Client::connect(&url).ok()) else {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    };
                    // Deadlocks and duplicates are errors too, and part of the load.
                    if open.sql(&writer.transaction()).is_ok() {
                        written.fetch_add(1, Ordering::SeqCst);
                        client = Some(open);
                    } else if open.sql("rollback").is_ok() {
                        client = Some(open);
                    }
                    writer.random.pause(0, 4);
                }
            })
        });
        let threads = threads.collect();
        Load { stopping, written, threads }
    }

    /// Waits until so many more transactions are committed.
    pub(crate) fn wait(&self, transactions: u64) {
        let end = self.written.load(Ordering::SeqCst) + transactions;
        until("the writers write", || self.written.load(Ordering::SeqCst) >= end);
    }

    /// Stops the writers.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Writer {
    number: u64,
    nr: u64,
    random: Random,
}

impl Writer {
    /// The next transaction: some changes, a row of the journal, and now and then something that is
    /// rolled back.
    fn transaction(&mut self) -> String {
        let mut sql = "begin; ".to_owned();
        for _ in 0..=self.random.below(4) {
            let change = self.change();
            sql += &match self.random.below(8) {
                0 => format!("savepoint s; {change}; rollback to s; "),
                _ => format!("{change}; "),
            };
        }
        self.nr += 1;
        sql += &format!("insert into journal(writer, nr) values ({}, {}); ", self.number, self.nr);
        let rolled_back = self.random.below(12) == 0;
        sql + if rolled_back { "rollback" } else { "commit" }
    }

    fn change(&mut self) -> String {
        let (a, b) = (self.random.below(50) + 1, self.random.below(50) + 1);
        let id = self.random.below(400);
        match self.random.below(10) {
            0..3 => format!(
                "update account set balance = balance - 1 where id = {a}; \
                 update account set balance = balance + 1 where id = {b}"
            ),
            3 | 4 => format!(
                "insert into item values ({id}, 'item {b}', repeat(md5('{a}'), {}), {b}) on conflict (id) \
                 do update set count = item.count + 1",
                // Some are too large for their page, and kept aside.
                b * 4
            ),
            5 => format!("update item set name = 'renamed {b}' where id between {id} and {id} + 5"),
            6 => format!("delete from item where id = {id}"),
            7 => format!(
                "update item set id = 1000 + {id} where id = {id} and not exists \
                 (select 1 from item where id = 1000 + {id})"
            ),
            8 => format!(
                "insert into note values ({a}, {b}, repeat(md5('{id}'), 80)) on conflict do nothing"
            ),
            _ => format!(
                "update note set b = b + 100 where a = {a} and b = {b}; delete from note where a = {b} and b < {a}"
            ),
        }
    }
}
