//! Random statements over tables with triggers, cascades and every conflict clause: what the source
//! says has changed is what has.

use penstock::operators::source::Foreign;
use penstock::{Source, SqliteOptions, SqliteSource};
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;

use super::file::{check_batch, connect, dump, in_memory, path};

/// Tables that change each other.
const TABLES: &str = "
    CREATE TABLE node(
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES node(id) ON DELETE CASCADE ON UPDATE CASCADE,
        name TEXT UNIQUE COLLATE NOCASE,
        twice GENERATED ALWAYS AS (id * 2) VIRTUAL,
        size INT DEFAULT 0
    );
    CREATE TABLE leaf(
        a TEXT, b INT, node INTEGER REFERENCES node(id) ON DELETE SET NULL ON UPDATE CASCADE,
        v, PRIMARY KEY(a, b)
    ) WITHOUT ROWID;
    CREATE TABLE tag(
        name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
        n INT UNIQUE ON CONFLICT REPLACE,
        CHECK (n IS NULL OR n < 90)
    );
    CREATE TABLE slot(x INT NOT NULL, y INT NOT NULL, z, UNIQUE(x, y));
    CREATE UNIQUE INDEX slot_part ON slot(z) WHERE z > 2;
    CREATE UNIQUE INDEX slot_sum ON slot(x + y * 100);
    CREATE TABLE counted(k TEXT PRIMARY KEY NOT NULL, n INT NOT NULL);
    CREATE TRIGGER node_added AFTER INSERT ON node WHEN NEW.size > 2 BEGIN
        INSERT INTO counted VALUES('added', 1) ON CONFLICT(k) DO UPDATE SET n = n + 1;
        UPDATE node SET size = size - 1 WHERE id = NEW.id;
    END;
    CREATE TRIGGER node_gone AFTER INSERT ON node WHEN NEW.size = 1 BEGIN
        DELETE FROM node WHERE id = NEW.id;
    END;
    CREATE TRIGGER node_sized BEFORE UPDATE OF size ON node BEGIN
        UPDATE leaf SET v = coalesce(v, 0) + 1 WHERE node = OLD.id;
        UPDATE node SET name = name || 'x' WHERE id = NEW.id AND NEW.size = 4;
    END;
    CREATE TRIGGER leaf_gone AFTER DELETE ON leaf BEGIN
        INSERT OR REPLACE INTO tag VALUES(OLD.a, OLD.b);
    END;
    CREATE TRIGGER tag_refused BEFORE INSERT ON tag WHEN NEW.n = 5 BEGIN
        SELECT RAISE(IGNORE);
    END;
    CREATE TRIGGER tag_failed BEFORE UPDATE ON tag WHEN NEW.n = 6 BEGIN
        SELECT RAISE(FAIL, 'six');
    END;";

fn id() -> impl Strategy<Value = u8> {
    1..7u8
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["'a'", "'A'", "'b'", "'c'", "NULL", "'7'"])
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["'a'", "'A'", "'b'", "'B '", "'c'"])
}

fn value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["NULL", "0", "1", "1.5", "'1'", "'x'", "x'00ff'", "3", "4", "99"])
}

fn conflict() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT"])
}

