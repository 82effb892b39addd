//! What a line tells about the description of its table.

use super::line::{Line, LineColumn};
use crate::described::Described;
use crate::table::{Column, Identity, Relation, TableName};

/// The description of a table, if a line shows that it is another one than what is known.
pub(super) fn description(
    known: Option<&Described>,
    name: &TableName,
    line: &Line<'_>,
) -> Option<Relation> {
    let Some(known) = known else {
        return Some(unseen(name, line));
    };
    let relation = &known.relation;
    let (new, old) = (line.columns.as_deref(), line.identity.as_deref());
    let covers = |old: &[LineColumn<'_>], new: &[LineColumn<'_>]| {
        new.iter().all(|column| old.iter().any(|other| other.name == column.name))
    };
    // A line that has every column of the table: those that it does not have were dropped.
    let whole = match (line.action.as_str(), new, old) {
        ("I", Some(new), _) => Some(new),
        ("D", _, Some(old)) if relation.identity == Identity::Full => Some(old),
        ("U", Some(new), Some(old)) if relation.identity == Identity::Full && covers(old, new) => {
            Some(old)
        }
        _ => None,
    };
    let listed = whole.or(new).or(old).unwrap_or_default();
    let columns = match whole {
        Some(listed) => listed.iter().map(|listed| column(known, listed)).collect(),
        None => columns(known, listed, line.action == "U"),
    };
    let mut described = Relation { columns, ..Relation::clone(relation) };
    if let Some(old) = old {
        identify(&mut described, old, line.pk.as_deref().unwrap_or_default());
    }
    (described != **relation).then_some(described)
}

/// The columns of a table of which these are listed, in the order of the table.
fn columns(known: &Described, listed: &[LineColumn<'_>], lacks_large: bool) -> Vec<Column> {
    let known_columns = known.relation.columns.iter().zip(&known.mappings);
    let mut columns: Vec<Column> = known_columns
        .filter_map(|(before, mapping)| {
            match listed.iter().find(|listed| listed.name == before.name) {
                Some(listed) => Some(column(known, listed)),
                None if lacks_large && mapping.is_of_fixed_size() => None,
                None => Some(before.clone()),
            }
        })
        .collect();
    for new in listed {
        if !columns.iter().any(|column| column.name == new.name) {
            columns.push(column(known, new));
        }
    }
    columns
}

/// A column of a table, as a line lists it.
fn column(known: &Described, listed: &LineColumn<'_>) -> Column {
    let mut columns = known.relation.columns.iter();
    match columns.find(|column| column.name == listed.name) {
        Some(column) if column.type_id == listed.type_id => column.clone(),
        Some(column) => Column { type_id: listed.type_id, modifier: -1, ..Column::clone(column) },
        None => new_column(listed, known.relation.identity == Identity::Full),
    }
}

fn new_column(listed: &LineColumn<'_>, key: bool) -> Column {
    Column { name: listed.name.to_string(), key, type_id: listed.type_id, modifier: -1 }
}

/// A table of which nothing is known but this line.
fn unseen(name: &TableName, line: &Line<'_>) -> Relation {
    let pk = line.pk.as_deref().unwrap_or_default();
    let new = line.columns.as_deref().unwrap_or_default();
    let old = line.identity.as_deref().unwrap_or_default();
    // A full old row has the large values that the new one lacks.
    let listed = if old.len() > new.len() { old } else { new };
    let is_key = |listed: &LineColumn<'_>| pk.iter().any(|key| key.name == listed.name);
    let columns = listed.iter().map(|listed| new_column(listed, is_key(listed))).collect();
    let identity = Identity::Default;
    let mut relation = Relation { id: 0, name: name.clone(), identity, columns };
    if let Some(old) = &line.identity {
        identify(&mut relation, old, pk);
    }
    relation
}

/// Sets which columns are the replica identity, if that is not what it was.
fn identify(relation: &mut Relation, old: &[LineColumn<'_>], pk: &[LineColumn<'_>]) {
    let among =
        |columns: &[LineColumn<'_>], name: &str| columns.iter().any(|column| column.name == name);
    if relation.columns.iter().all(|column| column.key == among(old, &column.name)) {
        return;
    }
    for column in &mut relation.columns {
        column.key = among(old, &column.name);
    }
    let is_pk = relation.columns.iter().all(|column| column.key == among(pk, &column.name));
    relation.identity = if is_pk {
        Identity::Default
    } else if relation.columns.iter().all(|column| column.key) {
        Identity::Full
    } else {
        Identity::Index
    };
}
