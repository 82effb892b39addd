//! A mutation against the rules, on the replica: applied to it, looked at, and undone.

use std::sync::Arc;
use std::time::Duration;

use penstock::{Error, ValueRef, row};
use tokio::time::{Instant, sleep};

use super::super::apply::{Author, Failure, apply};
use super::super::sqlite::{blocking, is_of_the_file};
use super::super::told::told;
use super::super::{Crud, WriteError, Written, unavailable};
use super::Inner;
use crate::rules::Rules;

/// How long the replica may take to show a client's earlier mutations.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// What the rules say of a mutation.
pub(super) enum Judged {
    Allowed,
    Refused(String),
    /// It is not next in line.
    Decided(Written),
}

impl Inner {
    /// Whether the rules allow a mutation.
    pub(super) async fn judge(
        self: &Arc<Self>,
        crud: &Crud,
        rules: Arc<Rules>,
    ) -> Result<Judged, WriteError> {
        let last = self.last(crud).await?;
        if crud.mutation_id <= last {
            return Ok(Judged::Decided(Written::AlreadyProcessed));
        }
        if crud.mutation_id > last + 1 {
            return Ok(Judged::Decided(Written::OutOfOrder { expected: last + 1 }));
        }
        self.catch_up(crud, last).await?;
        let (this, crud) = (Arc::clone(self), crud.clone());
        blocking(move || this.try_out(&crud, &rules)).await
    }

    /// Waits until the replica shows the client's mutations up to a number.
    async fn catch_up(self: &Arc<Self>, crud: &Crud, last: i64) -> Result<(), WriteError> {
        let until = Instant::now() + CATCH_UP;
        loop {
            let (this, of) = (Arc::clone(self), crud.clone());
            let shown = blocking(move || this.shown(&of)).await?;
            if shown.is_none_or(|shown| shown >= last) {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(unavailable("the replica does not keep up with the server"));
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// The number of the client's last mutation in the replica; nothing where that lacks the table.
    fn shown(&self, crud: &Crud) -> Result<Option<i64>, WriteError> {
        let table = self.bookkeeping().clients_table;
        let key = row! { "clientGroupID": crud.group.as_str(), "clientID": crud.client.as_str() };
        match self.replica.get(&table, key) {
            Ok(client) => {
                let last = client.as_ref().and_then(|client| client.get("lastMutationID"));
                Ok(Some(if let Some(ValueRef::Int(last)) = last { last } else { 0 }))
            }
            Err(Error::UnknownTable { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Applies the operations to the replica and undoes them again.
    fn try_out(&self, crud: &Crud, rules: &Rules) -> Result<Judged, WriteError> {
        let Ok(ops) = &crud.ops else { return Ok(Judged::Allowed) };
        let is_internal = |table: &str| super::is_internal(&self.app, table);
        let author = Author { rules, claims: &crud.claims, is_internal: &is_internal };
        let mut applied = None;
        let undone = self.replica.transaction(|tx| {
            applied = Some(apply(tx, &author, ops));
            Err::<(), _>(Error::abort("it was only tried"))
        });
        match (applied, undone) {
            (Some(Ok(())), _) => Ok(Judged::Allowed),
            (Some(Err(Failure::Refused(message))), _) => Ok(Judged::Refused(message)),
            (Some(Err(Failure::Engine(error))), _) if is_of_the_file(&error) => {
                Err(unavailable(error))
            }
            (Some(Err(Failure::Engine(error))), _) => {
                Ok(Judged::Refused(told(&error, rules.allows_all())))
            }
            (None, Err(error)) => Err(unavailable(error)),
            (None, Ok(())) => Err(unavailable("the replica took no transaction")),
        }
    }
}
