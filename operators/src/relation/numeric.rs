//! Values as numbers, as SQLite's aggregate functions take them.

use crate::value::RawValue;

/// A number as a sum takes it in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Real(f64),
}

/// A value as a number; `None` for null. Text that as a whole looks like an integer is one, any
/// other text and every blob is the double that it begins with, or 0.0.
pub(crate) fn number(value: RawValue<'_>) -> Option<Number> {
    Some(match value {
        RawValue::Null => return None,
        RawValue::Bool(value) => Number::Int(i64::from(value)),
        RawValue::Int(value) => Number::Int(value),
        RawValue::Float(value) => Number::Real(value),
        RawValue::Text(text) | RawValue::Json(text) => match integer(text) {
            Some(value) => Number::Int(value),
            None => Number::Real(prefix(text)),
        },
        RawValue::Blob(bytes) => Number::Real(prefix(bytes)),
    })
}

/// Whether a value is true: a number other than zero, or what begins with one.
pub(crate) fn is_true(value: RawValue<'_>) -> bool {
    match number(value) {
        None => false,
        Some(Number::Int(value)) => value != 0,
        Some(Number::Real(value)) => value != 0.0,
    }
}

/// Text that is an integer of 64 bits, with space around it or not.
fn integer(text: &[u8]) -> Option<i64> {
    let text = trim(text);
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// The double with which text begins, or 0.0.
fn prefix(text: &[u8]) -> f64 {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let text = &text[start..];
    let count = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = count(sign);
    let mut end = sign + whole;
    if text.get(end) == Some(&b'.') {
        let fraction = count(end + 1);
        if whole + fraction == 0 {
            return 0.0;
        }
        end += 1 + fraction;
    } else if whole == 0 {
        return 0.0;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = count(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    str::from_utf8(&text[..end]).ok().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
