//! Changes of rows: what they do, when they are passed over, and what does not fit.

use std::sync::Arc;

use penstock::Value;
use penstock_postgres::event::{Cell, OldRow};
use penstock_postgres::replica::Batch;
use penstock_postgres::{Change, Identity, Lsn, Relation, Step};

use super::support::{
    INT4, Server, TEXT, apply, cells, column, copy, delete, header, in_memory, insert, query,
    relation, row, spec, state, task, try_apply, update,
};

const ALL: &str = "SELECT * FROM task ORDER BY id";

#[test]
fn live_queries_follow_each_transaction() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0), row(2, "b", 0)]);
    let open = "SELECT title FROM task WHERE done = 0 ORDER BY title";
    let mut live = replica.database().subscribe_sql(open, ()).expect("a sound query");
    let changes = vec![
        insert(&task, row(3, "c", 0)),
        update(&task, row(1, "a", 1)),
        update(&task, row(3, "d", 0)),
        delete(&task, 2),
    ];
    let applied = apply(&mut replica, 200, changes);
    assert_eq!((applied.changes, applied.end, applied.has_wanted), (4, Lsn(205), false));
    assert_eq!(query(&replica, ALL), ["1 \"a\" 1", "3 \"d\" 0"]);
    assert_eq!(live.changes().count(), 1);
    assert_eq!(live.rows().len(), 1);
}

#[test]
fn several_transactions_can_be_one() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    let all = "SELECT title FROM task ORDER BY id";
    let mut live = replica.database().subscribe_sql(all, ()).expect("a sound query");
    let whole = |at: u64, changes: Vec<Change>| {
        penstock_postgres::Transaction::new(header(at), Lsn(at + 5), changes)
    };
    // The second is one that was applied before, as seen from the first.
    let mut further = vec![
        whole(210, vec![insert(&task, row(2, "b", 0)), update(&task, row(1, "c", 0))]),
        whole(190, vec![insert(&task, row(3, "x", 0))]),
        whole(220, vec![delete(&task, 2)]),
        whole(230, vec![insert(&task, row(4, "d", 0))]),
    ]
    .into_iter();
    let first = vec![update(&task, row(1, "b", 0))];
    let mut steps = [Step::Changes(first), Step::Commit { end: Lsn(205) }].into_iter();
    let mut next = || Ok(steps.next().expect("a step"));
    let mut told = Vec::new();
    let mut more = |batch: Batch| {
        told.push((batch.transactions, batch.changes));
        if batch.transactions < 3 { further.next() } else { None }
    };
    let server = &mut Server::default();
    let applied = replica.apply_several(&header(200), &mut next, &mut more, server);
    let applied = applied.expect("sound");
    assert_eq!((applied.transactions, applied.changes, applied.end), (3, 4, Lsn(225)));
    assert_eq!((applied.committed_at, applied.is_repeated), (220, false));
    assert_eq!(told, [(1, 1), (2, 3), (2, 3), (3, 4)]);
    assert_eq!(live.changes().count(), 1);
    assert_eq!(query(&replica, ALL), ["1 \"c\" 0"]);
    // All three are known to have been applied, and the one that was left is not.
    for at in [200, 210, 220] {
        assert!(apply(&mut replica, at, vec![insert(&task, row(9, "x", 0))]).is_repeated);
    }
    assert!(!apply(&mut replica, 230, vec![insert(&task, row(4, "d", 0))]).is_repeated);
    assert_eq!(query(&replica, ALL), ["1 \"c\" 0", "4 \"d\" 0"]);
}

