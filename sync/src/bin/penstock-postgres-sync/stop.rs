//! Ctrl-C: the first one ends what is under way in order, a second one at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Whether it is to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for Ctrl-C from now on.
    ///
    /// # Errors
    /// The system does not let it.
    pub(crate) fn on_ctrl_c() -> Result<Stop, Failure> {
        let stop = Stop(Arc::default());
        let asked = stop.clone();
        let set = ctrlc::set_handler(move || {
            if asked.0.swap(true, Ordering::AcqRel) {
                std::process::exit(130);
            }
        });
        set.map_err(|error| Failure::Source(format!("cannot listen for Ctrl-C: {error}")))?;
        Ok(stop)
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
