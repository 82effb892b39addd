//! The hot paths, each at a size at which Valgrind takes a few seconds. Names are those of the
//! workloads, where there is one of the kind.

use std::hint::black_box;

use penstock::operators::key::{Direction, Key, KeySpec};
use penstock::operators::predicate::{CompareOp, Operand, Predicate, ValueSet};
use penstock::operators::source::Change;
use penstock::{Database, Error, Query, Row, Subscription, Value};

use crate::data::{Data, Issue, Sizes};
use crate::report::Outcome;
use crate::setting::{Setting, SourceKind};
use crate::tables::{database, database_with_lasting_indexes, issue_row, load};
use crate::workloads::fan_out::owner_queries;
use crate::workloads::live::{adds, edits, take_changes, toggles};
use crate::workloads::memory::expect_all;
use crate::workloads::watched::Watched;
use crate::workloads::{named, queries};

/// What Valgrind counts in, as a pattern of function names.
pub(super) const COUNTED: &str = "penstock_benches::instructions::scenarios::counted*";

/// Something to count.
pub(super) struct Scenario {
    /// Its name; what is before `/` groups.
    pub(super) name: &'static str,
    /// What is counted, and how.
    pub(super) measure: Measure,
}

/// What is counted. Both end with an error where the result is not right.
pub(super) enum Measure {
    /// Instructions within [`counted`]; returns for how many operations.
    Instructions(fn() -> Result<u64, Error>),
    /// What is held, in bytes. Names have the scenario's before them.
    Bytes(fn() -> Result<Outcome, Error>),
}

const fn instructions(name: &'static str, run: fn() -> Result<u64, Error>) -> Scenario {
    Scenario { name, measure: Measure::Instructions(run) }
}

/// All scenarios, the long ones first.
pub(super) const SCENARIOS: &[Scenario] = &[
    instructions("W5q1000", owners),
    Scenario { name: "memory", measure: Measure::Bytes(memory) },
    instructions("W6", copies),
    instructions("W2", || hydrate(queries::tree(), 20)),
    instructions("W3", || hydrate(queries::with_label(), 10)),
    instructions("W4b", || live(ALL, queries::tree(), edits)),
    instructions("W4c", || live(ALL, queries::tree(), adds)),
    instructions("W8", || live(ALL, queries::any_of_three(), edits)),
    instructions("W8b", || live(ALL, queries::any_of_three(), toggles)),
    instructions("W10", || live(ALL, queries::open_discussion(), edits)),
    instructions("W10c", || live(ALL, queries::open_discussion(), adds)),
    instructions("W11", || live(ALL, queries::most_discussed(), adds)),
    instructions("W1", || hydrate(queries::list(), 50)),
    instructions("W4", || live(ISSUES, queries::list(), edits)),
    instructions("W4d", || live(ISSUES, queries::open(), edits)),
    instructions("W9", || live(ISSUES, queries::by_owner(), edits)),
    instructions("W0", edits_only),
    instructions("load", load_all),
    instructions("key/encode", encode),
    instructions("key/compare", compare),
    instructions("predicate", predicate),
];

/// A tenth of the reference.
const ALL: Sizes =
    Sizes { users: 100, issues: 10_000, comments: 30_000, labels: 50, issue_labels: 20_000 };
/// Issues only.
const ISSUES: Sizes = Sizes { comments: 0, issue_labels: 0, ..ALL };
/// Issues for a thousand owners, more than a list of W5 shows.
const OWNED: Sizes = Sizes { users: 1_000, issues: 60_000, ..ISSUES };
/// Transactions of a live scenario.
const CHANGES: usize = 1_000;
/// Rows of one operation on keys and predicates.
const ROWS: Sizes = Sizes { issues: 1_000, ..ISSUES };

/// Where Valgrind counts. Nothing may be inlined into or out of it.
#[inline(never)]
fn counted(work: &mut dyn FnMut() -> Result<(), Error>) -> Result<(), Error> {
    work()
}

fn expect(right: bool, what: &str) -> Result<(), Error> {
    if right { Ok(()) } else { Err(Error::abort(what)) }
}

