//! Rows by column name, as applications write them.

use penstock_operators::key::{Direction, Key, KeyBuffer, encode};
use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::value::Value;
use serde::Serialize;
use serde_json::Value as Json;

use crate::json::{describe, json_to_value};

/// A row, or some columns of one, by name. Made by [`row!`](crate::row), from pairs, from JSON or
/// from any [`Serialize`] type.
///
/// Not checked until it meets a table. Of several values for one column the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowInput(Vec<(String, Value)>);

/// Makes a [`RowInput`]: `row! { id: 7, open: false, "odd name": x }`.
///
/// Values are anything that converts into [`Value`](penstock_operators::value::Value).
#[macro_export]
macro_rules! row {
    (@name $name:ident) => { ::core::stringify!($name).trim_start_matches("r#") };
    (@name $name:literal) => { $name };
    ($($name:tt : $value:expr),* $(,)?) => {
        $crate::RowInput::new()$(.with($crate::row!(@name $name), $value))*
    };
}

impl RowInput {
    /// A row without columns yet.
    pub fn new() -> RowInput {
        RowInput::default()
    }

    /// Adds a column.
    #[must_use]
    pub fn with(mut self, column: impl Into<String>, value: impl Into<Value>) -> RowInput {
        self.0.push((column.into(), value.into()));
        self
    }

    /// The columns given, in the order given.
    pub fn columns(&self) -> &[(String, Value)] {
        &self.0
    }

    /// A row from a JSON object, with the types of the table's columns; see
    /// [`json_to_value`](crate::json::json_to_value).
    ///
    /// # Errors
    ///
    /// Names the column that the table does not have or that has a value of another type.
    pub fn from_json(table: &TableSchema, json: &Json) -> Result<RowInput, String> {
        let Json::Object(members) = json else {
            return Err(format!("expected an object with columns, found {}", describe(json)));
        };
        let mut columns = Vec::with_capacity(members.len());
        for (name, json) in members {
            let column = &table.columns()[column_index(table, name)?];
            let value = json_to_value(json, column.column_type, column.nullable)
                .map_err(|problem| format!("column \"{name}\": {problem}"))?;
            columns.push((name.clone(), value));
        }
        Ok(RowInput(columns))
    }

    /// A row from the fields of a struct or the entries of a map, by way of JSON: see
    /// [`from_json`](RowInput::from_json). A float that is not finite counts as null there.
    ///
    /// # Errors
    ///
    /// As [`from_json`](RowInput::from_json); and what the type's own serialisation refuses.
    pub fn from_serialize<T: Serialize + ?Sized>(
        table: &TableSchema,
        row: &T,
    ) -> Result<RowInput, String> {
        let json = serde_json::to_value(row).map_err(|error| error.to_string())?;
        RowInput::from_json(table, &json)
    }

    /// The whole row in the table's column order. Columns that are left out are null.
    ///
    /// # Errors
    ///
    /// Names the unknown column, or what [`TableSchema::check_row`] finds.
    pub fn to_row(&self, table: &TableSchema) -> Result<Row, String> {
        let mut values = vec![Value::Null; table.columns().len()];
        for (name, value) in &self.0 {
            values[column_index(table, name)?] = value.clone();
        }
        let row = Row::new(&values);
        table.check_row(&row)?;
        Ok(row)
    }

    /// A row with the given columns replaced. The others stay as they are, also where they are
    /// not of their column's type, as SQLite lets them.
    ///
    /// # Errors
    ///
    /// Names the unknown column, or what [`TableSchema::check_value`] finds.
    pub fn apply_to(&self, table: &TableSchema, row: &Row) -> Result<Row, String> {
        let mut changes: Vec<(usize, Value)> = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let column = column_index(table, name)?;
            changes.retain(|(changed, _)| *changed != column);
            changes.push((column, value.clone()));
        }
        for (column, value) in &changes {
            table.check_value(*column, value.as_ref())?;
        }
        Ok(row.with(&changes))
    }

    /// The primary key for error texts, as in `id = 7`; `None` where a column of it is missing or
    /// of another type.
    pub(crate) fn describe_key(&self, table: &TableSchema) -> Option<String> {
        let mut pairs = Vec::with_capacity(table.primary_key().len());
        for column in table.primary_key() {
            let column = &table.columns()[*column];
            let (_, value) = self.0.iter().rev().find(|(name, _)| *name == column.name)?;
            if value.is_null() || !column.column_type.accepts(value.as_ref()) {
                return None;
            }
            pairs.push(format!("{} = {value}", column.name));
        }
        Some(pairs.join(", "))
    }

    /// The primary-key columns that a JSON object has a fitting value for.
    pub(crate) fn key_from_json(table: &TableSchema, json: &Json) -> RowInput {
        let mut key = RowInput::new();
        for column in table.primary_key() {
            let column = &table.columns()[*column];
            if let Some(json) = json.get(&*column.name)
                && let Ok(value) = json_to_value(json, column.column_type, column.nullable)
            {
                key.0.push((column.name.to_string(), value));
            }
        }
        key
    }

    /// The encoded primary key; other columns may be present and do not matter.
    ///
    /// # Errors
    ///
    /// Names a column that the table does not have, or a primary-key column that is missing or of
    /// another type.
    pub fn primary_key(&self, table: &TableSchema) -> Result<Key, String> {
        for (name, _) in &self.0 {
            column_index(table, name)?;
        }
        let mut key = KeyBuffer::new();
        for column in table.primary_key() {
            let column = &table.columns()[*column];
            let value = self
                .0
                .iter()
                .rev()
                .find(|(name, _)| *name == column.name)
                .map(|(_, value)| value)
                .ok_or_else(|| format!("primary-key column \"{}\" is missing", column.name))?;
            if value.is_null() || !column.column_type.accepts(value.as_ref()) {
                return Err(format!(
                    "primary-key column \"{}\": expected {}, found {value}",
                    column.name, column.column_type
                ));
            }
            encode(&mut key, value.as_ref(), Direction::Asc);
        }
        Ok(Key::from_slice(&key))
    }
}

