//! Values as both sides print them, to be compared as texts.
//!
//! The server prints what the documented mapping makes of a value, computed by its own SQL; the
//! replica's value is printed from what a query gives. Nothing of the library's reading of types is
//! used.

use penstock::ValueRef;
use serde_json::Value as Json;

/// What null prints as.
const NULL: &str = "∅";

/// How the values of a column are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Boolean,
    Integer,
    /// The bits of a double.
    Real,
    /// `i` and an integer, or `f` and the bits of a double.
    Number,
    Text,
    Bytes,
    /// JSON, text for text.
    Json,
    /// JSON that stands for the same, however it is written.
    MeaningOfJson,
}

impl Form {
    /// The SQL by which the server prints an expression.
    pub(crate) fn sql(self, value: &str) -> String {
        match self {
            Form::Real => {
                // Adding zero makes a zero of a negative zero, which SQLite does not keep.
                format!("encode(float8send(nullif(({value})::float8, 'NaN') + 0), 'hex')")
            }
            Form::Number => format!(
                "case when {value} in ('NaN', 'Infinity', '-Infinity') then null \
                 when {value} = trunc({value}) and {value} between -9223372036854775808 and 9223372036854775807 \
                 then 'i' || trunc({value})::text else 'f' || encode(float8send(({value})::float8), 'hex') end"
            ),
            Form::Bytes => format!("encode({value}, 'hex')"),
            Form::Boolean | Form::Integer | Form::Text | Form::Json | Form::MeaningOfJson => {
                value.to_owned()
            }
        }
    }

    /// What the server printed, as it is compared.
    pub(crate) fn of_server(self, text: Option<&str>) -> String {
        let Some(text) = text else { return NULL.to_owned() };
        match self {
            Form::Boolean => (if text == "t" { "true" } else { "false" }).to_owned(),
            Form::Real => of_double(of_bits(text)),
            Form::Number => match text.strip_prefix('f') {
                Some(bits) => of_number(of_bits(bits)),
                None => text.to_owned(),
            },
            Form::MeaningOfJson => meaning(text),
            Form::Integer | Form::Text | Form::Bytes | Form::Json => text.to_owned(),
        }
    }

    /// What a query over the replica gave.
    pub(crate) fn of_replica(self, value: ValueRef<'_>) -> String {
        match (self, value) {
            (_, ValueRef::Null) => NULL.to_owned(),
            (Form::Boolean, ValueRef::Bool(value)) => value.to_string(),
            (Form::Integer, ValueRef::Int(value)) => value.to_string(),
            (Form::Real, ValueRef::Float(value)) => of_double(value),
            (Form::Number, ValueRef::Int(value)) => format!("i{value}"),
            (Form::Number, ValueRef::Float(value)) => of_number(value),
            (Form::Text, ValueRef::Text(text)) | (Form::Json, ValueRef::Json(text)) => {
                text.to_owned()
            }
            (Form::MeaningOfJson, ValueRef::Json(text)) => meaning(text),
            (Form::Bytes, ValueRef::Blob(bytes)) => {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            // Equal to nothing that the server prints.
            (form, value) => format!("not {form:?}: {value:?}"),
        }
    }
}

fn of_bits(text: &str) -> f64 {
    let bits = u64::from_str_radix(text, 16);
    f64::from_bits(bits.unwrap_or_else(|_| panic!("the server printed {text:?} for bits")))
}

fn of_double(value: f64) -> String {
    format!("{value:?} {:016x}", value.to_bits())
}

/// SQLite keeps an integral double of a NUMERIC column as the integer.
fn of_number(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 9.2e18 {
        true => format!("i{}", value as i64),
        false => format!("f{}", of_double(value)),
    }
}

fn meaning(text: &str) -> String {
    let json: Json = serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("this is not JSON ({error}): {text:?}"));
    with_plain_numbers(json).to_string()
}

fn with_plain_numbers(json: Json) -> Json {
    match json {
        Json::Number(number) if number.as_i64().is_none() => {
            let value = number.as_f64().expect("a number of JSON is one of 64 bits or a double");
            if value.fract() == 0.0 && value.abs() < 9e15 {
                Json::from(value as i64)
            } else {
                Json::from(value)
            }
        }
        Json::Array(items) => Json::Array(items.into_iter().map(with_plain_numbers).collect()),
        Json::Object(fields) => Json::Object(
            fields.into_iter().map(|(name, value)| (name, with_plain_numbers(value))).collect(),
        ),
        other => other,
    }
}

#[test]
fn forms_tell_values_apart() {
    assert_eq!(Form::Number.of_server(Some("i12")), Form::Number.of_replica(ValueRef::Int(12)));
    assert_eq!(
        Form::Number.of_server(Some("f3fe0000000000000")),
        Form::Number.of_replica(ValueRef::Float(0.5))
    );
    assert_ne!(Form::Integer.of_server(Some("1")), Form::Integer.of_replica(ValueRef::Float(1.0)));
    assert_ne!(Form::Boolean.of_server(Some("t")), Form::Boolean.of_replica(ValueRef::Int(1)));
    assert_ne!(Form::Text.of_server(None), Form::Text.of_replica(ValueRef::Text("")));
    assert_eq!(
        Form::MeaningOfJson.of_server(Some("[1.50, 2.0]")),
        Form::MeaningOfJson.of_replica(ValueRef::Json("[1.5,2]"))
    );
}
