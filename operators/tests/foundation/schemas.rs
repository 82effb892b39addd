use penstock_operators::key::{Direction, KeySpec};
use penstock_operators::row::Row;
use penstock_operators::schema::{Hop, HopNames, Schema, SchemaError, Table, TableId};
use penstock_operators::value::ColumnType::{Blob, Boolean, Integer, Json, Number, Real, Text};
use penstock_operators::value::Value;

fn issue() -> Table {
    Table::new("issue")
        .column("id", Integer)
        .column("title", Text)
        .nullable("ownerId", Integer)
        .nullable("weight", Real)
        .nullable("meta", Json)
        .primary_key(["id"])
}

fn user() -> Table {
    Table::new("user").column("id", Number).column("name", Text).primary_key(["id"])
}

fn label() -> Table {
    Table::new("issueLabel")
        .column("issueId", Integer)
        .column("label", Text)
        .primary_key(["label", "issueId"])
}

#[test]
fn names_are_resolved() {
    let schema = Schema::new([
        issue()
            .unique(["title", "ownerId"])
            .one("owner", "user", ["ownerId"], ["id"])
            .many("labels", "issueLabel", ["id"], ["issueId"])
            .many_through(
                "namesakes",
                [("issueLabel", ["id"], ["issueId"]), ("user", ["label"], ["name"])],
            ),
        user(),
        label().many_through(
            "pairs",
            [
                HopNames::new("issueLabel", ["issueId", "label"], ["issueId", "label"]),
                HopNames::new("issue", ["issueId"], ["id"]),
            ],
        ),
    ])
    .expect("a valid schema");
    let names: Vec<&str> = schema.tables().iter().map(|table| table.name()).collect();
    assert_eq!(names, ["issue", "user", "issueLabel"]);
    for (index, name) in names.iter().enumerate() {
        assert_eq!(schema.table_id(name), Some(TableId(index as u32)));
    }
    assert_eq!(schema.table_id("comment"), None);
    assert_eq!(schema.clone(), schema);

    let issue = schema.table(TableId(0));
    for (index, column) in issue.columns().iter().enumerate() {
        assert_eq!(issue.column_index(&column.name), Some(index));
    }
    assert_eq!(issue.column_index("owner"), None);
    assert_eq!((issue.primary_key(), issue.unique_keys()), (&[0][..], &[vec![1, 2]][..]));
    let relationships: Vec<(&str, bool, usize)> = issue
        .relationships()
        .iter()
        .map(|relationship| (&*relationship.name, relationship.one, relationship.hops.len()))
        .collect();
    assert_eq!(relationships, [("owner", true, 1), ("labels", false, 1), ("namesakes", false, 2)]);
    let hops = issue.relationship("namesakes").map(|relationship| &*relationship.hops);
    let expected = [
        Hop { table: TableId(2), from: vec![0], to: vec![0] },
        Hop { table: TableId(1), from: vec![1], to: vec![1] },
    ];
    assert_eq!(hops, Some(&expected[..]));
    assert_eq!(issue.relationship("id"), None);

    let label = schema.table(TableId(2));
    assert_eq!(label.primary_key(), [1, 0]);
    let spec = KeySpec::new(vec![(1, Direction::Asc), (0, Direction::Asc)]);
    assert_eq!(label.primary_key_spec(), &spec);
}

/// Declarations that are refused, with the error's text.
fn check(tables: impl IntoIterator<Item = Table>, expected: &str) {
    let found = Schema::new(tables).map(drop).map_err(|error: SchemaError| error.to_string());
    assert_eq!(found, Err(expected.to_owned()));
}

