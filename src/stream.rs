//! A subscription as an asynchronous stream of patches.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::patch::Patch;
use crate::subscription::Subscription;

impl Stream for Subscription {
    type Item = Patch;

    /// Never ends: a live result goes on until it is dropped.
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Patch>> {
        if let Some(patch) = self.next_change() {
            return Poll::Ready(Some(patch));
        }
        self.wake(context.waker());
        // A commit between the look and the registration would otherwise go unnoticed.
        match self.next_change() {
            Some(patch) => Poll::Ready(Some(patch)),
            None => Poll::Pending,
        }
    }
}
