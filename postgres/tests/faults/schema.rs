//! Tables that are altered between every pair of writes.

use penstock_postgres_harness::Server;

use crate::child::Child;
use crate::equal;
use crate::followed::Followed;
use crate::how::{How, each};
use crate::turns::{Random, turns};

/// The tables as they are, so that statements can be made up that fit.
struct Tables {
    random: Random,
    /// Each with its columns beside `id`, and whether they are numbers.
    tables: Vec<(String, Vec<(String, bool)>)>,
    next: u64,
}

impl Tables {
    fn new(server: &Server, random: Random) -> Tables {
        server
            .sql(
                "create table mark(id int primary key, nr int not null); insert into mark values (1, 0);
                 create table t0(id int primary key, c0 text, c1 int)",
            )
            .expect("tables");
        let columns = vec![("c0".to_owned(), false), ("c1".to_owned(), true)];
        Tables { random, tables: vec![("t0".to_owned(), columns)], next: 2 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit as u64) as usize
    }

    fn name(&mut self, prefix: char) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// A change of a table.
    fn alter(&mut self) -> String {
        let at = self.below(self.tables.len());
        let table = self.tables[at].0.clone();
        let columns = self.tables[at].1.len();
        let kind = self.below(12);
        match kind {
            0..4 => {
                let (column, number) = (self.name('c'), self.below(2) == 0);
                self.tables[at].1.push((column.clone(), number));
                let what = match (number, self.below(3)) {
                    (true, 0) => "int",
                    (true, 1) => "bigint default 7",
                    (true, _) => "int not null default 9",
                    (false, 0) => "text",
                    (false, 1) => "text default 'it''s'",
                    (false, _) => "varchar(7000) default 'x'",
                };
                format!("alter table {table} add column {column} {what}")
            }
            4 | 5 if columns > 1 => {
                let column = self.below(columns);
                let (column, _) = self.tables[at].1.remove(column);
                format!("alter table {table} drop column {column}")
            }
            6 | 7 if columns > 0 => {
                let (column, name) = (self.below(columns), self.name('c'));
                let old = std::mem::replace(&mut self.tables[at].1[column].0, name.clone());
                format!("alter table {table} rename column {old} to {name}")
            }
            8 if columns > 0 => {
                let column = self.below(columns);
                let (column, is_number) = &mut self.tables[at].1[column];
                let to = if *is_number { "text" } else { "varchar(8000)" };
                *is_number = false;
                format!(
                    "alter table {table} alter column {column} drop default, alter column {column} drop not null, \
                     alter column {column} type {to}"
                )
            }
            9 => {
                let name = self.name('t');
                self.tables[at].0 = name.clone();
                format!("alter table {table} rename to {name}")
            }
            10 if self.tables.len() > 2 => {
                self.tables.remove(at);
                format!("drop table {table}")
            }
            _ => {
                let (name, column) = (self.name('t'), self.name('c'));
                self.tables.push((name.clone(), vec![(column.clone(), true)]));
                format!("create table {name}(id int primary key, {column} int)")
            }
        }
    }

    fn value(&mut self, is_number: bool) -> String {
        match (self.below(5), is_number) {
            (0, _) => "default".to_owned(),
            (_, true) => self.below(1000).to_string(),
            (1, false) => format!("repeat(md5('{}'), 200)", self.below(100)),
            (_, false) => format!("'text {}'", self.below(100)),
        }
    }

    /// A change of rows.
    fn write(&mut self) -> String {
        let at = self.below(self.tables.len());
        let (table, columns) = self.tables[at].clone();
        let id = self.below(20);
        let names: Vec<String> = columns.iter().map(|(name, _)| format!(", {name}")).collect();
        let values: Vec<String> =
            columns.iter().map(|(_, number)| format!(", {}", self.value(*number))).collect();
        match self.below(6) {
            0..3 => format!(
                "delete from {table} where id = {id}; insert into {table}(id{}) values ({id}{})",
                names.concat(),
                values.concat()
            ),
            3 if !columns.is_empty() => {
                let column = self.below(columns.len());
                let (name, number) = &columns[column];
                let value = self.value(*number);
                format!("update {table} set {name} = {value} where id >= {id}")
            }
            4 => format!(
                "update {table} set id = id + 1000 where id = {id} and not exists (select 1 from {table} where id = {id} + 1000)"
            ),
            _ => format!("delete from {table} where id = {id}"),
        }
    }

    /// Writes to every table, and to one that is new: without an event trigger that reports it, an altered
    /// table is noticed by its next row, and a dropped one when another is new.
    fn touch(&mut self, server: &Server) {
        let (name, column) = (self.name('t'), self.name('c'));
        server
            .sql(&format!("create table {name}(id int primary key, {column} int)"))
            .expect("made");
        self.tables.push((name, vec![(column, true)]));
        for (table, _) in &self.tables {
            let row = format!(
                "insert into {table}(id) values (-1) on conflict (id) do update set id = -1"
            );
            server.sql(&row).expect("a row");
        }
    }

    /// A transaction: a write, or several with changes of tables among them.
    fn transaction(&mut self) -> String {
        match self.below(4) {
            0 => {
                let parts = [self.write(), self.alter(), self.write(), self.alter(), self.write()];
                format!("begin; {}; commit", parts.join("; "))
            }
            _ => self.write(),
        }
    }
}

each!(tables_are_altered_between_every_pair_of_writes: pgoutput, wal2json, reported, wal2json_reported);

fn tables_are_altered_between_every_pair_of_writes(how: How) {
    let random = Random::of("schema");
    let server = how.server();
    let mut tables = Tables::new(&server, random);
    let followed = Followed::copied(how, &server.url(), &how.file("schema"));
    for turn in 0..turns(120, 3000) {
        let (write, alter) = (tables.transaction(), tables.alter());
        for sql in [&write, &alter] {
            server.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        if turn % 40 == 39 {
            tables.touch(&server);
            followed.check(&server);
        }
    }
    assert_eq!(followed.status().restarts, 0, "{}", followed.status());
}

each!(tables_are_altered_while_our_process_is_killed: pgoutput, wal2json, reported, wal2json_reported);

fn tables_are_altered_while_our_process_is_killed(how: How) {
    let mut random = Random::of("schema and kill");
    let server = how.server();
    let mut tables = Tables::new(&server, random.branch());
    let file = how.file("schema-kill");
    let mut child = Child::start(how, &server.url(), &file);
    child.hear("phase Streaming");
    for turn in 0..turns(100, 3000) {
        let (write, alter) = (tables.transaction(), tables.alter());
        for sql in [&write, &alter] {
            server.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        if turn % 20 == 19 {
            random.pause(1, 300);
            child.kill();
            child = Child::start(how, &server.url(), &file);
        }
    }
    tables.touch(&server);
    child.hear("phase Streaming");
    equal::check(&server, &file);
    child.check_sums(tables.tables.len() + 1);
    let status = child.status();
    assert!(status.contains("restarts=0 divergences=0"), "{status}");
}