#[test]
fn what_was_applied_or_copied_is_passed_over() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    // The snapshot of the copy sees transaction 9.
    let seen = vec![insert(&task, row(1, "a", 0))];
    let mut steps = [Step::Changes(seen), Step::Commit { end: Lsn(145) }].into_iter();
    let header = penstock_postgres::Header { xid: 9, ..header(140) };
    let mut next = || Ok(steps.next().expect("a step"));
    let applied = replica.apply(&header, &mut next, &mut Server::default()).expect("sound");
    assert_eq!((applied.changes, applied.is_repeated), (0, false));
    // Transaction 146 is not seen.
    assert_eq!(apply(&mut replica, 146, vec![insert(&task, row(2, "b", 0))]).changes, 1);
    let again = apply(&mut replica, 146, vec![insert(&task, row(2, "b", 0))]);
    assert_eq!((again.changes, again.is_repeated, again.end), (0, true, Lsn(151)));
    // Ids begin anew after 2^32: behind a later transaction nothing is taken for seen.
    let late = penstock_postgres::Header { xid: 5, ..super::support::header(300) };
    let change = vec![insert(&task, row(3, "c", 0))];
    let mut steps = [Step::Changes(change), Step::Commit { end: Lsn(305) }].into_iter();
    let mut next = || Ok(steps.next().expect("a step"));
    assert_eq!(replica.apply(&late, &mut next, &mut Server::default()).expect("sound").changes, 1);
    assert_eq!(query(&replica, ALL), ["1 \"a\" 0", "2 \"b\" 0", "3 \"c\" 0"]);
}

#[test]
fn values_that_did_not_come_stay() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "long", 0), row(2, "longer", 0)]);
    let kept = |old: Option<OldRow>, id: i64| Change::Update {
        relation: Arc::clone(&task),
        old,
        new: vec![Cell::Value(id.into()), Cell::Unchanged, Cell::Value(7.into())],
    };
    let old_key = OldRow::Key(vec![2.into(), Value::Null, Value::Null]);
    let applied = apply(&mut replica, 200, vec![kept(None, 1), kept(Some(old_key), 5)]);
    assert_eq!(applied.divergences, []);
    assert_eq!(query(&replica, ALL), ["1 \"long\" 7", "5 \"longer\" 7"]);
}

#[test]
fn keys_of_several_columns_and_whole_old_rows() {
    let mut replica = in_memory();
    let columns = vec![column("a", true, TEXT), column("n", false, INT4), column("b", true, INT4)];
    let plain = relation(7, "pair", columns);
    let full = Arc::new(Relation { identity: Identity::Full, ..(*plain).clone() });
    let values = |a: &str, n: i64, b: i64| vec![a.into(), n.into(), b.into()];
    copy(&mut replica, spec(&plain), &[values("x", 1, 1), values("x", 2, 2)]);
    let old = OldRow::Full(values("x", 2, 2));
    let new = cells(values("y", 3, 2));
    let changes = vec![
        Change::Update { relation: Arc::clone(&full), old: Some(old), new },
        Change::Delete { relation: Arc::clone(&full), old: OldRow::Full(values("x", 1, 1)) },
        Change::Insert { relation: full, new: cells(values("x", 9, 2)) },
    ];
    assert_eq!(apply(&mut replica, 200, changes).divergences, []);
    assert_eq!(query(&replica, "SELECT * FROM pair ORDER BY a"), ["\"x\" 9 2", "\"y\" 3 2"]);
}

