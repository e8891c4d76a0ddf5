//! The user behind each request, where context is private (`context.scope = "user"`).
//!
//! Models: a recording that names its users says whose each request is. Elsewhere every request comes from one of
//! `context.users` users, each as likely as any other, drawn from a stream of its own: the requests themselves stay as they
//! are. Nothing here depends on an action. Users keep their number at every cell.
//!
//! Assumptions: drawn users are alike and ask independently (ours).

use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::units::{ServiceId, UserId};
use crate::workload::arrivals::Batch;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The requests of one user in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The user; [`UserId::ALL`] where all users share a context.
    pub user: UserId,
    /// How many, at least 1.
    pub num_requests: u32,
}

/// The users of the present slot's requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Users {
    /// How many there are; `None` where all users of a service share one context and nobody tells them apart.
    #[serde(skip)]
    count: Option<u32>,
    rng: SimRng,
    /// In the order of the slot's batches.
    of_slot: Vec<UserId>,
}

impl Users {
    /// So many users, before the first episode.
    pub(crate) fn new(count: Option<u32>) -> Self {
        let rng = Seed::new(Purpose::Train, 0).stream(Stream::Users);
        Self { count, rng, of_slot: Vec::new() }
    }

    /// Another episode.
    pub(crate) fn reseed(&mut self, seed: Seed) {
        self.rng = seed.stream(Stream::Users);
    }

    /// Another future: the users of the slot's requests from number `first` on are others. `known` tells or draws the user of a
    /// request, by its service and number; `None` where any is as likely as the others.
    pub(crate) fn redraw(
        &mut self,
        seed: Seed,
        batches: &[Batch],
        first: usize,
        mut known: impl FnMut(ServiceId, usize, &mut SimRng) -> Option<UserId>,
    ) {
        self.reseed(seed);
        let Some(count) = self.count else { return };
        let services =
            batches.iter().flat_map(|batch| std::iter::repeat_n(batch.service, batch.num_requests as usize));
        for (request, service) in services.enumerate().skip(first) {
            let user = known(service, request, &mut self.rng);
            self.of_slot[request] = user.unwrap_or_else(|| UserId(self.rng.random_range(0..count)));
        }
    }

    /// Finds the users of a slot's requests, where they are told apart: `known` writes them, one a request, or they are
    /// drawn. Returns them.
    pub(crate) fn draw(
        &mut self,
        batches: &[Batch],
        known: impl FnOnce(&mut Vec<UserId>) -> bool,
    ) -> &[UserId] {
        self.of_slot.clear();
        if let Some(count) = self.count
            && !known(&mut self.of_slot)
        {
            let users = (0..num_requests(batches)).map(|_| UserId(self.rng.random_range(0..count)));
            self.of_slot.extend(users);
        }
        &self.of_slot
    }

    /// Writes whose requests a batch brings, each user once, by id; the slot had `before` requests before it.
    pub(crate) fn visits(&self, before: usize, batch: Batch, visits: &mut Vec<Visit>) {
        visits.clear();
        if self.count.is_none() {
            visits.push(Visit { user: UserId::ALL, num_requests: batch.num_requests });
            return;
        }
        for &user in &self.of_slot[before..before + batch.num_requests as usize] {
            match visits.binary_search_by_key(&user, |visit| visit.user) {
                Ok(place) => visits[place].num_requests += 1,
                Err(place) => visits.insert(place, Visit { user, num_requests: 1 }),
            }
        }
    }

    /// Takes the number of users from those of the same scenario; whether there is one for each of so many requests.
    pub(crate) fn complete(&mut self, own: &Self, requests: usize) -> bool {
        self.count = own.count;
        let (requests, count) = self.count.map_or((0, 0), |count| (requests, count));
        self.of_slot.len() == requests && self.of_slot.iter().all(|user| user.0 < count)
    }
}

/// Requests of some batches.
pub(crate) fn num_requests(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.num_requests as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::CellId;

    #[test]
    fn every_request_has_a_user_and_every_user_is_as_likely() {
        let mut users = Users::new(Some(4));
        users.reseed(Seed::new(Purpose::Test, 1));
        let batch =
            |service, num_requests| Batch { cell: CellId(0), service: ServiceId(service), num_requests };
        let batches = [batch(2, 3), batch(0, 39_997)];
        users.draw(&batches, |_| false);
        let mut visits = Vec::new();
        users.visits(3, batches[1], &mut visits);
        assert!(visits.is_sorted_by_key(|visit| visit.user.0));
        assert_eq!(visits.iter().map(|visit| visit.num_requests).sum::<u32>(), 39_997);
        for visit in &visits {
            // Six standard deviations of a binomial count: 6 sqrt(40,000 * 3/16) = 520.
            assert!((f64::from(visit.num_requests) - 10_000.0).abs() < 520.0, "{visit:?}");
        }
        users.visits(0, batches[0], &mut visits);
        assert_eq!(visits.iter().map(|visit| visit.num_requests).sum::<u32>(), 3);
    }
}
