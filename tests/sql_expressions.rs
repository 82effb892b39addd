//! Expressions have the values that SQLite gives them: random ones over random rows, conversions
//! of numbers and texts, and what columns do to values stored in them.

#[path = "sql_expressions/generate.rs"]
mod generate;
#[path = "sql_expressions/random.rs"]
mod random;

use std::sync::Arc;

use generate::{COLUMNS, Generator};
use penstock::operators::expr::{Affinity, Collation, Expr};
use penstock::operators::predicate::{CompareOp, Predicate};
use penstock::operators::row::Row;
use penstock::{Value, ValueRef};
use random::Random;
use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef as StoredRef};
use rusqlite::{Connection, params_from_iter};

/// How many expressions are compared, each over a few rows.
const EXPRESSIONS: usize = 12_000;
/// How many rows there are.
const ROWS: usize = 40;

fn stored(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Owned(match value {
        Value::Null => Stored::Null,
        Value::Bool(value) => Stored::Integer((*value).into()),
        Value::Int(value) => Stored::Integer(*value),
        Value::Float(value) => Stored::Real(*value),
        Value::Text(text) | Value::Json(text) => Stored::Text(text.to_string()),
        Value::Blob(bytes) => Stored::Blob(bytes.to_vec()),
    })
}

/// A value of SQLite's; null for a text that is not UTF-8, as is the rule.
fn loaded(value: StoredRef<'_>) -> Value {
    match value {
        StoredRef::Null => Value::Null,
        StoredRef::Integer(value) => Value::Int(value),
        StoredRef::Real(value) => Value::Float(value),
        StoredRef::Text(text) => str::from_utf8(text).map_or(Value::Null, Value::from),
        StoredRef::Blob(bytes) => Value::Blob(bytes.into()),
    }
}

/// Whether two values are the same in type and content.
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a.type_name() == b.type_name() && a == b,
    }
}

fn first(connection: &Connection, sql: &str, values: &[&Value]) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare_cached(sql)?;
    let parameters = params_from_iter(values.iter().map(|value| stored(value)));
    statement.query_row(parameters, |row| Ok(loaded(row.get_ref(0)?)))
}

