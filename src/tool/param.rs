//! Values and durations given on the command line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{SqlParams, Value};

/// One `--param`: a value for a parameter of the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The name without its sigil, or the number; none for the next number.
    pub name: Option<String>,
    /// The value.
    pub value: Value,
}

/// Reads `name=value` or `value`. It is named if what stands before the first `=` is a name or a
/// number, with or without the sigil that it has in the query.
///
/// # Errors
/// A number that does not fit, or a quoted text or blob that does not end.
pub fn param(text: &str) -> Result<Param, String> {
    if let Some((name, value)) = text.split_once('=') {
        let name = name.strip_prefix([':', '@', '$', '?']).unwrap_or(name);
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_name {
            return Ok(Param { name: Some(name.to_owned()), value: typed(value)? });
        }
    }
    Ok(Param { name: None, value: typed(text)? })
}

/// A value by how it is written: `null`, `true`, `false`, an integer, a real number, `'text'`
/// with quotes, `x'6869'` for a blob; anything else is text as it stands.
fn typed(text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "null" => return Ok(Value::Null),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'').filter(|inner| balanced(inner));
        let inner = inner.ok_or_else(|| {
            format!(
                "{text} starts with a quote and has no matching end; write '' for a quote inside"
            )
        })?;
        return Ok(Value::from(inner.replace("''", "'")));
    }
    let digits = text.strip_prefix("x'").or_else(|| text.strip_prefix("X'"));
    if let Some(digits) = digits.and_then(|rest| rest.strip_suffix('\'')) {
        return blob(digits)
            .map(Value::from)
            .ok_or_else(|| format!("{text} is not a blob: two hexadecimal digits for each byte"));
    }
    if looks_integral(text) {
        let whole: Result<i64, _> = text.parse();
        return whole.map(Value::Int).map_err(|_| {
            format!("{text} is beyond 64 bits; for text write '{text}' with the quotes")
        });
    }
    // Words that the parser of numbers knows, like `inf` and `nan`, are text.
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if numeric
        && text.contains(|c: char| c.is_ascii_digit())
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Ok(Value::Float(number));
    }
    Ok(Value::from(text))
}

fn looks_integral(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether every quote in a quoted text is doubled.
fn balanced(inner: &str) -> bool {
    !inner.replace("''", "").contains('\'')
}

fn blob(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        digits.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs.map(|pair| matches!(pair, [_, _]).then(|| pair[0] << 4 | pair[1])).collect()
}

/// Values by number where they have none or one, and by name otherwise.
///
/// # Errors
/// A number that is missing among the others, or given twice.
pub fn params(given: &[Param]) -> Result<SqlParams, String> {
    let mut numbered: BTreeMap<usize, &Value> = BTreeMap::new();
    let mut params = SqlParams::new();
    let mut next = 1;
    for param in given {
        let number = match &param.name {
            None => next,
            Some(name) => match name.parse() {
                Ok(number) => number,
                Err(_) => {
                    params = params.set(name, param.value.clone());
                    continue;
                }
            },
        };
        if number == 0 {
            return Err("parameters are numbered from ?1".to_owned());
        }
        next = number + 1;
        if numbered.insert(number, &param.value).is_some() {
            return Err(format!("parameter ?{number} is given twice"));
        }
    }
    for (expected, (number, value)) in (1..).zip(numbered) {
        if number != expected {
            return Err(format!("parameter ?{number} is given and ?{expected} is not"));
        }
        params = params.push(value.clone());
    }
    Ok(params)
}

/// Reads a duration: a number with `ms`, `s` or `m`, as in `100ms` or `1.5s`.
///
/// # Errors
/// Anything else, with what is expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("{text:?} is not a duration; write for example 100ms, 2s or 1m");
    let start = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(problem)?;
    let (number, unit) = text.split_at(start);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(problem()),
    };
    let number: f64 = number.trim().parse().map_err(|_| problem())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| problem())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        let param = param(text).expect("a parameter");
        assert_eq!(param.name, None, "{text}");
        param.value
    }

    #[test]
    fn values_have_the_type_that_they_are_written_with() {
        assert_eq!(value("7"), Value::Int(7));
        assert_eq!(value("-9223372036854775808"), Value::Int(i64::MIN));
        assert_eq!(value("7.5"), Value::Float(7.5));
        assert_eq!(value("-.5e3"), Value::Float(-500.0));
        assert_eq!(value("NULL"), Value::Null);
        assert_eq!(value("true"), Value::Bool(true));
        assert_eq!(value("x'00fF'"), Value::from(vec![0_u8, 255]));
        for text in ["open", "", "inf", "NaN", "-", "1.2.3", "2026-01-31", "+"] {
            assert_eq!(value(text), Value::from(text));
        }
        assert_eq!(value("'7'"), Value::from("7"));
        assert_eq!(value("'it''s'"), Value::from("it's"));
        assert_eq!(value("''"), Value::from(""));
    }

    #[test]
    fn names_stand_before_the_first_equals_sign() {
        let named = |text: &str| param(text).map(|param| (param.name, param.value));
        let expected = |name: &str, value: Value| Ok((Some(name.to_owned()), value));
        assert_eq!(named("owner=7"), expected("owner", Value::Int(7)));
        assert_eq!(named(":owner=a=b"), expected("owner", Value::from("a=b")));
        assert_eq!(named("?2='x'"), expected("2", Value::from("x")));
        assert_eq!(named("a b=c"), Ok((None, Value::from("a b=c"))));
        assert_eq!(named("'a=b'"), Ok((None, Value::from("a=b"))));
    }

    #[test]
    fn what_is_half_written_is_refused() {
        for (text, part) in [
            ("'open", "no matching end"),
            ("'a'b'", "no matching end"),
            ("'", "no matching end"),
            ("x'abc'", "is not a blob"),
            ("9223372036854775808", "beyond 64 bits"),
        ] {
            let problem = param(text).expect_err(text);
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "5", "5h", "-1s", "ms", "1e400s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    fn given(params: &[&str]) -> Vec<Param> {
        params.iter().map(|text| param(text).expect("a parameter")).collect()
    }

    #[test]
    fn numbers_go_on_from_the_last() {
        let mixed = params(&given(&["a", "3=c", ":owner=7", "d", "2=b"])).expect("parameters");
        let expected = SqlParams::new().push("a").push("b").push("c").push("d").set("owner", 7);
        assert_eq!(mixed, expected);
    }

    #[test]
    fn numbers_without_gaps_or_repeats() {
        for (list, problem) in [
            (["a", "1=b"], "parameter ?1 is given twice"),
            (["a", "3=b"], "parameter ?3 is given and ?2 is not"),
            (["0=a", "b"], "parameters are numbered from ?1"),
        ] {
            let failure = params(&given(&list)).expect_err(problem);
            assert_eq!(failure, problem);
        }
    }
}
