//! The users whom the entries of a cell have served: the memory that tells, without the age of thought, whose context is there.
//!
//! Models: for each resident entry of an abstract scenario with contexts of users, the slot in which it last served each user. An
//! entry that leaves takes its users along, as it takes their contexts. A context that is emptied because its window is full
//! leaves no trace here.

use crate::cache::Cache;
use crate::units::{ServiceId, UserId};
use serde::{Deserialize, Serialize};

/// Users by service, each with the slot in which it was last served.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KnownUsers {
    /// By service, ascending by user; empty in scenarios without such a memory.
    by_service: Vec<Vec<(UserId, u64)>>,
}

impl KnownUsers {
    /// A memory of so many services, that knows nobody.
    pub(crate) fn new(num_services: usize) -> Self {
        Self { by_service: vec![Vec::new(); num_services] }
    }

    /// Forgets everybody.
    pub(crate) fn clear(&mut self) {
        self.by_service.iter_mut().for_each(Vec::clear);
    }

    /// The entry of a service serves a user in this slot.
    pub(crate) fn note(&mut self, service: ServiceId, user: UserId, slot: u64) {
        let Some(users) = self.by_service.get_mut(service.index()) else { return };
        match users.binary_search_by_key(&user, |(user, _)| *user) {
            Ok(place) => users[place].1 = slot,
            Err(place) => users.insert(place, (user, slot)),
        }
    }

    /// Nobody was served after this slot.
    pub(crate) fn end_at(&mut self, slot: u64) {
        for (_, last) in self.by_service.iter_mut().flatten() {
            *last = slot.min(*last);
        }
    }

    /// Forgets the users of entries that have left.
    pub(crate) fn forget_absent(&mut self, cache: &Cache) {
        for (users, residency) in self.by_service.iter_mut().zip(cache.residency()) {
            if !residency.is_resident {
                users.clear();
            }
        }
    }

    /// Service, user and the slot in which the one last served the other; by service, then by user.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ServiceId, UserId, u64)> {
        let services = self.by_service.iter().enumerate();
        services.flat_map(|(index, users)| {
            users.iter().map(move |&(user, slot)| (ServiceId::from_index(index), user, slot))
        })
    }

    /// Whether a memory that was kept is one of `own`'s services, whose users come in order, exist, and were served no later than
    /// `slot` by entries that are there.
    pub(crate) fn fits(&self, own: &Self, cache: &Cache, num_users: u32, slot: u64) -> bool {
        let fits = |(index, users): (usize, &Vec<(UserId, u64)>)| {
            let is_user = |&(user, last): &(UserId, u64)| user.0 < num_users && last <= slot;
            let is_sorted = users.windows(2).all(|pair| pair[0].0 < pair[1].0);
            is_sorted
                && users.iter().all(is_user)
                && (users.is_empty() || cache.is_resident(ServiceId::from_index(index)))
        };
        self.by_service.len() == own.by_service.len() && self.by_service.iter().enumerate().all(fits)
    }
}
