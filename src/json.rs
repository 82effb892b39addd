//! Values as JSON and back.
//!
//! | column | JSON |
//! |---|---|
//! | boolean | `true`, `false` |
//! | integer, real, number | a number; an integral one of magnitude below 2^53 without a fraction |
//! | text | a string |
//! | blob | a string of lower-case hexadecimal digits, two per byte |
//! | json | whatever it holds |
//! | any | a boolean, a number or a string, as what they are; blobs only out |
//!
//! A null of any type is `null`. So are infinities, which JSON cannot express.

use std::fmt::Write as _;

use penstock_operators::value::{ColumnType, Value, ValueRef};
use serde_json::Value as Json;

/// Beyond this magnitude a double need not be the only one that an integer text stands for.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// A value of a column as JSON, by the table in the [module](self)'s text.
///
/// A json value whose text is not JSON, which no edge of the engine lets in, becomes a string.
pub fn value_to_json(value: ValueRef<'_>, column_type: ColumnType) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Bool(value) => Json::Bool(value),
        ValueRef::Int(value) => Json::from(value),
        ValueRef::Float(value) if value.fract() == 0.0 && value.abs() < EXACT_INTEGERS => {
            Json::from(value as i64)
        }
        ValueRef::Float(value) => Json::from(value),
        ValueRef::Text(text) if column_type == ColumnType::Json => parsed(text),
        ValueRef::Text(text) => Json::from(text),
        ValueRef::Blob(bytes) => Json::from(hexadecimal(bytes)),
        ValueRef::Json(text) => parsed(text),
    }
}

