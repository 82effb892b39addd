//! What functions there are, what they give, and which are refused.

use penstock_operators::expr::{Expr, Function};
use penstock_operators::row::Row;
use penstock_operators::value::Value;

use super::*;

fn literal(value: impl Into<Value>) -> Expr {
    Expr::Literal(value.into())
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let function = function(name, arguments.len()).unwrap().unwrap();
    let (function, arguments) = compose(function, arguments);
    Expr::Call { function, arguments }
}

fn value(name: &str, arguments: Vec<Expr>) -> Value {
    call(name, arguments).eval(&Row::new(&[]))
}

fn refusal(name: &str, count: usize) -> String {
    function(name, count).unwrap().unwrap_err()
}

#[test]
fn names_are_found_in_any_case_and_unknown_ones_are_not() {
    assert!(matches!(function("SUBSTRING", 2), Some(Ok(Function::Builtin(Builtin::Substr)))));
    assert!(function("frobnicate", 1).is_none());
    assert!(function("count", 1).is_none());
    assert!(function("max", 1).is_none());
}

#[test]
fn a_wrong_number_of_arguments_is_refused() {
    assert_eq!(refusal("abs", 2), "abs takes 1 argument, found 2");
    assert_eq!(refusal("substr", 1), "substr takes 2 to 3 arguments, found 1");
    assert_eq!(refusal("coalesce", 1), "coalesce takes 2 arguments or more, found 1");
}

#[test]
fn what_depends_on_more_than_its_arguments_is_refused() {
    assert!(refusal("random", 0).starts_with("random gives another value at every call"));
    assert!(refusal("current_timestamp", 0).starts_with("current_timestamp depends on the time"));
    assert!(refusal("changes", 0).starts_with("changes depends on what a connection did last"));
    assert!(refusal("sqlite_version", 0).starts_with("sqlite_version depends on the SQLite"));
    assert!(refusal("load_extension", 1).starts_with("load_extension is not for queries"));
    assert!(refusal("date", 0).starts_with("date without a time depends on the time"));
    assert!(refusal("strftime", 1).starts_with("strftime without a time depends on the time"));
}

#[test]
fn literal_times_that_depend_on_the_clock_or_the_zone_are_refused() {
    let text = |text: &str| Value::from(text);
    let refuse = |name: &str, values: &[Value]| {
        refuse_literal(name, &values.iter().map(Some).collect::<Vec<_>>())
    };
    assert!(refuse("date", &[text("NOW")]).unwrap().starts_with("date with 'NOW' depends on"));
    assert!(refuse("unixepoch", &[text("subsec")]).is_some());
    assert!(refuse("unixepoch", &[text("2020-01-01"), text("subsec")]).is_none());
    assert!(refuse("datetime", &[Value::Int(0), text("unixepoch"), text("LocalTime")]).is_some());
    assert!(refuse("strftime", &[text("now"), text("2020-01-01")]).is_none());
    assert!(refuse("strftime", &[text("%s"), text("now")]).is_some());
    assert!(refuse("timediff", &[text("2020-01-01"), text("now")]).is_some());
    assert!(refuse("lower", &[text("now")]).is_none());
    assert!(refuse_literal("date", &[None, Some(&text("utc"))]).is_some());
}

#[cfg(feature = "sqlite")]
mod hosted {
    use super::*;

    #[test]
    fn every_hosted_function_is_one_of_the_library_or_says_that_it_is_not() {
        for name in HOSTED {
            let found = (1..=4).any(|count| match function(name, count) {
                Some(Ok(_)) => true,
                Some(Err(problem)) => problem.contains("has no function"),
                None => panic!("{name} is not known"),
            });
            assert!(found && function(name, 0).is_some(), "{name}");
        }
    }

    #[test]
    fn values_are_those_of_sqlite() {
        assert_eq!(value("round", vec![literal(2.345), literal(2)]), Value::Float(2.35));
        assert_eq!(
            value("printf", vec![literal("%05d|%s"), literal(42), literal("x")]),
            "00042|x".into()
        );
        assert_eq!(
            value("date", vec![literal("2024-02-28"), literal("+2 days")]),
            "2024-03-01".into()
        );
        assert_eq!(value("quote", vec![literal("it's")]), "'it''s'".into());
        assert_eq!(value("->>", vec![literal("{\"a\":[1,2]}"), literal("$.a[1]")]), Value::Int(2));
        assert_eq!(value("likely", vec![literal(7)]), Value::Int(7));
        assert_eq!(value("soundex", vec![literal("Robert")]), "R163".into());
        assert_eq!(value("like", vec![literal("A%"), literal("abc")]), Value::Int(1));
    }

    #[test]
    fn errors_and_computed_times_that_depend_on_the_clock_are_null() {
        assert_eq!(value("json", vec![literal("{")]), Value::Null);
        assert_eq!(value("date", vec![literal("now")]), Value::Null);
        assert_eq!(value("date", vec![literal("now\0later")]), Value::Null);
        assert_eq!(value("time", vec![literal("12:00"), literal("localtime")]), Value::Null);
        assert_eq!(value("time", vec![literal("12:00"), literal("+1 hour")]), "13:00:00".into());
    }

    #[test]
    fn json_made_by_a_function_stays_json_in_another() {
        let array = || call("json_array", vec![literal(1), literal("[2]")]);
        assert_eq!(array().eval(&Row::new(&[])), "[1,\"[2]\"]".into());
        assert_eq!(
            value("json_object", vec![literal("a"), array(), literal("b"), literal("[]")]),
            "{\"a\":[1,\"[2]\"],\"b\":\"[]\"}".into()
        );
        let arrow = call("->", vec![array(), literal(1)]);
        assert_eq!(value("json_array", vec![literal(0), arrow]), "[0,\"[2]\"]".into());
    }

    #[test]
    fn functions_are_equal_by_what_they_call() {
        let round = || function("ROUND", 2).unwrap().unwrap();
        assert_eq!(round(), round());
        assert_ne!(round(), function("round", 1).unwrap().unwrap());
    }
}
