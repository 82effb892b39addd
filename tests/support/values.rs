//! Values as the tests compare them: written from the rules, without keys or predicates.

use std::cmp::Ordering;

use penstock::Value;

/// The order of values: null, booleans, numbers, texts, blobs, json.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Int(a), Value::Float(b)) => integer_with_float(*a, *b),
        (Value::Float(a), Value::Int(b)) => integer_with_float(*b, *a).reverse(),
        (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Text(_) => 3,
        Value::Blob(_) => 4,
        Value::Json(_) => 5,
    }
}

/// Exact: no integer is rounded to compare it.
fn integer_with_float(integer: i64, float: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float >= LIMIT {
        return Ordering::Less;
    }
    if float < -LIMIT {
        return Ordering::Greater;
    }
    // In range, so the whole part converts exactly.
    let whole = float.floor();
    integer.cmp(&(whole as i64)).then(if float > whole { Ordering::Less } else { Ordering::Equal })
}

/// Whether two values are the same in content and representation: 1 and 1.0 are not.
pub(crate) fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => a == b,
        (Value::Blob(a), Value::Blob(b)) => a == b,
        _ => false,
    }
}

/// [`identical`] for rows.
pub(crate) fn identical_rows(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
}

/// Whether a text matches a LIKE pattern, by trying every way.
pub(crate) fn like(text: &str, pattern: &str, ignore_case: bool) -> bool {
    let chars = |text: &str| -> Vec<char> {
        // The texts of the tests have one lower-case character for each of theirs.
        let fold = |c: char| if ignore_case { c.to_lowercase().next().unwrap_or(c) } else { c };
        text.chars().map(fold).collect()
    };
    like_chars(&chars(text), &chars(pattern))
}

fn like_chars(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| like_chars(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like_chars(&text[1..], rest),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && like_chars(&text[1..], rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let limit = (1_i64 << 53) as f64;
        assert_eq!(order(&Value::Int((1 << 53) + 1), &Value::Float(limit)), Ordering::Greater);
        assert_eq!(order(&Value::Int(i64::MAX), &Value::Float(9.3e18)), Ordering::Less);
        assert_eq!(order(&Value::Float(-0.5), &Value::Int(-1)), Ordering::Greater);
        assert_eq!(order(&Value::Float(-0.0), &Value::Int(0)), Ordering::Equal);
    }

    #[test]
    fn patterns_match_as_the_rules_say() {
        assert!(like("a\nb", "a%b", false) && !like("z\nab", "a%b", false));
        assert!(like("foo%", r"foo\%", false) && !like("foobar", r"foo\%", false));
        assert!(like("MÜLLER", "müller", true) && !like("foo", "foo_", true));
    }
}
