//! What becomes of the values of each Postgres type.
//!
//! | Postgres | value | declared in SQLite |
//! |---|---|---|
//! | `boolean` | boolean | `BOOLEAN` |
//! | `smallint`, `integer`, `bigint`, `oid` | integer, exact to 64 bits | `INTEGER` |
//! | `real`, `double precision` | the same double (a `real` is widened); NaN becomes null | `REAL` |
//! | `numeric` | integer if it is one of 64 bits, else the nearest double; NaN and the infinities become null | `NUMERIC` |
//! | `date`, `timestamp`, `timestamptz` | milliseconds since 1970-01-01 (of UTC for `timestamptz`), microseconds as fractions, which are exact up to the year 2255; `infinity` is an infinite double | `REAL` |
//! | `time`, `timetz` | milliseconds of the day, in UTC for `timetz` | `REAL` |
//! | `interval` | text, ISO 8601 as the server writes it: `P1Y2M3DT4H5M6.5S` | `TEXT` |
//! | `text`, `varchar`, `char`, `name`, `xml`, enums | the text (a `char(n)` with its blanks) | `TEXT` |
//! | `uuid`, `macaddr`, `bit`, `varbit` | text as the server writes it | `TEXT` |
//! | `bytea` | the bytes | `BLOB` |
//! | `json`, `jsonb` | JSON, the text as the server sends it | `JSON TEXT` |
//! | arrays | JSON: lists, nested once per dimension; lower bounds are not kept | `JSON TEXT` |
//! | composite types | JSON: an object of the fields in their order | `JSON TEXT` |
//! | domains | what their base type becomes | that of the base type |
//! | `inet`, `cidr`, ranges, multiranges, geometric types, `money`, `tsvector`, types of extensions, and all others | text as the server writes it | `TEXT` |
//!
//! Within JSON, a number that is integral and smaller than 10^15 is written without a fraction, an
//! infinite one is the text `"Infinity"` or `"-Infinity"`, NaN is null, bytes are the text `\x` with
//! hexadecimal digits, and JSON stands as it is.
//!
//! Every value has two forms on the wire, text and [binary](Mapping::binary); both give the same
//! value. Where this library does not know the binary form, [`Mapping::copy_as_text`] says so.
//! The text form depends on settings of the session, so [`SESSION_SETTINGS`] must hold in sessions
//! that read values or stream.

mod array;
mod builtin;
mod bytes;
mod catalogue;
mod composite;
mod interval;
mod json;
mod number;
mod read;
mod text;
mod time;

use std::sync::Arc;

use penstock::{ColumnType, Value};

pub(crate) use time::timestamp_micros;

pub use catalogue::{CATALOGUE_SQL, Catalogue, Field, Shape, TypeRow, UnknownType};

/// What a session must be set to so that texts of values are as expected: names and values for `SET`
/// or for the parameters of a connection.
pub const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
];

/// How the values of one type are read. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    name: Arc<str>,
    kind: Kind,
}

/// How values of a type are written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Date,
    Time,
    Timetz,
    Timestamp,
    Timestamptz,
    Interval,
    /// Text whose binary form is the text.
    Text,
    /// Text whose binary form is something else.
    TextOnly,
    Uuid,
    Macaddr,
    Bits,
    Bytea,
    Json,
    Jsonb,
    Array(Arc<Array>),
    Composite(Arc<[(Arc<str>, Mapping)]>),
}

/// The type of an array.
#[derive(Debug, PartialEq, Eq)]
struct Array {
    element: Mapping,
    /// What stands between elements in the text form.
    delimiter: u8,
}

/// A value that is not one of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a value of the type {type_name} in {form} form: {reason}")]
pub struct ValueError {
    /// The type.
    pub type_name: Arc<str>,
    /// `text` or `binary`.
    pub form: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a value cannot be read, before it is known of which type it is.
type Reason = String;

impl Mapping {
    /// The name of the Postgres type.
    pub fn type_name(&self) -> &str {
        &self.name
    }

    /// The type that a column of these values has in a query. Null is possible beside it.
    pub fn column_type(&self) -> ColumnType {
        match self.kind {
            Kind::Boolean => ColumnType::Boolean,
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Oid => ColumnType::Integer,
            Kind::Numeric => ColumnType::Number,
            Kind::Float4
            | Kind::Float8
            | Kind::Date
            | Kind::Time
            | Kind::Timetz
            | Kind::Timestamp
            | Kind::Timestamptz => ColumnType::Real,
            Kind::Interval
            | Kind::Text
            | Kind::TextOnly
            | Kind::Uuid
            | Kind::Macaddr
            | Kind::Bits => ColumnType::Text,
            Kind::Bytea => ColumnType::Blob,
            Kind::Json | Kind::Jsonb | Kind::Array(_) | Kind::Composite(_) => ColumnType::Json,
        }
    }

    /// How such a column is declared in an SQLite file, so that the engine reads the same
    /// [column type](Mapping::column_type) back. (`NUMERIC` is read back as [`ColumnType::Any`]:
    /// in SQLite such a column may hold anything.)
    pub fn declared(&self) -> &'static str {
        match self.column_type() {
            ColumnType::Boolean => "BOOLEAN",
            ColumnType::Integer => "INTEGER",
            ColumnType::Real => "REAL",
            ColumnType::Number => "NUMERIC",
            ColumnType::Blob => "BLOB",
            ColumnType::Json => "JSON",
            ColumnType::Text | ColumnType::Any => "TEXT",
        }
    }

    /// Whether a binary COPY must ask for the text that the server writes, which [`Mapping::text`] reads:
    /// the binary form of the type is not known here.
    pub fn copy_as_text(&self) -> bool {
        match &self.kind {
            Kind::TextOnly => true,
            Kind::Array(array) => array.element.copy_as_text(),
            Kind::Composite(fields) => fields.iter().any(|(_, field)| field.copy_as_text()),
            _ => false,
        }
    }

    /// Whether no value is large enough to be left out of an update that does not touch it.
    pub(crate) fn is_of_fixed_size(&self) -> bool {
        match self.column_type() {
            ColumnType::Boolean | ColumnType::Integer | ColumnType::Real => true,
            _ => matches!(self.kind, Kind::Interval | Kind::Uuid | Kind::Macaddr),
        }
    }

    /// The value for a text that the server's output function wrote. A value that has no counterpart
    /// (NaN, an infinite `numeric`) is null.
    pub fn text(&self, text: &str) -> Result<Value, ValueError> {
        self.read_text(text).map_err(|reason| self.error("text", reason))
    }

    /// As [`Mapping::text`], for the bytes of the text.
    pub(crate) fn text_bytes(&self, bytes: &[u8]) -> Result<Value, ValueError> {
        match str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(error) => {
                let reason = format!("it is not UTF-8 ({error}); set client_encoding to UTF8");
                Err(self.error("text", reason))
            }
        }
    }

    /// The value for bytes that the server's send function wrote. Fails for types of which
    /// [`Mapping::copy_as_text`] says so.
    pub fn binary(&self, bytes: &[u8]) -> Result<Value, ValueError> {
        self.read_binary(bytes).map_err(|reason| self.error("binary", reason))
    }

    fn error(&self, form: &'static str, reason: Reason) -> ValueError {
        ValueError { type_name: self.name.clone(), form, reason }
    }
}
