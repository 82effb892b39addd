//! How many mutations a user may send.

use std::collections::BTreeMap;
use std::time::Duration;

/// Allows each user so many mutations per window: at once, if none came before, and then evenly.
#[derive(Clone, Debug)]
pub struct RateLimit {
    mutations: f64,
    window: Duration,
    users: BTreeMap<String, Left>,
    /// How many users there may be before those whose allowance is whole again are forgotten.
    look_at: usize,
}

/// What a user has left.
#[derive(Clone, Copy, Debug)]
struct Left {
    mutations: f64,
    at: Duration,
}

/// Below this many users nobody looks for those to forget.
const FEW: usize = 1024;

impl RateLimit {
    /// So many mutations per window and user. A window of no length limits nothing.
    #[must_use]
    pub fn new(mutations: u32, window: Duration) -> RateLimit {
        RateLimit { mutations: mutations.into(), window, users: BTreeMap::new(), look_at: FEW }
    }

    /// Counts a mutation of a user, at a time since any fixed beginning, and says whether it may go on. One
    /// that may not is not counted. Time that goes backwards gives nothing and takes nothing.
    pub fn allow(&mut self, user: &str, now: Duration) -> bool {
        if self.window.is_zero() {
            return true;
        }
        if !self.users.contains_key(user) {
            self.forget(now);
        }
        let whole = Left { mutations: self.mutations, at: now };
        let left = self.users.get(user).map_or(whole, |left| self.later(*left, now));
        let allowed = left.mutations >= 1.0;
        let mutations = if allowed { left.mutations - 1.0 } else { left.mutations };
        self.users.insert(user.to_owned(), Left { mutations, ..left });
        allowed
    }

    /// What somebody has left later.
    fn later(&self, left: Left, now: Duration) -> Left {
        let passed = now.saturating_sub(left.at).as_secs_f64() / self.window.as_secs_f64();
        let mutations = (left.mutations + passed * self.mutations).min(self.mutations);
        Left { mutations, at: now.max(left.at) }
    }

    /// Forgets users whose allowance is whole again, when there are many.
    fn forget(&mut self, now: Duration) {
        if self.users.len() < self.look_at {
            return;
        }
        let mut users = std::mem::take(&mut self.users);
        users.retain(|_, left| self.later(*left, now).mutations < self.mutations);
        self.users = users;
        self.look_at = (self.users.len() * 2).max(FEW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_user_has_so_many_at_once_and_then_evenly() {
        let mut limit = RateLimit::new(3, at(6.0));
        let mut allow = |user: &str, seconds: f64| limit.allow(user, at(seconds));
        assert!((0..3).all(|_| allow("ada", 1.0)));
        assert!(!allow("ada", 1.0) && !allow("ada", 2.9));
        assert!(allow("bob", 2.9));
        // Refused ones do not count: one is back after 2 seconds.
        assert!(allow("ada", 3.1) && !allow("ada", 3.1));
        // A clock that jumps back gives nothing, and nothing is lost when it is right again.
        assert!(!allow("ada", 0.0) && !allow("ada", 4.0) && allow("ada", 5.1));
        // However long nothing came, no more than the limit.
        assert!((0..3).all(|_| allow("ada", 1000.0)));
        assert!(!allow("ada", 1000.0));
    }

    #[test]
    fn zero_allows_nothing_and_no_window_everything() {
        assert!(!RateLimit::new(0, at(1.0)).allow("ada", at(100.0)));
        let mut unlimited = RateLimit::new(0, Duration::ZERO);
        assert!((0..100).all(|_| unlimited.allow("ada", at(0.0))));
    }

    #[test]
    fn users_who_are_gone_are_forgotten() {
        let mut limit = RateLimit::new(1, at(1.0));
        for user in 0..10_000 {
            assert!(limit.allow(&user.to_string(), at(f64::from(user) * 0.01)));
        }
        assert!(limit.users.len() <= 2 * FEW, "{}", limit.users.len());
        assert!(!limit.allow("9999", at(99.99)));
    }
}
