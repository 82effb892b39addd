//! Literals, parameters and names of collations.

use penstock_operators::expr::Collation;
use penstock_operators::value::Value;
use sqlparser::ast;

use super::super::bound::Bound;
use super::super::error::{Outcome, Place};
use super::super::scope::same;
use super::{Binder, bound_null};

impl Binder<'_> {
    pub(super) fn literal(&self, value: &ast::Value, place: Place) -> Outcome<Bound> {
        match value {
            ast::Value::Number(digits, _) => Ok(Bound::literal(number(digits, false))),
            ast::Value::SingleQuotedString(text) => Ok(Bound::literal(text.as_str().into())),
            ast::Value::HexStringLiteral(digits) => {
                if self.context.planner.text.is_hex_number(place) {
                    return hex_number(digits, place);
                }
                match blob(digits) {
                    Some(bytes) => Ok(Bound::literal(bytes.into())),
                    None => place.refuse("a blob is written x'…' with pairs of hexadecimal digits"),
                }
            }
            ast::Value::Boolean(value) => Ok(Bound::literal((*value).into())),
            ast::Value::Null => Ok(bound_null()),
            ast::Value::Placeholder(name) => {
                Ok(Bound::literal(self.context.planner.bindings.at(place, name)?))
            }
            other => place.refuse(format!("{other} is not a literal of SQLite")),
        }
    }
}

/// A number as SQLite reads it: an integer where 64 bits hold it.
pub(super) fn number(digits: &str, negative: bool) -> Value {
    let mut text = String::from(if negative { "-" } else { "" });
    text.extend(digits.chars().filter(|digit| *digit != '_'));
    match text.parse::<i64>() {
        Ok(integer) => Value::Int(integer),
        // Beyond the range of doubles it is infinite, as in SQLite.
        Err(_) => Value::Float(text.parse().unwrap_or(0.0)),
    }
}

fn hex_number(digits: &str, place: Place) -> Outcome<Bound> {
    match u64::from_str_radix(digits, 16) {
        Ok(bits) => Ok(Bound::literal(Value::Int(bits.cast_signed()))),
        Err(_) => place.refuse(format!("0x{digits} has more than 64 bits")),
    }
}

fn blob(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some((*pair.first()? << 4 | *pair.get(1)?) as u8)).collect()
}

/// The collation of a name.
pub(in crate::sql) fn collation(name: &ast::ObjectName, place: Place) -> Outcome<Collation> {
    let name = name.to_string();
    let name = name.trim_matches(['"', '`', '[', ']']);
    if same(name, "binary") {
        Ok(Collation::Binary)
    } else if same(name, "nocase") {
        Ok(Collation::NoCase)
    } else if same(name, "rtrim") {
        Ok(Collation::RightTrim)
    } else {
        place.refuse(format!("there is no collation \"{name}\"; use BINARY, NOCASE or RTRIM"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_integers_where_64_bits_hold_them() {
        assert_eq!(number("9223372036854775807", false), Value::Int(i64::MAX));
        assert!(matches!(number("9223372036854775808", false), Value::Float(_)));
        assert_eq!(number("9223372036854775808", true), Value::Int(i64::MIN));
        assert_eq!(number("1_000", false), Value::Int(1000));
        assert!(matches!(number("1e3", false), Value::Float(float) if float == 1000.0));
        assert!(matches!(number(".5", false), Value::Float(float) if float == 0.5));
    }

    #[test]
    fn blobs_are_pairs_of_digits() {
        assert_eq!(blob("00fF"), Some(vec![0, 255]));
        assert_eq!(blob("0"), None);
        assert_eq!(blob("0g"), None);
    }
}
