//! What clients look at: five queries for each, and which rows the server has for them.

use penstock_benches::data::user_id;

/// One query of a client.
pub struct Query {
    /// The live query.
    pub sql: String,
    /// The ids of its rows in their order, in the server's SQL.
    pub ids: String,
}

/// The five of a person. The first holds the issues modified last of all others, so that an update of
/// any of these changes it for everybody.
#[must_use]
pub fn of_person(person: usize) -> [Query; 5] {
    let me = user_id(u32::try_from(person).unwrap_or(0));
    let owner = "ONE(SELECT name FROM \"user\" WHERE \"user\".id = issue.owner_id) AS owner";
    let labels = "ARRAY(SELECT label.id, label.name FROM issue_label JOIN label ON label.id = issue_label.label_id \
                  WHERE issue_label.issue_id = issue.id ORDER BY label.id) AS labels";
    let comments = "ARRAY(SELECT id, body, created, author_id FROM comment WHERE comment.issue_id = issue.id \
                    ORDER BY created DESC, id LIMIT 10) AS comments";
    let newest = "ORDER BY modified DESC, id";
    let list = |related: &str, rest: &str| {
        let related = if related.is_empty() { String::new() } else { format!(", {related}") };
        Query {
            sql: format!(
                "SELECT id, title, open, modified, owner_id{related} FROM issue WHERE {rest}"
            ),
            ids: format!("SELECT id FROM issue WHERE {rest}"),
        }
    };
    [
        list(
            &format!("{owner}, {labels}"),
            &format!("open AND owner_id <> '{me}' {newest} LIMIT 100"),
        ),
        list("", &format!("owner_id = '{me}' {newest} LIMIT 50")),
        list(&format!("{owner}, {comments}"), &format!("id = 'i{:06}'", person * 7)),
        list(
            owner,
            &format!(
                "priority = {} AND EXISTS (SELECT 1 FROM issue_label WHERE issue_label.issue_id = issue.id \
                 AND issue_label.label_id = 'l07') {newest} LIMIT 100",
                person % 10
            ),
        ),
        list(
            comments,
            &format!(
                "EXISTS (SELECT 1 FROM comment WHERE comment.issue_id = issue.id AND comment.author_id = '{me}') \
                 {newest} LIMIT 50"
            ),
        ),
    ]
}

/// The ids of so many issues that are in everybody's first list and stay there. Once they have been
/// updated they are the same again, in the same order.
#[must_use]
pub fn hot_sql(groups: usize, count: usize) -> String {
    let first_other = user_id(u32::try_from(groups).unwrap_or(0));
    format!(
        "SELECT id FROM (SELECT id FROM issue WHERE open AND owner_id >= '{first_other}' \
         ORDER BY modified DESC, id LIMIT {count}) hot ORDER BY id"
    )
}
