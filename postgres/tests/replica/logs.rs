//! The change log and its readers.

use penstock::Value;
use penstock_postgres::Lsn;
use penstock_postgres::replica::{LogLimits, LoggedChange, LoggedChanges, Replica, ReplicaOptions};
use serde_json::json;

use super::support::{apply, copy, delete, insert, position, row, spec, task, update};

fn logging(limits: LogLimits) -> Replica {
    let options = ReplicaOptions::new(":memory:").change_log(Some(limits));
    let mut replica = Replica::open(options).expect("memory");
    replica.start(position(100)).expect("memory");
    replica
}

fn changes(found: LoggedChanges) -> (Vec<LoggedChange>, Lsn) {
    match found {
        LoggedChanges::Changes { changes, next } => (changes, next),
        LoggedChanges::Gap { from } => panic!("a gap up to {from}"),
    }
}

#[test]
fn changes_are_kept_with_old_and_new_rows() {
    let mut replica = logging(LogLimits::default());
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    apply(&mut replica, 200, vec![insert(&task, row(2, "b", 0)), update(&task, row(1, "z", 1))]);
    apply(&mut replica, 300, vec![delete(&task, 2)]);
    let (all, next) = changes(replica.changes_since(Lsn(100), 100).expect("memory"));
    assert_eq!(next, Lsn(300));
    let object =
        |id: i64, title: &str, done: i64| Some(json!({"id": id, "title": title, "done": done}));
    let seen: Vec<_> = all
        .iter()
        .map(|c| (c.lsn.0, c.seq, c.operation.as_str(), c.old.clone(), c.new.clone()))
        .collect();
    let expected = vec![
        (200, 0, "insert", None, object(2, "b", 0)),
        (200, 1, "update", object(1, "a", 0), object(1, "z", 1)),
        (300, 0, "delete", object(2, "b", 0), None),
    ];
    assert_eq!(seen, expected);
    assert!(all.iter().all(|change| change.table == "public.task" && change.schema_version == 1));
    // Transactions are not torn, and reading goes on where it was.
    let (first, next) = changes(replica.changes_since(Lsn(100), 1).expect("memory"));
    assert_eq!((first.len(), next), (2, Lsn(200)));
    let (rest, next) = changes(replica.changes_since(next, 1).expect("memory"));
    assert_eq!((rest.len(), next), (1, Lsn(300)));
    assert_eq!(changes(replica.changes_since(next, 1).expect("memory")), (Vec::new(), next));
}

#[test]
fn what_is_gone_is_said_to_be_gone() {
    let mut replica = logging(LogLimits { changes_max: 100, seconds_max: u64::MAX / 2_000_000 });
    let task = task();
    copy(&mut replica, spec(&task), &[]);
    let before = LoggedChanges::Gap { from: Lsn(100) };
    assert_eq!(replica.changes_since(Lsn(99), 10).expect("memory"), before);
    for at in 0..1100_i64 {
        apply(&mut replica, 200 + 10 * at as u64, vec![insert(&task, row(at, "a", 0))]);
    }
    let LoggedChanges::Gap { from } = replica.changes_since(Lsn(200), 10).expect("memory") else {
        panic!("nothing was cut");
    };
    let (kept, _) = changes(replica.changes_since(from, 10_000).expect("memory"));
    assert!((100..=200).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().map(|change| change.lsn), Some(Lsn(200 + 10 * 1099)));
    // A table that is copied anew is a gap for whoever stands before it.
    copy(&mut replica, spec(&task), &[]);
    let end = replica.position().map(|position| position.end).expect("started");
    let gap = LoggedChanges::Gap { from: end };
    assert_eq!(replica.changes_since(from, 10).expect("memory"), gap);
    assert_eq!(changes(replica.changes_since(end, 10).expect("memory")).0, Vec::new());
}

#[test]
fn without_a_log_everything_is_a_gap() {
    let mut replica = super::support::in_memory();
    copy(&mut replica, spec(&task()), &[]);
    apply(&mut replica, 200, vec![insert(&task(), vec![1.into(), "a".into(), Value::Null])]);
    let found = replica.changes_since(Lsn(205), 10).expect("memory");
    assert_eq!(found, LoggedChanges::Gap { from: Lsn(205) });
}
