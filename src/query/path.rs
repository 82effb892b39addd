//! Where in a query something stands, for error texts.

use std::fmt;

use super::error::QueryError;
use super::limits::MAX_DEPTH;

/// One step from a part of a query to a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A fixed part, such as `where` or `limit`.
    Part(&'static str),
    /// One of a list, such as `and[2]`.
    Item(&'static str, usize),
    /// A named part, such as `exists(comments)`.
    Named(&'static str, &'a str),
    /// A key of a JSON object.
    Key(&'a str),
}

/// A place in a query: a list linked to its parent, so that walking a query allocates nothing
/// until there is an error to report.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Option<Step<'a>>,
    depth: usize,
}

impl<'a> Path<'a> {
    /// The query itself.
    pub(super) fn root() -> Path<'static> {
        Path::default()
    }

    /// A part of this place at the same depth of nesting.
    pub(super) fn at(&'a self, step: Step<'a>) -> Path<'a> {
        Path { parent: Some(self), step: Some(step), depth: self.depth }
    }

    /// A fixed part of this place at the same depth of nesting.
    pub(super) fn part(&'a self, name: &'static str) -> Path<'a> {
        self.at(Step::Part(name))
    }

    /// A condition or subquery within this place, one level deeper.
    pub(super) fn nested(&'a self, step: Step<'a>) -> Result<Path<'a>, QueryError> {
        self.nested_by(1, step)
    }

    /// Something within this place that counts as several levels.
    pub(super) fn nested_by(
        &'a self,
        levels: usize,
        step: Step<'a>,
    ) -> Result<Path<'a>, QueryError> {
        let path = Path { parent: Some(self), step: Some(step), depth: self.depth + levels };
        if path.depth > MAX_DEPTH {
            return Err(path.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(path)
    }

    /// An error at this place.
    pub(super) fn error(&self, problem: impl Into<String>) -> QueryError {
        QueryError { path: self.to_string(), problem: problem.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = Vec::new();
        let mut place = Some(self);
        while let Some(path) = place {
            steps.extend(path.step);
            place = path.parent;
        }
        for (index, step) in steps.iter().rev().enumerate() {
            if index > 0 {
                out.write_str(".")?;
            }
            match step {
                Step::Part(name) => out.write_str(name)?,
                Step::Item(name, item) => write!(out, "{name}[{item}]")?,
                Step::Named(name, what) => write!(out, "{name}({what})")?,
                Step::Key(key) => out.write_str(key)?,
            }
        }
        Ok(())
    }
}
