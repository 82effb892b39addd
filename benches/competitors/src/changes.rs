//! The change streams as the engines take them in. Rows are numbers where the tables have text for
//! ids: of two ids of one kind, the greater number has the greater text.

use penstock_benches::data::{
    Comment, Data, IssueEdit, LabelToggle, Sizes, added_comment_id, comment_adds, comment_id,
    issue_edits, label_toggles,
};

/// A change of one row.
#[derive(Clone, Debug)]
pub enum Change {
    /// An issue edit.
    Edit(IssueEdit),
    /// A new comment and its number.
    Comment(u32, Comment),
    /// A label toggle.
    Toggle(LabelToggle),
}

/// Which changes a workload makes.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// So many issue edits.
    Edits(usize),
    /// So many added comments.
    Comments(usize),
    /// So many label toggles.
    Toggles(usize),
}

impl Stream {
    /// The changes.
    pub fn changes(self, data: &Data) -> Vec<Change> {
        match self {
            Stream::Edits(count) => {
                issue_edits(data, count).into_iter().map(Change::Edit).collect()
            }
            Stream::Comments(count) => {
                let added = comment_adds(data, &in_view(data), count);
                (data.sizes.comments..).zip(added).map(|(i, row)| Change::Comment(i, row)).collect()
            }
            Stream::Toggles(count) => {
                label_toggles(data, count).into_iter().map(Change::Toggle).collect()
            }
        }
    }
}

/// The issues of W2 before any change: the 100 open ones modified last.
fn in_view(data: &Data) -> Vec<u32> {
    let mut open: Vec<u32> =
        (0..data.sizes.issues).filter(|&i| data.issues[i as usize].open).collect();
    open.sort_by_key(|&i| (-data.issues[i as usize].modified, i));
    open.truncate(100);
    open
}

/// The text of the id of a comment, generated or added.
pub fn any_comment_id(sizes: &Sizes, comment: u32) -> String {
    match comment.checked_sub(sizes.comments) {
        Some(k) => added_comment_id(k as usize),
        None => comment_id(comment),
    }
}
