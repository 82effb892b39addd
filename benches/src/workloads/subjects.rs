//! What the workloads ask: each query with the one SELECT for the same rows and the indexes that
//! serve both.

use penstock::{Query, Tree};

use super::queries;
use crate::check::Check;

/// A query, and how SQLite is asked for the same.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The query.
    pub query: Query,
    /// The SELECT. Related rows are columns of JSON.
    pub select: &'static str,
    /// The indexes, as `table (column, …)`, that an application would make for it.
    pub indexes: &'static [&'static str],
    /// The columns that the check covers, if not ids.
    pub columns: &'static [&'static str],
}

const OPEN_INDEX: &str = "issue (open, modified DESC, id)";
const MODIFIED_INDEX: &str = "issue (modified DESC, id)";
const COMMENT_INDEX: &str = "comment (issueId, created DESC, id)";
/// The index of W5.
pub const OWNER_INDEX: &str = "issue (ownerId, modified DESC, id)";

fn plain(query: Query, select: &'static str, indexes: &'static [&'static str]) -> Subject {
    Subject { query, select, indexes, columns: &[] }
}

/// W0: nothing is asked, and there is no index but the primary keys.
pub const NO_INDEXES: &[&str] = &[];

/// W1.
pub fn list() -> Subject {
    let select = "SELECT * FROM issue WHERE open = 1 ORDER BY modified DESC, id LIMIT 100";
    plain(queries::list(), select, &[OPEN_INDEX])
}

/// W1b.
pub fn open() -> Subject {
    let select = "SELECT * FROM issue WHERE open = 1 ORDER BY modified DESC, id";
    plain(queries::open(), select, &[OPEN_INDEX])
}

/// W2.
pub fn tree() -> Subject {
    let select = "
        SELECT issue.*,
            (SELECT json_object('id', id, 'name', name, 'role', role)
             FROM user WHERE user.id = issue.ownerId) AS owner,
            (SELECT json_group_array(json_object('id', id, 'name', name))
             FROM (SELECT label.* FROM issueLabel JOIN label ON label.id = issueLabel.labelId
                   WHERE issueLabel.issueId = issue.id ORDER BY label.id)) AS labels,
            (SELECT json_group_array(json_object('id', id, 'issueId', issueId,
                 'authorId', authorId, 'created', created, 'body', body))
             FROM (SELECT * FROM comment WHERE comment.issueId = issue.id
                   ORDER BY created DESC, id LIMIT 10)) AS comments
        FROM issue WHERE open = 1 ORDER BY modified DESC, id LIMIT 100";
    plain(queries::tree(), select, &[OPEN_INDEX, COMMENT_INDEX])
}

/// W3.
pub fn with_label() -> Subject {
    let select = "
        SELECT * FROM issue WHERE EXISTS
            (SELECT 1 FROM issueLabel JOIN label ON label.id = issueLabel.labelId
             WHERE issueLabel.issueId = issue.id AND label.name = 'label-07')
        ORDER BY modified DESC, id LIMIT 100";
    plain(queries::with_label(), select, &[MODIFIED_INDEX, "issueLabel (labelId)"])
}

/// W5 of the owner given as its parameter.
pub const SELECT_OF_OWNER: &str =
    "SELECT * FROM issue WHERE ownerId = ?1 ORDER BY modified DESC, id LIMIT 50";

/// W7.
pub fn with_comments() -> Subject {
    let select = "
        SELECT issue.*,
            (SELECT json_group_array(json_object('id', id, 'issueId', issueId,
                 'authorId', authorId, 'created', created, 'body', body))
             FROM (SELECT * FROM comment WHERE comment.issueId = issue.id
                   ORDER BY created DESC, id)) AS comments
        FROM issue WHERE open = 1 ORDER BY modified DESC, id";
    plain(queries::with_comments(), select, &[OPEN_INDEX, COMMENT_INDEX])
}

/// W8.
pub fn any_of_three() -> Subject {
    let select = "
        SELECT * FROM issue WHERE priority = 0 OR ownerId = 'u0007' OR EXISTS
            (SELECT 1 FROM issueLabel JOIN label ON label.id = issueLabel.labelId
             WHERE issueLabel.issueId = issue.id AND label.name = 'label-07')
        ORDER BY modified DESC, id LIMIT 100";
    plain(queries::any_of_three(), select, &[MODIFIED_INDEX, "issueLabel (labelId)"])
}

/// W9.
pub fn by_owner() -> Subject {
    let select = "
        SELECT ownerId, count(*) AS issues, sum(priority) AS effort
        FROM issue WHERE open = 1 GROUP BY ownerId ORDER BY ownerId";
    let indexes = &["issue (open, ownerId, priority)"];
    let columns = &["ownerId", "issues", "effort"];
    Subject { query: queries::by_owner(), select, indexes, columns }
}

/// W10.
pub fn open_discussion() -> Subject {
    let select = "
        SELECT count(*) AS comments
        FROM issue JOIN comment ON comment.issueId = issue.id
            JOIN user ON user.id = comment.authorId
        WHERE issue.open = 1";
    let indexes = &["issue (open, id)", "comment (issueId, authorId)"];
    Subject { query: queries::open_discussion(), select, indexes, columns: &["comments"] }
}

/// W11.
pub fn most_discussed() -> Subject {
    let select = "
        SELECT issue.*,
            (SELECT count(*) FROM comment WHERE comment.issueId = issue.id) AS commentCount
        FROM issue ORDER BY commentCount DESC, id LIMIT 100";
    let indexes = &["comment (issueId)"];
    let columns = &["id", "commentCount"];
    Subject { query: queries::most_discussed(), select, indexes, columns }
}

impl Subject {
    /// The check of a result.
    pub fn check(&self, tree: &Tree) -> Check {
        let mut check = Check::default();
        match self.columns {
            [] => check.tree(tree),
            columns => check.computed(tree, columns),
        }
        check
    }
}
