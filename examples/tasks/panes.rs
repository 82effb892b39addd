//! The two panes. Widths are in terminal columns.

use super::draw::{Line, Look, Picture, fitted, shortened};
use super::views::{Priority, Project, Task};

/// How wide the bar of a project is.
const BAR_WIDTH: usize = 10;
/// Columns of the pane of tasks that are not the title: marks, date, project, and spaces.
const DATE_WIDTH: usize = 10;
const PROJECT_WIDTH: usize = 10;
/// Below this width of a pane, the project goes, and then the date.
const WITH_PROJECT_MIN: usize = 48;
const WITH_DATE_MIN: usize = 34;

/// The tasks with their notes, scrolled so that the selected one is seen.
pub(crate) fn tasks(picture: &Picture<'_>, width: usize, height: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut from, mut to) = (0, 0);
    for task in &picture.shown.tasks {
        let selected = picture.selected == Some(task.id);
        if selected {
            from = lines.len();
        }
        lines.push(one_task(picture, task, selected, width));
        for note in &task.notes {
            lines.push(vec![(shortened(&format!("       · {}", note.text), width), Look::Faint)]);
        }
        if selected {
            to = lines.len();
        }
    }
    if lines.is_empty() {
        lines.push(vec![(shortened("  nothing to do; a adds a task", width), Look::Faint)]);
    }
    // A task taller than the pane is shown from its top.
    let room = height.saturating_sub(1);
    let top = to.saturating_sub(room).min(from);
    let what = if picture.with_done { "tasks, open and done" } else { "open tasks" };
    let title = title(&format!("{} {what}", picture.shown.tasks.len()), width);
    [title].into_iter().chain(lines.into_iter().skip(top).take(room)).take(height).collect()
}

fn title(text: &str, width: usize) -> Line {
    vec![(shortened(text, width), Look::Strong)]
}

fn one_task(picture: &Picture<'_>, task: &Task, selected: bool, width: usize) -> Line {
    let fresh = picture.fresh_tasks.contains(&task.id);
    let look = match (selected, fresh, task.done) {
        (_, true, _) => Look::Fresh,
        (true, ..) => Look::Selected,
        (.., true) => Look::Done,
        _ => Look::Plain,
    };
    let mark = if selected { "▸ " } else { "  " };
    let state = match (task.done, task.priority) {
        (true, _) => " ✓ ",
        (false, 1) => "!!!",
        (false, 2) => " !!",
        (false, _) => "  !",
    };
    let urgent =
        if task.priority == 1 && !task.done && look == Look::Plain { Look::Urgent } else { look };
    let mut right = String::new();
    if width >= WITH_DATE_MIN {
        right += &format!("  {}", fitted(task.due.as_deref().unwrap_or(""), DATE_WIDTH));
    }
    if width >= WITH_PROJECT_MIN {
        right += &format!("  {}", fitted(&task.project, PROJECT_WIDTH));
    }
    let taken = 2 + 3 + 2 + right.chars().count();
    let title = fitted(&task.title, width.saturating_sub(taken));
    clipped(
        [(mark.to_owned(), look), (format!("{state}  "), urgent), (title + &right, look)],
        width,
    )
}

/// The projects with how far they are, and the open tasks by priority.
pub(crate) fn projects(picture: &Picture<'_>, width: usize) -> Vec<Line> {
    let mut lines = vec![title("projects: done, and the next date", width)];
    lines.extend(picture.shown.projects.iter().map(|project| one_project(picture, project, width)));
    lines.extend([Line::new(), title("open tasks by priority", width)]);
    lines.extend(picture.shown.priorities.iter().map(|each| one_priority(each, width)));
    lines
}

fn one_project(picture: &Picture<'_>, project: &Project, width: usize) -> Line {
    let look = if picture.fresh_projects.contains(&project.id) { Look::Fresh } else { Look::Plain };
    let (done, tasks) = (project.done.max(0), project.tasks.max(0));
    let full = usize::try_from(done * BAR_WIDTH as i64 / tasks.max(1)).unwrap_or(0).min(BAR_WIDTH);
    let bar = "█".repeat(full) + &"░".repeat(BAR_WIDTH - full);
    let next = project.next.as_ref().map_or_else(String::new, |next| format!("  {next}"));
    let text = format!("{} {bar} {done:>2} of {tasks:<2}{next}", fitted(&project.name, 8));
    vec![(shortened(text.trim_end(), width), look)]
}

fn one_priority(priority: &Priority, width: usize) -> Line {
    let name = match priority.priority {
        1 => "urgent",
        2 => "soon",
        _ => "some day",
    };
    let next = priority.next.as_ref().map_or_else(String::new, |next| format!(", first {next}"));
    let text = format!("{} {:>2} open{next}", fitted(name, 8), priority.open);
    vec![(shortened(&text, width), Look::Faint)]
}

/// Pieces cut to a width together.
fn clipped<const N: usize>(pieces: [(String, Look); N], width: usize) -> Line {
    let mut room = width;
    let mut line = Line::new();
    for (text, look) in pieces {
        let text = shortened(&text, room);
        room -= unicode_width::UnicodeWidthStr::width(text.as_str());
        line.push((text, look));
    }
    line
}
