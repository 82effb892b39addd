//! Changes of tables: what is followed, under live queries, and what needs a new copy.

use std::sync::Arc;

use penstock::{Error, Value};
use penstock_postgres::replica::{Missing, TableSpec};
use penstock_postgres::types::Catalogue;
use penstock_postgres::{Change, Column, Identity, Relation, SchemaChange, TableName};

use super::support::{
    INT4, Server, apply, column, copy, delete, in_memory, insert, query, relation, row, spec,
    state, task, try_apply, update,
};

const TEXT: u32 = super::support::TEXT;

fn with(before: &Relation, columns: Vec<Column>) -> Arc<Relation> {
    Arc::new(Relation { columns, ..before.clone() })
}

fn further(before: &Relation, column: Column) -> Arc<Relation> {
    let mut columns = before.columns.clone();
    columns.push(column);
    with(before, columns)
}

#[test]
fn a_further_column_ends_nothing_and_copies_nothing() {
    let mut replica = in_memory();
    let mut server = Server::default();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0), row(2, "b", 1)]);
    let live = replica
        .database()
        .subscribe_sql("SELECT title FROM task WHERE done = 0 ORDER BY id", ())
        .expect("live");
    let wide = further(&task, column("note", false, TEXT));
    let constant = Missing::Constant("it's".to_owned());
    server.tell(&wide, &[("id", 1, INT4, Missing::Null), ("note", 4, TEXT, constant)]);
    let mut values = row(3, "c", 0);
    values.push("n".into());
    // Rows before and after the change, in one transaction.
    let changes = vec![update(&task, row(2, "B", 0)), insert(&wide, values)];
    let applied = try_apply(&mut replica, &mut server, 200, changes).expect("sound");
    assert_eq!((applied.changes, applied.has_wanted, server.asked), (2, false, 1));
    assert!(live.status().is_ok());
    assert_eq!(live.rows().len(), 3);
    let all = "SELECT id, title, note FROM task ORDER BY id";
    assert_eq!(query(&replica, all), ["1 \"a\" \"it's\"", "2 \"B\" \"it's\"", "3 \"c\" \"n\""]);
    apply(&mut replica, 300, vec![delete(&wide, 1)]);
    assert_eq!(live.rows().len(), 2);
}

#[test]
fn what_old_rows_have_in_a_further_column() {
    let cases = [
        (INT4, Missing::Null, Some(Value::Null)),
        (INT4, Missing::Constant("42".to_owned()), Some(Value::Int(42))),
        (16, Missing::Constant("t".to_owned()), Some(Value::Bool(true))),
        (701, Missing::Constant("0.1".to_owned()), Some(Value::Float(0.1))),
        (17, Missing::Constant("\\x00ff".to_owned()), Some(Value::from(vec![0_u8, 255]))),
        (3802, Missing::Constant("{\"a\": 1}".to_owned()), Some(Value::Json("{\"a\": 1}".into()))),
        (INT4, Missing::Unknown, None),
        (INT4, Missing::Constant("no number".to_owned()), None),
    ];
    for (type_id, missing, expected) in cases {
        let mut replica = in_memory();
        let mut server = Server::default();
        let task = task();
        copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
        let wide = further(&task, column("new", false, type_id));
        server.tell(&wide, &[("new", 4, type_id, missing.clone())]);
        try_apply(&mut replica, &mut server, 200, vec![delete(&wide, 7)]).map(drop).expect("sound");
        // The row that is not there is a divergence where the table was followed, and is passed over
        // where it is to be copied; either way it is wanted, so what became of it shows in the column.
        let found = replica.database().query_sql("SELECT new FROM task", ());
        match expected {
            Some(value) => {
                let rows = found.expect("the column is there");
                assert_eq!(
                    rows.first().and_then(|row| Some(row.get("new")?.to_owned())),
                    Some(value)
                );
            }
            None => {
                assert!(found.is_err(), "{missing:?}");
                assert_eq!(state(&replica, 100), "wanted");
            }
        }
    }
}

