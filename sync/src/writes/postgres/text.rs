//! Values from JSON to what the server reads: the inverse of what becomes of its values in the replica.
//!
//! Every value travels as a text beside the statement, never within it, and is cast there. Dates and times
//! are numbers of milliseconds, JSON is JSON, arrays are lists, bytes are hexadecimal digits, and all
//! else is the text that the server writes.

use serde_json::Value as Json;

/// The form of a type's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Boolean,
    /// Integers, doubles and `numeric`.
    Number,
    /// A number of milliseconds added to this constant.
    Time(&'static str),
    /// A number of milliseconds since 1970-01-01, of which the day counts.
    Date,
    Bytes,
    Json,
    Array(Box<Form>),
    Text,
    /// Its values cannot be written from JSON.
    Unsupported,
}

/// A value on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    /// What is in the place of the value in the statement, `$n` being the text.
    pub(super) expression: String,
    pub(super) text: Option<String>,
}

const MILLISECONDS: &str = "* interval '1 millisecond'";

impl Form {
    /// That of a type by its object id and kind (`typtype`).
    pub(super) fn of(oid: u32, kind: &str) -> Form {
        match oid {
            16 => Form::Boolean,
            20 | 21 | 23 | 26 | 700 | 701 | 1700 => Form::Number,
            1082 => Form::Date,
            1083 => Form::Time("time '00:00'"),
            1114 => Form::Time("timestamp '1970-01-01'"),
            1184 => Form::Time("timestamptz '1970-01-01+00'"),
            1266 => Form::Time("timetz '00:00+00'"),
            17 => Form::Bytes,
            114 | 3802 => Form::Json,
            _ if kind == "c" => Form::Unsupported,
            _ => Form::Text,
        }
    }

    /// A value as the parameter of this number, cast to a type that the server has named.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(super) fn bind(
        &self,
        value: &Json,
        number: usize,
        type_name: &str,
    ) -> Result<Bound, String> {
        let cast = format!("${number}::text::{type_name}");
        if value.is_null() && *self != Form::Unsupported {
            return Ok(Bound { expression: cast, text: None });
        }
        let expression = match self {
            Form::Time(from) => {
                format!("({from} + ${number}::text::float8 {MILLISECONDS})::{type_name}")
            }
            Form::Date => format!("({})::{type_name}", date(&format!("${number}::text::float8"))),
            Form::Bytes => format!("decode(${number}::text, 'hex')"),
            Form::Array(element) => match &**element {
                Form::Time(from) => format!(
                    "{}::{type_name}",
                    each(number, &format!("{from} + each {MILLISECONDS}"))
                ),
                Form::Date => format!("{}::{type_name}", each(number, &date("each"))),
                _ => cast,
            },
            _ => cast,
        };
        Ok(Bound { expression, text: Some(self.text(value)?) })
    }

    /// A value that is not null as text.
    fn text(&self, value: &Json) -> Result<String, String> {
        let expected = |what: &str| Err(format!("expected {what}, found {}", kind(value)));
        match (self, value) {
            (Form::Boolean, Json::Bool(value)) => Ok(value.to_string()),
            (Form::Boolean, _) => expected("true or false"),
            (Form::Number, Json::Number(number)) => Ok(plain(number)),
            (Form::Number, _) => expected("a number"),
            (Form::Time(_) | Form::Date, Json::Number(number)) => Ok(plain(number)),
            (Form::Time(_) | Form::Date, _) => expected("a number of milliseconds"),
            (Form::Text | Form::Bytes, Json::String(text)) => Ok(text.clone()),
            (Form::Text, _) => expected("a text"),
            (Form::Bytes, _) => expected("hexadecimal digits"),
            (Form::Json, value) => Ok(value.to_string()),
            (Form::Array(element), Json::Array(items)) => array(element, items),
            (Form::Array(_), _) => expected("a list"),
            (Form::Unsupported, _) => Err("values of its type cannot be written".to_owned()),
        }
    }
}

/// The day on which a number of milliseconds lies.
fn date(milliseconds: &str) -> String {
    format!("date '1970-01-01' + floor({milliseconds} / 86400000)::int")
}

/// An array made of each element of one of numbers.
fn each(number: usize, expression: &str) -> String {
    format!(
        "ARRAY(SELECT {expression} FROM unnest(${number}::text::float8[]) \
         WITH ORDINALITY AS list(each, place) ORDER BY place)"
    )
}

/// A number without an exponent or fraction where it is an integer.
fn plain(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(double) if !number.is_i64() && !number.is_u64() && is_integer(double) => {
            format!("{double:.0}")
        }
        _ => number.to_string(),
    }
}

fn is_integer(double: f64) -> bool {
    double.fract() == 0.0 && double.abs() < 9.3e18
}

/// The text form of an array.
fn array(element: &Form, items: &[Json]) -> Result<String, String> {
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        parts.push(match (element, item) {
            (_, Json::Null) => "NULL".to_owned(),
            (Form::Bytes, Json::String(digits)) => quoted(&format!("\\x{digits}")),
            // One more dimension, except where the list is itself a value.
            (Form::Text | Form::Number | Form::Boolean | Form::Bytes, Json::Array(inner)) => {
                array(element, inner)?
            }
            (element, item) => quoted(&element.text(item)?),
        });
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
