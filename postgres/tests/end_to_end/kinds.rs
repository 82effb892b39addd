//! The types of columns: values of each, and how the server prints what the mapping makes of them.

use crate::form::Form;
use crate::literals as of;
use crate::rng::Rng;

/// What makes the types that are no built-in ones.
pub(crate) const MAKE_TYPES: &str = r#"
    create schema other;
    create type mood as enum ('sad', 'ok', 'happy, "very"');
    create type pair as (a int, b text, c numeric, d uuid);
    create domain positive as int check (value > 0);
    create domain label as text;
    create domain labels as text[]"#;

/// How values take part in conditions, orders and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Integers of 64 bits.
    Integer,
    /// Integers whose sums fit into 64 bits.
    Small,
    Boolean,
    Text,
    /// Numbers that are compared as doubles.
    Double,
    /// Times in milliseconds.
    Moment,
    Bytes,
    /// They only come and go.
    Opaque,
}

/// A type of columns.
pub(crate) struct Kind {
    /// As SQL declares it.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) class: Class,
    /// The SQL whose value in its form is compared; `$` stands for the column.
    pub(crate) read: &'static str,
    /// A literal that is not null.
    pub(crate) literal: fn(&mut Rng) -> String,
    /// One of few, for keys.
    pub(crate) key: Option<fn(&mut Rng) -> String>,
}

impl Kind {
    /// The SQL of a column's value in the mapping, as the server compares it.
    pub(crate) fn value(&self, column: &str) -> String {
        self.read.replace('$', column)
    }

    /// The SQL by which the server prints a column.
    pub(crate) fn printed(&self, column: &str) -> String {
        self.form.sql(&self.value(column))
    }
}

const fn kind(
    name: &'static str,
    form: Form,
    class: Class,
    read: &'static str,
    literal: fn(&mut Rng) -> String,
) -> Kind {
    Kind { name, form, class, read, literal, key: None }
}

const fn text(name: &'static str, literal: fn(&mut Rng) -> String) -> Kind {
    kind(name, Form::Text, Class::Opaque, "$", literal)
}

const fn list(name: &'static str, literal: fn(&mut Rng) -> String) -> Kind {
    kind(name, Form::MeaningOfJson, Class::Opaque, "to_json($)", literal)
}

const fn moment(name: &'static str, literal: fn(&mut Rng) -> String) -> Kind {
    kind(name, Form::Real, Class::Moment, "(extract(epoch from $) * 1000)::float8", literal)
}

const fn moments(name: &'static str, literal: fn(&mut Rng) -> String) -> Kind {
    let read = "case when $ is not null then (select coalesce(json_agg((extract(epoch from x) * 1000)::float8), '[]') \
                from unnest($) x) end";
    kind(name, Form::MeaningOfJson, Class::Opaque, read, literal)
}

const fn keyed(kind: Kind, key: fn(&mut Rng) -> String) -> Kind {
    Kind { key: Some(key), ..kind }
}

