//! The schema that the tests of the query front end share.

use penstock_operators::schema::{Schema, Table};
use penstock_operators::value::ColumnType::{Boolean, Integer, Json, Real, Text};

/// Issues with an owner, comments and, through a junction, labels.
pub(crate) fn schema() -> Schema {
    let issue = Table::new("issue")
        .column("id", Integer)
        .column("title", Text)
        .column("open", Boolean)
        .nullable("ownerId", Integer)
        .column("modified", Real)
        .nullable("meta", Json)
        .primary_key(["id"])
        .one("owner", "user", ["ownerId"], ["id"])
        .many("comments", "comment", ["id"], ["issueId"])
        .many_through(
            "labels",
            [("issueLabel", ["id"], ["issueId"]), ("label", ["labelId"], ["id"])],
        );
    let comment = Table::new("comment")
        .column("id", Integer)
        .column("issueId", Integer)
        .nullable("authorId", Integer)
        .column("text", Text)
        .column("created", Integer)
        .primary_key(["id"])
        .one("author", "user", ["authorId"], ["id"]);
    let user = Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]);
    let label = Table::new("label").column("id", Integer).column("name", Text).primary_key(["id"]);
    let issue_label = Table::new("issueLabel")
        .column("issueId", Integer)
        .column("labelId", Integer)
        .primary_key(["issueId", "labelId"]);
    Schema::new([issue, comment, user, label, issue_label]).expect("a valid schema")
}