/// One statement, which may fail.
fn statement() -> impl Strategy<Value = String> {
    let node = (conflict(), id(), prop::option::of(id()), name(), 0..5u8).prop_map(
        |(or, id, parent, name, size)| {
            let parent = parent.map_or("NULL".to_owned(), |parent| parent.to_string());
            format!("INSERT {or} INTO node(id, parent, name, size) VALUES({id}, {parent}, {name}, {size})")
        },
    );
    let unkeyed = (conflict(), name(), 0..5u8).prop_map(|(or, name, size)| {
        format!("INSERT {or} INTO node(name, size) VALUES({name}, {size})")
    });
    let moved = (conflict(), id(), id())
        .prop_map(|(or, from, to)| format!("UPDATE {or} node SET id = {to} WHERE id = {from}"));
    let rowid = (conflict(), id(), id())
        .prop_map(|(or, from, to)| format!("UPDATE {or} node SET rowid = {to} WHERE id = {from}"));
    let many = prop::sample::select(vec![
        "UPDATE node SET size = size + 1",
        "UPDATE node SET id = id + 1",
        "UPDATE node SET id = -id",
        "UPDATE node SET parent = id",
        "UPDATE OR REPLACE leaf SET b = b / 2",
        "DELETE FROM node",
        "DELETE FROM leaf",
        "DELETE FROM tag WHERE n > 1",
        "UPDATE tag SET n = n + 1",
        "UPDATE OR REPLACE tag SET n = 3",
        "INSERT OR REPLACE INTO tag SELECT a, b FROM leaf",
        "INSERT INTO leaf SELECT name, id, id, size FROM node WHERE name IS NOT NULL",
        "UPDATE slot SET x = y, y = x",
        "UPDATE OR REPLACE slot SET z = 3",
        "WITH bad(n) AS (VALUES(1), (2), (NULL)) INSERT INTO counted SELECT 'w' || n, n FROM bad",
        "UPDATE node SET parent = n.id FROM node AS n WHERE n.id > node.id",
    ]);
    let one = (conflict(), name(), name(), id()).prop_map(|(or, from, to, parent)| {
        format!("UPDATE {or} node SET name = {to}, parent = {parent} WHERE name IS {from}")
    });
    let gone = id().prop_map(|id| format!("DELETE FROM node WHERE id = {id}"));
    let leaf = (conflict(), text(), value(), prop::option::of(id()), value()).prop_map(
        |(or, a, b, node, v)| {
            let node = node.map_or("NULL".to_owned(), |node| node.to_string());
            format!("INSERT {or} INTO leaf VALUES({a}, {b}, {node}, {v})")
        },
    );
    let leaf_changed = (text(), value(), value())
        .prop_map(|(a, b, v)| format!("UPDATE leaf SET b = {b}, v = {v} WHERE a = {a}"));
    let tag = (conflict(), text(), 0..8u8)
        .prop_map(|(or, name, n)| format!("INSERT {or} INTO tag VALUES({name}, {n})"));
    let upsert = (text(), value()).prop_map(|(name, n)| {
        format!(
            "INSERT INTO tag VALUES({name}, {n}) \
             ON CONFLICT(name) DO UPDATE SET name = excluded.name, n = excluded.n"
        )
    });
    let slot = (conflict(), 0..3u8, 0..3u8, value())
        .prop_map(|(or, x, y, z)| format!("INSERT {or} INTO slot VALUES({x}, {y}, {z})"));
    let slot_rowid = (0..3u8, 0..3u8, 1..4u8).prop_map(|(x, y, rowid)| {
        format!("INSERT OR REPLACE INTO slot(rowid, x, y) VALUES({rowid}, {x}, {y})")
    });
    let savepoint = prop::sample::select(vec![
        "SAVEPOINT s",
        "SAVEPOINT s",
        "ROLLBACK TO s",
        "ROLLBACK TO s",
        "RELEASE s",
    ]);
    prop_oneof![
        4 => node,
        2 => unkeyed,
        2 => moved,
        1 => rowid,
        4 => many.prop_map(str::to_owned),
        2 => one,
        2 => gone,
        3 => leaf,
        2 => leaf_changed,
        3 => tag,
        2 => upsert,
        2 => slot,
        1 => slot_rowid,
        3 => savepoint.prop_map(str::to_owned),
    ]
}

