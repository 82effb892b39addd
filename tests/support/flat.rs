//! A patch's flat changes applied to a naive tree, with checks of each change on the way.

use penstock::{Change, Entry, Patch, Path, RowView, Tree};

use super::evaluate::{Node, compare_rows};
use super::model::{Row, TableModel};
use super::query::{Body, TestQuery};
use super::values::identical_rows;

/// A tree of the engine as a naive one.
pub(crate) fn nodes(tree: &Tree) -> Vec<Node> {
    tree.iter().map(|entry| node(&entry)).collect()
}

fn node(entry: &Entry) -> Node {
    let lists =
        entry.relationships().map(|name| entry.related(name).iter().flat_map(nodes).collect());
    Node { row: values(&entry.row()), related: lists.collect() }
}

pub(crate) fn values(row: &RowView) -> Row {
    row.row().to_values()
}

/// One list of a tree with what says how it is ordered and limited.
struct List<'t, 'q> {
    nodes: &'t mut Vec<Node>,
    table: usize,
    body: &'q Body,
}

/// Applies the changes in the order in which they come.
pub(crate) fn apply(
    tree: &mut Vec<Node>,
    query: &TestQuery,
    tables: &[TableModel],
    patch: &Patch,
) -> Result<(), String> {
    let mut seen: Vec<String> = Vec::new();
    for change in patch.changes() {
        let (path, row) = match &change {
            Change::Insert { path, entry } => (path, entry.row()),
            Change::Remove { path, row } => (path, row.clone()),
            Change::Update { path, row, .. } | Change::Move { path, row, .. } => {
                (path, row.clone())
            }
        };
        let place = format!("{path}{}", row.describe_key());
        if seen.contains(&place) {
            return Err(format!("two changes of one row at one path: {change}"));
        }
        seen.push(place);
        let list = find(tree, query, tables, path).map_err(|error| format!("{change}: {error}"))?;
        if row.table().name() != tables[list.table].name {
            return Err(format!("{change}: the row is of table {}", row.table().name()));
        }
        change_list(list, tables, &change).map_err(|error| format!("{change}: {error}"))?;
    }
    Ok(())
}

fn find<'t, 'q>(
    tree: &'t mut Vec<Node>,
    query: &'q TestQuery,
    tables: &[TableModel],
    path: &Path,
) -> Result<List<'t, 'q>, String> {
    let mut list = List { nodes: tree, table: query.table, body: &query.body };
    for step in path.steps() {
        let row = values(&step.row);
        if step.row.table().name() != tables[list.table].name {
            return Err(format!("a step through a row of {}", step.row.table().name()));
        }
        let at = list
            .body
            .related
            .iter()
            .position(|(name, _)| *name == step.relationship)
            .ok_or_else(|| format!("there is no relationship {}", step.relationship))?;
        let node = list
            .nodes
            .iter_mut()
            .find(|node| identical_rows(&node.row, &row))
            .ok_or_else(|| format!("a step through {}, which is not there", step.row))?;
        let sub = &list.body.related[at].1;
        list = List { nodes: &mut node.related[at], table: sub.table(), body: &sub.body };
    }
    Ok(list)
}

fn change_list(list: List<'_, '_>, tables: &[TableModel], change: &Change) -> Result<(), String> {
    let List { nodes, table, body } = list;
    let order = body.completed(&tables[table]);
    let insert = |nodes: &mut Vec<Node>, node: Node| {
        let at = nodes.partition_point(|other| compare_rows(&other.row, &node.row, &order).is_lt());
        if nodes.get(at).is_some_and(|next| compare_rows(&next.row, &node.row, &order).is_eq()) {
            return Err("there is a row at that place already".to_owned());
        }
        nodes.insert(at, node);
        Ok(())
    };
    let take = |nodes: &mut Vec<Node>, row: &RowView| {
        let row = values(row);
        let at = nodes.iter().position(|node| identical_rows(&node.row, &row));
        Ok::<Node, String>(nodes.remove(at.ok_or("the row is not there")?))
    };
    match change {
        Change::Insert { entry, .. } => insert(nodes, node(entry))?,
        Change::Remove { row, .. } => drop(take(nodes, row)?),
        Change::Update { old, row, .. } | Change::Move { old, row, .. } => {
            let moved = matches!(change, Change::Move { .. });
            let mut node = take(nodes, old)?;
            let new = values(row);
            if identical_rows(&node.row, &new) {
                return Err("nothing differs".to_owned());
            }
            if compare_rows(&node.row, &new, &order).is_ne() != moved {
                return Err(format!(
                    "it is not true that it {}",
                    if moved { "moved" } else { "stayed" }
                ));
            }
            node.row = new;
            insert(nodes, node)?;
        }
    }
    if body.effective_limit().is_some_and(|limit| nodes.len() > limit) {
        return Err("the list is beyond its limit".to_owned());
    }
    Ok(())
}
