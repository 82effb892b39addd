//! The queries.

use penstock::query::{count, sum};
use penstock::{Asc, Desc, Query, Related, col, exists, or};

use crate::data::{issue_id, label_name, user_id};
use crate::scratch::shapes::{AFTER, Calendar, LIST};

/// Issues, the last modified first.
fn issues() -> Query {
    Query::table("issue").order_by("modified", Desc)
}

/// W1 without its limit: open issues.
pub fn open() -> Query {
    issues().filter(col("open").eq(true))
}

/// W1: the 100 open issues modified last.
pub fn list() -> Query {
    open().limit(100)
}

/// W2: W1 with owner, labels and the last 10 comments.
pub fn tree() -> Query {
    with_related(list())
}

/// W2 for the 50 issues of one owner that were modified last.
pub fn tree_of_owner(owner: u32) -> Query {
    with_related(of_owner(owner))
}

/// Issues with owner, labels and the last 10 comments.
fn with_related(issues: Query) -> Query {
    let labels = Related::many("issueLabel").on("id", "issueId").then("label").on("labelId", "id");
    let comments = Related::many("comment").on("id", "issueId").order_by("created", Desc).limit(10);
    issues
        .related("owner", Related::one("user").on("ownerId", "id"))
        .related("labels", labels)
        .related("comments", comments)
}

/// Issues that have the label named `label-07`.
fn labelled() -> Related {
    Related::many("issueLabel")
        .on("id", "issueId")
        .then("label")
        .on("labelId", "id")
        .filter(col("name").eq(label_name(7)))
}

/// W3: the 100 issues with one label that were modified last.
pub fn with_label() -> Query {
    issues().filter(exists(labelled())).limit(100)
}

/// W5: the 50 issues of one owner that were modified last.
pub fn of_owner(owner: u32) -> Query {
    issues().filter(col("ownerId").eq(user_id(owner))).limit(50)
}

/// W5c: the last comments on one issue.
pub fn discussion(issue: u32) -> Query {
    let comments = Query::table("comment").filter(col("issueId").eq(issue_id(issue)));
    comments.order_by("created", Desc).limit(LIST)
}

/// Tr: the issues of a priority and up that were modified in an interval of time, the last first.
pub fn calendar(shape: &Calendar) -> Query {
    issues()
        .filter(col("priority").ge(shape.priority))
        .filter(col("modified").ge(shape.from))
        .filter(col("modified").lt(shape.to))
}

/// To: the first issues modified after an instant.
pub fn after(instant: i64) -> Query {
    let later = Query::table("issue").filter(col("modified").gt(instant));
    later.order_by("modified", Asc).limit(AFTER)
}

/// Ti: some issues, the last modified first.
pub fn pinned(pinned: &[u32]) -> Query {
    let ids: Vec<String> = pinned.iter().map(|issue| issue_id(*issue)).collect();
    issues().filter(col("id").in_(ids)).limit(LIST)
}

/// W7: open issues with all their comments.
pub fn with_comments() -> Query {
    open()
        .related("comments", Related::many("comment").on("id", "issueId").order_by("created", Desc))
}

/// W8: the 100 issues for which one of three conditions holds that were modified last.
pub fn any_of_three() -> Query {
    let conditions = [col("priority").eq(0), col("ownerId").eq(user_id(7)), exists(labelled())];
    issues().filter(or(conditions)).limit(100)
}

/// W9: the open issues of each owner, counted, and their priorities summed.
pub fn by_owner() -> Query {
    Query::table("issue")
        .filter(col("open").eq(true))
        .group_by(["ownerId"])
        .aggregate("issues", count())
        .aggregate("effort", sum("priority"))
        .order_by("ownerId", Asc)
}

/// W10: how many comments of known users open issues have.
pub fn open_discussion() -> Query {
    let open = Related::one("issue").on("issueId", "id").filter(col("open").eq(true));
    let author = Related::one("user").on("authorId", "id");
    Query::table("comment")
        .filter(exists(open))
        .filter(exists(author))
        .aggregate("comments", count())
}

/// W11: the 100 issues with most comments.
pub fn most_discussed() -> Query {
    let comments = Related::many("comment").on("id", "issueId");
    Query::table("issue")
        .aggregate_related("commentCount", comments, count())
        .order_by("commentCount", Desc)
        .limit(100)
}