fn transactions() -> impl Strategy<Value = Vec<Vec<String>>> {
    vec(vec(statement(), 1..8), 1..6)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Makes statements in a transaction of a connection; those that fail have no effect.
fn write(connection: &Connection, statements: &[String], keep: bool) {
    connection.execute_batch("BEGIN").expect("no transaction");
    for statement in statements {
        let _ = connection.execute_batch(statement);
    }
    connection.execute_batch(if keep { "COMMIT" } else { "ROLLBACK" }).expect("it is in flight");
}

/// What a source is told of others, which has to be row by row.
fn follow(source: &mut SqliteSource, before: &[super::file::Rows]) -> Vec<super::file::Rows> {
    source.begin_read().expect("the file can be read");
    let foreign = source.foreign().expect("the file can be read");
    let after = dump(source);
    source.end_read();
    let batch = match foreign {
        Foreign::Nothing => Default::default(),
        Foreign::Batch(batch) => batch,
        other => panic!("expected rows, found {other:?}"),
    };
    check_batch(source, before, &batch, &after).expect("what others have changed");
    after
}

proptest! {
    #![proptest_config(config(600))]
    #[test]
    fn a_transaction_sees_everything_that_its_statements_change(transactions in transactions()) {
        let mut source = in_memory(TABLES);
        let mut before = dump(&mut source);
        for (number, statements) in transactions.iter().enumerate() {
            source.begin().expect("none is in flight");
            for statement in statements {
                let _ = source.execute(statement, &[]);
            }
            let batch = source.finish().expect("it can be finished");
            let after = dump(&mut source);
            check_batch(&source, &before, &batch, &after).map_err(TestCaseError::fail)?;
            if number % 3 == 2 {
                source.rollback();
                prop_assert_eq!(&dump(&mut source), &before);
            } else {
                source.commit().expect("it is finished");
                before = after;
            }
        }
    }
}

proptest! {
    #![proptest_config(config(150))]
    #[test]
    fn the_change_log_tells_what_others_change(
        transactions in transactions(),
        own in vec(statement(), 1..4),
    ) {
        let path = path("log-random");
        let other = connect(&path);
        other.execute_batch("PRAGMA journal_mode = MEMORY").expect("a pragma of SQLite");
        other.execute_batch(TABLES).expect("the tables of a test are sound");
        // With a unique index of nothing but expressions, the log can only say that its table may
        // have changed.
        other.execute_batch("DROP INDEX slot_sum").expect("it is there");
        let options = SqliteOptions::new(&path).change_log(true);
        let mut source = SqliteSource::open_with(options).expect("the file is sound");
        let mut state = dump(&mut source);
        for (number, statements) in transactions.iter().enumerate() {
            write(&other, statements, number % 4 != 3);
            if number % 2 == 1 {
                state = follow(&mut source, &state);
            } else if number == 2 {
                source.begin().expect("none is in flight");
                let foreign = source.foreign().expect("the file can be read");
                if let Foreign::Batch(batch) = foreign {
                    let after = dump(&mut source);
                    check_batch(&source, &state, &batch, &after).map_err(TestCaseError::fail)?;
                }
                state = dump(&mut source);
                for statement in &own {
                    let _ = source.execute(statement, &[]);
                }
                let batch = source.finish().expect("it can be finished");
                let after = dump(&mut source);
                check_batch(&source, &state, &batch, &after).map_err(TestCaseError::fail)?;
                state = after;
                source.commit().expect("it is finished");
            }
        }
        state = follow(&mut source, &state);
        prop_assert_eq!(follow(&mut source, &state), state);
    }

    #[test]
    fn attached_connections_tell_what_they_change(
        transactions in transactions(),
        own in vec(statement(), 1..4),
    ) {
        let path = path("attached-random");
        let mut other = connect(&path);
        other.execute_batch("PRAGMA journal_mode = MEMORY").expect("a pragma of SQLite");
        other.execute_batch(TABLES).expect("the tables of a test are sound");
        let options = SqliteOptions::new(&path).only_attached_writers(true);
        let mut source = SqliteSource::open_with(options).expect("the file is sound");
        let attached = source.attach(&mut other).expect("it is the same file");
        let mut state = dump(&mut source);
        for (number, statements) in transactions.iter().enumerate() {
            write(&other, statements, number % 4 != 3);
            if number % 3 != 1 {
                state = follow(&mut source, &state);
            }
            if number == 2 {
                source.begin().expect("none is in flight");
                prop_assert_eq!(source.foreign().expect("a read"), Foreign::Nothing);
                for statement in &own {
                    let _ = source.execute(statement, &[]);
                }
                let batch = source.finish().expect("it can be finished");
                let after = dump(&mut source);
                check_batch(&source, &state, &batch, &after).map_err(TestCaseError::fail)?;
                state = after;
                source.commit().expect("it is finished");
            }
        }
        follow(&mut source, &state);
        prop_assert!(attached.commits() <= transactions.len() as u64);
    }
}
