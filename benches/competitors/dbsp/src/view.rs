//! What the consumer holds.

use dbsp::typed_batch::{IndexedZSetReader, SpineSnapshot};
use dbsp::{DBData, OrdIndexedZSet, OutputHandle};
use penstock_benches::check::Check;
use penstock_benches::data::{Sizes, issue_id, label_id, user_id};
use penstock_competitors::changes::any_comment_id;
use penstock_competitors::rows;

use crate::model::{Comment, Discussed, Issue, Label, User};
use crate::tables::By;

/// Rows that a circuit keeps up to date.
pub(crate) struct Held<K: DBData, V: DBData> {
    output: OutputHandle<SpineSnapshot<OrdIndexedZSet<K, V>>>,
    rows: rows::Rows<(K, V)>,
}

impl<K: DBData, V: DBData> Held<K, V> {
    pub(crate) fn of(stream: &By<K, V>) -> Held<K, V> {
        Held { output: stream.accumulate_output(), rows: rows::Rows::default() }
    }

    /// Takes in what the last transaction changed.
    fn take(&mut self) {
        for (key, value, weight) in self.output.concat().iter() {
            self.rows.apply((key, value), weight);
        }
    }

    fn each(&self, take: impl FnMut(&(K, V))) {
        self.rows.iter().for_each(take);
    }
}

/// A result.
pub(crate) enum View {
    Nothing,
    Issues(Held<(), Issue>),
    /// Of many queries, by their numbers.
    Queries(Held<u32, Issue>),
    Tree {
        issues: Held<(), Issue>,
        owners: Held<u32, User>,
        labels: Held<u32, Label>,
        comments: Held<u32, Comment>,
    },
    Owners(Held<u32, dbsp::utils::Tup2<i64, i64>>),
    Number(Held<(), i64>),
    Discussed(Held<(), Discussed>),
}

impl View {
    /// Takes in what the last transaction changed.
    pub(crate) fn take(&mut self) {
        match self {
            View::Nothing => {}
            View::Issues(held) => held.take(),
            View::Queries(held) => held.take(),
            View::Tree { issues, owners, labels, comments } => {
                issues.take();
                owners.take();
                labels.take();
                comments.take();
            }
            View::Owners(held) => held.take(),
            View::Number(held) => held.take(),
            View::Discussed(held) => held.take(),
        }
    }

    pub(crate) fn check(&self, sizes: &Sizes) -> Check {
        let mut check = Check::default();
        match self {
            View::Nothing => {}
            View::Issues(issues) => issues.each(|(_, issue)| check.entry(&issue_id(issue.id))),
            View::Queries(issues) => issues.each(|(_, issue)| check.entry(&issue_id(issue.id))),
            View::Tree { issues, owners, labels, comments } => issues.each(|((), issue)| {
                check.entry(&issue_id(issue.id));
                owners.each(|(of, user)| {
                    if *of == issue.id {
                        check.entry(&user_id(user.id));
                    }
                });
                labels.each(|(of, label)| {
                    if *of == issue.id {
                        check.entry(&label_id(label.id));
                    }
                });
                comments.each(|(of, comment)| {
                    if *of == issue.id {
                        check.entry(&any_comment_id(sizes, comment.id));
                    }
                });
            }),
            View::Owners(owners) => owners.each(|(owner, group)| {
                check.entry(&format!("{}|{}|{}", user_id(*owner), group.0, group.1));
            }),
            View::Number(number) => number.each(|((), number)| check.entry(&number.to_string())),
            View::Discussed(issues) => issues.each(|((), discussed)| {
                check.entry(&format!("{}|{}", issue_id(discussed.id), -discussed.most));
            }),
        }
        check
    }
}
