//! One line, parsed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::assemble::AssembleError;
use crate::lsn::Lsn;
use crate::table::TableName;

/// The type whose values lack their `\x`.
const BYTEA: u32 = 17;

/// A line; which fields are there depends on the action.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) action: String,
    pub(super) xid: Option<u32>,
    pub(super) timestamp: Option<String>,
    pub(super) origin: Option<u32>,
    lsn: Option<String>,
    nextlsn: Option<String>,
    schema: Option<String>,
    table: Option<String>,
    #[serde(borrow)]
    pub(super) columns: Option<Vec<LineColumn<'a>>>,
    #[serde(borrow)]
    pub(super) identity: Option<Vec<LineColumn<'a>>>,
    #[serde(borrow)]
    pub(super) pk: Option<Vec<LineColumn<'a>>>,
    pub(super) prefix: Option<String>,
    pub(super) content: Option<String>,
}

/// A column with its value; one of the primary key has none.
#[derive(Debug, Deserialize)]
pub(super) struct LineColumn<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(rename = "typeoid")]
    pub(super) type_id: u32,
    /// Unparsed, so that numbers keep all their digits.
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    pub(super) fn read(text: &'a str) -> Result<Line<'a>, AssembleError> {
        serde_json::from_str(text)
            .map_err(|error| AssembleError::Line { reason: error.to_string() })
    }

    /// Forgets columns.
    pub(super) fn leave_out(&mut self, names: &BTreeSet<String>) {
        for columns in [&mut self.columns, &mut self.identity, &mut self.pk].into_iter().flatten() {
            columns.retain(|column| !names.contains(&*column.name));
        }
    }

    pub(super) fn lacks(field: &str) -> AssembleError {
        let reason =
            format!("\"{field}\" is missing; the plugin's options must be those of OPTIONS");
        AssembleError::Line { reason }
    }

    pub(super) fn lsn(&self) -> Result<Lsn, AssembleError> {
        position("lsn", self.lsn.as_deref())
    }

    pub(super) fn next_lsn(&self) -> Result<Lsn, AssembleError> {
        position("nextlsn", self.nextlsn.as_deref())
    }

    pub(super) fn table_name(&self) -> Result<TableName, AssembleError> {
        let schema = self.schema.as_deref().ok_or_else(|| Line::lacks("schema"))?;
        let table = self.table.as_deref().ok_or_else(|| Line::lacks("table"))?;
        Ok(TableName::new(schema, table))
    }
}

fn position(field: &str, text: Option<&str>) -> Result<Lsn, AssembleError> {
    let text = text.ok_or_else(|| Line::lacks(field))?;
    text.parse().map_err(|error| AssembleError::Line { reason: format!("{field}: {error}") })
}

impl LineColumn<'_> {
    /// The text that the type's output function wrote; nothing for null.
    pub(super) fn text(&self) -> Result<Option<Cow<'_, str>>, AssembleError> {
        let Some(value) = self.value else { return Ok(None) };
        let value = value.get();
        let text = match value.as_bytes() {
            [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => &value[1..value.len() - 1],
            [b'"', ..] => {
                let text: String = serde_json::from_str(value)
                    .map_err(|error| AssembleError::Line { reason: error.to_string() })?;
                return Ok(Some(self.completed(text.into())));
            }
            _ => value,
        };
        Ok(Some(self.completed(text.into())))
    }

    fn completed<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self.type_id {
            BYTEA => format!("\\x{text}").into(),
            _ => text,
        }
    }
}