/// Makes transactions, as many as asked for.
type Stream = fn(&Database, &Data, usize) -> Result<Vec<Vec<Change>>, Error>;

/// A live query under transactions, with its patches taken after each; counts per transaction.
fn live(sizes: Sizes, query: Query, stream: Stream) -> Result<u64, Error> {
    let data = Data::generate(sizes);
    let db = database(&data)?;
    let mut transactions = stream(&db, &data, CHANGES)?.into_iter();
    let mut subscription = db.subscribe(query)?;
    let mut patches = 0;
    counted(&mut || {
        for transaction in transactions.by_ref() {
            black_box(db.apply(transaction)?);
            patches += take_changes(&mut subscription);
        }
        Ok(())
    })?;
    expect(patches > 0, "no patch arrived")?;
    db.verify()?;
    Ok(CHANGES as u64)
}

/// W0: edits without any query.
fn edits_only() -> Result<u64, Error> {
    let data = Data::generate(ISSUES);
    let db = database(&data)?;
    let transactions = edits(&db, &data, CHANGES)?;
    let written = transactions.last().cloned().unwrap_or_default();
    let mut transactions = transactions.into_iter();
    counted(&mut || {
        for transaction in transactions.by_ref() {
            black_box(db.apply(transaction)?);
        }
        Ok(())
    })?;
    // Writing the last row once more changes nothing.
    let again = db.apply(written)?;
    expect(again.is_empty(), "the last edit was not written")?;
    Ok(CHANGES as u64)
}

/// W5: lists of a thousand owners; per edit.
fn owners() -> Result<u64, Error> {
    const QUERIES: usize = 1_000;
    let data = Data::generate(OWNED);
    let db = database(&data)?;
    let mut transactions = edits(&db, &data, CHANGES)?.into_iter();
    let mut watched =
        Watched::subscribe(&db, owner_queries(&data, QUERIES), &mut Outcome::default())?;
    counted(&mut || {
        for transaction in transactions.by_ref() {
            black_box(db.apply(transaction)?);
            watched.take();
        }
        Ok(())
    })?;
    expect(watched.patches == CHANGES, "every edit moves its issue to the head of one list")?;
    let fresh = db.query(&queries::of_owner(7))?;
    expect(watched.subscriptions[7].rows() == fresh, "a list differs from a fresh evaluation")?;
    Ok(CHANGES as u64)
}

/// W6: a thousand subscribers of one list, all read after each edit; per edit.
fn copies() -> Result<u64, Error> {
    const EDITS: usize = 50;
    const COPIES: usize = 1_000;
    let data = Data::generate(ISSUES);
    let db = database(&data)?;
    let mut transactions = edits(&db, &data, EDITS)?.into_iter();
    let mut subscriptions = (0..COPIES)
        .map(|_| db.subscribe(queries::list()))
        .collect::<Result<Vec<Subscription>, Error>>()?;
    let mut patches = 0;
    counted(&mut || {
        for transaction in transactions.by_ref() {
            black_box(db.apply(transaction)?);
            patches += subscriptions.iter_mut().map(take_changes).sum::<usize>();
        }
        Ok(())
    })?;
    expect(patches > 0 && patches % COPIES == 0, "not all subscribers saw the same")?;
    db.verify()?;
    Ok(EDITS as u64)
}

/// Hydrations over indexes that are there already, each from nothing to the tree; the last one is
/// dropped before the next begins, outside the count.
fn hydrate(query: Query, count: u64) -> Result<u64, Error> {
    let db = database_with_lasting_indexes(&Data::generate(ALL))?;
    let expected = db.query(&query)?;
    drop(db.subscribe(query.clone())?);
    for _ in 0..count {
        let mut again = Some(query.clone());
        let mut hydrated = None;
        counted(&mut || {
            let Some(query) = again.take() else { return Ok(()) };
            let subscription = db.subscribe(query)?;
            let tree = subscription.rows();
            hydrated = Some((subscription, tree));
            Ok(())
        })?;
        let is_right = hydrated.is_some_and(|(_, tree)| tree == expected);
        expect(is_right, "the tree differs from a one-off query")?;
    }
    Ok(count)
}

