//! The rows. Ids are numbers, and a row begins with the columns that results are ordered by, so
//! that the order of rows is the order of results.

use feldera_macros::IsNone;
use penstock_benches::data;
use rkyv::{Archive, Deserialize, Serialize};
use size_of::SizeOf;

/// A row of `issue`.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SizeOf,
    Archive,
    Serialize,
    Deserialize,
    IsNone,
)]
#[archive_attr(derive(Ord, Eq, PartialEq, PartialOrd))]
#[archive(compare(PartialEq, PartialOrd))]
pub(crate) struct Issue {
    /// `modified`, negated: the last modified is the least.
    pub(crate) newest: i64,
    pub(crate) id: u32,
    pub(crate) open: bool,
    pub(crate) created: i64,
    pub(crate) owner: u32,
    pub(crate) priority: u32,
    pub(crate) title: String,
}

/// A row of `comment` but for its issue, by which comments are kept.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SizeOf,
    Archive,
    Serialize,
    Deserialize,
    IsNone,
)]
#[archive_attr(derive(Ord, Eq, PartialEq, PartialOrd))]
#[archive(compare(PartialEq, PartialOrd))]
pub(crate) struct Comment {
    /// `created`, negated.
    pub(crate) newest: i64,
    pub(crate) id: u32,
    pub(crate) author: u32,
    pub(crate) body: String,
}

/// A row of `user`.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SizeOf,
    Archive,
    Serialize,
    Deserialize,
    IsNone,
)]
#[archive_attr(derive(Ord, Eq, PartialEq, PartialOrd))]
#[archive(compare(PartialEq, PartialOrd))]
pub(crate) struct User {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) crew: bool,
}

/// A row of `label`.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SizeOf,
    Archive,
    Serialize,
    Deserialize,
    IsNone,
)]
#[archive_attr(derive(Ord, Eq, PartialEq, PartialOrd))]
#[archive(compare(PartialEq, PartialOrd))]
pub(crate) struct Label {
    pub(crate) id: u32,
    pub(crate) name: String,
}

/// An issue with the number of its comments, those with most first.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SizeOf,
    Archive,
    Serialize,
    Deserialize,
    IsNone,
)]
#[archive_attr(derive(Ord, Eq, PartialEq, PartialOrd))]
#[archive(compare(PartialEq, PartialOrd))]
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
            title: issue.title.clone(),
        }
    }

    /// The row after an edit.
    pub(crate) fn edited(&self, edit: &data::IssueEdit) -> Issue {
        Issue { newest: -edit.modified, open: edit.open, ..self.clone() }
    }
}

impl Comment {
    pub(crate) fn new(id: u32, comment: &data::Comment) -> Comment {
        let body = comment.body.clone();
        Comment { newest: -comment.created, id, author: comment.author, body }
    }
}
