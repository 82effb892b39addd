//! The screen on a terminal, which is put back as it was at the end.

use std::error::Error;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEventKind};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::{cursor, queue, terminal};
use penstock::Database;

use super::draw::{Line, Look, Picture, lines};
use super::keys::State;
use super::views::{Shown, Views};

/// How often to look for what other processes wrote.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait for a key before looking for changes.
const KEY_WAIT: Duration = Duration::from_millis(40);
/// How long a change stays marked.
const FRESH_FOR: Duration = Duration::from_millis(1200);

/// Shows the panes until `q` or Ctrl-C.
///
/// # Errors
/// A terminal that fails, or a result that ended.
pub(crate) fn run(file: &Path, db: &Database, views: &mut Views) -> Result<(), Box<dyn Error>> {
    let file = file.display().to_string();
    let following = db.follow(FOLLOW_INTERVAL)?;
    let mut screen = Screen::enter()?;
    let mut shown = views.shown()?;
    let mut state = State::default();
    let mut fresh = Fresh::default();
    let mut trouble = None;
    let mut stale = true;
    loop {
        if views.have_changed() || stale {
            drop(views.changes());
            let now = views.shown()?;
            fresh.compare(&shown, &now);
            shown = now;
            state.follow(&shown);
            stale = true;
        }
        views.status()?;
        stale |= fresh.fade();
        if std::mem::take(&mut stale) {
            let (width, height) = terminal::size()?;
            let last_error = following.last_error().map(|error| error.to_string());
            let picture = Picture {
                shown: &shown,
                file: &file,
                with_done: views.with_done(),
                selected: state.selected,
                fresh_tasks: &fresh.tasks,
                fresh_projects: &fresh.projects,
                prompt: state.typing.as_ref().map(|(typing, text)| (typing.question(), &**text)),
                trouble: trouble.as_deref().or(last_error.as_deref()),
            };
            screen.draw(&lines(&picture, width.into(), height.into()))?;
        }
        if event::poll(KEY_WAIT)? {
            stale = true;
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                match state.press(key, db, views, &shown) {
                    Ok(true) => trouble = None,
                    Ok(false) => return Ok(()),
                    Err(error) => trouble = Some(error.to_string()),
                }
            }
        }
    }
}

/// What has just changed.
#[derive(Default)]
struct Fresh {
    tasks: Vec<i64>,
    projects: Vec<i64>,
    since: Option<Instant>,
}

impl Fresh {
    #[expect(clippy::disallowed_methods, reason = "an example may look at the time")]
    fn compare(&mut self, before: &Shown, now: &Shown) {
        let tasks = now.tasks.iter().filter(|task| !before.tasks.contains(task));
        let tasks: Vec<i64> = tasks.map(|task| task.id).collect();
        let projects = now.projects.iter().filter(|each| !before.projects.contains(each));
        let projects: Vec<i64> = projects.map(|project| project.id).collect();
        if !(tasks.is_empty() && projects.is_empty()) {
            (self.tasks, self.projects, self.since) = (tasks, projects, Some(Instant::now()));
        }
    }

    /// Forgets what is no longer fresh. Returns whether there was something.
    fn fade(&mut self) -> bool {
        let over = self.since.is_some_and(|since| since.elapsed() >= FRESH_FOR);
        if over {
            *self = Fresh::default();
        }
        over
    }
}

/// The alternate screen. Dropping it, or a panic, brings the usual one back.
struct Screen {
    out: BufWriter<Stdout>,
}

impl Screen {
    fn enter() -> io::Result<Screen> {
        terminal::enable_raw_mode()?;
        let mut screen = Screen { out: BufWriter::new(io::stdout()) };
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            usual(panic);
        }));
        queue!(screen.out, terminal::EnterAlternateScreen, cursor::Hide)?;
        screen.out.flush()?;
        Ok(screen)
    }

    fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        let out = &mut self.out;
        queue!(out, terminal::BeginSynchronizedUpdate)?;
        for (row, line) in (0_u16..).zip(lines) {
            queue!(out, cursor::MoveTo(0, row))?;
            for (text, look) in line {
                dress(out, *look)?;
                queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            }
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
        queue!(out, terminal::EndSynchronizedUpdate)?;
        out.flush()
    }
}

fn dress(out: &mut impl Write, look: Look) -> io::Result<()> {
    match look {
        Look::Plain => Ok(()),
        Look::Strong => queue!(out, SetAttribute(Attribute::Bold)),
        Look::Faint | Look::Done => queue!(out, SetAttribute(Attribute::Dim)),
        Look::Selected => queue!(out, SetAttribute(Attribute::Reverse)),
        Look::Fresh => {
            queue!(out, SetAttribute(Attribute::Bold), SetForegroundColor(Color::Green))
        }
        Look::Urgent => queue!(out, SetForegroundColor(Color::Red)),
        Look::Trouble => {
            queue!(out, SetAttribute(Attribute::Bold), SetForegroundColor(Color::Red))
        }
    }
}

/// Puts the terminal back. What fails here cannot be helped.
fn restore() {
    let mut out = io::stdout();
    let _ = queue!(out, terminal::EndSynchronizedUpdate, cursor::Show);
    let _ = queue!(out, terminal::LeaveAlternateScreen);
    let _ = out.flush();
    let _ = terminal::disable_raw_mode();
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}
