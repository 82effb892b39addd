//! Rest: everybody has read everything, and what clients hold is what the database gives.

use std::collections::{BTreeSet, VecDeque};

use penstock::{Params, Query, row};
use penstock_sync::hub::Input;

use crate::client::Client;
use crate::pool;
use crate::world::World;

impl World {
    /// Everybody connects and reads everything; then what clients hold is compared with the database.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        self.tally.rests += 1;
        for round in 0.. {
            if round == 50 {
                return Err("there is no rest".to_owned());
            }
            let mut is_quiet = true;
            for at in 0..self.clients.len() {
                if !self.clients[at].is_connected() {
                    self.connect(at)?;
                    is_quiet = false;
                }
                self.say_first(at)?;
                while self.clients[at]
                    .socket
                    .as_ref()
                    .is_some_and(|socket| !socket.incoming.is_empty())
                {
                    self.read(at)?;
                    is_quiet = false;
                }
            }
            self.carry_out();
            self.now.mono_ms += 10;
            self.input(Input::Tick)?;
            let unread = |client: &Client| {
                client.socket.as_ref().is_some_and(|socket| !socket.incoming.is_empty())
            };
            is_quiet &= !self.clients.iter().any(unread);
            if is_quiet && !self.hub.is_dirty() && self.pushes.values().all(VecDeque::is_empty) {
                break;
            }
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<(), String> {
        self.hub.verify()?;
        let report = self.hub.report(false);
        for client in &self.clients {
            let group = report.groups.iter().find(|group| group.id == client.group);
            let group = group.ok_or_else(|| format!("the group {} is gone", client.group))?;
            let live: BTreeSet<String> =
                group.queries.iter().map(|query| query.hash.clone()).collect();
            let mut expected = BTreeSet::new();
            for (hash, ast) in self.queries.iter().filter(|(hash, _)| live.contains(hash)) {
                let query = Query::from_ast(ast).map_err(|error| format!("{hash}: {error}"))?;
                let rows = self.database.query_row_set(&query, &Params::default());
                let rows = rows.map_err(|error| format!("{hash}: {error}"))?;
                expected.extend(
                    rows.iter().map(|row| format!("{} {}", row.table().name(), row.to_json())),
                );
            }
            let found = client.rows();
            if found != expected {
                let missing: Vec<_> = expected.difference(&found).take(3).collect();
                let extra: Vec<_> = found.difference(&expected).take(3).collect();
                return Err(format!(
                    "{} lacks {missing:?} and has {extra:?} too many",
                    client.name
                ));
            }
            if client.got() != live {
                return Err(format!("{} has got {:?} of {live:?}", client.name, client.got()));
            }
            if let Some((hash, _)) = client.wanted.iter().find(|(hash, _)| !live.contains(*hash)) {
                return Err(format!("{} wants {hash}, which is not live", client.name));
            }
            let key = row! { clientGroupID: client.group.as_str(), clientID: client.name.as_str() };
            let last = self.database.get(pool::CLIENTS, key).map_err(|error| error.to_string())?;
            let last = last.and_then(|row| row.get("lastMutationID")?.as_i64()).unwrap_or(0);
            if client.last_mutation_id() as i64 != last {
                let told = client.last_mutation_id();
                return Err(format!(
                    "{} was told of mutation {told}, {last} are done",
                    client.name
                ));
            }
        }
        Ok(())
    }
}
