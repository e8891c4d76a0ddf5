//! Who asks: the user behind each request, where context is private (`context.scope = "user"`).
//!
//! Models: a recording that names its users says whose each request is. Elsewhere every request comes from one of
//! `context.users` users, each as likely as any other, drawn from a stream of its own: the requests themselves stay as they
//! are. Nothing here depends on an action. Users keep their number at every cell.
//!
//! Assumptions: drawn users are alike and ask independently (ours).

use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::thought::contexts::Visit;
use crate::units::UserId;
use crate::workload::arrivals::Batch;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The users of the present slot's requests, in the order of its batches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Users {
    /// How many there are.
    count: u32,
    rng: SimRng,
    of_slot: Vec<UserId>,
}

impl Users {
    /// So many users, before the first episode.
    pub(crate) fn new(num_users: u32) -> Self {
        let rng = Seed::new(Purpose::Train, 0).stream(Stream::Users);
        Self { count: num_users, rng, of_slot: Vec::new() }
    }

    /// Another future, or another episode.
    pub(crate) fn reseed(&mut self, seed: Seed) {
        self.rng = seed.stream(Stream::Users);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The users of the present slot's requests.
    pub(crate) fn of_slot(&self) -> &[UserId] {
        &self.of_slot
    }

    /// Takes the users of a slot's requests as they were recorded, one a request, or draws them; returns them.
    pub(crate) fn draw(&mut self, batches: &[Batch], recorded: Option<&[UserId]>) -> &[UserId] {
        self.of_slot.clear();
        if let Some(recorded) = recorded {
            self.of_slot.extend_from_slice(recorded);
            return &self.of_slot;
        }
        for _ in 0..num_requests(batches) {
            self.of_slot.push(UserId(self.rng.random_range(0..self.count)));
        }
        &self.of_slot
    }

    /// Writes whose requests a batch brings, each user once, by id; the slot had `before` requests before it.
    pub(crate) fn visits(&self, before: usize, batch: Batch, visits: &mut Vec<Visit>) {
        visits.clear();
        for &user in &self.of_slot[before..before + batch.num_requests as usize] {
            match visits.binary_search_by_key(&user, |visit| visit.user) {
                Ok(place) => visits[place].num_requests += 1,
                Err(place) => visits.insert(place, Visit { user, num_requests: 1 }),
            }
        }
    }
}

/// Requests of some batches.
pub(crate) fn num_requests(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.num_requests as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{CellId, ServiceId};

    #[test]
    fn every_request_has_a_user_and_every_user_is_as_likely() {
        let mut users = Users::new(4);
        users.reseed(Seed::new(Purpose::Test, 1));
        let batch =
            |service, num_requests| Batch { cell: CellId(0), service: ServiceId(service), num_requests };
        let batches = [batch(2, 3), batch(0, 39_997)];
        users.draw(&batches, None);
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
