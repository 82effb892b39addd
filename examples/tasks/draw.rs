//! What the screen shows, as lines of text. Knows no terminal. Widths are in terminal columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::panes::{projects, tasks};
use super::views::Shown;

/// Below this width the panes stand one above the other.
const SIDE_BY_SIDE_MIN: usize = 76;
/// How wide the pane of projects is at most.
const RIGHT_WIDTH_MAX: usize = 46;
/// Lines below the panes.
const FOOT_LINES: usize = 3;

const KEYS: &str =
    "a add  space done  d delete  n note  +/- priority  m next project  f show done  q quit";

/// Everything that decides what the screen shows.
pub(crate) struct Picture<'a> {
    pub(crate) shown: &'a Shown,
    pub(crate) file: &'a str,
    pub(crate) with_done: bool,
    /// The task that keys act on.
    pub(crate) selected: Option<i64>,
    /// Tasks and projects that have just changed, by their ids.
    pub(crate) fresh_tasks: &'a [i64],
    pub(crate) fresh_projects: &'a [i64],
    /// A question and the answer so far.
    pub(crate) prompt: Option<(&'a str, &'a str)>,
    /// What went wrong.
    pub(crate) trouble: Option<&'a str>,
}

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Strong,
    Faint,
    Selected,
    Fresh,
    Urgent,
    Done,
    Trouble,
}

/// One line.
pub(crate) type Line = Vec<(String, Look)>;

/// The lines of a screen of a size; exactly `height` of them, each at most `width` wide.
pub(crate) fn lines(picture: &Picture<'_>, width: usize, height: usize) -> Vec<Line> {
    let body = height.saturating_sub(FOOT_LINES);
    let mut lines = if width >= SIDE_BY_SIDE_MIN {
        side_by_side(picture, width, body)
    } else {
        stacked(picture, width, body)
    };
    lines.resize(height.saturating_sub(FOOT_LINES), Line::new());
    lines.extend(foot(picture, width));
    lines.truncate(height);
    lines
}

fn side_by_side(picture: &Picture<'_>, width: usize, height: usize) -> Vec<Line> {
    let right_width = (width * 2 / 5).min(RIGHT_WIDTH_MAX);
    let left_width = width - right_width - 3;
    let mut left = tasks(picture, left_width, height);
    let mut right = projects(picture, right_width);
    right.truncate(height);
    left.resize(height, Line::new());
    right.resize(height, Line::new());
    let pairs = left.into_iter().zip(right);
    pairs
        .map(|(mut line, right)| {
            let used: usize = line.iter().map(|(text, _)| text.width()).sum();
            line.push((" ".repeat(left_width - used), Look::Plain));
            line.push((" │ ".to_owned(), Look::Faint));
            line.extend(right);
            line
        })
        .collect()
}

fn stacked(picture: &Picture<'_>, width: usize, height: usize) -> Vec<Line> {
    let mut below = projects(picture, width);
    // A third is for the projects, where that is worth having.
    below.truncate(if height < 9 { 0 } else { height / 3 });
    let above = height - below.len() - usize::from(!below.is_empty());
    let mut lines = tasks(picture, width, above);
    if !below.is_empty() {
        lines.resize(above, Line::new());
        lines.push(vec![("─".repeat(width), Look::Faint)]);
    }
    lines.extend(below);
    lines
}

fn foot(picture: &Picture<'_>, width: usize) -> Vec<Line> {
    let id = picture.selected.unwrap_or(1);
    let first = match (picture.prompt, picture.trouble) {
        (Some((question, answer)), _) => {
            // The end of a long answer is what is being typed.
            let room = width.saturating_sub(question.width() + 3);
            let answer = last_of(answer, room);
            vec![(shortened(&format!("{question}: {answer}▏"), width), Look::Strong)]
        }
        (None, Some(trouble)) => vec![(shortened(trouble, width), Look::Trouble)],
        (None, None) => Line::new(),
    };
    let sql = format!("UPDATE task SET done = NOT done WHERE id = {id}");
    let shell = format!("sqlite3 {} \"{sql}\"", picture.file);
    vec![
        first,
        vec![(shortened(KEYS, width), Look::Faint)],
        vec![(shortened(&shell, width), Look::Faint)],
    ]
}

/// A text of at most a width, with `…` where it was cut.
pub(crate) fn shortened(text: &str, width_max: usize) -> String {
    // A line break or an escape would tear the screen.
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.width() <= width_max {
        return plain;
    }
    let mut short = String::new();
    let mut width = 0;
    for character in plain.chars() {
        width += character.width().unwrap_or(0);
        if width >= width_max {
            break;
        }
        short.push(character);
    }
    if width_max > 0 {
        short.push('…');
    }
    short
}

/// The end of a text, at most so wide.
fn last_of(text: &str, width_max: usize) -> &str {
    let mut start = 0;
    while text[start..].width() > width_max {
        start += text[start..].chars().next().map_or(1, char::len_utf8);
    }
    &text[start..]
}

/// A text of exactly a width.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let mut text = shortened(text, width);
    text.push_str(&" ".repeat(width.saturating_sub(text.width())));
    text
}
