//! A subscription as an asynchronous stream of patches.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::patch::Patch;
use crate::subscription::Subscription;

impl Stream for Subscription {
    type Item = Patch;

    /// Ends only where the subscription does: with [`Error::SchemaChanged`](crate::Error).
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Patch>> {
        let ended = self.has_ended();
        if let Some(patch) = self.next_change() {
            return Poll::Ready(Some(patch));
        }
        if ended {
            return Poll::Ready(None);
        }
        self.wake(context.waker());
        // A commit between the look and the registration would otherwise go unnoticed.
        let ended = self.has_ended();
        match self.next_change() {
            Some(patch) => Poll::Ready(Some(patch)),
            None if ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use crate::{ColumnType, Database, Query, Schema, Table, row};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(live: &mut Subscription, waker: &Arc<Count>) -> Poll<Option<Patch>> {
        let waker = Waker::from(Arc::clone(waker));
        Pin::new(live).poll_next(&mut Context::from_waker(&waker))
    }

    #[test]
    fn a_task_is_woken_once_wherever_its_subscription_moves() {
        let table = Table::new("a").column("id", ColumnType::Integer).primary_key(["id"]);
        let db = Database::in_memory(Schema::new([table]).expect("sound")).expect("a database");
        let insert = |id: i32| db.transaction(|tx| tx.insert("a", row! { id: id })).expect("new");
        let mut live = db.subscribe(Query::table("a").limit(2)).expect("live");
        let mut other = db.subscribe(Query::table("a").limit(2)).expect("live");

        let tasks: Vec<Arc<Count>> = (0..9).map(|_| Arc::default()).collect();
        for task in &tasks {
            assert!(poll(&mut live, task).is_pending());
            assert!(poll(&mut other, task).is_pending());
        }
        assert_eq!(live.feed.wakers(), 2, "one for each subscription");
        drop(other);
        assert_eq!(live.feed.wakers(), 1);

        let last = &tasks[8];
        insert(1);
        assert_eq!(live.feed.wakers(), 0);
        assert_eq!(last.0.load(Ordering::SeqCst), 1, "only the last waker counts");
        assert!(tasks[..8].iter().all(|task| task.0.load(Ordering::SeqCst) == 0));
        assert!(matches!(poll(&mut live, last), Poll::Ready(Some(_))));
        assert!(poll(&mut live, last).is_pending());

        // A move with a difference and one without.
        live.set_limit(Some(0)).expect("a limit");
        assert_eq!(last.0.load(Ordering::SeqCst), 2);
        assert!(matches!(poll(&mut live, last), Poll::Ready(Some(_))));
        assert!(poll(&mut live, last).is_pending());
        live.set_start(Some(row! { id: 5 })).expect("a start");
        assert_eq!(last.0.load(Ordering::SeqCst), 3, "woken to register with the new result");
        assert!(poll(&mut live, last).is_pending());
        live.set_limit(Some(3)).expect("a limit");
        assert!(poll(&mut live, last).is_pending());
        insert(6);
        assert_eq!(last.0.load(Ordering::SeqCst), 5);
        assert!(matches!(poll(&mut live, last), Poll::Ready(Some(_))));
    }
}
