//! Transactions: unique keys, consolidation, undoing, and what each refusal says.

use penstock_operators::delta::{Batch, Delta};
use penstock_operators::key::Key;
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, Table, TableId};
use penstock_operators::source::{ApplyError, At, Change, Source};
use penstock_operators::value::{ColumnType, Value};

use super::super::MemorySource;
use super::model::encoded;

const USER: TableId = TableId(0);

/// Users with a unique name within a group and a unique badge.
fn users(rows: &[Row]) -> MemorySource {
    let user = Table::new("user")
        .column("id", ColumnType::Integer)
        .nullable("group", ColumnType::Text)
        .nullable("name", ColumnType::Text)
        .nullable("badge", ColumnType::Integer)
        .primary_key(["id"])
        .unique(["name", "group"])
        .unique(["badge"]);
    let mut source = MemorySource::new(Schema::new([user]).expect("the schema is right"));
    source.load(USER, rows.iter().cloned()).expect("the rows are right");
    source
}

fn user(id: i64, group: &str, name: &str, badge: Option<i64>) -> Row {
    Row::new(&[id.into(), group.into(), name.into(), badge.into()])
}

fn key(id: i64) -> Key {
    Key::from_slice(&encoded(&[Value::from(id)]))
}

fn insert(row: Row) -> Change {
    Change::Insert { table: USER, row }
}

fn update(id: i64, row: Row) -> Change {
    Change::Update { table: USER, key: key(id), row }
}

fn delete(id: i64) -> Change {
    Change::Delete { table: USER, key: key(id) }
}

fn all(source: &MemorySource, at: At, ids: impl IntoIterator<Item = i64>) -> Vec<Option<Row>> {
    ids.into_iter()
        .map(|id| source.get(at, USER, &key(id)).expect("memory does not fail"))
        .collect()
}

fn refusal(source: &mut MemorySource, changes: Vec<Change>) -> String {
    source.apply(changes).expect_err("the transaction is wrong").to_string()
}

#[test]
fn rows_may_swap_their_unique_values() {
    let mut source = users(&[user(1, "g", "a", Some(1)), user(2, "g", "b", Some(2))]);
    let batch = source
        .apply(vec![update(1, user(1, "g", "b", Some(2))), update(2, user(2, "g", "a", Some(1)))])
        .expect("nothing is twice in the end");
    assert_eq!(batch.len(), 2);
    source.commit().expect("it is finished");
    let now = [Some(user(1, "g", "b", Some(2))), Some(user(2, "g", "a", Some(1)))];
    assert_eq!(all(&source, At::After, 1..=2), now);
    assert_eq!(
        refusal(&mut source, vec![insert(user(3, "h", "b", Some(1)))]),
        r#"table "user": the rows with id = 3 and id = 2 have the same badge = 1, which is a unique key"#
    );
}

#[test]
fn a_unique_violation_names_the_later_row_first() {
    let mut source = users(&[user(5, "g", "a", None)]);
    assert_eq!(
        refusal(&mut source, vec![insert(user(1, "g", "a", None))]),
        r#"table "user": the rows with id = 1 and id = 5 have the same name = "a", group = "g", which is a unique key"#
    );
    let both = vec![insert(user(8, "g", "b", None)), insert(user(7, "g", "b", None))];
    assert_eq!(
        refusal(&mut source, both),
        r#"table "user": the rows with id = 7 and id = 8 have the same name = "b", group = "g", which is a unique key"#
    );
    assert_eq!(all(&source, At::After, [1, 7, 8]), [None, None, None]);
}

#[test]
fn nulls_are_distinct_in_a_unique_key() {
    let rows = [
        Row::new(&[1.into(), Value::Null, "a".into(), Value::Null]),
        Row::new(&[2.into(), Value::Null, "a".into(), Value::Null]),
    ];
    let mut source = users(&rows[..1]);
    source.apply(vec![insert(rows[1].clone())]).expect("null is not null");
    source.commit().expect("it is finished");
    assert_eq!(all(&source, At::After, 1..=2), [Some(rows[0].clone()), Some(rows[1].clone())]);
}

