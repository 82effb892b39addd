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
    let columns = columns(known, listed, line.action == "U" && whole.is_none(), whole.is_some());
    let mut described = Relation { columns, ..Relation::clone(relation) };
    if let Some(old) = old {
        identify(&mut described, old, line.pk.as_deref().unwrap_or_default());
    }
    (described != **relation).then_some(described)
}

/// The columns of a table of which these are listed, in the order of the table.
fn columns(
    known: &Described,
    listed: &[LineColumn<'_>],
    lacks_large: bool,
    is_whole: bool,
) -> Vec<Column> {
    let is_listed = |column: &Column| {
        let same = |other: &&LineColumn<'_>| other.name == column.name;
        listed.iter().find(same).map(|other| other.type_id)
    };
    let known_columns = known.relation.columns.iter().zip(&known.mappings);
    let mut columns: Vec<Column> = known_columns
        .filter_map(|(column, mapping)| match is_listed(column) {
            Some(type_id) if type_id == column.type_id => Some(column.clone()),
            Some(type_id) => Some(Column { type_id, modifier: -1, ..column.clone() }),
            None if is_whole || (lacks_large && mapping.is_of_fixed_size()) => None,
            None => Some(column.clone()),
        })
        .collect();
    for new in listed {
        if !columns.iter().any(|column| column.name == new.name) {
            let key = known.relation.identity == Identity::Full;
            columns.push(column(new, key));
        }
    }
    columns
}

fn column(listed: &LineColumn<'_>, key: bool) -> Column {
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
    let columns = listed.iter().map(|listed| column(listed, is_key(listed))).collect();
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
