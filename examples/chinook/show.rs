//! Results and changes on a terminal.

use std::io::{self, Write};

use penstock::{Change, Patch, RowView, Tree};

use super::format::{name, shortened, value};
use super::queries::Watched;

/// How wide a column may be, in characters.
const COLUMN_MAX: usize = 44;
/// How wide the last column may be.
const LAST_COLUMN_MAX: usize = 96;
/// How many changes of one result are shown for one transaction.
const CHANGES_MAX: usize = 8;

/// Whether to use colours.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) colour: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint(DIM, text)
    }
}

/// Prints a result as a table.
pub(crate) fn result(
    out: &mut dyn Write,
    style: Style,
    watched: &Watched,
    tree: &Tree,
) -> io::Result<()> {
    writeln!(out, "{}", style.strong(&watched.title))?;
    let last = watched.columns.len().saturating_sub(1);
    let rows: Vec<Vec<String>> = tree
        .iter()
        .map(|entry| {
            let cells = watched.columns.iter().enumerate().map(|(at, column)| {
                let widest = if at == last { LAST_COLUMN_MAX } else { COLUMN_MAX };
                shortened(&(column.cell)(&entry), widest)
            });
            cells.collect()
        })
        .collect();
    let characters = |text: &str| text.chars().count();
    let widths: Vec<usize> = watched
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().map(|row| characters(&row[at]));
            cells.max().unwrap_or(0).max(characters(column.header))
        })
        .collect();
    let line = |cells: &[&str]| {
        let padded =
            cells.iter().zip(&widths).zip(&watched.columns).map(|((cell, width), column)| {
                let (cell, width) = (*cell, *width);
                if column.to_the_right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let headers: Vec<&str> = watched.columns.iter().map(|column| column.header).collect();
    writeln!(out, "{}", style.faint(&line(&headers)))?;
    for row in &rows {
        writeln!(out, "{}", line(&row.iter().map(String::as_str).collect::<Vec<_>>()))?;
    }
    if rows.is_empty() {
        writeln!(out, "  {}", style.faint("no rows"))?;
    }
    writeln!(out)
}

/// Prints what a transaction changed in a result.
pub(crate) fn changes(
    out: &mut dyn Write,
    style: Style,
    watched: &Watched,
    patches: &[Patch],
) -> io::Result<()> {
    let changes: Vec<Change> = patches.iter().flat_map(Patch::changes).collect();
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}", style.paint(CYAN, &watched.title))?;
    for change in changes.iter().take(CHANGES_MAX) {
        writeln!(out, "    {}", one_change(style, watched, change))?;
    }
    if changes.len() > CHANGES_MAX {
        let more = format!("and {} more", changes.len() - CHANGES_MAX);
        writeln!(out, "    {}", style.faint(&more))?;
    }
    Ok(())
}

fn one_change(style: Style, watched: &Watched, change: &Change) -> String {
    let (code, sign, path, text) = match change {
        Change::Insert { path, entry } if path.steps().is_empty() => {
            let cells: Vec<String> =
                watched.columns.iter().map(|column| (column.cell)(entry)).collect();
            (GREEN, '+', path, cells.join(" | "))
        }
        Change::Insert { path, entry } => (GREEN, '+', path, name(&entry.row())),
        Change::Remove { path, row } => (RED, '-', path, name(row)),
        Change::Update { path, old, row } => (YELLOW, '~', path, difference(old, row)),
        Change::Move { path, old, row } => (YELLOW, '↕', path, difference(old, row)),
    };
    let way: String = path
        .steps()
        .iter()
        .map(|step| format!("{} › {} › ", name(&step.row), step.relationship))
        .collect();
    let line = format!("{sign} {}{}", style.faint(&way), shortened(&text, 2 * COLUMN_MAX));
    style.paint(code, &line)
}

/// A row with the columns that changed.
fn difference(old: &RowView, new: &RowView) -> String {
    let columns = new.table().columns().iter().enumerate();
    let changed = columns.filter_map(|(at, column)| {
        let (old, new) = (old.row().get(at), new.row().get(at));
        let name = &column.name;
        (old != new).then(|| format!("{name} {} → {}", value(name, old), value(name, new)))
    });
    format!("{}: {}", name(new), changed.collect::<Vec<_>>().join(", "))
}