/// The value of a column that JSON stands for.
///
/// A number becomes [`Value::Int`] where it is a 64-bit integer or, for an integer column, has no
/// fraction; otherwise [`Value::Float`]. A blob is accepted as a string of hexadecimal digits and
/// as an array of numbers from 0 to 255. A json column keeps the JSON as compact text.
///
/// # Errors
///
/// What was found and what the column expects, as in `expected text, found a number (7)`.
pub fn json_to_value(
    json: &Json,
    column_type: ColumnType,
    nullable: bool,
) -> Result<Value, String> {
    let mismatch = || Err(format!("expected {column_type}, found {}", describe(json)));
    if json.is_null() {
        return if nullable { Ok(Value::Null) } else { mismatch() };
    }
    match (column_type, json) {
        (ColumnType::Json, json) => Ok(Value::Json(json.to_string().into())),
        (ColumnType::Boolean, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (ColumnType::Text, Json::String(text)) => Ok(Value::from(text.as_str())),
        (ColumnType::Real | ColumnType::Number, Json::Number(number)) => {
            number_to_value(number).map_or_else(mismatch, Ok)
        }
        (ColumnType::Integer, Json::Number(number)) => match number_to_value(number) {
            Some(Value::Int(value)) => Ok(Value::Int(value)),
            Some(Value::Float(value)) => integral(value).map_or_else(mismatch, Ok),
            _ => mismatch(),
        },
        (ColumnType::Blob, Json::String(text)) => match bytes_of_hexadecimal(text) {
            Some(bytes) => Ok(Value::from(bytes)),
            None => {
                Err("expected blob as hexadecimal digits, two per byte, found other text".into())
            }
        },
        (ColumnType::Blob, Json::Array(items)) => {
            let bytes: Option<Vec<u8>> =
                items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect();
            bytes.map_or_else(mismatch, |bytes| Ok(Value::from(bytes)))
        }
        (ColumnType::Any, json) => scalar_to_value(json).map_or_else(mismatch, Ok),
        _ => mismatch(),
    }
}

/// A JSON scalar as the value it is, whatever the column; `None` for arrays and objects.
pub(crate) fn scalar_to_value(json: &Json) -> Option<Value> {
    match json {
        Json::Null => Some(Value::Null),
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => number_to_value(number),
        Json::String(text) => Some(Value::from(text.as_str())),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// What a piece of JSON is, for error texts.
pub(crate) fn describe(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(value) => format!("a boolean ({value})"),
        Json::Number(number) => format!("a number ({number})"),
        Json::String(_) => "a string".into(),
        Json::Array(_) => "an array".into(),
        Json::Object(_) => "an object".into(),
    }
}

fn number_to_value(number: &serde_json::Number) -> Option<Value> {
    match number.as_i64() {
        Some(value) => Some(Value::Int(value)),
        None => number.as_f64().map(Value::Float),
    }
}

/// A double as the integer it equals, if there is one of 64 bits.
fn integral(value: f64) -> Option<Value> {
    let limit = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && value >= -limit && value < limit).then_some(Value::Int(value as i64))
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes_of_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL_TYPES: [ColumnType; 7] = [
        ColumnType::Boolean,
        ColumnType::Integer,
        ColumnType::Real,
        ColumnType::Number,
        ColumnType::Text,
        ColumnType::Blob,
        ColumnType::Json,
    ];

    fn shown(value: &Value, column_type: ColumnType) -> String {
        value_to_json(value.as_ref(), column_type).to_string()
    }

    #[test]
    fn numbers_print_as_the_shortest_exact_text() {
        let cases = [
            (Value::Int(7), "7"),
            (Value::Int(i64::MAX), "9223372036854775807"),
            (Value::Float(7.0), "7"),
            (Value::Float(-0.0), "0"),
            (Value::Float(2.5), "2.5"),
            (Value::Float(9_007_199_254_740_991.0), "9007199254740991"),
            (Value::Float(f64::INFINITY), "null"),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(&value, ColumnType::Number), expected);
        }
        for value in [1e21, -1e21, 1e-7, f64::MAX, f64::MIN_POSITIVE] {
            let text = shown(&Value::Float(value), ColumnType::Real);
            assert_eq!(text.parse::<f64>(), Ok(value));
        }
    }

    #[test]
    fn values_come_back_as_they_were() {
        let cases = [
            (Value::Bool(true), ColumnType::Boolean),
            (Value::Int(-3), ColumnType::Integer),
            (Value::Float(0.1), ColumnType::Real),
            (Value::Int(1 << 60), ColumnType::Number),
            (Value::from("a\u{0}\"😀"), ColumnType::Text),
            (Value::from(vec![0u8, 127, 255]), ColumnType::Blob),
            (Value::Json(r#"{"a":[1,null]}"#.into()), ColumnType::Json),
        ];
        for (value, column_type) in cases {
            let json = value_to_json(value.as_ref(), column_type);
            assert_eq!(json_to_value(&json, column_type, false), Ok(value));
        }
    }

    #[test]
    fn null_needs_a_nullable_column() {
        for column_type in ALL_TYPES {
            assert_eq!(json_to_value(&Json::Null, column_type, true), Ok(Value::Null));
            assert_eq!(
                json_to_value(&Json::Null, column_type, false),
                Err(format!("expected {column_type}, found null"))
            );
        }
    }

    #[test]
    fn an_integer_column_takes_integral_doubles_only() {
        let integer = |json: Json| json_to_value(&json, ColumnType::Integer, false);
        assert_eq!(integer(json!(7.0)), Ok(Value::Int(7)));
        assert_eq!(integer(json!(2.5)), Err("expected integer, found a number (2.5)".into()));
        assert_eq!(
            integer(json!(u64::MAX)),
            Err("expected integer, found a number (18446744073709551615)".into())
        );
        assert_eq!(integer(json!("7")), Err("expected integer, found a string".into()));
    }

    #[test]
    fn blobs_are_read_from_hexadecimal_and_from_numbers() {
        let blob = |json: Json| json_to_value(&json, ColumnType::Blob, false);
        assert_eq!(blob(json!("00fF")), Ok(Value::from(vec![0u8, 255])));
        assert_eq!(blob(json!([0, 255])), Ok(Value::from(vec![0u8, 255])));
        assert_eq!(blob(json!([256])), Err("expected blob, found an array".into()));
        for text in ["0", "0g", "+1"] {
            assert_eq!(
                blob(json!(text)),
                Err("expected blob as hexadecimal digits, two per byte, found other text".into())
            );
        }
    }
}
