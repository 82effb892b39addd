//! What an examination of a server has found.

use std::fmt;

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which it was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: a setting, a privilege, a table.
    pub subject: String,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Fine(String),
    /// It works, but its owner should know.
    Warning(String),
    /// It does not work.
    Problem {
        /// What is wrong.
        what: String,
        /// What to run on the server, one of several ways if there are several; empty if SQL does
        /// not help.
        sql: Vec<String>,
    },
}

impl Report {
    /// Whether nothing stands in the way.
    pub fn is_ready(&self) -> bool {
        self.problems().next().is_none()
    }

    /// What stands in the way.
    pub fn problems(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Problem { .. }))
    }

    pub(super) fn fine(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.push(subject, Outcome::Fine(what.into()));
    }

    pub(super) fn warn(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.push(subject, Outcome::Warning(what.into()));
    }

    pub(super) fn problem<S: Into<String>>(
        &mut self,
        subject: impl Into<String>,
        what: impl Into<String>,
        sql: impl IntoIterator<Item = S>,
    ) {
        let sql = sql.into_iter().map(Into::into).collect();
        self.push(subject, Outcome::Problem { what: what.into(), sql });
    }

    fn push(&mut self, subject: impl Into<String>, outcome: Outcome) {
        self.checks.push(Check { subject: subject.into(), outcome });
    }
}

/// A line for each check, and below a problem the SQL that solves it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, check) in self.checks.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{check}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Fine(what) => write!(f, "ok       {}: {what}", self.subject),
            Outcome::Warning(what) => write!(f, "warning  {}: {what}", self.subject),
            Outcome::Problem { what, sql } => {
                write!(f, "PROBLEM  {}: {what}", self.subject)?;
                for (index, line) in sql.iter().enumerate() {
                    let lead = if index == 0 { "run" } else { " or" };
                    write!(f, "\n           {lead}  {line}")?;
                }
                Ok(())
            }
        }
    }
}
