//! What the consumer holds.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::ExchangeData;
use penstock_benches::check::Check;
use penstock_benches::data::{Sizes, issue_id, label_id, user_id};
use penstock_competitors::changes::any_comment_id;
use penstock_competitors::rows;
use timely::dataflow::ProbeHandle;

use crate::model::{Comment, Discussed, Epoch, Issue, User};
use crate::tables::Rows;

/// Rows that a dataflow keeps up to date.
pub(crate) struct Held<R>(Rc<RefCell<rows::Rows<R>>>);

impl<R: ExchangeData> Held<R> {
    /// Takes in what comes out of a collection, of which the probe knows when an epoch is complete.
    pub(crate) fn of(collection: Rows<'_, R>, probe: &ProbeHandle<Epoch>) -> Held<R> {
        let held = Rc::new(RefCell::new(rows::Rows::default()));
        let rows = Rc::clone(&held);
        let take = move |_: &_, updates: &[(R, Epoch, isize)]| {
            let mut rows = rows.borrow_mut();
            updates.iter().for_each(|(row, _, diff)| rows.apply(row.clone(), *diff as i64));
        };
        collection.inspect_batch(take).probe_with(probe);
        Held(held)
    }

    fn each(&self, take: impl FnMut(&R)) {
        self.0.borrow().iter().for_each(take);
    }
}

/// A result.
pub(crate) enum View {
    Nothing,
    Issues(Held<Issue>),
    /// Of many queries, by their numbers.
    Queries(Held<(u32, Issue)>),
    Tree {
        issues: Held<Issue>,
        owners: Held<(u32, (u32, User))>,
        labels: Held<(u32, (u32, Arc<str>))>,
        comments: Held<(u32, Comment)>,
    },
    Owners(Held<(u32, (i64, i64))>),
    Number(Held<i64>),
    Discussed(Held<Discussed>),
}

impl View {
    pub(crate) fn check(&self, sizes: &Sizes) -> Check {
        let mut check = Check::default();
        match self {
            View::Nothing => {}
            View::Issues(issues) => issues.each(|issue| check.entry(&issue_id(issue.id))),
            View::Queries(issues) => issues.each(|(_, issue)| check.entry(&issue_id(issue.id))),
            View::Tree { issues, owners, labels, comments } => issues.each(|issue| {
                check.entry(&issue_id(issue.id));
                let here = |of: u32| of == issue.id;
                owners.each(|(of, (id, _))| {
                    if here(*of) {
                        check.entry(&user_id(*id));
                    }
                });
                labels.each(|(of, (id, _))| {
                    if here(*of) {
                        check.entry(&label_id(*id));
                    }
                });
                comments.each(|(of, comment)| {
                    if here(*of) {
                        check.entry(&any_comment_id(sizes, comment.id));
                    }
                });
            }),
            View::Owners(owners) => owners.each(|(owner, (count, sum))| {
                check.entry(&format!("{}|{count}|{sum}", user_id(*owner)));
            }),
            View::Number(number) => number.each(|number| check.entry(&number.to_string())),
            View::Discussed(issues) => issues.each(|discussed| {
                check.entry(&format!("{}|{}", issue_id(discussed.id), -discussed.most));
            }),
        }
        check
    }
}
