//! What outlives servers, and faults that a server might have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use penstock_sync::hub::{GroupStore, StoredGroup};
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
    /// A row is put as it was before.
    OldRow,
}

/// A store that outlives servers.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) groups: Arc<Mutex<BTreeMap<String, StoredGroup>>>,
    pub(crate) canary: Option<Canary>,
}

impl GroupStore for Kept {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        let mut group = self.groups.lock().expect("one thread").get(id).cloned();
        if self.canary == Some(Canary::ForgetsAKeptRow)
            && let Some(group) = &mut group
        {
            group.rows.pop();
        }
        Ok(group)
    }

    fn save(&mut self, groups: &[StoredGroup]) -> Result<(), String> {
        let mut kept = self.groups.lock().expect("one thread");
        kept.extend(groups.iter().map(|group| (group.id.clone(), group.clone())));
        Ok(())
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