/// All of them.
pub(crate) static KINDS: &[Kind] = &[
    keyed(kind("int4", Form::Integer, Class::Small, "$", of::int4), |rng| of::few(rng, 60)),
    keyed(kind("int8", Form::Integer, Class::Integer, "$", of::int8), of::few_far),
    keyed(kind("int2", Form::Integer, Class::Small, "$", of::int2), |rng| of::few(rng, 50)),
    kind("oid", Form::Integer, Class::Integer, "$::int8", of::oid),
    keyed(kind("bool", Form::Boolean, Class::Boolean, "$", of::boolean), of::boolean),
    kind("float4", Form::Real, Class::Double, "nullif($::float8, 'NaN')", of::float4),
    kind("float8", Form::Real, Class::Double, "nullif($, 'NaN')", of::float8),
    kind("numeric", Form::Number, Class::Opaque, "$", of::numeric),
    keyed(kind("numeric(10,2)", Form::Number, Class::Double, "$", of::money_like), of::money_like),
    kind("numeric(30,6)", Form::Number, Class::Opaque, "$", of::numeric_30),
    keyed(moment("date", of::date), of::few_dates),
    moment("timestamp", of::timestamp),
    keyed(moment("timestamptz", of::timestamptz), of::few_moments),
    moment("timestamptz(3)", of::timestamptz),
    moment("time", of::time),
    kind(
        "timetz",
        Form::Real,
        Class::Moment,
        "(extract(epoch from ($ at time zone 'UTC')::time) * 1000)::float8",
        of::timetz,
    ),
    text("interval", of::interval),
    keyed(kind("text", Form::Text, Class::Text, "$", of::text), of::few_texts),
    kind("text", Form::Text, Class::Text, "$", of::long_text),
    kind("label", Form::Text, Class::Text, "$", of::long_text),
    keyed(kind("varchar(300)", Form::Text, Class::Text, "$", of::text), of::few_texts),
    text("char(7)", of::few_texts),
    text("name", of::few_texts),
    keyed(kind("uuid", Form::Text, Class::Text, "$::text", of::uuid), of::few_uuids),
    keyed(kind("mood", Form::Text, Class::Text, "$::text", of::mood), of::mood),
    kind("positive", Form::Integer, Class::Small, "$", of::positive),
    text("inet", of::inet),
    text("cidr", of::cidr),
    text("macaddr", of::macaddr),
    text("macaddr8", of::macaddr),
    text("bit(5)", of::bit),
    text("varbit", of::bit),
    text("xml", of::xml),
    text("money", of::money),
    text("int4range", of::int4range),
    text("numrange", of::numrange),
    text("tstzrange", of::tstzrange),
    text("daterange", of::daterange),
    text("int4multirange", of::multirange),
    text("point", of::point),
    text("box", of::square),
    text("circle", of::circle),
    text("path", of::path),
    text("tsvector", of::tsvector),
    text("tsquery", of::tsquery),
    text("pg_lsn", of::pg_lsn),
    text("jsonpath", of::jsonpath),
    keyed(kind("bytea", Form::Bytes, Class::Bytes, "$", of::bytea), of::few_bytes),
    kind("bytea", Form::Bytes, Class::Bytes, "$", of::long_bytea),
    kind("json", Form::Json, Class::Opaque, "$", of::json),
    kind("jsonb", Form::Json, Class::Opaque, "$", of::json),
    kind("jsonb", Form::Json, Class::Opaque, "$", of::long_json),
    list("int4[]", |rng| of::array(rng, "int4", of::int4)),
    list("int8[]", |rng| of::nested(rng, "int8", of::int8)),
    list("text[]", |rng| of::array(rng, "text", of::text)),
    list("labels", |rng| of::array(rng, "text", of::text)),
    list("text[]", |rng| of::nested(rng, "text", of::text)),
    list("bool[]", |rng| of::array(rng, "bool", of::boolean)),
    list("float8[]", |rng| of::array(rng, "float8", of::finite)),
    list("numeric[]", |rng| of::array(rng, "numeric", of::money_like)),
    list("uuid[]", |rng| of::array(rng, "uuid", of::uuid)),
    list("mood[]", |rng| of::array(rng, "mood", of::mood)),
    list("bytea[]", |rng| of::array(rng, "bytea", of::bytea)),
    list("inet[]", |rng| of::array(rng, "inet", of::inet)),
    list("box[]", |rng| of::array(rng, "box", of::square)),
    list("interval[]", |rng| of::array(rng, "interval", of::interval)),
    list("jsonb[]", |rng| of::array(rng, "jsonb", of::json)),
    moments("timestamptz[]", |rng| of::array(rng, "timestamptz", of::timestamptz)),
    moments("date[]", |rng| of::array(rng, "date", of::date)),
    list("pair", of::pair),
    list("pair[]", |rng| of::array(rng, "pair", of::pair)),
];

/// The kind with a name; the first of several.
pub(crate) fn named(name: &str) -> usize {
    KINDS.iter().position(|kind| kind.name == name).unwrap_or_else(|| panic!("no kind {name}"))
}