#[test]
fn renames_and_drops_are_told_apart_by_the_numbers_of_columns() {
    let mut replica = in_memory();
    let mut server = Server::default();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 7)]);
    let by_id = replica.database().subscribe_sql("SELECT id FROM task", ()).expect("live");
    let by_title = replica.database().subscribe_sql("SELECT title FROM task", ()).expect("live");
    // title is now called done, and done is called title.
    let exchanged = with(
        &task,
        vec![column("id", true, INT4), column("done", false, TEXT), column("title", false, INT4)],
    );
    let plain = Missing::Null;
    let numbers = [("id", 1, INT4), ("done", 2, TEXT), ("title", 3, INT4)];
    server.tell(&exchanged, &numbers.map(|(name, number, of)| (name, number, of, plain.clone())));
    let added = insert(&exchanged, row(2, "b", 8));
    let applied = try_apply(&mut replica, &mut server, 200, vec![added]).expect("sound");
    assert_eq!((applied.changes, applied.has_wanted), (1, false));
    assert_eq!(query(&replica, "SELECT done, title FROM task ORDER BY id"), ["\"a\" 7", "\"b\" 8"]);
    // Of these the engine does not see which columns a query needs; of further columns it does.
    assert!(matches!(by_id.status(), Err(Error::SchemaChanged { .. })));
    assert!(matches!(by_title.status(), Err(Error::SchemaChanged { .. })));
    // done (2) is dropped, and a new column has its name.
    let renewed = with(
        &task,
        vec![column("id", true, INT4), column("title", false, INT4), column("done", false, INT4)],
    );
    let numbers = [("id", 1, INT4), ("title", 3, INT4), ("done", 4, INT4)];
    server.tell(&renewed, &numbers.map(|(name, number, of)| (name, number, of, plain.clone())));
    let added = insert(&renewed, vec![3.into(), 9.into(), 1.into()]);
    let applied = try_apply(&mut replica, &mut server, 300, vec![added]).expect("sound");
    assert_eq!((applied.changes, applied.has_wanted), (1, false));
    let expected = ["1 7 NULL", "2 8 NULL", "3 9 1"];
    let all = query(&replica, "SELECT id, title, done FROM task ORDER BY id");
    assert_eq!(all.iter().map(|row| row.to_uppercase()).collect::<Vec<_>>(), expected);
}

#[test]
fn tables_are_renamed_made_and_dropped() {
    let mut replica = in_memory();
    let mut server = Server::default();
    let task = task();
    let note = relation(8, "note", vec![column("id", true, INT4), column("text", false, TEXT)]);
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    copy(&mut replica, spec(&note), &[vec![1.into(), "n".into()]]);
    let of_note = replica.database().subscribe_sql("SELECT * FROM note", ()).expect("live");
    let of_task = replica.database().subscribe_sql("SELECT * FROM task", ()).expect("live");
    let name = TableName::new("Work place", "job \"x\"");
    let job = Arc::new(Relation { name, ..(*task).clone() });
    let further = relation(9, "further", vec![column("id", true, INT4)]);
    let changes = vec![insert(&job, row(2, "b", 0)), insert(&further, vec![1.into()])];
    let applied = try_apply(&mut replica, &mut server, 200, changes).expect("sound");
    assert_eq!((applied.changes, applied.has_wanted), (1, true));
    assert_eq!((state(&replica, 100), state(&replica, 9)), ("copied", "wanted"));
    assert!(matches!(of_task.status(), Err(Error::SchemaChanged { .. })));
    assert!(of_note.status().is_ok());
    assert_eq!(
        query(&replica, "SELECT id FROM \"Work place.job \"\"x\"\"\" ORDER BY id"),
        ["1", "2"]
    );
    copy(&mut replica, spec(&further), &[vec![1.into()]]);
    assert_eq!(query(&replica, "SELECT * FROM further"), ["1"]);
    // Another table takes the old name, and a table is dropped.
    let again = relation(10, "task", task.columns.clone());
    let gone = SchemaChange {
        lsn: penstock_postgres::Lsn(300),
        before: Some(Arc::clone(&note)),
        after: None,
        table: note.name.clone(),
    };
    let changes = vec![Change::Schema(gone), insert(&again, row(1, "x", 0))];
    try_apply(&mut replica, &mut server, 300, changes).expect("sound");
    assert_eq!((state(&replica, 8), state(&replica, 10)), ("none", "wanted"));
    assert!(matches!(of_note.status(), Err(Error::SchemaChanged { .. })));
    copy(&mut replica, spec(&again), &[row(1, "x", 0)]);
    assert_eq!(query(&replica, "SELECT title FROM task"), ["\"x\""]);
}

#[test]
fn two_tables_exchange_their_names() {
    let mut replica = in_memory();
    let mut server = Server::default();
    let a = relation(1, "a", vec![column("id", true, INT4)]);
    let b = relation(2, "b", vec![column("id", true, INT4)]);
    copy(&mut replica, spec(&a), &[vec![1.into()]]);
    copy(&mut replica, spec(&b), &[vec![2.into()]]);
    let named = |of: &Relation, name: &str| {
        Arc::new(Relation { name: TableName::new("public", name), ..of.clone() })
    };
    let changes =
        vec![insert(&named(&a, "b"), vec![10.into()]), insert(&named(&b, "a"), vec![20.into()])];
    let applied = try_apply(&mut replica, &mut server, 200, changes).expect("sound");
    assert_eq!((applied.changes, applied.has_wanted), (2, false));
    assert_eq!(query(&replica, "SELECT id FROM a ORDER BY id"), ["2", "20"]);
    assert_eq!(query(&replica, "SELECT id FROM b ORDER BY id"), ["1", "10"]);
}