#[test]
fn names_must_be_there_and_differ() {
    check([Table::new("")], "a table has an empty name");
    check([issue().column("", Text)], r#"table "issue": a column has an empty name"#);
    check(
        [issue().many("", "issue", ["id"], ["id"])],
        r#"table "issue": a relationship has an empty name"#,
    );
    check([user(), issue(), user()], r#"table "user" is declared twice"#);
    check([issue().nullable("id", Text)], r#"table "issue": column "id" is declared twice"#);
    check([Table::new("t").primary_key(["id"])], r#"table "t" has no columns"#);
    let twice = issue().many("x", "user", ["id"], ["id"]).one("x", "user", ["id"], ["id"]);
    check([twice, user()], r#"table "issue": relationship "x" is declared twice"#);
    check(
        [issue().many("title", "issue", ["id"], ["id"])],
        r#"table "issue": relationship "title" has the name of a column"#,
    );
}

#[test]
fn primary_keys_are_of_columns_that_identify() {
    let table = || Table::new("t").column("a", Integer).nullable("b", Text).column("c", Json);
    check([table()], r#"table "t" has no primary key; declare it with primary_key([…])"#);
    check(
        [table().primary_key(["a", "d"])],
        r#"table "t": primary-key column "d" is not a column of it; it has: a, b, c"#,
    );
    check(
        [table().primary_key(["a", "a"])],
        r#"table "t": the primary key names column "a" twice"#,
    );
    check(
        [table().primary_key(["b"])],
        r#"table "t": primary-key column "b" is nullable; declare it with column(…)"#,
    );
    check(
        [table().primary_key(["c"])],
        r#"table "t": primary-key column "c" is json, which cannot be compared"#,
    );
}

#[test]
fn unique_keys_are_of_columns_that_compare() {
    let unique = |columns: &[&str]| [user().nullable("x", Json).unique(columns.iter().copied())];
    check(unique(&[]), r#"table "user": a unique key has no columns"#);
    check(
        unique(&["name", "nick"]),
        r#"table "user": unique-key column "nick" is not a column of it; it has: id, name, x"#,
    );
    check(unique(&["name", "name"]), r#"table "user": a unique key names column "name" twice"#);
    check(
        unique(&["x"]),
        r#"table "user": unique-key column "x" is json, which cannot be compared"#,
    );
}

#[test]
fn relationships_relate_columns_that_can_be_equal() {
    let related = |from: &[&str], to: &[&str]| {
        let (from, to) = (from.iter().copied(), to.iter().copied());
        [issue().many("r", "user", from, to), user().nullable("x", Json)]
    };
    check(
        [issue().many_through("r", Vec::<HopNames>::new())],
        r#"table "issue": relationship "r" has no hops"#,
    );
    check(
        [issue().one("r", "person", ["id"], ["id"]), user()],
        r#"table "issue": relationship "r" leads to "person", which is not a table; there are: issue, user"#,
    );
    check(
        related(&["owner"], &["id"]),
        r#"table "issue": relationship "r" uses column "owner", which is not in table "issue"; it has: id, title, ownerId, weight, meta"#,
    );
    check(
        related(&["ownerId"], &["nr"]),
        r#"table "issue": relationship "r" uses column "nr", which is not in table "user"; it has: id, name, x"#,
    );
    check(
        related(&["id", "title"], &["id"]),
        r#"table "issue": relationship "r" relates 2 columns of "issue" to 1 columns of "user"; the numbers must be equal"#,
    );
    check(
        related(&[], &[]),
        r#"table "issue": relationship "r" relates "issue" to "user" by no columns"#,
    );
    check(
        related(&["id", "ownerId"], &["id", "id"]),
        r#"table "issue": relationship "r" names column "id" of table "user" twice"#,
    );
    check(
        related(&["id"], &["name"]),
        r#"table "issue": relationship "r" relates column "id" of "issue", which is integer, to column "name" of "user", which is text; columns of different types cannot be related"#,
    );
    check(
        related(&["meta"], &["x"]),
        r#"table "issue": relationship "r" uses column "meta" of table "issue", which is json and cannot be compared"#,
    );
    check(
        related(&["id"], &["x"]),
        r#"table "issue": relationship "r" uses column "x" of table "user", which is json and cannot be compared"#,
    );
    let hops = [("issueLabel", ["id"], ["issueId"]), ("user", ["label"], ["id"])];
    check(
        [issue().many_through("r", hops), label(), user()],
        r#"table "issue": relationship "r" relates column "label" of "issueLabel", which is text, to column "id" of "user", which is number; columns of different types cannot be related"#,
    );
    let schema = Schema::new([issue().many("r", "user", ["weight", "id"], ["id", "name"]), user()]);
    assert!(schema.is_err_and(|error| matches!(error, SchemaError::IncomparableTypes { .. })));
    assert!(Schema::new(related(&["weight"], &["id"])).is_ok());
}

fn all_types() -> Schema {
    let table = Table::new("t")
        .column("bool", Boolean)
        .column("int", Integer)
        .nullable("real", Real)
        .nullable("number", Number)
        .column("text", Text)
        .column("blob", Blob)
        .column("json", Json)
        .primary_key(["text", "int"]);
    Schema::new([table]).expect("a valid schema")
}

fn good_row() -> Row {
    Row::new(&[
        true.into(),
        7.into(),
        Value::Null,
        1.5.into(),
        "x".into(),
        vec![1u8].into(),
        Value::Json("{}".into()),
    ])
}

#[test]
fn rows_are_checked_column_by_column() {
    let schema = all_types();
    let table = schema.table(TableId(0));
    assert_eq!(table.check_row(&good_row()), Ok(()));
    let fine = [
        (2, Value::from(7)),
        (2, Value::from(f64::NEG_INFINITY)),
        (3, Value::Null),
        (3, Value::from(i64::MAX)),
    ];
    for (column, value) in fine {
        assert_eq!(table.check_row(&good_row().with(&[(column, value)])), Ok(()));
    }
    let long = Value::from("é".repeat(100));
    let cut = format!(r#"column "int": expected integer, found text "{}…"#, "é".repeat(59));
    let wrong: [(usize, Value, &str); 14] = [
        (0, Value::Null, r#"column "bool": expected boolean, found null"#),
        (0, 1.into(), r#"column "bool": expected boolean, found integer 1"#),
        (1, 1.5.into(), r#"column "int": expected integer, found real 1.5"#),
        (1, 2.0.into(), r#"column "int": expected integer, found real 2"#),
        (1, long, &cut),
        (2, f64::NAN.into(), r#"column "real": expected real, found NaN"#),
        (
            2,
            ((1i64 << 53) + 1).into(),
            r#"column "real": expected real, found integer 9007199254740993, which no double equals"#,
        ),
        (3, f64::NAN.into(), r#"column "number": expected number, found NaN"#),
        (3, f64::INFINITY.into(), r#"column "number": expected number, found real inf"#),
        (3, "1".into(), r#"column "number": expected number, found text "1""#),
        (4, Value::Json("1".into()), r#"column "text": expected text, found json 1"#),
        (4, vec![0u8, 255].into(), r#"column "text": expected text, found blob x'00ff'"#),
        (5, "x".into(), r#"column "blob": expected blob, found text "x""#),
        (6, "{}".into(), r#"column "json": expected json, found text "{}""#),
    ];
    for (column, value, expected) in wrong {
        let row = good_row().with(&[(column, value)]);
        assert_eq!(table.check_row(&row), Err(expected.to_owned()));
    }
    let short = Row::new(&[true.into()]);
    assert_eq!(table.check_row(&short), Err("expected 7 columns, found 1".to_owned()));
}

#[test]
fn keys_are_described_by_name_and_value() {
    let schema = all_types();
    let table = schema.table(TableId(0));
    let row = good_row();
    assert_eq!(table.describe_key(&row), r#"text = "x", int = 7"#);
    let key = table.primary_key_spec().key(&row);
    assert_eq!(table.describe_encoded_key(&key), table.describe_key(&row));
    assert_eq!(table.describe_encoded_key(&[4, 0xff]), "the malformed key 0x04ff");
}
