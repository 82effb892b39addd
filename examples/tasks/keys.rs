//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use penstock::{Database, Error};

use super::edit;
use super::views::{Shown, Views};

/// What the person in front of the screen is at.
#[derive(Default)]
pub(crate) struct State {
    /// The task that keys act on, by its id: it stays selected wherever it moves.
    pub(crate) selected: Option<i64>,
    /// Its place when it was last seen, for when it is gone.
    place: usize,
    /// What is being typed, if anything.
    pub(crate) typing: Option<(Typing, String)>,
}

/// What a typed text becomes.
#[derive(Clone, Copy)]
pub(crate) enum Typing {
    /// The title of a new task.
    Task,
    /// A note on the selected task.
    Note,
}

impl Typing {
    /// What is asked for.
    pub(crate) fn question(self) -> &'static str {
        match self {
            Typing::Task => "new task",
            Typing::Note => "note",
        }
    }
}

impl State {
    /// Keeps the selection on a task that is there: the same, or the one in its place.
    pub(crate) fn follow(&mut self, shown: &Shown) {
        let at = shown.tasks.iter().position(|task| Some(task.id) == self.selected);
        self.place = at.unwrap_or(self.place).min(shown.tasks.len().saturating_sub(1));
        self.selected = shown.tasks.get(self.place).map(|task| task.id);
    }

    fn select(&mut self, by: isize, shown: &Shown) {
        self.place = self.place.saturating_add_signed(by).min(shown.tasks.len().saturating_sub(1));
        self.selected = shown.tasks.get(self.place).map(|task| task.id);
    }

    /// Does what a key says. Returns whether to go on.
    ///
    /// # Errors
    /// A failing file.
    pub(crate) fn press(
        &mut self,
        key: KeyEvent,
        db: &Database,
        views: &mut Views,
        shown: &Shown,
    ) -> Result<bool, Error> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return Ok(key.code != KeyCode::Char('c'));
        }
        if let Some((typing, text)) = self.typing.take() {
            self.typing = self.entered(key, db, typing, text)?;
            return Ok(true);
        }
        match (key.code, self.selected) {
            (KeyCode::Char('q') | KeyCode::Esc, _) => return Ok(false),
            (KeyCode::Up | KeyCode::Char('k'), _) => self.select(-1, shown),
            (KeyCode::Down | KeyCode::Char('j'), _) => self.select(1, shown),
            (KeyCode::Home, _) => self.select(isize::MIN, shown),
            (KeyCode::End, _) => self.select(isize::MAX, shown),
            (KeyCode::Char('a'), _) => self.typing = Some((Typing::Task, String::new())),
            (KeyCode::Char('f'), _) => views.toggle_done(db)?,
            (KeyCode::Char('n'), Some(_)) => self.typing = Some((Typing::Note, String::new())),
            (KeyCode::Char(' ') | KeyCode::Enter, Some(task)) => edit::toggle(db, task)?,
            (KeyCode::Char('d') | KeyCode::Delete, Some(task)) => edit::delete(db, task)?,
            (KeyCode::Char('+'), Some(task)) => edit::prioritise(db, task, -1)?,
            (KeyCode::Char('-'), Some(task)) => edit::prioritise(db, task, 1)?,
            (KeyCode::Char('m'), Some(task)) => edit::next_project(db, task)?,
            _ => {}
        }
        Ok(true)
    }

    /// What is being typed after a key.
    fn entered(
        &self,
        key: KeyEvent,
        db: &Database,
        typing: Typing,
        mut text: String,
    ) -> Result<Option<(Typing, String)>, Error> {
        match key.code {
            KeyCode::Esc => return Ok(None),
            KeyCode::Enter => {
                match (typing, self.selected) {
                    _ if text.trim().is_empty() => {}
                    (Typing::Task, beside) => edit::add(db, text.trim(), beside)?,
                    (Typing::Note, Some(task)) => edit::note(db, task, text.trim())?,
                    (Typing::Note, None) => {}
                }
                return Ok(None);
            }
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(character) => text.push(character),
            _ => {}
        }
        Ok(Some((typing, text)))
    }
}
