//! The live results, and their rows as the panes show them.

use penstock::{Database, Error, Patch, Subscription};
use serde::Deserialize;

use super::store::{PRIORITIES, PROJECTS, TASKS};

/// A task.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// From 1, the most urgent, to 3.
    pub(crate) priority: i64,
    pub(crate) due: Option<String>,
    pub(crate) done: bool,
    pub(crate) project: String,
    pub(crate) notes: Vec<Note>,
}

/// A note on a task.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// A project with counts of its tasks.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Project {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) tasks: i64,
    pub(crate) done: i64,
    /// When the first open task is due.
    pub(crate) next: Option<String>,
}

/// How many open tasks have a priority.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Priority {
    pub(crate) priority: i64,
    pub(crate) open: i64,
    /// When the first of them is due.
    pub(crate) next: Option<String>,
}

/// What the panes show.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) tasks: Vec<Task>,
    pub(crate) projects: Vec<Project>,
    pub(crate) priorities: Vec<Priority>,
}

/// The live results.
pub(crate) struct Views {
    tasks: Subscription,
    projects: Subscription,
    priorities: Subscription,
    /// Whether tasks that are done are among the tasks.
    with_done: bool,
}

/// How many live results there are.
pub(crate) const VIEWS: usize = 3;

impl Views {
    /// Subscribes to everything.
    ///
    /// # Errors
    /// A failing file.
    pub(crate) fn new(db: &Database) -> Result<Views, Error> {
        Ok(Views {
            tasks: db.subscribe_sql(TASKS, [false])?,
            projects: db.subscribe_sql(PROJECTS, ())?,
            priorities: db.subscribe_sql(PRIORITIES, ())?,
            with_done: false,
        })
    }

    /// Shows the tasks that are done, or no longer.
    ///
    /// # Errors
    /// A failing file.
    pub(crate) fn toggle_done(&mut self, db: &Database) -> Result<(), Error> {
        self.tasks = db.subscribe_sql(TASKS, [!self.with_done])?;
        self.with_done = !self.with_done;
        Ok(())
    }

    /// Whether tasks that are done are among the tasks.
    pub(crate) fn with_done(&self) -> bool {
        self.with_done
    }

    /// The results as they are.
    ///
    /// # Errors
    /// A row that another process made and that is no task, such as one with a text as priority.
    pub(crate) fn shown(&self) -> Result<Shown, Error> {
        Ok(Shown {
            tasks: self.tasks.try_rows()?.to()?,
            projects: self.projects.try_rows()?.to()?,
            priorities: self.priorities.try_rows()?.to()?,
        })
    }

    /// Whether anything has changed that has not been taken.
    pub(crate) fn have_changed(&self) -> bool {
        self.subscriptions().iter().any(|(_, live)| live.has_changes())
    }

    /// The changes since they were last taken, each result's with its name.
    pub(crate) fn changes(&mut self) -> [(&'static str, Vec<Patch>); VIEWS] {
        [
            ("tasks", self.tasks.changes().collect()),
            ("projects", self.projects.changes().collect()),
            ("priorities", self.priorities.changes().collect()),
        ]
    }

    fn subscriptions(&self) -> [(&'static str, &Subscription); VIEWS] {
        [("tasks", &self.tasks), ("projects", &self.projects), ("priorities", &self.priorities)]
    }

    /// Compares every result with a fresh one.
    ///
    /// # Errors
    /// The first that differs, or a failing file.
    pub(crate) fn check(&self, db: &Database) -> Result<(), Box<dyn std::error::Error>> {
        let fresh = [
            db.query_sql(TASKS, [self.with_done])?,
            db.query_sql(PROJECTS, ())?,
            db.query_sql(PRIORITIES, ())?,
        ];
        for ((name, live), fresh) in self.subscriptions().iter().zip(fresh) {
            let (live, fresh) = (live.try_rows()?.to_json()?, fresh.to_json()?);
            if live != fresh {
                return Err(format!("{name} differ:\n  live  {live}\n  fresh {fresh}").into());
            }
        }
        Ok(())
    }

    /// A sign of life of a result that ended, because another process changed its tables.
    ///
    /// # Errors
    /// Which change it was.
    pub(crate) fn status(&self) -> Result<(), Error> {
        self.subscriptions().iter().try_for_each(|(_, live)| live.status())
    }
}
