use std::collections::BTreeMap;

use penstock_postgres::TableName;
use serde_json::{Value as Json, json};

use super::super::parse_ops;
use super::statement::{Statement, statements};
use super::tables::{Column, Table, Tables};
use super::text::{Bound, Form};

fn column(name: &str, type_name: &str, form: Form) -> (String, Column) {
    (name.to_owned(), Column { type_name: type_name.to_owned(), form })
}

fn tables() -> Tables {
    let evil = "a\"; drop table x; --";
    let table = Table {
        name: TableName::new("my \"schema", evil),
        columns: [
            column("id", "uuid", Form::Text),
            column("n", "integer", Form::Number),
            column(evil, "text", Form::Text),
        ]
        .into(),
        keys: vec![vec!["id".to_owned()], vec!["n".to_owned(), evil.to_owned()]],
    };
    Tables(BTreeMap::from([(evil.to_owned(), table)]))
}

fn made(op: Json) -> Result<Vec<Statement>, String> {
    statements(&tables(), &parse_ops(&json!([{ "ops": [op] }])).expect("good operations"))
}

#[test]
fn names_are_quoted_and_values_are_parameters() {
    let evil = "a\"; drop table x; --";
    let op = |kind: &str| {
        json!({"op": kind, "tableName": evil, "primaryKey": ["id"],
        "value": {"id": "'; drop", evil: "\"'$1", "n": 7}})
    };
    let table = "\"my \"\"schema\".\"a\"\"; drop table x; --\"";
    let column = "\"a\"\"; drop table x; --\"";
    let one = |kind: &str| made(op(kind)).expect("a statement").remove(0);
    let insert = format!(
        "INSERT INTO {table} ({column}, \"id\", \"n\") VALUES ($1::text::text, $2::text::uuid, \
         $3::text::integer) ON CONFLICT (\"id\") DO "
    );
    assert_eq!(one("insert").sql, format!("{insert}NOTHING"));
    let set = format!("UPDATE SET {column} = EXCLUDED.{column}, \"n\" = EXCLUDED.\"n\"");
    assert_eq!(one("upsert").sql, format!("{insert}{set}"));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(one("insert").values, [text("\"'$1"), text("'; drop"), text("7")]);
    assert_eq!(
        one("update"),
        Statement {
            sql: format!(
                "UPDATE {table} SET {column} = $1::text::text, \"n\" = $2::text::integer \
                 WHERE \"id\" = $3::text::uuid"
            ),
            values: vec![text("\"'$1"), text("7"), text("'; drop")],
        }
    );
    assert_eq!(
        one("delete"),
        Statement {
            sql: format!("DELETE FROM {table} WHERE \"id\" = $1::text::uuid"),
            values: vec![text("'; drop")],
        }
    );
    // Only the key: nothing to set.
    let only_key =
        json!({"op": "update", "tableName": evil, "primaryKey": ["id"], "value": {"id": "x"}});
    assert_eq!(made(only_key), Ok(vec![]));
    let only_key =
        json!({"op": "upsert", "tableName": evil, "primaryKey": ["id"], "value": {"id": "x"}});
    assert!(made(only_key).expect("a statement")[0].sql.ends_with("DO NOTHING"));
}

#[test]
fn what_does_not_fit_the_tables_is_refused() {
    let evil = "a\"; drop table x; --";
    let refused = |op: Json| made(op).expect_err("it does not fit");
    let unknown =
        json!({"op": "delete", "tableName": "clients", "primaryKey": ["id"], "value": {"id": 1}});
    assert_eq!(refused(unknown), "there is no table \"clients\"");
    let no_column = json!({"op": "update", "tableName": evil, "primaryKey": ["id"],
        "value": {"id": "x", "secret": 1}});
    assert!(refused(no_column).ends_with("there is no column \"secret\""));
    let no_key = json!({"op": "delete", "tableName": evil, "primaryKey": ["n"], "value": {"n": 1}});
    assert!(refused(no_key).ends_with("it has no key of the columns n"));
    let no_number = json!({"op": "update", "tableName": evil, "primaryKey": ["id"],
        "value": {"id": "x", "n": "1 or true"}});
    assert!(refused(no_number).ends_with("column \"n\": expected a number, found a text"));
    // The other key, in another order.
    let other = json!({"op": "delete", "tableName": evil, "primaryKey": [evil, "n"],
        "value": {"n": 1, evil: "x"}});
    assert!(made(other).is_ok());
}

#[test]
fn values_become_texts_that_the_server_reads() {
    let text = |form: &Form, value: Json| form.bind(&value, 1, "t").map(|bound| bound.text);
    let some = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(text(&Form::Number, json!(7.0)), some("7"));
    assert_eq!(text(&Form::Number, json!(-0.5)), some("-0.5"));
    assert_eq!(text(&Form::Number, json!(i64::MIN)), some("-9223372036854775808"));
    assert_eq!(text(&Form::Number, json!(1e300)), some("1e+300"));
    assert_eq!(text(&Form::Boolean, json!(true)), some("true"));
    assert_eq!(text(&Form::Json, json!({"a": [1, null]})), some("{\"a\":[1,null]}"));
    assert_eq!(text(&Form::Json, json!(null)), Ok(None));
    let array = |form: Form, value: Json| text(&Form::Array(Box::new(form)), value);
    assert_eq!(
        array(Form::Text, json!(["a\"b", "c\\", null, "NULL", "{}"])),
        some(r#"{"a\"b","c\\",NULL,"NULL","{}"}"#)
    );
    assert_eq!(array(Form::Number, json!([[1, 2], [3, null]])), some(r#"{{"1","2"},{"3",NULL}}"#));
    assert_eq!(array(Form::Json, json!([[1], {"a": 1}])), some(r#"{"[1]","{\"a\":1}"}"#));
    assert_eq!(array(Form::Bytes, json!(["0aff"])), some(r#"{"\\x0aff"}"#));
    assert_eq!(array(Form::Text, json!([])), some("{}"));
    for (form, wrong) in [
        (Form::Number, json!(true)),
        (Form::Boolean, json!(1)),
        (Form::Text, json!(1)),
        (Form::Time("x"), json!("2024-01-01")),
        (Form::Array(Box::new(Form::Number)), json!(["1"])),
        (Form::Array(Box::new(Form::Number)), json!(1)),
        (Form::Unsupported, json!(null)),
    ] {
        assert!(text(&form, wrong.clone()).is_err(), "{form:?} {wrong}");
    }
    let time = Form::of(1184, "b").bind(&json!(1.5), 3, "timestamp with time zone");
    let expression = "(timestamptz '1970-01-01+00' + $3::text::float8 * interval '1 millisecond')\
                      ::timestamp with time zone";
    assert_eq!(time, Ok(Bound { expression: expression.to_owned(), text: Some("1.5".to_owned()) }));
}
