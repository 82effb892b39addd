//! The rows. Ids are numbers, text is shared, and a row begins with the columns that results are
//! ordered by, so that the order of rows is the order of results.

use std::sync::Arc;

use penstock_benches::data;
use serde::{Deserialize, Serialize};

/// The time of an update: the number of the transaction.
pub(crate) type Epoch = u32;

/// A row of `issue`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Issue {
    /// `modified`, negated: the last modified is the least.
    pub(crate) newest: i64,
    pub(crate) id: u32,
    pub(crate) open: bool,
    pub(crate) created: i64,
    pub(crate) owner: u32,
    pub(crate) priority: u32,
    pub(crate) title: Arc<str>,
}

/// A row of `comment` but for its issue, by which comments are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Comment {
    /// `created`, negated.
    pub(crate) newest: i64,
    pub(crate) id: u32,
    pub(crate) author: u32,
    pub(crate) body: Arc<str>,
}

/// A row of `user` but for its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) crew: bool,
}

/// An issue with the number of its comments, those with most first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Discussed {
    /// The number of comments, negated.
    pub(crate) most: i64,
    pub(crate) id: u32,
    pub(crate) issue: Issue,
}

impl Issue {
    pub(crate) fn new(id: u32, issue: &data::Issue) -> Issue {
        Issue {
            newest: -issue.modified,
            id,
            open: issue.open,
            created: issue.created,
            owner: issue.owner,
            priority: issue.priority,
            title: issue.title.as_str().into(),
        }
    }

    /// The row after an edit.
    pub(crate) fn edited(&self, edit: &data::IssueEdit) -> Issue {
        Issue { newest: -edit.modified, open: edit.open, ..self.clone() }
    }
}

impl Comment {
    pub(crate) fn new(id: u32, comment: &data::Comment) -> Comment {
        let body = comment.body.as_str().into();
        Comment { newest: -comment.created, id, author: comment.author, body }
    }
}

impl User {
    pub(crate) fn new(id: u32) -> User {
        User { name: format!("User {id}").into(), crew: id.is_multiple_of(10) }
    }
}
