//! The life of a published client, which only shows what its views show.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::data;
use super::life::{Board, Held, Phase, Said};
use crate::client::{Client, Query, Shown, View};
use crate::driver::fresh_name;
use crate::random::Random;

/// States in which a client has given up.
const GIVEN_UP: [&str; 3] = ["error", "needs-auth", "closed"];

pub(crate) struct Published<'a> {
    pub(crate) url: String,
    pub(crate) random: Random,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) says: UnboundedSender<Said>,
    pub(crate) board: &'a Board,
}

impl Published<'_> {
    /// Lives until it is told to end; a client that fails is said to have.
    pub(crate) fn run(mut self) {
        while *self.phase.borrow() != Phase::End {
            let lived = catch_unwind(AssertUnwindSafe(|| self.live()));
            let lived = lived.unwrap_or_else(|_| Err("a published client, see above".to_owned()));
            if let Err(problem) = lived {
                let _ = self.says.send(Said::Failed(problem));
                return;
            }
        }
    }

    /// One client, from its opening to its close.
    fn live(&mut self) -> Result<(), String> {
        let options = json!({"schema": data::published_schema(), "storageKey": fresh_name(),
            "userID": "u1", "pingTimeoutMs": 1500});
        let client = Client::open(&self.url, options);
        let mut views: BTreeMap<String, View<'_>> = BTreeMap::new();
        for name in data::ALWAYS {
            views.insert(name.to_owned(), client.view(&Query::new(data::query(name))));
        }
        let (mut last, mut made) = (Phase::Busy, 0);
        loop {
            let phase = *self.phase.borrow();
            match phase {
                Phase::End => break,
                Phase::Busy => {
                    std::thread::sleep(Duration::from_millis(self.random.next() % 150));
                    match self.random.below(100) {
                        0..=24 => self.want(&client, &mut views),
                        25..=44 => self.write(&client, &mut made),
                        // Its mutations are on their way then, or not made at all.
                        45 => break,
                        _ => {}
                    }
                }
                phase if phase == last => std::thread::sleep(Duration::from_millis(20)),
                Phase::Drain => drop(self.says.send(Said::Drained)),
                Phase::Look(fence) | Phase::Settle(fence) => self.look(&client, &views, fence)?,
            }
            last = phase;
        }
        self.close(&client)
    }

    fn want<'c>(&mut self, client: &'c Client, views: &mut BTreeMap<String, View<'c>>) {
        let name = data::any_query(&mut self.random, true);
        match views.remove(&name) {
            Some(view) => view.destroy(),
            None => {
                let ttl = [0, 300, 1500][self.random.below(3)];
                let view = client.view(&Query::new(data::query(&name)).ttl(ttl));
                views.insert(name, view);
            }
        }
    }

    fn write(&mut self, client: &Client, made: &mut u64) {
        *made += 1;
        let is_good = !self.random.one_in(8);
        let ops = data::operations(&mut self.random, &client.id, *made, is_good);
        let ops = ops
            .into_iter()
            .map(|(op, table, _, value)| json!({"op": op, "table": table, "value": value}));
        {
            let mut accounts = self.board.accounts.lock().expect("no holder panics");
            accounts.entry(client.id.clone()).or_default().made.push(is_good);
        }
        client.crud(&format!("m{made}"), Json::Array(ops.collect()));
    }

    /// Says what its views show, once it has seen the fence.
    fn look(
        &self,
        client: &Client,
        views: &BTreeMap<String, View<'_>>,
        fence: u64,
    ) -> Result<(), String> {
        let seen = |shown: &Shown| shown.data[0]["n"].as_u64() == Some(fence);
        views["fence"].until_or_broken("the fence", seen)?;
        let shown = views.iter().map(|(name, view)| (name.clone(), view.complete())).collect();
        let (client, rows, got) = (client.id.clone(), BTreeMap::new(), BTreeSet::new());
        let _ = self.says.send(Said::Holds(Box::new(Held { client, rows, got, shown })));
        Ok(())
    }

    /// Closes it, and fails if it has ever been told to give up.
    fn close(&self, client: &Client) -> Result<(), String> {
        let told = client.told();
        if told["stateNotFound"] != json!(0) || told["updateNeeded"] != json!([]) {
            return Err(format!("the application was to be loaded anew: {told}"));
        }
        let states = client.states();
        if let Some(state) = states.iter().find(|state| GIVEN_UP.contains(&state.as_str())) {
            return Err(format!("it was {state} once: {:?}", client.all_states()));
        }
        let mut accounts = self.board.accounts.lock().expect("no holder panics");
        accounts.entry(client.id.clone()).or_default().is_gone = true;
        Ok(())
    }
}