#[test]
fn what_does_not_fit_has_that_table_copied_again_and_no_other() {
    let task = task();
    let other = relation(8, "other", vec![column("id", true, INT4)]);
    let cases = [
        (insert(&task, row(1, "x", 0)), "the row id = 1 was inserted, and is there"),
        (update(&task, row(9, "x", 0)), "the row id = 9 was changed, and is not there"),
        (delete(&task, 9), "the row id = 9 was changed, and is not there"),
    ];
    for (change, problem) in cases {
        let mut replica = in_memory();
        copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
        copy(&mut replica, spec(&other), &[vec![1.into()]]);
        // What follows of the same table is passed over, the other one goes on.
        let changes =
            vec![change, insert(&task, row(1, "x", 0)), insert(&other, vec![Value::Int(2)])];
        let applied = apply(&mut replica, 200, changes);
        let found: Vec<&str> = applied.divergences.iter().map(|d| d.problem.as_str()).collect();
        assert_eq!(found, [problem]);
        assert!(applied.has_wanted);
        assert_eq!((state(&replica, 100), state(&replica, 8)), ("wanted", "copied"));
        assert_eq!(query(&replica, ALL), ["1 \"a\" 0"], "what there is stays readable");
        assert_eq!(query(&replica, "SELECT count(*) FROM other"), ["2"]);
        let mut live = replica.database().subscribe_sql(ALL, ()).expect("a sound query");
        copy(&mut replica, spec(&task), &[row(1, "z", 0), row(4, "w", 0)]);
        assert_eq!((live.status().is_ok(), live.changes().count()), (true, 1));
        assert_eq!(live.rows().len(), 2);
        assert_eq!(apply(&mut replica, 300, vec![delete(&task, 4)]).divergences, []);
        assert_eq!(live.rows().len(), 1);
    }
}

#[test]
fn a_truncated_table_is_empty_however_long_it_was() {
    for rows in [3, 12_000] {
        let mut replica = in_memory();
        let task = task();
        let all: Vec<Vec<Value>> = (0..rows).map(|id| row(id, "a", 0)).collect();
        copy(&mut replica, spec(&task), &all);
        let mut live = replica.database().subscribe_sql(ALL, ()).expect("a sound query");
        let truncate = Change::Truncate { relations: vec![Arc::clone(&task)] };
        apply(&mut replica, 200, vec![truncate, insert(&task, row(1, "b", 0))]);
        assert_eq!(live.changes().count(), 1);
        assert_eq!(query(&replica, ALL), ["1 \"b\" 0"]);
        assert_eq!(live.rows().len(), 1);
    }
}

#[test]
fn a_long_transaction_is_applied_whole() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(0, "a", 0)]);
    let sum = "SELECT count(*), sum(id) FROM task";
    let live = replica.database().subscribe_sql(sum, ()).expect("a sound query");
    let rows: i64 = 30_000;
    let mut changes: Vec<Change> = (1..=rows).map(|id| insert(&task, row(id, "b", 0))).collect();
    changes.push(delete(&task, 0));
    assert_eq!(apply(&mut replica, 200, changes).changes, rows as u64 + 1);
    let expected = format!("{rows} {}", rows * (rows + 1) / 2);
    assert_eq!(query(&replica, sum), [expected]);
    let first = live.rows().first().expect("a row");
    assert_eq!(first.get("count(*)").map(|value| value.to_owned()), Some(Value::Int(rows)));
    apply(&mut replica, 300, vec![insert(&task, row(0, "a", 0))]);
    assert_eq!(live.rows().len(), 1);
}

#[test]
fn a_transaction_that_breaks_off_leaves_nothing() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    let further = relation(9, "further", vec![column("id", true, INT4)]);
    for length in 0..4 {
        let mut steps = [
            Step::Changes(vec![insert(&task, row(2, "b", 0))]),
            Step::Changes(vec![delete(&task, 1), insert(&further, vec![1.into()])]),
            Step::Changes(vec![delete(&task, 77)]),
        ]
        .into_iter()
        .take(length);
        let broken = || penstock_postgres::replica::ReplicaError::Interrupted("cut".to_owned());
        let mut next = || steps.next().ok_or_else(broken);
        let error = replica.apply(&header(200), &mut next, &mut Server::default());
        assert!(error.expect_err("it broke off").to_string().contains("cut"));
        assert_eq!(query(&replica, ALL), ["1 \"a\" 0"]);
        assert_eq!((state(&replica, 100), state(&replica, 9)), ("copied", "none"));
        assert_eq!(replica.position().map(|position| position.end), Some(Lsn(100)));
    }
    let again = try_apply(&mut replica, &mut Server::default(), 200, vec![delete(&task, 1)]);
    assert_eq!(again.expect("a sound transaction").changes, 1);
    assert_eq!(query(&replica, ALL), [""; 0]);
}
