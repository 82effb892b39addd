//! Reports of DDL, as the event triggers of [`setup`](crate::setup) write them into the log.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::table::{Column, Identity, Relation, TableName};

/// What a report says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SchemaReport {
    /// The object ids and names of tables that were dropped.
    pub(crate) dropped: Vec<(u32, TableName)>,
    /// Tables as they are now, with the names of columns that are generated and so not followed.
    pub(crate) tables: Vec<(Relation, BTreeSet<String>)>,
}

#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    dropped: Vec<DroppedJson>,
    #[serde(default)]
    tables: Vec<TableJson>,
}

#[derive(Deserialize)]
struct DroppedJson {
    id: u32,
    schema: String,
    table: String,
}

#[derive(Deserialize)]
struct TableJson {
    id: u32,
    schema: String,
    table: String,
    identity: String,
    columns: Vec<ColumnJson>,
    #[serde(default)]
    generated: Vec<String>,
}

#[derive(Deserialize)]
struct ColumnJson {
    name: String,
    #[serde(rename = "type")]
    type_id: u32,
    modifier: i32,
    key: bool,
}

impl SchemaReport {
    /// Reads a report. Anybody may write a message with its prefix, so that what is none says nothing.
    pub(crate) fn read(content: &[u8]) -> Option<SchemaReport> {
        let json: Json = serde_json::from_slice(content).ok()?;
        let dropped = json.dropped.into_iter();
        let dropped =
            dropped.map(|table| (table.id, TableName::new(table.schema, table.table))).collect();
        let table = |table: TableJson| {
            let columns = table.columns.into_iter().map(|column| Column {
                name: column.name,
                key: column.key,
                type_id: column.type_id,
                modifier: column.modifier,
            });
            let relation = Relation {
                id: table.id,
                name: TableName::new(table.schema, table.table),
                identity: Identity::of_text(&table.identity),
                columns: columns.collect(),
            };
            (relation, table.generated.into_iter().collect())
        };
        Some(SchemaReport { dropped, tables: json.tables.into_iter().map(table).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_is_gone_and_describes_what_is_there() {
        let report = br#"{"command": "ALTER TABLE",
            "dropped": [{"id": 7, "schema": "public", "table": "old"}],
            "tables": [{"id": 8, "schema": "other", "table": "file", "identity": "f", "generated": ["made"],
              "columns": [{"name": "id", "type": 23, "modifier": -1, "not_null": true, "key": true, "missing": null}]}]}"#;
        let report = SchemaReport::read(report).expect("a report");
        assert_eq!(report.dropped, [(7, TableName::new("public", "old"))]);
        let (relation, generated) = &report.tables[0];
        assert_eq!((relation.id, relation.identity), (8, Identity::Full));
        assert_eq!((relation.columns[0].name.as_str(), relation.columns[0].type_id), ("id", 23));
        assert!(relation.columns[0].key && generated.contains("made"));
    }

    #[test]
    fn what_is_no_report_says_nothing() {
        for content in ["", "{\"tables\": [{}]}", "\u{0}", "{\"dropped\": 1}"] {
            assert_eq!(SchemaReport::read(content.as_bytes()), None, "{content:?}");
        }
    }
}