fn column_index(table: &TableSchema, name: &str) -> Result<usize, String> {
    table.column_index(name).ok_or_else(|| {
        let names: Vec<&str> = table.columns().iter().map(|column| &*column.name).collect();
        format!(
            "column \"{name}\" is not in table \"{}\"; it has: {}",
            table.name(),
            names.join(", ")
        )
    })
}

impl From<Vec<(String, Value)>> for RowInput {
    fn from(columns: Vec<(String, Value)>) -> RowInput {
        RowInput(columns)
    }
}

impl FromIterator<(String, Value)> for RowInput {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(columns: I) -> RowInput {
        RowInput(columns.into_iter().collect())
    }
}

impl IntoIterator for RowInput {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use penstock_operators::key::KeySpec;
    use penstock_operators::schema::{Schema, Table, TableId};
    use penstock_operators::value::ColumnType;
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        let table = Table::new("issue")
            .column("id", ColumnType::Integer)
            .column("title", ColumnType::Text)
            .nullable("weight", ColumnType::Number)
            .nullable("meta", ColumnType::Json)
            .primary_key(["title", "id"]);
        Schema::new([table]).expect("a valid schema")
    }

    fn check(input: Result<RowInput, String>, expected: Result<RowInput, &str>) {
        assert_eq!(input, expected.map_err(String::from));
    }

    #[test]
    fn the_macro_takes_names_texts_and_anything_that_is_a_value() {
        let title = String::from("x");
        let input = row! { id: 7, r#type: None::<bool>, "odd name": title.as_str(), };
        let expected = [
            ("id".to_owned(), Value::Int(7)),
            ("type".to_owned(), Value::Null),
            ("odd name".to_owned(), Value::from("x")),
        ];
        assert_eq!(input.columns(), expected);
        assert_eq!(RowInput::from(expected.to_vec()), input);
        assert_eq!(input.into_iter().collect::<RowInput>().columns(), expected);
        assert_eq!(row! {}, RowInput::new());
    }

    #[test]
    fn json_takes_the_types_of_the_columns() {
        let schema = schema();
        let read = |json: Json| RowInput::from_json(schema.table(TableId(0)), &json);
        let meta = Value::Json(r#"{"a":[1]}"#.into());
        check(
            read(json!({"id": 7.0, "title": "x", "weight": 0.5, "meta": {"a": [1]}})),
            Ok(row! { id: 7, meta: meta, title: "x", weight: 0.5 }),
        );
        check(read(json!({"weight": null})), Ok(row! { weight: Value::Null }));
        check(read(json!({"title": null})), Err("column \"title\": expected text, found null"));
        check(
            read(json!({"nr": 7})),
            Err("column \"nr\" is not in table \"issue\"; it has: id, title, weight, meta"),
        );
        check(read(json!([7])), Err("expected an object with columns, found an array"));
    }

    #[test]
    fn structs_are_rows() {
        #[derive(Serialize)]
        struct Issue {
            id: u32,
            title: &'static str,
            weight: Option<f64>,
            meta: Vec<u8>,
        }
        let schema = schema();
        let issue = Issue { id: 7, title: "x", weight: None, meta: vec![1, 2] };
        let row = RowInput::from_serialize(schema.table(TableId(0)), &issue)
            .and_then(|input| input.to_row(schema.table(TableId(0))))
            .expect("a row of the table");
        assert_eq!(
            row.to_values(),
            [Value::Int(7), Value::from("x"), Value::Null, Value::Json("[1,2]".into())]
        );
    }

    #[test]
    fn rows_are_whole_or_refused() {
        let schema = schema();
        let table = schema.table(TableId(0));
        let row = row! { title: "old", id: 7, title: "x" }.to_row(table).expect("a row");
        assert_eq!(row.to_values(), [Value::Int(7), Value::from("x"), Value::Null, Value::Null]);
        assert!(row! { id: 7 }.to_row(table).is_err_and(|error| error.contains("\"title\"")));
        assert!(row! { nr: 7 }.to_row(table).is_err_and(|error| error.contains("\"nr\"")));

        let changed = row! { weight: 1, weight: 2 }.apply_to(table, &row).expect("a row");
        assert_eq!(changed.get(2).to_owned(), Value::Int(2));
        assert_eq!(changed.with(&[(2, Value::Null)]), row);
        assert!(row! { title: Value::Null }.apply_to(table, &row).is_err());
        assert!(row! { nr: 7 }.apply_to(table, &row).is_err());
    }

    #[test]
    fn primary_keys_are_encoded_in_key_order() {
        let schema = schema();
        let table = schema.table(TableId(0));
        let input = row! { id: 7, title: "x" };
        let row = input.to_row(table).expect("a row");
        assert_eq!(input.primary_key(table), Ok(KeySpec::asc(&[1, 0]).key(&row)));
        assert_eq!(
            row! { id: 7 }.primary_key(table),
            Err("primary-key column \"title\" is missing".into())
        );
        assert_eq!(
            row! { title: "x", id: 7, nr: 7 }.primary_key(table),
            Err("column \"nr\" is not in table \"issue\"; it has: id, title, weight, meta".into())
        );
        assert_eq!(
            row! { title: "x", id: true }.primary_key(table),
            Err("primary-key column \"id\": expected integer, found true".into())
        );
    }
}
