//! Files: what a replica finds when it is opened again, and copies that broke off.

use penstock::Value;
use penstock_postgres::Lsn;
use penstock_postgres::replica::{Replica, ReplicaOptions};
use penstock_postgres::snapshot::{Checksum, Mark};

use super::support::{
    INT4, apply, column, copy, insert, path, position, query, relation, row, spec, state, task,
};

const ALL: &str = "SELECT * FROM task ORDER BY id";

fn open(path: &std::path::Path) -> Replica {
    Replica::open(ReplicaOptions::new(path)).expect("a replica")
}

#[test]
fn a_file_goes_on_where_it_stood() {
    let path = path("again");
    let task = task();
    let mut replica = open(&path);
    assert_eq!(replica.position(), None);
    replica.start(position(100)).expect("a file");
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    apply(&mut replica, 200, vec![insert(&task, row(2, "b", 0))]);
    replica.make_durable().expect("a disk");
    let before = replica.spec(100).cloned();
    drop(replica);
    let mut replica = open(&path);
    assert_eq!(
        replica.position().map(|position| (position.end, position.commit)),
        Some((Lsn(205), Lsn(200)))
    );
    assert_eq!(replica.spec(100).cloned(), before);
    assert!(apply(&mut replica, 200, vec![insert(&task, row(2, "b", 0))]).is_repeated);
    assert_eq!(apply(&mut replica, 300, vec![insert(&task, row(3, "c", 0))]).divergences, []);
    assert_eq!(query(&replica, ALL).len(), 3);
    replica.advance(Lsn(400)).expect("a file");
    replica.advance(Lsn(50)).expect("a file");
    assert_eq!(replica.position().map(|position| position.end), Some(Lsn(400)));
}

#[test]
fn a_copy_that_broke_off_begins_anew_and_the_others_stay() {
    let path = path("copies");
    let (task, other) = (task(), relation(8, "other", vec![column("id", true, INT4)]));
    let mut replica = open(&path);
    replica.start(position(100)).expect("a file");
    replica.want(100, &task.name, "it is new").expect("a file");
    copy(&mut replica, spec(&other), &[vec![1.into()]]);
    let broken = replica.begin_copy(spec(&task)).expect("a copy");
    broken.add(&[row(1, "a", 0)]).expect("rows");
    drop((broken, replica));
    let mut replica = open(&path);
    assert_eq!((state(&replica, 100), state(&replica, 8)), ("wanted", "copied"));
    assert!(replica.database().query_sql(ALL, ()).is_err(), "nothing half-made is to be seen");
    copy(&mut replica, spec(&task), &[row(1, "a", 0), row(2, "b", 0)]);
    assert_eq!(query(&replica, ALL).len(), 2);
}

#[test]
fn sums_of_a_table_are_those_of_its_rows() {
    let mut replica = open(&path("sums"));
    replica.start(position(100)).expect("a file");
    let rows: Vec<Vec<Value>> =
        (0..500).rev().map(|id| row(id, &format!("t{id}"), id % 2)).collect();
    copy(&mut replica, spec(&task()), &rows);
    let sum = replica.checksum(100).expect("a file").expect("a table");
    let mut expected = Checksum::default();
    rows.iter().for_each(|row| expected.add(row));
    assert_eq!(sum, expected);
    apply(&mut replica, 200, vec![insert(&task(), row(501, "x", 0))]);
    assert_ne!(replica.checksum(100).expect("a file"), Some(sum));
    assert_eq!(replica.checksum(8).expect("a file"), None);
}

#[test]
fn keys_that_collide_refuse_the_table_by_name() {
    let mut replica = open(&path("collide"));
    replica.start(position(100)).expect("a file");
    let numeric = relation(8, "big", vec![column("n", true, 1700)]);
    let copy = replica.begin_copy(spec(&numeric)).expect("a copy");
    copy.add(&[vec![Value::Float(1e20)], vec![Value::Float(1e20)]]).expect("rows");
    let mark: Mark = "0/64".parse().expect("a mark");
    let error = replica.finish_copy(copy, mark).expect_err("two alike").to_string();
    assert!(error.starts_with("table public.big: several of its rows"), "{error}");
    assert_eq!(state(&replica, 8), "refused");
}

#[test]
fn a_new_start_keeps_what_there_is_until_it_is_copied() {
    let mut replica = open(&path("anew"));
    replica.start(position(100)).expect("a file");
    copy(&mut replica, spec(&task()), &[row(1, "a", 0)]);
    replica.start(position(50)).expect("a file");
    assert_eq!((state(&replica, 100), query(&replica, ALL).len()), ("wanted", 1));
    copy(&mut replica, spec(&task()), &[]);
    assert_eq!(query(&replica, ALL).len(), 0);
    replica.forget(100).expect("a file");
    assert_eq!(state(&replica, 100), "none");
    assert!(replica.database().query_sql(ALL, ()).is_err());
}
