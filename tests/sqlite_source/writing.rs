//! Transactions: what is refused and how it is said, and what statements may not do.

use penstock::operators::key::{Key, KeySpec};
use penstock::operators::source::{At, Change};
use penstock::{ApplyError, Row, Source, SqliteSource, TableRule, Value};

use super::file::{in_memory, row, shown, table, transact};

const TABLES: &str = "
    CREATE TABLE user(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, badge INT UNIQUE, grade INT,
        loud TEXT GENERATED ALWAYS AS (upper(name)) STORED,
        CONSTRAINT grade_is_small CHECK (grade < 10), UNIQUE(name, grade)
    );
    CREATE TABLE issue(
        id INTEGER PRIMARY KEY, owner INT NOT NULL REFERENCES user(id) DEFERRABLE INITIALLY DEFERRED,
        checked_by INT REFERENCES user(id)
    );
    CREATE TABLE quiet(id INTEGER PRIMARY KEY, v INT);
    CREATE TRIGGER quiet_refused BEFORE INSERT ON quiet WHEN NEW.v = 1 BEGIN
        SELECT RAISE(ABORT, 'one is too few');
    END;
    CREATE TRIGGER quiet_undone BEFORE INSERT ON quiet WHEN NEW.v = 2 BEGIN
        SELECT RAISE(ROLLBACK, 'two undo everything');
    END;
    INSERT INTO user(id, name, badge, grade) VALUES(1, 'ada', 10, 1), (2, 'eve', 20, 2);
    INSERT INTO issue VALUES(1, 1, NULL);
    INSERT INTO quiet VALUES(7, 7);";

fn user(id: i64, name: &str, badge: i64, grade: i64) -> Row {
    row([id.into(), name.into(), badge.into(), grade.into(), Value::Null])
}

fn key(id: i64) -> Key {
    KeySpec::asc(&[0]).key(&row([id.into()]))
}

fn started() -> SqliteSource {
    let mut source = in_memory(TABLES);
    source.begin().expect("none is in flight");
    source
}

#[test]
fn writes_that_are_refused_say_why_and_do_nothing() {
    let mut source = started();
    let (users, issues) = (table(&source, "user"), table(&source, "issue"));
    let quiet = table(&source, "quiet");
    let insert = |table, row| Change::Insert { table, row };
    let update = |id, row| Change::Update { table: users, key: key(id), row };
    let cases = [
        (
            insert(users, user(1, "bob", 30, 3)),
            "table \"user\": a row with id = 1 is already there; update it, or delete it first",
        ),
        (
            update(1, user(2, "ada", 10, 1)),
            "table \"user\": a row with id = 2 is already there; update it, or delete it first",
        ),
        (update(5, user(5, "ada", 10, 1)), "table \"user\": there is no row with id = 5 to update"),
        (
            Change::Delete { table: users, key: key(5) },
            "table \"user\": there is no row with id = 5 to delete",
        ),
        (
            insert(users, user(3, "bob", 20, 3)),
            "table \"user\": the rows with id = 3 and id = 2 have the same badge = 20, which is a unique key",
        ),
        (
            insert(users, user(3, "eve", 30, 2)),
            "table \"user\": the rows with id = 3 and id = 2 have the same name = \"eve\", grade = 2, which is a unique key",
        ),
        (
            insert(users, row([3.into(), Value::Null, 30.into(), 3.into(), Value::Null])),
            "table \"user\": column \"name\": expected text, found null",
        ),
        (
            insert(users, row([3.into(), 5.into(), 30.into(), 3.into(), Value::Null])),
            "table \"user\": column \"name\": expected text, found integer 5",
        ),
        (
            insert(users, user(3, "bob", 30, 50)),
            "table \"user\": the CHECK constraint \"grade_is_small\" does not hold",
        ),
        (
            insert(issues, row([2.into(), 1.into(), 99.into()])),
            "table \"issue\": a foreign key would refer to a row that is not there; write the row \
             that it refers to first, or delete those that refer to this one",
        ),
        (
            insert(quiet, row([1.into(), 1.into()])),
            "table \"quiet\": a trigger refuses it: one is too few",
        ),
    ];
    for (change, expected) in cases {
        let error = source.write(change.clone()).expect_err(expected);
        assert_eq!(error.to_string(), expected, "{change:?}");
    }
    assert!(source.finish().expect("nothing was done").is_empty());
}

