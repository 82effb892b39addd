//! What a full screen shows: a result that is kept up to date, with what has just changed marked.
//! Knows no terminal and no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock::operators::key::Key;
use penstock::operators::view::Op;
use penstock::{Entry, Patch, Tree};

use crate::layout::{GAP, widths};
use penstock::tool::plain::{cells, is_numeric};
use penstock::tool::text::{fitted, one_line, shortened, width};

/// How long a change stays marked.
pub(crate) const MARKED_FOR: Duration = Duration::from_millis(1500);
/// How wide a column would like to be at most.
const COLUMN_WIDTH_MAX: usize = 60;
/// How many rows of a nested list are named in its cell.
const NESTED_SHOWN: usize = 4;
/// Lines that are not rows: two of heading, the columns' names, and the footer.
const FRAME_LINES: usize = 4;

const KEYS: &str = "q quit   ↑ ↓ PgUp PgDn Home End rows   ← → columns";

/// A result on a full screen. Times count from the start of the watch.
pub(crate) struct Screen {
    file: String,
    query: String,
    tree: Tree,
    columns: Vec<String>,
    to_the_right: Vec<bool>,
    rows: Vec<(Key, Vec<String>)>,
    marks: BTreeMap<Key, Mark>,
    transactions: u64,
    last: Option<Last>,
    /// What is wrong at the moment, in place of the footer's keys.
    pub(crate) trouble: Option<String>,
    /// The first row shown.
    top: usize,
    /// The first column shown.
    left: usize,
    /// How many rows the last drawing had room for.
    page: usize,
}

/// What has just changed in a row.
struct Mark {
    until: Duration,
    /// Which cells; none for a row that is new.
    cells: Option<Vec<bool>>,
}

/// The last transaction that changed the result.
struct Last {
    at: Duration,
    inserted: usize,
    removed: usize,
    changed: usize,
}

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As text.
    Plain,
    /// Bold.
    Strong,
    /// Dimmed.
    Faint,
    /// The columns' names.
    Head,
    /// A row that has just come.
    New,
    /// A cell that has just changed.
    Changed,
    /// Something wrong.
    Trouble,
}

/// One line: pieces of text that fill the screen's width or less.
pub(crate) type Line = Vec<(String, Look)>;

/// A movement of what is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scroll {
    /// By rows.
    Rows(isize),
    /// By pages.
    Pages(isize),
    /// By columns.
    Columns(isize),
    /// To the first row.
    Start,
    /// To the last row.
    End,
}

impl Screen {
    /// A screen for a result.
    pub(crate) fn new(file: &str, query: &str, tree: Tree) -> Screen {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut screen = Screen {
            file: one_line(file),
            query: one_line(&query),
            tree,
            columns: Vec::new(),
            to_the_right: Vec::new(),
            rows: Vec::new(),
            marks: BTreeMap::new(),
            transactions: 0,
            last: None,
            trouble: None,
            top: 0,
            left: 0,
            page: 1,
        };
        screen.fill();
        screen
    }

    /// Takes over changes, and marks them.
    pub(crate) fn change(&mut self, patches: &[Patch], now: Duration) {
        for patch in patches {
            self.mark(patch, now);
            self.tree.apply(patch);
        }
        if !patches.is_empty() {
            self.fill();
        }
    }

    fn mark(&mut self, patch: &Patch, now: Duration) {
        let until = now + MARKED_FOR;
        let table = self.tree.table();
        let columns = table.columns().len();
        let mut last = Last { at: now, inserted: 0, removed: 0, changed: 0 };
        for op in &patch.list().ops {
            match op {
                Op::Remove { key, .. } => {
                    last.removed += 1;
                    self.marks.remove(key);
                }
                Op::Insert { node } => {
                    last.inserted += 1;
                    self.marks.insert(node.key.clone(), Mark { until, cells: None });
                }
                Op::Keep { from, key, old, row, related } => {
                    last.changed += 1;
                    let mut cells: Vec<bool> = (0..columns)
                        .map(|at| old.get(table.position(at)) != row.get(table.position(at)))
                        .collect();
                    for (position, _) in related {
                        cells.resize(cells.len().max(columns + position + 1), false);
                        cells[columns + position] = true;
                    }
                    self.marks.remove(from);
                    self.marks.insert(key.clone(), Mark { until, cells: Some(cells) });
                }
            }
        }
        self.transactions += 1;
        self.last = Some(last);
    }

    /// Makes the cells from the tree.
    fn fill(&mut self) {
        let table = self.tree.table();
        let first = self.tree.first();
        let lists: Vec<String> =
            first.iter().flat_map(Entry::relationships).map(str::to_owned).collect();
        let names = table.columns().iter().map(|column| &column.name).chain(&lists);
        self.columns = names.map(|name| one_line(name)).collect();
        self.to_the_right =
            (0..table.columns().len()).map(|at| is_numeric(&self.tree, at)).collect();
        self.to_the_right.resize(self.columns.len(), false);
        let row = |entry: Entry| {
            let mut row = cells(&entry);
            row.extend(lists.iter().map(|name| nested(&entry, name)));
            (entry.key().clone(), row)
        };
        self.rows = self.tree.iter().map(row).collect();
    }

    /// Forgets marks whose time is over. Returns whether there were any.
    pub(crate) fn fade(&mut self, now: Duration) -> bool {
        let before = self.marks.len();
        self.marks.retain(|_, mark| mark.until > now);
        self.marks.len() < before
    }