#[test]
fn random_expressions_have_the_values_that_sqlite_gives_them() {
    let connection = Connection::open_in_memory().unwrap();
    let declarations: Vec<&str> = COLUMNS.iter().map(|column| column.1).collect();
    let create = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {})", declarations.join(", "));
    connection.execute_batch(&create).unwrap();
    let mut random = Random::new(3);
    let places = vec!["?"; COLUMNS.len()].join(", ");
    for _ in 0..ROWS {
        let values: Vec<Value> = (0..COLUMNS.len()).map(|_| random.value()).collect();
        let insert = format!("INSERT INTO t VALUES (NULL, {places})");
        connection.execute(&insert, params_from_iter(values.iter().map(stored))).unwrap();
    }
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.0).collect();
    let select = format!("SELECT {} FROM t ORDER BY id", names.join(", "));
    let mut statement = connection.prepare(&select).unwrap();
    let rows: Vec<Row> = statement
        .query_map([], |row| {
            let values: Result<Vec<Value>, _> =
                (0..COLUMNS.len()).map(|at| row.get_ref(at).map(loaded)).collect();
            Ok(Row::new(&values?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();

    let (mut compared, mut nulls, mut refused) = (0, 0, 0);
    for number in 0..EXPRESSIONS {
        let mut random = Random::new(number as u64 * 7919);
        let depth = 1 + random.below(3);
        let mut generator = Generator { random: &mut random, parameters: Vec::new() };
        let made = generator.expression(depth);
        let mut values: Vec<Value> = generator.parameters;
        let (sql, place) = (&made.sql, values.len() + 1);
        let sql = format!("SELECT {sql}, {sql} IS TRUE, {sql} IS FALSE FROM t WHERE id = ?{place}");
        let mut statement = connection.prepare(&sql).unwrap();
        for _ in 0..4 {
            let at = random.below(ROWS);
            values.push(Value::Int(at as i64 + 1));
            let answer = statement.query_row(params_from_iter(values.iter().map(stored)), |row| {
                Ok((loaded(row.get_ref(0)?), row.get::<_, bool>(1)?, row.get::<_, bool>(2)?))
            });
            values.pop();
            let found = made.expr.eval(&rows[at]);
            let truth = made.expr.truth(&rows[at]);
            // An error of SQLite's is no value, but only a part of the expression may have met it.
            let Ok((expected, is_true, is_false)) = answer else {
                refused += 1;
                continue;
            };
            compared += 1;
            nulls += usize::from(expected.is_null());
            let context = || {
                let row = rows[at].to_values();
                format!("expression {number}: {}\nparameters {values:?}\nrow {row:?}", made.sql)
            };
            assert!(
                identical(&found, &expected),
                "{}\nexpected {expected:?}, found {found:?}",
                context()
            );
            let expected = (is_true || is_false).then_some(is_true);
            assert_eq!(truth, expected, "truth of {}", context());
        }
    }
    assert!(compared > EXPRESSIONS * 3, "only {compared} values were compared, {refused} refused");
    assert!(nulls * 2 < compared, "{nulls} of {compared} values were null");
}

#[test]
fn doubles_and_texts_are_converted_digit_for_digit() {
    let connection = Connection::open_in_memory().unwrap();
    let mut random = Random::new(5);
    let row = Row::new(&[]);
    let cast = |value: &Value, to| {
        Expr::Cast { operand: Box::new(Expr::Literal(value.clone())), to }.eval(&row)
    };
    for round in 0..60_000 {
        let value = match round % 6 {
            0 => Value::Float(random.any_double()),
            1 => Value::Float(random.double()),
            2 => random.digits().into(),
            3 => random.numeric_text().into(),
            // The shortest texts of doubles, which are the commonest of all.
            4 => random.any_double().to_string().into(),
            _ => format!("{:e}", random.any_double()).into(),
        };
        for (to, name) in [
            (Affinity::Text, "TEXT"),
            (Affinity::Real, "REAL"),
            (Affinity::Integer, "INTEGER"),
            (Affinity::Numeric, "NUMERIC"),
        ] {
            let sql = format!("SELECT CAST(?1 AS {name})");
            let expected = first(&connection, &sql, &[&value]).unwrap();
            let found = cast(&value, to);
            assert!(
                identical(&found, &expected),
                "CAST({value:?} AS {name}): expected {expected:?}, found {found:?}"
            );
        }
    }
}

#[test]
fn an_affinity_stores_what_a_column_of_it_stores() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE t (b BLOB, t TEXT, n NUMERIC, i INTEGER, r REAL)")
        .unwrap();
    let affinities =
        [Affinity::Blob, Affinity::Text, Affinity::Numeric, Affinity::Integer, Affinity::Real];
    let mut random = Random::new(7);
    let row = Row::new(&[]);
    for _ in 0..8_000 {
        let value = random.value();
        let mut insert = connection
            .prepare_cached("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1) RETURNING b, t, n, i, r")
            .unwrap();
        let expected: Vec<Value> = insert
            .query_row([stored(&value)], |row| {
                (0..affinities.len()).map(|at| row.get_ref(at).map(loaded)).collect()
            })
            .unwrap();
        for (affinity, expected) in affinities.into_iter().zip(expected) {
            let operand = Box::new(Expr::Literal(value.clone()));
            let found = Expr::Affinity { operand, affinity }.eval(&row);
            assert!(
                identical(&found, &expected),
                "{value:?} as {affinity:?}: expected {expected:?}, found {found:?}"
            );
        }
    }
}

#[test]
fn folded_texts_compare_by_bytes_as_the_texts_do_under_the_collation() {
    let connection = Connection::open_in_memory().unwrap();
    let mut random = Random::new(11);
    let row = Row::new(&[]);
    for _ in 0..8_000 {
        let (a, b) = (random.letters(), random.letters());
        for (collation, name) in [
            (Collation::Binary, "BINARY"),
            (Collation::NoCase, "NOCASE"),
            (Collation::RightTrim, "RTRIM"),
        ] {
            let (a, b) = (Value::from(a.as_str()), Value::from(b.as_str()));
            let sql = format!("SELECT (?1 > ?2 COLLATE {name}) - (?1 < ?2 COLLATE {name})");
            let expected = first(&connection, &sql, &[&a, &b]).unwrap();
            let fold = |value: &Value| {
                let operand = Box::new(Expr::Literal(value.clone()));
                Expr::Fold { operand, collation }.eval(&row)
            };
            let found = fold(&a).cmp(&fold(&b)) as i64;
            assert_eq!(Value::Int(found), expected, "{a} and {b} under {name}");
        }
    }
}

#[test]
fn booleans_are_numbers_and_json_is_text_within_expressions() {
    let row = Row::new(&[Value::Bool(true), Value::Json("{\"a\":1}".into())]);
    let plus = |operand| Expr::Unary {
        op: penstock::operators::expr::UnaryOp::Plus,
        operand: Box::new(operand),
    };
    assert!(matches!(Expr::Column(0).eval(&row), Value::Bool(true)));
    assert!(matches!(Expr::Column(1).eval(&row), Value::Json(_)));
    assert!(matches!(plus(Expr::Column(0)).eval(&row), Value::Int(1)));
    assert!(matches!(plus(Expr::Column(1)).eval(&row).as_ref(), ValueRef::Text("{\"a\":1}")));
    assert_eq!(Expr::Column(0).truth(&row), Some(true));
}

#[test]
fn columns_are_found_and_moved() {
    let less = |left, right| Expr::Compare {
        op: CompareOp::Lt,
        left: Box::new(Expr::Column(left)),
        right: Box::new(Expr::Column(right)),
        collation: Collation::Binary,
    };
    let expr = Expr::And(vec![less(0, 2), less(2, 1)]);
    let mut read = Vec::new();
    expr.for_each_column(&mut |column| read.push(column));
    assert_eq!(read, [0, 2, 2, 1]);
    assert_eq!(expr.shift(3), Expr::And(vec![less(3, 5), less(5, 4)]));
    let names = |column: usize| ["a", "b", "c"][column].to_owned();
    assert_eq!(expr.describe(&names), "(a < c and c < b)");
    let predicate = Predicate::Expr(Arc::new(expr));
    let columns = predicate.columns();
    assert!((0..3).all(|column| columns.contains(column)) && !columns.contains(3));
    let row = |values: [Value; 3]| Row::new(&values);
    assert!(predicate.matches(&row([1.into(), "x".into(), 2.into()])));
    assert!(!predicate.matches(&row([1.into(), Value::Null, 2.into()])));
}
