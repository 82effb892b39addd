//! Rules that may be replaced while they are used.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value as Json;

use super::Rules;
use crate::claims::Claims;
use crate::hub::ReadRules;

/// Rules that may be replaced while they are used. Cheap to clone: clones are the same.
#[derive(Clone, Debug)]
pub struct SharedRules(Arc<RwLock<Held>>);

/// Rules, and how often they have become others.
#[derive(Debug)]
struct Held {
    rules: Arc<Rules>,
    generation: u64,
}

impl SharedRules {
    /// The first rules.
    #[must_use]
    pub fn new(rules: Rules) -> SharedRules {
        SharedRules(Arc::new(RwLock::new(Held { rules: Arc::new(rules), generation: 0 })))
    }

    /// The rules as they are now.
    #[must_use]
    pub fn get(&self) -> Arc<Rules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).rules)
    }

    /// Replaces them, and says whether they are others than before.
    pub fn set(&self, rules: Rules) -> bool {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let other = *held.rules != rules;
        if other {
            held.rules = Arc::new(rules);
            held.generation += 1;
        }
        other
    }
}

impl ReadRules for SharedRules {
    fn compile(&self, ast: &Json, claims: &Claims) -> Json {
        self.get().read(ast, claims)
    }

    fn allows_all(&self) -> bool {
        self.get().allows_all()
    }

    fn generation(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).generation
    }
}