#[test]
fn types_that_keep_values_are_followed_and_others_copied() {
    let key = |name: &str| column(name, true, INT4);
    let typed = |type_id: u32, modifier: i32| Column { modifier, ..column("v", false, type_id) };
    let cases = [
        (typed(21, -1), typed(20, -1), "copied"),
        (typed(1043, 14), typed(1043, 24), "copied"),
        (typed(1043, 14), typed(1043, -1), "copied"),
        (typed(1043, 14), typed(25, -1), "copied"),
        (typed(1043, 24), typed(1043, 14), "wanted"),
        (typed(20, -1), typed(21, -1), "wanted"),
        (typed(25, -1), typed(23, -1), "wanted"),
        (typed(700, -1), typed(701, -1), "wanted"),
        (typed(1700, 655366), typed(1700, -1), "wanted"),
    ];
    for (before, after, expected) in cases {
        let mut replica = in_memory();
        let old = relation(5, "t", vec![key("id"), before.clone()]);
        copy(&mut replica, spec(&old), &[]);
        let new = relation(5, "t", vec![key("id"), after.clone()]);
        let mut server = Server::default();
        let plain = Missing::Null;
        server.tell(&new, &[("id", 1, INT4, plain.clone()), ("v", 2, after.type_id, plain)]);
        let change = insert(&new, vec![1.into(), Value::Null]);
        try_apply(&mut replica, &mut server, 200, vec![change]).expect("sound");
        assert_eq!(state(&replica, 5), expected, "{before:?} {after:?}");
    }
}

#[test]
fn another_key_needs_a_new_copy() {
    let mut replica = in_memory();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    let mut columns = task.columns.clone();
    (columns[0].key, columns[2].key) = (false, true);
    let keyed = with(&task, columns);
    apply(&mut replica, 200, vec![insert(&keyed, row(2, "b", 5))]);
    assert_eq!(state(&replica, 100), "wanted");
    // Whole old rows instead of the key need none.
    let mut replica = in_memory();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    let mut columns = task.columns.clone();
    columns.iter_mut().for_each(|column| column.key = true);
    let full = Arc::new(Relation { identity: Identity::Full, columns, ..(*task).clone() });
    let applied = apply(&mut replica, 200, vec![insert(&full, row(2, "b", 5))]);
    assert_eq!((applied.changes, state(&replica, 100)), (1, "copied"));
}

#[test]
fn tables_that_cannot_be_kept_say_why() {
    let with_key = |relation: &Arc<Relation>, key: &[&str]| {
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        let numbers = (1..).take(relation.columns.len()).collect();
        TableSpec::new(Arc::clone(relation), numbers, &key, &Catalogue::default())
    };
    let cases = [
        (
            relation(1, "a", vec![column("v", false, TEXT)]),
            vec![],
            "ALTER TABLE public.a ADD PRIMARY KEY",
        ),
        (relation(1, "a", vec![column("v", false, 999_999)]), vec!["v"], "column \"v\": the type"),
        (relation(1, "a", vec![column("v", false, 3802)]), vec!["v"], "cannot tell rows apart"),
        (relation(1, "penstock_x", vec![column("v", false, TEXT)]), vec!["v"], "rename it"),
        (
            relation(1, "a", vec![column("v", false, TEXT), column("V", false, TEXT)]),
            vec!["v"],
            "differ in case only",
        ),
    ];
    for (relation, key, part) in cases {
        let error = with_key(&relation, &key).expect_err(part).to_string();
        assert!(error.starts_with("table public.") && error.contains(part), "{error}");
    }
}

#[test]
fn an_index_of_a_column_that_a_new_copy_lacks_is_not_made_again() {
    let mut replica = in_memory();
    let mut server = Server::default();
    let task = task();
    copy(&mut replica, spec(&task), &[row(1, "a", 0)]);
    let by_title = "SELECT title FROM task ORDER BY title LIMIT 1";
    let live = replica.database().subscribe_sql(by_title, ()).expect("live");
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%title%'";
    let count = |replica: &penstock_postgres::replica::Replica| {
        let mut count = 0;
        let counted = replica.database().transaction(|tx| {
            count = tx.with_connection(|it| it.query_row(indexes, [], |row| row.get(0)))?;
            Ok(())
        });
        counted.expect("sound");
        count
    };
    assert_eq!(count(&replica), 1, "the live result reads by an index");
    drop(live);
    let columns =
        vec![column("id", true, INT4), column("done", false, INT4), column("n", false, INT4)];
    let lacking = with(&task, columns);
    copy(&mut replica, spec(&lacking), &[vec![1.into(), 0.into(), 5.into()]]);
    assert_eq!(count(&replica), 0);
    // Nothing stands in the way of what comes next.
    let narrow = with(&task, lacking.columns[..2].to_vec());
    server.tell(&narrow, &[("id", 1, INT4, Missing::Null), ("done", 2, INT4, Missing::Null)]);
    let changes = vec![insert(&narrow, vec![2.into(), 1.into()])];
    let applied = try_apply(&mut replica, &mut server, 300, changes).expect("sound");
    assert!(!applied.has_wanted);
    assert_eq!(query(&replica, "SELECT * FROM task ORDER BY id"), ["1 0", "2 1"]);
}
