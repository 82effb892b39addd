//! Who fills results: the caller, or with the feature `parallel` several threads.

use penstock_operators::workers::Workers;

/// Threads for the time of a call, the caller being one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    /// How many; `None` for as many as the machine runs at once.
    #[cfg(feature = "parallel")]
    pub(crate) count: Option<std::num::NonZero<usize>>,
}

impl Threads {
    /// As many as the machine runs at once.
    pub(crate) const ALL: Threads = Threads {
        #[cfg(feature = "parallel")]
        count: None,
    };
}

#[cfg(not(feature = "parallel"))]
impl Workers for Threads {
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).for_each(task);
    }

    fn at_once(&self) -> usize {
        1
    }
}

#[cfg(feature = "parallel")]
impl Workers for Threads {
    /// Each thread takes the next task as soon as it has done one.
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= tasks {
                    break;
                }
                task(number);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.at_once().min(tasks) {
                let builder = std::thread::Builder::new().name("penstock-fill".to_owned());
                if builder.spawn_scoped(scope, work).is_err() {
                    // The system has no more threads; those that there are do everything.
                    break;
                }
            }
            work();
        });
    }

    fn at_once(&self) -> usize {
        use std::num::NonZero;
        use std::sync::OnceLock;
        static MACHINE: OnceLock<usize> = OnceLock::new();
        let machine = || {
            *MACHINE.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
        };
        self.count.map_or_else(machine, NonZero::get)
    }
}
