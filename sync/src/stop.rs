//! Signals to end (SIGINT, SIGTERM, SIGHUP): the first has what is under way ended in order, a second ends
//! the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// With what a second signal ends the process: as shells say of one that an interrupt has ended.
const AT_ONCE: i32 = 130;

/// Whether the process is to end.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for signals from now on. Once in a process.
    ///
    /// # Errors
    /// The system does not let it, for people.
    pub fn on_signals() -> Result<Stop, String> {
        let stop = Stop(Arc::default());
        let asked = stop.clone();
        let set = ctrlc::set_handler(move || {
            if asked.0.swap(true, Ordering::AcqRel) {
                std::process::exit(AT_ONCE);
            }
        });
        set.map_err(|error| format!("cannot listen for signals: {error}"))?;
        Ok(stop)
    }

    /// Whether a signal has come.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
