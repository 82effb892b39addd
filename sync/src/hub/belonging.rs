//! Whose a client group is.

use std::sync::Arc;

use super::group::Group;
use super::{Hub, Now};
use crate::protocol::connect::ConnectRequest;
use crate::protocol::error::{ErrorBody, ErrorKind};

fn anothers() -> ErrorBody {
    let message = "the client group belongs to another user; use another storage key";
    ErrorBody::new(ErrorKind::Unauthorized, message)
}

impl Hub {
    /// The group of a client that connects, made or taken from the store if it is not live. It belongs to
    /// one user: whom it was made for, and under whose name its mutations were written. Whose it is
    /// outlives its state, as long as the store or the database remembers.
    pub(super) fn find_group(
        &mut self,
        now: Now,
        request: &ConnectRequest,
    ) -> Result<Arc<str>, ErrorBody> {
        let id = request.group_id.as_str();
        self.admit_request(request)?;
        if !self.groups.contains_key(id) {
            let group = match self.recall(id) {
                // Others are not to make the server work for it.
                Some(group)
                    if group.user != request.user_id
                        && (group.user.is_some() || !group.clients.is_empty()) =>
                {
                    return Err(anothers());
                }
                Some(group) => group,
                None => {
                    let mut group = Group::new(id, self.options.tag);
                    group.user.clone_from(&request.user_id);
                    group
                }
            };
            let key = Arc::clone(&group.id);
            self.groups.insert(Arc::clone(&key), group);
            self.keep_books(&key);
            if let Some(group) = self.groups.get_mut(&key) {
                group.empty_since = Some(now.mono_ms);
                // Not whoever comes first after its state was lost.
                let is_author = group.user.as_ref().is_some_and(|of| group.authors.contains(of));
                if !group.authors.is_empty() && !is_author {
                    group.user = group.authors.first().cloned();
                }
                if group.user.is_some() {
                    self.save(now, &[key]);
                }
            }
        }
        let group = self.groups.get_mut(id).expect("invariant: it was there or has been made");
        if group.clients.is_empty() && group.connections.is_empty() && group.user.is_none() {
            group.user.clone_from(&request.user_id);
            group.unsaved.head = true;
        }
        let wrote = |user: &String| group.authors.contains(user);
        let is_author = group.authors.is_empty() || request.user_id.as_ref().is_some_and(wrote);
        if group.user != request.user_id || !is_author {
            return Err(anothers());
        }
        if group.has_lost_mutations(&request.client_id, request.last_mutation_id) {
            let message = "the database has been put back to a state before mutations that the client was \
                           told of; start with an empty store";
            return Err(ErrorBody::new(ErrorKind::ClientNotFound, message));
        }
        Ok(Arc::clone(&group.id))
    }
}
