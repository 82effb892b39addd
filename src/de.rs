//! Rows as serde sees them: maps from column names (and relationship names) to values.

use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::value::ColumnType;
use penstock_operators::value::ValueRef;
use serde::de::value::Error as ValueError;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::Error;
use crate::tree::{Entries, Entry, Tree};

/// Integers up to here are the same as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Converts a row.
pub(crate) fn row<T: DeserializeOwned>(table: &TableSchema, row: &Row) -> Result<T, Error> {
    let columns = Columns { table, row, at: 0 };
    T::deserialize(MapOf(columns)).map_err(convert(table))
}

/// Converts a row with its related rows.
pub(crate) fn entry<T: DeserializeOwned>(entry: &Entry) -> Result<T, Error> {
    check_singular(entry, "")?;
    T::deserialize(EntryDeserializer(entry)).map_err(convert(entry.table()))
}

/// Finds a violated `one` before serde does, which could only say it in words.
fn check_singular(entry: &Entry, path: &str) -> Result<(), Error> {
    for (position, name) in entry.relationships().enumerate() {
        if let Some(tree) = entry.related_at(position) {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            tree.one_of(&path)?;
            tree.iter().try_for_each(|entry| check_singular(&entry, &path))?;
        }
    }
    Ok(())
}

fn convert(table: &TableSchema) -> impl FnOnce(ValueError) -> Error + use<> {
    let table = table.name().to_owned();
    move |error| Error::Convert { table, problem: error.to_string() }
}

struct MapOf<A>(A);

impl<'de, A: MapAccess<'de, Error = ValueError>> Deserializer<'de> for MapOf<A> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_map(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

struct EntryDeserializer<'a>(&'a Entry);

impl<'de> Deserializer<'de> for EntryDeserializer<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let columns = Columns { table: self.0.table(), row: &self.0.node().row, at: 0 };
        visitor.visit_map(EntryFields { columns, entry: self.0, related: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

struct Columns<'a> {
    table: &'a TableSchema,
    row: &'a Row,
    at: usize,
}

impl<'de> MapAccess<'de> for Columns<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        let Some(column) = self.table.columns().get(self.at) else { return Ok(None) };
        seed.deserialize((&*column.name).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        let column = &self.table.columns()[self.at];
        let value =
            ValueDeserializer(self.row.get(self.table.position(self.at)), column.column_type);
        self.at += 1;
        seed.deserialize(value)
            .map_err(|error| ValueError::custom(format!("column \"{}\": {error}", column.name)))
    }
}

struct EntryFields<'a> {
    columns: Columns<'a>,
    entry: &'a Entry,
    related: usize,
}

impl<'de> MapAccess<'de> for EntryFields<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        if self.columns.at < self.columns.table.columns().len() {
            return self.columns.next_key_seed(seed);
        }
        let name = self.entry.relationships().nth(self.related);
        name.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        if self.columns.at < self.columns.table.columns().len() {
            return self.columns.next_value_seed(seed);
        }
        let tree = self.entry.related_at(self.related);
        self.related += 1;
        let tree = tree.ok_or_else(|| ValueError::custom("a relationship without a list"))?;
        seed.deserialize(TreeDeserializer(tree))
    }
}

struct TreeDeserializer(Tree);

impl<'de> Deserializer<'de> for TreeDeserializer {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if !self.0.is_singular() {
            return visitor.visit_seq(TreeRows(self.0.into_iter()));
        }
        match self.0.first() {
            Some(entry) => EntryDeserializer(&entry).deserialize_any(visitor),
            None => visitor.visit_none(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.0.is_singular() && self.0.is_empty() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct TreeRows(Entries);

impl<'de> SeqAccess<'de> for TreeRows {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        self.0.next().map(|entry| seed.deserialize(EntryDeserializer(&entry))).transpose()
    }
}

struct ValueDeserializer<'a>(ValueRef<'a>, ColumnType);

impl<'de> Deserializer<'de> for ValueDeserializer<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            ValueRef::Null => visitor.visit_none(),
            ValueRef::Bool(value) => visitor.visit_bool(value),
            ValueRef::Int(value) => visitor.visit_i64(value),
            // A column of either kind of number may hold 5 as 5.0.
            ValueRef::Float(value)
                if self.1 == ColumnType::Number && value.fract() == 0.0 && value.abs() < EXACT =>
            {
                visitor.visit_i64(value as i64)
            }
            ValueRef::Float(value) => visitor.visit_f64(value),
            ValueRef::Text(value) => visitor.visit_str(value),
            ValueRef::Blob(value) => visitor.visit_bytes(value),
            ValueRef::Json(text) => {
                let json: serde_json::Value =
                    serde_json::from_str(text).map_err(ValueError::custom)?;
                json.deserialize_any(visitor).map_err(ValueError::custom)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            ValueRef::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            ValueRef::Text(value) => visitor.visit_enum(value.into_deserializer()),
            ValueRef::Json(text) => {
                let json: serde_json::Value =
                    serde_json::from_str(text).map_err(ValueError::custom)?;
                json.deserialize_enum(name, variants, visitor).map_err(ValueError::custom)
            }
            other => Err(ValueError::custom(format!("expected a variant name, found {other}"))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            // A `Vec<u8>` asks for a sequence.
            ValueRef::Blob(bytes) => {
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(bytes.iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