/// Whoever shows errors to people shows what the application has written for them, and that is told apart
/// from expressions, whether a row is written or a statement is run.
#[test]
fn rules_of_the_application_are_told_apart() {
    let mut source = in_memory(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, CONSTRAINT \"an id is small\" CHECK (id < 10),
            Constraint [ends at] CHECK (id <> 7), CHECK (id IS NOT 8));
         CREATE TRIGGER never AFTER INSERT ON a WHEN new.id = 9 BEGIN SELECT RAISE(ABORT, 'not nine'); END;",
    );
    let a = table(&source, "a");
    source.begin().expect("nothing is in flight");
    let check = |subject: &str, is_named| TableRule::Check { subject: subject.into(), is_named };
    for (id, rule, says) in [
        (10, check("an id is small", true), "an id is small"),
        (7, check("ends at", true), "ends at"),
        (8, check("id IS NOT 8", false), "id IS NOT 8"),
        (9, TableRule::Trigger { message: "not nine".into() }, "not nine"),
    ] {
        let written = source.write(Change::Insert { table: a, row: row([id.into()]) });
        let run = source.execute("INSERT INTO a VALUES(?)", &[id.into()]).map(drop);
        for outcome in [written, run] {
            let Err(ApplyError::Refused { rule: found, problem, .. }) = outcome else {
                panic!("{id}: {outcome:?}")
            };
            assert_eq!((&found, found.says()), (&rule, says));
            assert!(problem.contains(says), "{problem}");
        }
    }
    source.execute("INSERT INTO a VALUES(1)", &[]).expect("it is allowed");
}

#[test]
fn generated_columns_are_read_and_not_written() {
    let mut source = started();
    let users = table(&source, "user");
    source.write(Change::Insert { table: users, row: user(3, "bob", 30, 3) }).expect("it fits");
    let made = user(3, "bob", 30, 3).with(&[(4, "BOB".into())]);
    assert_eq!(source.get(At::After, users, &key(3)).expect("a row"), Some(made.clone()));
    let renamed = made.with(&[(1, "bo".into())]);
    source.write(Change::Update { table: users, key: key(3), row: renamed }).expect("it fits");
    let batch = source.finish().expect("the rows are right");
    let new = batch.table(users)[0].new.clone();
    assert_eq!(new, Some(user(3, "bo", 30, 3).with(&[(4, "BO".into())])));
    assert_eq!(source.get(At::Before, users, &key(3)).expect("no row"), None);
}

#[test]
fn a_deferred_foreign_key_fails_the_commit_and_is_undone() {
    let mut source = started();
    source.execute("DELETE FROM issue", &[]).expect("a statement");
    source.execute("INSERT INTO issue VALUES(5, 99, NULL)", &[]).expect("checked at the end");
    assert_eq!(source.finish().expect("it can be finished").len(), 2);
    let error = source.commit().expect_err("there is no user 99");
    assert!(error.reason.contains("FOREIGN KEY constraint failed"), "{error}");
    source.rollback();
    assert_eq!(shown(&mut source, "issue"), ["Row(1, 1, null)"]);
    transact(&mut source, "DELETE FROM issue");
}

