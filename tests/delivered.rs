//! Up to which commit callbacks have been told.

use std::sync::mpsc::channel;

use penstock::{ColumnType::Integer, Database, Error, Query, Schema, Table, row};

/// A commit that changes several results is delivered once the last of their callbacks has returned.
#[test]
fn a_commit_is_delivered_when_all_callbacks_have_returned() -> Result<(), Error> {
    let table = |name: &str| Table::new(name).column("id", Integer).primary_key(["id"]);
    let db = Database::in_memory(Schema::new([table("a"), table("b")])?)?;
    let (entered, entries) = channel();
    let mut gates = Vec::new();
    let mut live = Vec::new();
    for name in ["a", "b"] {
        let (open, gate) = channel::<()>();
        let entered = entered.clone();
        let mut subscription = db.subscribe(Query::table(name))?;
        subscription.on_change(move |_| {
            entered.send(name).expect("the test waits");
            gate.recv().expect("the test opens the gate");
        });
        live.push(subscription);
        gates.push((name, open));
    }
    assert_eq!((db.version()?, db.delivered_version()?), (0, 0));
    let writer = db.clone();
    let writing = std::thread::spawn(move || {
        writer.transaction(|tx| {
            tx.insert("a", row! { id: 1 })?;
            tx.insert("b", row! { id: 1 })
        })
    });
    for _ in 0..2 {
        let name = entries.recv().expect("a callback");
        assert_eq!((db.version()?, db.delivered_version()?), (1, 0), "{name}");
        let gate = gates.iter().find(|(of, _)| *of == name).expect("its gate");
        gate.1.send(()).expect("the callback waits");
    }
    writing.join().expect("no panic")?;
    assert_eq!((db.version()?, db.delivered_version()?), (1, 1));
    // A commit that no result shows is delivered at once.
    drop(live);
    db.transaction(|tx| tx.insert("a", row! { id: 2 }))?;
    assert_eq!((db.version()?, db.delivered_version()?), (2, 2));
    Ok(())
}
