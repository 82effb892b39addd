//! Sessions that are used again.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use penstock_postgres::connect::{Config, ServerError, Session};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At most so many sessions.
pub(super) struct Pool {
    config: Config,
    free: Arc<Mutex<Vec<Session>>>,
    places: Arc<Semaphore>,
}

/// A session taken out of the pool. It ends when this is dropped, unless it was given back: a session
/// of which it is not known how it stands is not used again.
pub(super) struct Taken {
    session: Option<Session>,
    free: Arc<Mutex<Vec<Session>>>,
    give_back: bool,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(config: Config, sessions: usize) -> Pool {
        let places = Arc::new(Semaphore::new(sessions.max(1)));
        Pool { config, free: Arc::default(), places }
    }

    /// A session with no transaction open. Waits for one to be given back where all are taken; who waits
    /// longest is next.
    pub(super) async fn take(&self) -> Result<Taken, ServerError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("invariant: the semaphore is never closed");
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let open = std::iter::from_fn(free).find(|session| !session.is_closed());
        let session = match open {
            Some(session) => session,
            None => self.config.connect().await?,
        };
        let free = Arc::clone(&self.free);
        Ok(Taken { session: Some(session), free, give_back: false, _place: place })
    }
}

impl Taken {
    /// Says that the session is as it was when it was taken. Nothing is done with it from then on.
    pub(super) fn give_back(&mut self) {
        self.give_back = true;
    }
}

impl Deref for Taken {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("invariant: it is there until this is dropped")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && self.give_back
        {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}
