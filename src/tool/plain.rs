//! Results and changes as plain text.

use std::io::{self, Write};

use crate::{Change, Entry, Patch, Path, Tree};

use super::text::{cell, difference, fitted, identity, one_line, row, width};

/// How wide a column of an aligned table may be.
const COLUMN_WIDTH_MAX: usize = 60;
/// What a nested list is indented by.
const INDENT: usize = 4;

/// Writes a result as an aligned table; a row's nested lists follow it, indented.
pub fn result(out: &mut dyn Write, tree: &Tree) -> io::Result<()> {
    table(out, tree, 0)
}

fn table(out: &mut dyn Write, tree: &Tree, indent: usize) -> io::Result<()> {
    let columns = tree.table().columns();
    let rows: Vec<Vec<String>> = tree.iter().map(|entry| cells(&entry)).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().map(|row| width(&row[at]));
            cells.max().unwrap_or(0).max(width(&column.name)).min(COLUMN_WIDTH_MAX)
        })
        .collect();
    let to_the_right: Vec<bool> = (0..columns.len()).map(|at| is_numeric(tree, at)).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).zip(&to_the_right);
        let fitted: Vec<String> =
            cells.map(|((cell, width), right)| fitted(cell, *width, *right)).collect();
        format!("{:indent$}{}", "", fitted.join("  ").trim_end())
    };
    let names: Vec<String> = columns.iter().map(|column| one_line(&column.name)).collect();
    let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    writeln!(out, "{}\n{}", line(&names), line(&rules))?;
    for (entry, row) in tree.iter().zip(&rows) {
        writeln!(out, "{}", line(row))?;
        nested(out, &entry, indent + INDENT)?;
    }
    if tree.is_empty() {
        writeln!(out, "{:indent$}(no rows)", "")?;
    }
    Ok(())
}

/// Whether a column holds numbers and nothing else, which stand to the right.
pub fn is_numeric(tree: &Tree, column: usize) -> bool {
    let table = tree.table();
    let position = table.position(column);
    let mut kinds = tree.nodes().iter().map(|node| node.row.get(position)).peekable();
    if kinds.peek().is_none() {
        return table.columns()[column].column_type.is_numeric();
    }
    kinds.all(|value| value.is_null() || value.as_f64().is_some())
}

/// The cells of a row, without its nested lists.
pub fn cells(entry: &Entry) -> Vec<String> {
    let row = entry.row();
    row.table().values(row.row()).map(|(_, value)| cell(value)).collect()
}

fn nested(out: &mut dyn Write, entry: &Entry, indent: usize) -> io::Result<()> {
    for name in entry.relationships() {
        let Some(tree) = entry.related(name) else { continue };
        if tree.is_empty() {
            continue;
        }
        writeln!(out, "{:indent$}{name}:", "")?;
        table(out, &tree, indent + 2)?;
    }
    Ok(())
}

/// Writes what one transaction changed: a line for each change, and a heading where there are
/// several.
pub fn patch(out: &mut dyn Write, patch: &Patch) -> io::Result<()> {
    if let Some(tree) = patch.reset_tree() {
        writeln!(out, "── too many changes to list; the result is now:")?;
        return result(out, tree);
    }
    let changes = patch.changes();
    if changes.len() > 1 {
        writeln!(out, "── {} changes in one transaction", changes.len())?;
    }
    let mut list = Path::default();
    for change in &changes {
        let (Change::Insert { path, .. }
        | Change::Remove { path, .. }
        | Change::Update { path, .. }
        | Change::Move { path, .. }) = change;
        if *path != list {
            heading(out, path)?;
            list = path.clone();
        }
        one(out, change, path.steps().len() * INDENT)?;
    }
    Ok(())
}

/// Where the changes that follow are: the rows and lists on the way to them.
fn heading(out: &mut dyn Write, path: &Path) -> io::Result<()> {
    let way: Vec<String> = path
        .steps()
        .iter()
        .map(|step| format!("{} › {}", identity(&step.row), step.relationship))
        .collect();
    let indent = path.steps().len().saturating_sub(1) * INDENT;
    if way.is_empty() { Ok(()) } else { writeln!(out, "{:indent$}  {}", "", way.join(" › ")) }
}

fn one(out: &mut dyn Write, change: &Change, indent: usize) -> io::Result<()> {
    write!(out, "{:indent$}", "")?;
    match change {
        Change::Insert { entry, .. } => {
            writeln!(out, "+ {}", row(&entry.row()))?;
            below(out, entry, indent + INDENT)
        }
        Change::Remove { row: old, .. } => writeln!(out, "- {}", row(old)),
        Change::Update { old, row: new, .. } => {
            writeln!(out, "~ {}: {}", identity(new), difference(old, new))
        }
        Change::Move { old, row: new, .. } => {
            writeln!(out, "~ {}: {} (moved)", identity(new), difference(old, new))
        }
    }
}

/// The rows that came with a row.
fn below(out: &mut dyn Write, entry: &Entry, indent: usize) -> io::Result<()> {
    for name in entry.relationships() {
        for entry in entry.related(name).iter().flatten() {
            writeln!(out, "{:indent$}{name}: {}", "", row(&entry.row()))?;
            below(out, &entry, indent + INDENT)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::samples::{change, database, subscribe, written};

    #[test]
    fn a_result_is_an_aligned_table_with_nested_ones() {
        let tree = subscribe(&database()).rows();
        assert_eq!(
            written(|out| result(out, &tree)),
            "\
id  title              due
──  ────────────────  ────
 2  NULL              10.0
30  a \"b\"\\nc          NULL
    notes:
      taskId  text
      ──────  ────
          30  日本
 1  water the plants   2.5
    notes:
      taskId  text
      ──────  ──────────────
           1  not the cactus
           1  twice
"
        );
    }

    #[test]
    fn changes_are_lines_under_the_row_that_they_are_below() {
        let db = database();
        let mut live = subscribe(&db);
        change(&db);
        let patches: Vec<Patch> = live.changes().collect();
        assert_eq!(patches.len(), 1);
        assert_eq!(
            written(|out| patch(out, &patches[0])),
            "\
── 6 changes in one transaction
- id: 2, title: NULL, due: 10.0
~ id: 30: due NULL → -1.5
  id: 30 › notes
    + taskId: 30, text: \"new\"
+ id: 4, title: \"b\", due: 1.0
    notes: taskId: 4, text: \"came along\"
~ id: 1: title \"water the plants\" → \"zebra\", due 2.5 → 3.0 (moved)
  id: 1 › notes
    - taskId: 1, text: \"twice\"
"
        );
    }

    #[test]
    fn a_single_change_has_no_heading() {
        let db = database();
        let mut live = subscribe(&db);
        db.transaction(|tx| tx.delete("task", penstock::row! { id: 2 })).expect("a transaction");
        let patches: Vec<Patch> = live.changes().collect();
        assert_eq!(written(|out| patch(out, &patches[0])), "- id: 2, title: NULL, due: 10.0\n");
    }
}