#[test]
fn a_violation_can_be_mended_before_it_is_finished_again() {
    let mut source = users(&[user(1, "g", "a", None)]);
    source.begin().expect("none is in flight");
    source.write(insert(user(2, "g", "a", None))).expect("checked at the end");
    assert!(matches!(source.finish(), Err(ApplyError::UniqueViolation { .. })));
    source.write(update(2, user(2, "g", "b", None))).expect("it is still open");
    let batch = source.finish().expect("nothing is twice");
    let mut expected = Batch::new();
    expected.push(USER, Delta::insert(user(2, "g", "b", None)));
    assert_eq!(batch, expected);
}

#[test]
fn a_batch_holds_each_row_once_in_the_order_of_first_touch() {
    let rows: Vec<Row> = (1..=4).map(|id| user(id, "g", &format!("u{id}"), None)).collect();
    let mut source = users(&rows);
    let batch = source
        .apply(vec![
            insert(user(9, "g", "u9", None)),
            update(4, user(4, "g", "x", None)),
            delete(3),
            update(2, user(6, "g", "u2", None)),
            update(1, user(1, "g", "y", None)),
            delete(9),
            update(4, user(4, "g", "z", None)),
            insert(user(3, "g", "w", None)),
            update(1, rows[0].clone()),
        ])
        .expect("the changes are right");
    let mut expected = Batch::new();
    expected
        .push(USER, Delta::update(rows[3].clone(), user(4, "g", "z", None)).expect("they differ"));
    expected
        .push(USER, Delta::update(rows[2].clone(), user(3, "g", "w", None)).expect("they differ"));
    expected.push(USER, Delta::delete(rows[1].clone()));
    expected.push(USER, Delta::insert(user(6, "g", "u2", None)));
    assert_eq!(batch, expected);
    assert_eq!(source.finish().expect("it was right"), expected, "the same batch again");
    assert_eq!(all(&source, At::Before, 1..=4), rows.into_iter().map(Some).collect::<Vec<_>>());
    source.commit().expect("it is finished");
    let now = [
        Some(user(1, "g", "u1", None)),
        None,
        Some(user(3, "g", "w", None)),
        Some(user(4, "g", "z", None)),
        Some(user(6, "g", "u2", None)),
        None,
    ];
    assert_eq!(all(&source, At::After, [1, 2, 3, 4, 6, 9]), now);
    assert_eq!(all(&source, At::Before, [1, 2, 3, 4, 6, 9]), now);
}

