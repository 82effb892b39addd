//! Values within JSON.

use std::fmt::Write;

use penstock::Value;

use super::text::hexadecimal;

/// From here on integral doubles are written with an exponent.
const PLAIN_MAX: f64 = 1e15;

/// Adds a value to a JSON text.
pub(super) fn write(json: &mut String, value: &Value) {
    // Writing to a string does not fail.
    let _ = match value {
        Value::Null => json.write_str("null"),
        Value::Bool(value) => write!(json, "{value}"),
        Value::Int(value) => write!(json, "{value}"),
        Value::Float(value) if value.is_nan() => json.write_str("null"),
        Value::Float(value) if value.is_infinite() => {
            json.write_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
        }
        Value::Float(value) if value.fract() == 0.0 && value.abs() < PLAIN_MAX => {
            write!(json, "{}", *value as i64)
        }
        Value::Float(value) => write!(json, "{}", serde_json::json!(value)),
        Value::Text(text) => return text_literal(json, text),
        Value::Blob(bytes) => return text_literal(json, &hexadecimal(bytes)),
        Value::Json(text) => json.write_str(text),
    };
}

/// Adds a text in quotes.
pub(super) fn text_literal(json: &mut String, text: &str) {
    let _ = write!(json, "{}", serde_json::Value::from(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_form() {
        let cases = [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Float(3.0), "3"),
            (Value::Float(-0.5), "-0.5"),
            (Value::Float(1e300), "1e+300"),
            (Value::Float(f64::INFINITY), "\"Infinity\""),
            (Value::Float(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::Float(f64::NAN), "null"),
            (Value::Text("a\"\\\n".into()), r#""a\"\\\n""#),
            (Value::Blob([1, 255].as_slice().into()), r#""\\x01ff""#),
            (Value::Json("{ \"a\": 1 }".into()), "{ \"a\": 1 }"),
        ];
        for (value, expected) in cases {
            let mut json = String::new();
            write(&mut json, &value);
            assert_eq!(json, expected);
        }
    }
}
