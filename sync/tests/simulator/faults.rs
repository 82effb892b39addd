//! What outlives servers, and faults that a server might have.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use penstock_sync::hub::{GroupChanges, GroupStore, StoredGroup};
use serde_json::Value;

use crate::world::World;

/// A fault that a server might have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Canary {
    /// A row is left out of a poke.
    LosesARow,
    /// A delete is left out of a poke.
    ForgetsADelete,
    /// A row that clients hold is not remembered over a restart.
    ForgetsAKeptRow,
    /// A row that changed is not kept.
    ForgetsWhatChanged,
    /// A row is put as it was before.
    OldRow,
}

/// A store that outlives servers.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) groups: Arc<Mutex<BTreeMap<String, StoredGroup>>>,
    /// What the store was told and has not kept yet.
    pub(crate) told: Arc<Mutex<VecDeque<Vec<GroupChanges>>>>,
    pub(crate) canary: Option<Canary>,
}

impl GroupStore for Kept {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        self.keep(usize::MAX);
        let mut group = self.groups.lock().expect("one thread").get(id).cloned();
        if self.canary == Some(Canary::ForgetsAKeptRow)
            && let Some(group) = &mut group
        {
            group.rows.pop_last();
        }
        Ok(group)
    }

    fn save(&mut self, changes: Vec<GroupChanges>) -> Result<(), String> {
        let mut changes = changes;
        if self.canary == Some(Canary::ForgetsWhatChanged) {
            for group in &mut changes {
                group.rows.pop();
            }
        }
        self.told.lock().expect("one thread").push_back(changes);
        Ok(())
    }

    fn flush(&mut self) {
        self.keep(usize::MAX);
    }
}

impl Kept {
    /// Keeps the next few of what the store was told.
    pub(crate) fn keep(&mut self, calls: usize) {
        let mut told = self.told.lock().expect("one thread");
        let mut kept = self.groups.lock().expect("one thread");
        let calls = calls.min(told.len());
        for changes in told.drain(..calls).flatten() {
            let id = changes.id.clone();
            let group = StoredGroup::with(kept.remove(&id), changes);
            kept.insert(id, group);
        }
    }

    /// What was told and is not kept is gone; how many calls that were.
    pub(crate) fn lose(&mut self) -> usize {
        let mut told = self.told.lock().expect("one thread");
        told.drain(..).count()
    }
}

impl World {
    /// The frame as a server with the fault would send it.
    pub(crate) fn spoiled(&mut self, frame: Arc<str>) -> Arc<str> {
        let Some(canary) = self.canary else { return frame };
        let Ok(mut json) = serde_json::from_str::<Value>(&frame) else { return frame };
        let Some(ops) = json[1].get_mut("rowsPatch").and_then(Value::as_array_mut) else {
            return frame;
        };
        let is = |op: &Value, kind: &str| op["op"] == kind;
        match canary {
            Canary::LosesARow if self.random.one_in(20) => {
                ops.retain({
                    let mut first = true;
                    move |op| !(is(op, "put") && std::mem::take(&mut first))
                });
            }
            Canary::ForgetsADelete if self.random.one_in(5) => ops.retain(|op| !is(op, "del")),
            Canary::OldRow => {
                for op in ops.iter_mut().filter(|op| op["op"] == "put") {
                    let key = format!("{} {}", op["tableName"], op["value"]["id"]);
                    let new = op["value"].clone();
                    if let Some(old) = self.last_put.insert(key, new)
                        && self.random.one_in(10)
                    {
                        op["value"] = old;
                    }
                }
            }
            _ => return frame,
        }
        let same = json[1]["rowsPatch"].as_array().is_some_and(Vec::is_empty);
        if same {
            json[1].as_object_mut().expect("a body").remove("rowsPatch");
        }
        Arc::from(json.to_string())
    }
}