#[test]
fn the_application_cannot_end_the_transaction_or_change_the_schema() {
    let mut source = started();
    let refused = [
        ("COMMIT", "COMMIT is not possible here"),
        ("END", "COMMIT is not possible here"),
        ("ROLLBACK", "ROLLBACK is not possible here"),
        ("BEGIN", "BEGIN is not possible here"),
        ("CREATE TABLE other(id INTEGER PRIMARY KEY)", "the schema of \"other\" cannot be changed"),
        ("DROP TABLE issue", "the schema of \"issue\" cannot be changed"),
        ("ALTER TABLE issue ADD COLUMN x", "the schema of \"issue\" cannot be changed"),
        ("CREATE INDEX i ON issue(owner)", "the schema of \"issue\" cannot be changed"),
        ("DROP TRIGGER quiet_undone", "the schema of \"quiet\" cannot be changed"),
        ("CREATE VIEW w AS SELECT 1", "the schema of \"w\" cannot be changed"),
        ("DROP TRIGGER temp.penstock_after_insert_user", "cannot be dropped"),
        ("PRAGMA writable_schema = 1", "PRAGMA writable_schema is not possible"),
        ("SELEC 1", "syntax error"),
        ("DELETE FROM issue; DELETE FROM user", "more than one statement"),
        (" -- nothing", "no statement"),
        ("DELETE FROM issue WHERE id = ?", "parameter"),
    ];
    for _ in 0..2 {
        for (sql, expected) in refused {
            let error = source.execute(sql, &[]).expect_err(sql).to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
    source.execute("CREATE TEMP TABLE mine(v)", &[]).expect("it is the connection's own");
    assert_eq!(source.execute("INSERT INTO mine VALUES(?), (?)", &[1.into(), 2.into()]), Ok(2));
    source.execute("UPDATE issue SET checked_by = 1", &[]).expect("a statement");
    assert_eq!(source.execute("SELECT * FROM issue", &[]), Ok(0));
    let returned = "INSERT INTO quiet VALUES(8, 8) RETURNING id";
    assert_eq!(source.execute(returned, &[]), Ok(1));
    let count = source.with_connection(|connection| {
        connection.query_row("SELECT count(*) FROM mine", [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(count, Ok(2));
    let batch = source.finish().expect("it can be finished");
    assert_eq!(batch.len(), 2);
    source.commit().expect("it is finished");
}

#[test]
fn a_transaction_that_sqlite_rolls_back_is_lost() {
    let mut source = started();
    source.execute("DELETE FROM issue", &[]).expect("a statement");
    let error = source.execute("INSERT INTO quiet VALUES(2, 2)", &[]).expect_err("it undoes");
    assert!(error.to_string().contains("the whole transaction was rolled back"), "{error}");
    assert!(error.to_string().contains("two undo everything"), "{error}");
    for outcome in [
        source.execute("DELETE FROM quiet", &[]).map(drop),
        source.commit().map_err(ApplyError::from),
    ] {
        assert!(outcome.expect_err("it is lost").to_string().contains("rolled back"));
    }
    let change = Change::Delete { table: table(&source, "quiet"), key: key(7) };
    for outcome in [source.write(change).map(drop), source.finish().map(drop)] {
        assert!(matches!(outcome, Err(ApplyError::Source(_))), "{outcome:?}");
    }
    source.rollback();
    assert_eq!(shown(&mut source, "issue"), ["Row(1, 1, null)"]);
    assert_eq!(transact(&mut source, "DELETE FROM quiet").len(), 1);

    source.begin().expect("none is in flight");
    let quiet = table(&source, "quiet");
    let error = source.write(Change::Insert { table: quiet, row: row([3.into(), 2.into()]) });
    assert!(error.expect_err("it undoes").to_string().contains("rolled back"));
    source.rollback();
    assert!(transact(&mut source, "DELETE FROM quiet").is_empty());
}

#[test]
fn steps_out_of_turn_are_refused() {
    let mut source = in_memory(TABLES);
    let quiet = table(&source, "quiet");
    let change = Change::Delete { table: quiet, key: key(7) };
    let error = source.write(change.clone()).expect_err("not begun").to_string();
    assert_eq!(error, ":memory:: a write needs a transaction in flight; begin one first");
    assert!(source.execute("DELETE FROM quiet", &[]).is_err());
    assert!(source.finish().is_err() && source.commit().is_err());
    source.rollback();
    source.begin().expect("none is in flight");
    let error = source.begin().expect_err("begun").to_string();
    assert!(error.contains("cannot start while a transaction is in flight"), "{error}");
    assert!(source.begin_read().is_err());
    assert!(source.commit().expect_err("not finished").reason.contains("finish it first"));
    assert!(source.finish().expect("nothing was done").is_empty());
    let error = source.write(change).expect_err("finished").to_string();
    assert!(error.contains("a write comes too late"), "{error}");
    source.commit().expect("it is finished");
    source.begin_read().expect("none is in flight");
    assert!(source.begin().expect_err("a read").reason.contains("within a read"));
    source.end_read();
    source.begin().expect("the read has ended");
    source.rollback();
}

#[test]
fn rows_are_replaced_in_every_way() {
    let mut source = in_memory(TABLES);
    transact(&mut source, "DELETE FROM issue");
    let batch = transact(
        &mut source,
        "INSERT OR REPLACE INTO user(id, name, badge, grade) VALUES(2, 'ada', 5, 1)",
    );
    // Both the row with that key and the one with that name and grade are gone.
    assert_eq!(batch.len(), 2);
    let batch = transact(
        &mut source,
        "INSERT INTO user(id, name, badge, grade) VALUES(2, 'x', 1, 1) \
         ON CONFLICT(id) DO UPDATE SET badge = excluded.badge + 1",
    );
    assert_eq!(batch.len(), 1);
    assert_eq!(shown(&mut source, "user"), [r#"Row(2, "ada", 2, 1, "ADA")"#]);
    let savepoints = "SAVEPOINT a; DELETE FROM quiet; ROLLBACK TO a; RELEASE a;
        SAVEPOINT b; UPDATE quiet SET v = 8; RELEASE b";
    assert_eq!(transact(&mut source, savepoints).len(), 1);
}

#[test]
fn what_was_read_in_one_transaction_is_not_taken_for_the_row_in_the_next() {
    let mut source = started();
    let quiet = table(&source, "quiet");
    let update =
        |v: i64| Change::Update { table: quiet, key: key(7), row: row([7.into(), v.into()]) };
    source.execute("UPDATE quiet SET v = 8", &[]).expect("a statement");
    assert!(source.get(At::After, quiet, &key(7)).expect("a row").is_some());
    source.rollback();
    source.begin().expect("none is in flight");
    source.write(update(8)).expect("it is there");
    assert_eq!(source.finish().expect("the rows are right").len(), 1);
    source.commit().expect("it is finished");

    source.begin().expect("none is in flight");
    assert!(source.get(At::After, quiet, &key(7)).expect("a row").is_some());
    source.finish().expect("nothing was done");
    source.commit().expect("it is finished");
    transact(&mut source, "DELETE FROM quiet");
    source.begin().expect("none is in flight");
    let error = source.write(update(9)).expect_err("it is gone").to_string();
    assert_eq!(error, "table \"quiet\": there is no row with id = 7 to update");
}
