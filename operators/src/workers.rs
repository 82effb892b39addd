//! Work that falls into tasks which know nothing of each other.
//!
//! The core has no threads. Where it has many such tasks it hands them to [`Workers`], which may do
//! several at once; what the tasks return is taken in their order, so that nothing depends on who
//! did which, or when.

use std::sync::OnceLock;

/// Who does tasks that know nothing of each other.
pub trait Workers {
    /// Calls `task` with each number below `tasks`, in any order and perhaps on several threads, and
    /// returns when all calls have returned.
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync));

    /// How many tasks are done at once at most.
    fn at_once(&self) -> usize;
}

/// The caller, who does one task after the other.
#[derive(Clone, Copy, Debug)]
pub struct Caller;

impl Workers for Caller {
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).for_each(task);
    }

    fn at_once(&self) -> usize {
        1
    }
}

/// What tasks return, in their order.
pub fn gather<T: Send + Sync>(
    workers: &dyn Workers,
    tasks: usize,
    task: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    if tasks < 2 || workers.at_once() < 2 {
        return (0..tasks).map(task).collect();
    }
    let returned: Vec<OnceLock<T>> = (0..tasks).map(|_| OnceLock::new()).collect();
    workers.run(tasks, &|number| {
        returned[number].get_or_init(|| task(number));
    });
    let take =
        |(number, slot): (usize, OnceLock<T>)| slot.into_inner().unwrap_or_else(|| task(number));
    returned.into_iter().enumerate().map(take).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Caller, Workers, gather};

    /// Does the last task first, and leaves out those above a number.
    struct Backwards(usize, AtomicUsize);

    impl Workers for Backwards {
        fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
            (0..tasks.min(self.0)).rev().for_each(|number| {
                self.1.fetch_add(1, Ordering::Relaxed);
                task(number);
            });
        }

        fn at_once(&self) -> usize {
            2
        }
    }

    #[test]
    fn what_tasks_return_is_in_their_order() {
        let squares: Vec<usize> = (0..9).map(|number| number * number).collect();
        assert_eq!(gather(&Caller, 9, |number| number * number), squares);
        for done in [4, 9] {
            let workers = Backwards(done, AtomicUsize::new(0));
            assert_eq!(gather(&workers, 9, |number| number * number), squares);
            assert_eq!(workers.1.into_inner(), done);
        }
        assert_eq!(gather(&Caller, 0, |number| number), []);
    }
}
