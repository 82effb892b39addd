//! Cuts while another thread commits: every live query is at the same transaction.

use std::sync::atomic::AtomicBool;

use penstock::{ColumnType, Schema, Table, row};

use super::*;

/// Two tables of one row, which each transaction changes together.
fn pair() -> Database {
    let table = |name| {
        Table::new(name)
            .column("id", ColumnType::Integer)
            .column("n", ColumnType::Integer)
            .primary_key(["id"])
    };
    let schema = Schema::new([table("a"), table("b")]).expect("a schema");
    let database = Database::in_memory(schema).expect("a database");
    write(&database, 0);
    database
}

fn write(database: &Database, n: i64) {
    let written = database.transaction(|tx| {
        tx.upsert("a", row! { id: 1, n: n })?;
        tx.upsert("b", row! { id: 1, n: n })
    });
    written.expect("a transaction");
}

fn number(lives: &Lives, id: LiveId) -> i64 {
    let row = lives.get(id).and_then(|live| live.rows().values().next().cloned());
    row.and_then(|row| row.get("n")?.as_i64()).expect("a number")
}

/// Cuts again and again while somebody writes; `before` is done before each.
fn cut_while_written(mut before: impl FnMut(&mut Lives, [LiveId; 2], usize) -> Option<LiveId>) {
    let database = pair();
    let mut lives = Lives::new(database.clone(), Arc::new(|| {}));
    let mut find = |table: &str| {
        lives
            .find_or_make(table, Budget::default(), || Ok(Query::table(table)))
            .expect("a live query")
    };
    let both = [find("a"), find("b")];
    for id in both {
        lives.add_user(id, User { group: Arc::from("g"), role: Role::Clients });
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !is_over.load(Ordering::Relaxed) {
                n += 1;
                write(&database, n);
            }
        });
        let torn = (0..60_000).find_map(|round| {
            let new = before(&mut lives, both, round);
            lives.advance().expect("a cut");
            let numbers: Vec<i64> =
                both.into_iter().chain(new).map(|id| number(&lives, id)).collect();
            lives.sweep(BTreeSet::new);
            numbers.iter().any(|n| *n != numbers[0]).then_some((round, numbers))
        });
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(torn, None, "in this round the cut was torn");
    });
}

#[test]
fn a_transaction_that_comes_while_a_cut_is_made_is_in_it_or_not() {
    cut_while_written(|lives, [a, _], _| {
        // As after a hydration, which may have missed something.
        lives.dirty.lock().push(a);
        None
    });
}

#[test]
fn what_is_hydrated_is_not_ahead_of_the_others() {
    cut_while_written(|lives, _, round| {
        let key = format!("b again {round}");
        Some(
            lives
                .find_or_make(&key, Budget::default(), || Ok(Query::table("b")))
                .expect("a live query"),
        )
    });
}