    /// Moves what is shown.
    pub(crate) fn scroll(&mut self, by: Scroll) {
        let page = isize::try_from(self.page).unwrap_or(isize::MAX);
        match by {
            Scroll::Rows(rows) => self.top = self.top.saturating_add_signed(rows),
            Scroll::Pages(pages) => {
                self.top = self.top.saturating_add_signed(pages.saturating_mul(page));
            }
            Scroll::Columns(columns) => self.left = self.left.saturating_add_signed(columns),
            Scroll::Start => self.top = 0,
            Scroll::End => self.top = usize::MAX,
        }
        self.keep_within();
    }

    /// Not beyond what there is, as rows and screens come and go.
    fn keep_within(&mut self) {
        self.top = self.top.min(self.rows.len().saturating_sub(self.page));
        self.left = self.left.min(self.columns.len().saturating_sub(1));
    }

    /// The lines of a screen of a size; at most `height` of them.
    pub(crate) fn lines(&mut self, width: usize, height: usize, now: Duration) -> Vec<Line> {
        self.page = height.saturating_sub(FRAME_LINES).max(1);
        self.keep_within();
        let shown = self.top..(self.top + self.page).min(self.rows.len());
        let widths = self.widths(width);
        let mut lines = vec![
            self.heading(width, now),
            vec![(shortened(&self.query, width), Look::Faint)],
            self.line(&self.columns, &widths, width, |_| Look::Head),
        ];
        for (key, cells) in &self.rows[shown.clone()] {
            let mark = self.marks.get(key);
            let look = |at: usize| match mark.map(|mark| &mark.cells) {
                None => Look::Plain,
                Some(None) => Look::New,
                Some(Some(cells)) if cells.get(at) == Some(&true) => Look::Changed,
                Some(Some(_)) => Look::Plain,
            };
            lines.push(self.line(cells, &widths, width, look));
        }
        if self.rows.is_empty() {
            lines.push(vec![(shortened("(no rows)", width), Look::Faint)]);
        }
        lines.truncate(height.saturating_sub(1));
        lines.resize(height.saturating_sub(1), Line::new());
        if height > 0 {
            lines.push(self.footer(width, shown.start, shown.end));
        }
        lines
    }

    fn widths(&self, screen: usize) -> Vec<usize> {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .skip(self.left)
            .map(|(at, name)| {
                let cells = self.rows.iter().map(|(_, row)| width(&row[at]));
                cells.max().unwrap_or(0).max(width(name)).min(COLUMN_WIDTH_MAX)
            })
            .collect();
        widths(&natural, screen)
    }

    fn line(
        &self,
        cells: &[String],
        widths: &[usize],
        screen: usize,
        look: impl Fn(usize) -> Look,
    ) -> Line {
        let mut line = Line::new();
        let mut room = screen;
        for (at, width) in (self.left..).zip(widths) {
            let gap = if line.is_empty() { 0 } else { GAP };
            if room <= gap {
                break;
            }
            let text = fitted(&cells[at], *width, self.to_the_right[at]);
            let text = shortened(&text, room - gap);
            room -= gap + self::width(&text);
            if gap > 0 {
                // A row that is new is marked without holes.
                let between = if look(at) == Look::New { Look::New } else { Look::Plain };
                line.push((" ".repeat(gap), between));
            }
            line.push((text, look(at)));
        }
        line
    }

    fn heading(&self, width: usize, now: Duration) -> Line {
        let rows = match self.rows.len() {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        };
        let transactions = match self.transactions {
            1 => "1 transaction".to_owned(),
            transactions => format!("{transactions} transactions"),
        };
        let mut counts = format!("{rows} · {transactions}");
        if let Some(last) = &self.last {
            let signs = [('+', last.inserted), ('-', last.removed), ('~', last.changed)];
            let signs = signs.iter().filter(|(_, count)| *count > 0);
            let signs: String = signs.map(|(sign, count)| format!(" {sign}{count}")).collect();
            counts += &format!(" · last{signs}, {} ago", ago(now.saturating_sub(last.at)));
        }
        let counts = shortened(&counts, width);
        let room = width - self::width(&counts);
        let file = shortened(&self.file, room.saturating_sub(GAP));
        let space = " ".repeat(room - self::width(&file));
        vec![(file, Look::Strong), (space, Look::Plain), (counts, Look::Plain)]
    }

    fn footer(&self, width: usize, from: usize, to: usize) -> Line {
        if let Some(trouble) = &self.trouble {
            return vec![(shortened(&one_line(trouble), width), Look::Trouble)];
        }
        let place = match self.rows.len() {
            0 => String::new(),
            rows => format!("{}–{to} of {rows}", from + 1),
        };
        let place = shortened(&place, width);
        let room = width - self::width(&place);
        let keys = shortened(KEYS, room.saturating_sub(GAP));
        let space = " ".repeat(room - self::width(&keys));
        vec![(keys, Look::Faint), (space, Look::Plain), (place, Look::Faint)]
    }
}

/// A nested list in a cell: how many rows it has, and the first of them.
fn nested(entry: &Entry, name: &str) -> String {
    let Some(tree) = entry.related(name) else { return String::new() };
    let rows = tree.iter().map(|entry| cells(&entry).join(" "));
    if tree.is_singular() {
        return rows.take(1).collect();
    }
    let mut shown: Vec<String> = rows.take(NESTED_SHOWN).collect();
    if tree.len() > NESTED_SHOWN {
        shown.push("…".to_owned());
    }
    format!("({}) {}", tree.len(), shown.join(" · ")).trim_end().to_owned()
}

/// A time that has passed, in its largest whole unit.
fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests;
