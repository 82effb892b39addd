//! Scopes: the tables of a FROM by name, and which column a name means.

use sqlparser::ast::Ident;

use super::bound::{Bound, Traits};
use super::error::{Outcome, Place};
use super::slot::Slot;
use crate::query::suggestion;

/// A column of a table in FROM.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) traits: Traits,
    /// Whether `*` leaves it out, as the second of two columns joined by USING.
    pub(super) merged: bool,
}

/// A table of a FROM.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What it is called.
    pub(super) name: String,
    pub(super) columns: Vec<ScopeColumn>,
    /// The slot of its first column.
    pub(super) start: usize,
    /// Of a base table the columns of the primary key: where rows are grouped by them, its other
    /// columns are known.
    pub(super) key: Vec<usize>,
}

/// The tables of a FROM.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) items: Vec<Item>,
}

/// A scope with those around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Env<'e> {
    pub(super) scope: &'e Scope,
    pub(super) outer: Option<&'e Env<'e>>,
}

/// Whether two names are the same in SQL.
pub(super) fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

impl Scope {
    /// How many slots its tables have.
    pub(super) fn width(&self) -> usize {
        self.items.last().map_or(0, |item| item.start + item.columns.len())
    }

    /// The table of a slot, with the position of the column in it.
    pub(super) fn item_of(&self, slot: usize) -> Option<(&Item, usize)> {
        let item = self.items.iter().rev().find(|item| item.start <= slot)?;
        (slot - item.start < item.columns.len()).then_some((item, slot - item.start))
    }

    pub(super) fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| same(&item.name, name))
    }

    /// The column of a name, among all tables or in one.
    fn column(&self, table: Option<&str>, name: &str, place: Place) -> Outcome<Option<Bound>> {
        let mut found: Option<(&Item, usize)> = None;
        for item in &self.items {
            if table.is_some_and(|table| !same(table, &item.name)) {
                continue;
            }
            let Some(at) = item.columns.iter().position(|column| same(&column.name, name)) else {
                continue;
            };
            match found {
                // The column that it was merged with means both.
                Some(_) if item.columns[at].merged => {}
                Some((other, _)) => {
                    return place.refuse(format!(
                        "column \"{name}\" is ambiguous: it is in \"{}\" and in \"{}\"; write \
                         {}.{name} or {}.{name}",
                        other.name, item.name, other.name, item.name
                    ));
                }
                None => found = Some((item, at)),
            }
        }
        Ok(found
            .map(|(item, at)| Bound::slot(Slot::From(item.start + at), item.columns[at].traits)))
    }
}

impl Env<'_> {
    /// The column of a name: of this scope, or as an outer slot of the one around.
    pub(super) fn column(
        &self,
        table: Option<&str>,
        name: &str,
        place: Place,
    ) -> Outcome<Option<Bound>> {
        if let Some(found) = self.scope.column(table, name, place)? {
            return Ok(Some(found));
        }
        let mut around = self.outer;
        let mut levels = 0;
        while let Some(env) = around {
            levels += 1;
            if let Some(found) = env.scope.column(table, name, place)? {
                if levels > 1 {
                    return place.refuse(format!(
                        "column \"{name}\" is of a SELECT two levels out; a subquery can refer to \
                         the SELECT directly around it"
                    ));
                }
                let Bound { expr, traits } = found;
                let expr = super::slot::map_slots(&expr, &mut |slot| Slot::Outer(slot).number());
                return Ok(Some(Bound { expr, traits }));
            }
            around = env.outer;
        }
        Ok(None)
    }

    /// The error of a name that no scope has.
    pub(super) fn unknown(&self, parts: &[Ident], place: Place) -> crate::query::QueryError {
        let (table, name) = match parts {
            [.., table, name] => (Some(table), name),
            [name] => (None, name),
            [] => return place.error("a name is missing"),
        };
        let row_ids = ["rowid", "oid", "_rowid_"];
        if row_ids.iter().any(|row_id| same(row_id, &name.value)) {
            return place.error(format!(
                "{} is not a column here; declare an INTEGER PRIMARY KEY column and use its name",
                name.value
            ));
        }
        if let Some(table) = table {
            let Some(item) = self.find(&table.value) else {
                let known = self.scope.items.iter().map(|item| item.name.as_str());
                return place.error(format!(
                    "there is no table \"{}\" in FROM; {}",
                    table.value,
                    suggestion(&table.value, known, "it")
                ));
            };
            let known = item.columns.iter().map(|column| column.name.as_str());
            return place.error(format!(
                "column \"{}\" is not in \"{}\"; {}",
                name.value,
                item.name,
                suggestion(&name.value, known, "it")
            ));
        }
        if name.quote_style == Some('"') {
            return place.error(format!(
                "\"{0}\" is not a column; for a text write it in single quotes: '{0}'",
                name.value
            ));
        }
        let known = self.scope.items.iter().flat_map(|item| &item.columns);
        let known = known.map(|column| column.name.as_str());
        let hint = suggestion(&name.value, known, "FROM");
        place.error(format!("there is no column \"{}\"; {hint}", name.value))
    }

    fn find(&self, name: &str) -> Option<&Item> {
        self.scope.item(name).or_else(|| self.outer?.find(name))
    }
}