/// Loading the five tables, packing of rows included; per row.
fn load_all() -> Result<u64, Error> {
    let data = Data::generate(ALL);
    let mut source = None;
    counted(&mut || {
        source = Some(load(&data)?);
        Ok(())
    })?;
    expect_all(&data, &source.ok_or_else(|| Error::abort("nothing was loaded"))?)?;
    Ok(u64::from(data.sizes.rows()))
}

fn rows() -> Vec<Row> {
    let data = Data::generate(ROWS);
    (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue)).collect()
}

/// Columns of `issue`.
const OPEN: usize = 2;
const MODIFIED: usize = 3;
const OWNER: usize = 5;
const PRIORITY: usize = 6;

fn newest_first() -> KeySpec {
    KeySpec::new(vec![(MODIFIED, Direction::Desc), (0, Direction::Asc)])
}

/// A key of two columns for each of a thousand rows.
fn encode() -> Result<u64, Error> {
    const TIMES: u64 = 20;
    let (rows, order) = (rows(), newest_first());
    let mut bytes = 0;
    counted(&mut || {
        for _ in 0..TIMES {
            bytes += rows.iter().map(|row| order.key(black_box(row)).len()).sum::<usize>();
        }
        Ok(())
    })?;
    expect(bytes >= rows.len() * TIMES as usize * 16, "keys hold a number and an id")?;
    Ok(TIMES)
}

/// A binary search among a thousand keys for each of them.
fn compare() -> Result<u64, Error> {
    const TIMES: u64 = 20;
    let (rows, order) = (rows(), newest_first());
    let keys: Vec<Key> = rows.iter().map(|row| order.key(row)).collect();
    let mut sorted = keys.clone();
    sorted.sort();
    let mut found = 0;
    counted(&mut || {
        for _ in 0..TIMES {
            let is_found = |key: &&Key| sorted.binary_search(black_box(key)).is_ok();
            found += keys.iter().filter(is_found).count();
        }
        Ok(())
    })?;
    expect(found == keys.len() * TIMES as usize, "every key is found")?;
    Ok(TIMES)
}

/// Three tests of each of a thousand rows: open, priority below 5, one of three owners.
fn predicate() -> Result<u64, Error> {
    const TIMES: u64 = 20;
    let (data, rows) = (Data::generate(ROWS), rows());
    let compare = |column, op, value| {
        let (left, right) = (Operand::Column(column), Operand::Literal(value));
        Predicate::Compare { left, op, right }
    };
    let owners = ["u0001", "u0050", "u0099"].map(Value::from);
    let tests = [
        compare(OPEN, CompareOp::Eq, Value::Bool(true)),
        compare(PRIORITY, CompareOp::Lt, Value::Int(5)),
        Predicate::In {
            operand: Operand::Column(OWNER),
            set: ValueSet::new(owners.into()),
            negated: false,
        },
    ];
    let mut passed = [0; 3];
    counted(&mut || {
        for row in std::iter::repeat_n(&rows, TIMES as usize).flatten() {
            for (test, passed) in tests.iter().zip(&mut passed) {
                *passed += u64::from(test.matches(black_box(row)));
            }
        }
        Ok(())
    })?;
    let of = |test: fn(&Issue) -> bool| data.issues.iter().filter(|i| test(i)).count() as u64;
    let expected = [of(|i| i.open), of(|i| i.priority < 5), of(|i| matches!(i.owner, 1 | 50 | 99))];
    expect(passed == expected.map(|rows| rows * TIMES), "other rows pass than should")?;
    Ok(TIMES)
}

/// Bytes of source rows, view entries and live queries.
fn memory() -> Result<Outcome, Error> {
    let mut held = Outcome::default();
    for (name, sizes) in [("W7", ALL), ("W5q1000", OWNED)] {
        let setting = Setting { data: Data::generate(sizes), source: SourceKind::Memory };
        let run = named(name).first().and_then(|workload| workload.bytes);
        let run = run.ok_or_else(|| Error::abort("a workload is missing"))?;
        held.metrics.extend(run(&setting)?.metrics);
    }
    Ok(held)
}