#[test]
fn a_write_that_fails_has_no_effect() {
    let rows = [user(1, "g", "a", None), user(2, "g", "b", None)];
    let mut source = users(&rows);
    source.begin().expect("none is in flight");
    let cases = [
        (
            insert(user(1, "h", "c", None)),
            r#"table "user": a row with id = 1 is already there; update it, or delete it first"#,
        ),
        (
            update(1, user(2, "h", "c", None)),
            r#"table "user": a row with id = 2 is already there; update it, or delete it first"#,
        ),
        (
            update(3, user(3, "h", "c", None)),
            r#"table "user": there is no row with id = 3 to update"#,
        ),
        (
            update(3, user(2, "h", "c", None)),
            r#"table "user": there is no row with id = 3 to update"#,
        ),
        (delete(3), r#"table "user": there is no row with id = 3 to delete"#),
        (
            Change::Delete { table: TableId(4), key: key(1) },
            "table 4: the schema has no such table",
        ),
    ];
    for (change, expected) in cases {
        let error = source.write(change).expect_err("the write is wrong");
        assert_eq!(error.to_string(), expected);
    }
    let bad = Row::new(&["x".into(), "g".into(), "c".into(), Value::Null]);
    let error = source.write(insert(bad.clone())).expect_err("an id is an integer");
    let problem = source.schema().table(USER).check_row(&bad).expect_err("the row is wrong");
    assert_eq!(error, ApplyError::BadRow { table: "user".to_owned(), problem });
    assert_eq!(source.finish().expect("nothing was done"), Batch::new());
    assert_eq!(all(&source, At::After, 1..=2), rows.map(Some));
}

#[test]
fn steps_out_of_turn_are_refused() {
    let mut source = users(&[]);
    let write = |source: &mut MemorySource| source.write(insert(user(1, "g", "a", None)));
    assert_eq!(
        write(&mut source).expect_err("not begun").to_string(),
        "the tables in memory: a write needs a transaction in flight; begin one first"
    );
    assert_eq!(
        source.finish().expect_err("not begun").to_string(),
        "the tables in memory: a finish needs a transaction in flight; begin one first"
    );
    assert_eq!(
        source.commit().expect_err("not begun").to_string(),
        "the tables in memory: a commit needs a transaction in flight; begin one first"
    );
    source.rollback();
    source.begin().expect("none is in flight");
    assert_eq!(
        source.begin().expect_err("begun").to_string(),
        "the tables in memory: a transaction cannot start while a transaction is in flight; commit it or roll it back first"
    );
    assert_eq!(
        source.load(USER, []).expect_err("begun").to_string(),
        "the tables in memory: a load cannot start while a transaction is in flight; commit it or roll it back first"
    );
    write(&mut source).expect("it is open");
    assert_eq!(
        source.commit().expect_err("not finished").to_string(),
        "the tables in memory: a commit needs a finished transaction; finish it first"
    );
    source.finish().expect("the rows are right");
    assert_eq!(
        source.write(delete(1)).expect_err("finished").to_string(),
        "the tables in memory: a write comes too late, the transaction is finished; commit it or roll it back"
    );
    source.commit().expect("it is finished");
    assert_eq!(all(&source, At::After, [1]), [Some(user(1, "g", "a", None))]);
}

#[test]
fn a_unique_key_may_be_the_beginning_of_the_primary_key_or_contain_it() {
    let link = Table::new("link")
        .column("from", ColumnType::Integer)
        .column("to", ColumnType::Integer)
        .primary_key(["from", "to"])
        .unique(["from"])
        .unique(["to", "from"]);
    let mut source = MemorySource::new(Schema::new([link]).expect("the schema is right"));
    let row = |from: i64, to: i64| insert(Row::new(&[from.into(), to.into()]));
    source.apply(vec![row(1, 1), row(2, 1)]).expect("the rows are right");
    source.commit().expect("it is finished");
    assert_eq!(source.memory().len(), 1, "the primary key serves");
    assert_eq!(
        refusal(&mut source, vec![row(1, 2)]),
        r#"table "link": the rows with from = 1, to = 2 and from = 1, to = 1 have the same from = 1, which is a unique key"#
    );
}

#[test]
fn undoing_restores_rows_indexes_and_bytes() {
    let rows: Vec<Row> = (1..=6).map(|id| user(id, "g", &format!("u{id}"), Some(id))).collect();
    let mut source = users(&rows);
    let earlier = source.memory();
    source.begin().expect("none is in flight");
    for change in [
        delete(1),
        update(2, user(12, "a group with a long name", "another name, also long", None)),
        insert(user(20, "g", "a name that does not fit into a handle", Some(20))),
        delete(20),
        update(3, user(3, "h", "u3", None)),
        insert(user(2, "h", "back", Some(77))),
    ] {
        source.write(change).expect("the changes are right");
    }
    assert_ne!(source.memory(), earlier);
    source.rollback();
    // The bytes of rows that came and went are given back; the room made for them may stay.
    for ((owner, before), (_, now)) in earlier.iter().zip(source.memory()) {
        assert!(now >= *before && now <= 2 * before, "{owner}: {before}, then {now}");
    }
    for (id, row) in (1..).zip(&rows) {
        assert_eq!(all(&source, At::After, [id]), [Some(row.clone())]);
        let other = user(99, "z", "z", Some(id));
        let error = refusal(&mut source, vec![insert(other)]);
        assert!(error.contains(&format!("id = 99 and id = {id} have the same badge")), "{error}");
    }
    assert_eq!(all(&source, At::After, [12, 20]), [None, None]);
}
