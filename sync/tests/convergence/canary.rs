//! Faults that a server might have, put between it and its clients: they must be found.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;

use crate::support::relay::{Passes, Relay, Way};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canary {
    /// None: to see that it is not what the faults are put in with that is found.
    None,
    /// A part of a poke is left out.
    LosesAPart,
    /// A row that is gone is not deleted.
    ForgetsADelete,
    /// A mutation is acknowledged but not carried out.
    LosesAMutation,
    /// A mutation is carried out twice.
    WritesTwice,
    /// What one transaction wrote is told in two pokes.
    TearsAPair,
}

impl Canary {
    pub(crate) const ALL: [Canary; 5] = [
        Canary::LosesAPart,
        Canary::ForgetsADelete,
        Canary::LosesAMutation,
        Canary::WritesTwice,
        Canary::TearsAPair,
    ];

    /// What is said of it.
    pub(crate) fn seen_as(self) -> &'static str {
        match self {
            Canary::None | Canary::LosesAPart => "",
            Canary::ForgetsADelete => "too many",
            Canary::LosesAMutation => "was carried out 0 times",
            Canary::WritesTwice => "was carried out 2 times",
            Canary::TearsAPair => "a pair is",
        }
    }

    /// A way to the server on which now and then the fault is seen.
    pub(crate) fn relay(self, port: u16) -> Relay {
        let frames = AtomicU64::new(0);
        Relay::to(port, move |way, _, frame| {
            let Some(mut message) = self.concerns(way, frame) else { return Passes::AsItIs };
            let number = frames.fetch_add(1, Ordering::Relaxed);
            if number % 5 != 4 {
                return Passes::AsItIs;
            }
            let rows = |message: &mut Json, keep: &dyn Fn(&Json) -> bool| {
                if let Some(rows) = message.pointer_mut("/1/rowsPatch").and_then(Json::as_array_mut)
                {
                    rows.retain(|op| keep(op));
                }
            };
            match self {
                Canary::None => return Passes::AsItIs,
                Canary::LosesAPart => return Passes::Instead(Vec::new()),
                Canary::ForgetsADelete => rows(&mut message, &|op| op["op"] != "del"),
                Canary::TearsAPair => rows(&mut message, &|op| op["tableName"] != "pair_b"),
                Canary::LosesAMutation | Canary::WritesTwice => {
                    let ops = message.pointer_mut("/1/mutations/0/args/0/ops");
                    if let Some(ops) = ops.and_then(Json::as_array_mut) {
                        let again = ops.clone();
                        ops.extend(again);
                        if self == Canary::LosesAMutation {
                            ops.clear();
                        }
                    }
                }
            }
            Passes::Instead(vec![message.to_string()])
        })
    }

    /// The frame as JSON, if the fault can be seen in it.
    fn concerns(self, way: Way, frame: &str) -> Option<Json> {
        let (of, has) = match self {
            Canary::None => return None,
            Canary::LosesAPart => (Way::ToClient, "\"rowsPatch\""),
            Canary::ForgetsADelete => (Way::ToClient, "{\"op\":\"del\",\"tableName\""),
            Canary::TearsAPair => (Way::ToClient, "\"tableName\":\"pair_b\""),
            Canary::LosesAMutation | Canary::WritesTwice => (Way::ToServer, "_zero_crud"),
        };
        let concerns = way == of && frame.contains(has);
        concerns.then(|| serde_json::from_str(frame).expect("JSON"))
    }
}
