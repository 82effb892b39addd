//! Random transactions against a model, with redeliveries, interruptions, files that are opened again,
//! and live queries that are compared with fresh ones at every commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::Value;
use penstock_postgres::event::{Cell, OldRow};
use penstock_postgres::replica::{LogLimits, Replica, ReplicaError, ReplicaOptions};
use penstock_postgres::{Change, Step};
use proptest::prelude::*;

use super::support::{
    Server, cells, copy, delete, header, insert, path, position, query, row, spec, task, try_apply,
};

/// What a transaction does to a row, given by a small number.
#[derive(Clone, Debug)]
enum Act {
    Insert(i64, u8, i64),
    Update(i64, u8, i64),
    Keep(i64, i64),
    Move(i64, i64),
    Delete(i64),
    Truncate,
}

/// What happens to the replica.
#[derive(Clone, Debug)]
enum Event {
    Transaction(Vec<Act>),
    /// The transaction breaks off after some changes, and is delivered again.
    Interrupted(Vec<Act>, usize),
    /// The last transaction is delivered again.
    Redelivered,
    /// The file is opened again.
    Reopened,
}

fn act() -> impl Strategy<Value = Act> {
    let id = || 0..12_i64;
    prop_oneof![
        4 => (id(), any::<u8>(), 0..3_i64).prop_map(|(id, title, done)| Act::Insert(id, title, done)),
        4 => (id(), any::<u8>(), 0..3_i64).prop_map(|(id, title, done)| Act::Update(id, title, done)),
        2 => (id(), 0..3_i64).prop_map(|(id, done)| Act::Keep(id, done)),
        2 => (id(), id()).prop_map(|(from, to)| Act::Move(from, to)),
        3 => id().prop_map(Act::Delete),
        1 => Just(Act::Truncate),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let acts = || prop::collection::vec(act(), 0..8);
    prop_oneof![
        6 => acts().prop_map(Event::Transaction),
        2 => (acts(), 0..8_usize).prop_map(|(acts, after)| Event::Interrupted(acts, after)),
        1 => Just(Event::Redelivered),
        1 => Just(Event::Reopened),
    ]
}

type Model = BTreeMap<i64, (String, i64)>;

/// The changes that the server would send for what is possible of the acts.
fn changes(model: &mut Model, acts: &[Act]) -> Vec<Change> {
    let task = task();
    let relation = || Arc::clone(&task);
    let mut changes = Vec::new();
    for act in acts {
        match *act {
            Act::Insert(id, title, done) if !model.contains_key(&id) => {
                let title = format!("t{title}");
                changes.push(insert(&task, row(id, &title, done)));
                model.insert(id, (title, done));
            }
            Act::Update(id, title, done) if model.contains_key(&id) => {
                let title = format!("u{title}");
                let new = cells(row(id, &title, done));
                // Sometimes with the old key though it is the same, as whole old rows have it.
                let old =
                    (done == 1).then(|| OldRow::Key(vec![id.into(), Value::Null, Value::Null]));
                changes.push(Change::Update { relation: relation(), old, new });
                model.insert(id, (title, done));
            }
            Act::Keep(id, done) if model.contains_key(&id) => {
                let new = vec![Cell::Value(id.into()), Cell::Unchanged, Cell::Value(done.into())];
                changes.push(Change::Update { relation: relation(), old: None, new });
                if let Some(row) = model.get_mut(&id) {
                    row.1 = done;
                }
            }
            Act::Move(from, to) if model.contains_key(&from) && !model.contains_key(&to) => {
                if let Some((title, done)) = model.remove(&from) {
                    let old = Some(OldRow::Key(vec![from.into(), Value::Null, Value::Null]));
                    let new =
                        vec![Cell::Value(to.into()), Cell::Unchanged, Cell::Value(done.into())];
                    changes.push(Change::Update { relation: relation(), old, new });
                    model.insert(to, (title, done));
                }
            }
            Act::Delete(id) if model.remove(&id).is_some() => changes.push(delete(&task, id)),
            Act::Truncate => {
                changes.push(Change::Truncate { relations: vec![relation()] });
                model.clear();
            }
            _ => {}
        }
    }
    changes
}

fn open(path: &std::path::Path, logs: bool) -> Replica {
    let options = ReplicaOptions::new(path)
        .verify_every_commit(true)
        .change_log(logs.then(LogLimits::default));
    Replica::open(options).expect("a replica")
}

fn check(path: &std::path::Path, logs: bool, events: &[Event]) {
    let mut replica = open(path, logs);
    replica.start(position(100)).expect("a file");
    let first: Vec<Vec<Value>> = (0..4).map(|id| row(id, "first", 0)).collect();
    copy(&mut replica, spec(&task()), &first);
    let mut model: Model = (0..4).map(|id| (id, ("first".to_owned(), 0))).collect();
    let sql = "SELECT title, id FROM task WHERE done < 2 ORDER BY title, id LIMIT 5";
    let grouped = "SELECT done, count(*) FROM task GROUP BY done ORDER BY done";
    let subscribe = |replica: &Replica| {
        [sql, grouped].map(|sql| replica.database().subscribe_sql(sql, ()).expect("a sound query"))
    };
    let mut live = subscribe(&replica);
    let mut server = Server::default();
    let (mut at, mut last) = (200, Vec::new());
    for event in events {
        match event {
            Event::Transaction(acts) => {
                at += 10;
                last = changes(&mut model, acts);
                let applied = try_apply(&mut replica, &mut server, at, last.clone());
                let applied = applied.expect("a sound transaction");
                assert!(!applied.is_repeated);
                assert_eq!(applied.divergences, []);
            }
            Event::Interrupted(acts, after) => {
                at += 10;
                last = changes(&mut model, acts);
                let before = query(&replica, "SELECT * FROM task ORDER BY id");
                let mut steps = last.iter().take(*after).cloned();
                let mut next = || match steps.next() {
                    Some(change) => Ok(Step::Changes(vec![change])),
                    None => Err(ReplicaError::Interrupted("cut".to_owned())),
                };
                replica.apply(&header(at), &mut next, &mut server).expect_err("it was cut");
                assert_eq!(query(&replica, "SELECT * FROM task ORDER BY id"), before);
                try_apply(&mut replica, &mut server, at, last.clone()).expect("a transaction");
            }
            Event::Redelivered if at > 200 => {
                let again = try_apply(&mut replica, &mut server, at, last.clone());
                assert!(again.expect("a transaction").is_repeated);
            }
            Event::Redelivered => {}
            Event::Reopened => {
                drop((live, replica));
                replica = open(path, logs);
                live = subscribe(&replica);
            }
        }
        let expected: Vec<String> =
            model.iter().map(|(id, (title, done))| format!("{id} \"{title}\" {done}")).collect();
        assert_eq!(query(&replica, "SELECT id, title, done FROM task ORDER BY id"), expected);
        live.iter_mut().for_each(|live| assert!(live.status().is_ok()));
        replica.database().verify().expect("live results are fresh");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_is_what_a_model_is(events in prop::collection::vec(event(), 1..16)) {
        check(&path("random"), false, &events);
    }

    #[test]
    fn a_replica_that_logs_is_too(events in prop::collection::vec(event(), 1..12)) {
        check(&path("random-log"), true, &events);
    }
}
