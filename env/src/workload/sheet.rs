//! The list of the requests of a slot in the order of decision: one batch a service, or one a request.

use crate::units::{CellId, ServiceId, UserId};
use serde::{Deserialize, Serialize};

/// The requests that are decided at once: all of one service at one cell in one slot, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The cell where they arrive.
    pub cell: CellId,
    /// The service that they ask for.
    pub service: ServiceId,
    /// How many they are, at least 1.
    pub num_requests: u32,
}

/// The requests of a slot, cell by cell.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    is_per_request: bool,
    /// Room to count the requests of a cell; zero in between.
    counts: Vec<u32>,
    /// Requests of a cell with their place in the slot, still in any order.
    timed: Vec<(f64, ServiceId)>,
    /// The batches, in the order of decision.
    pub(super) batches: Vec<Batch>,
}

impl Sheet {
    /// An empty one.
    pub(crate) fn new(num_services: usize, num_cells: u32, is_per_request: bool) -> Self {
        Self {
            is_per_request,
            counts: vec![0; num_services],
            timed: Vec::new(),
            batches: Vec::with_capacity(num_services * num_cells as usize),
        }
    }

    /// Writes so many requests of a service.
    pub(crate) fn write(&mut self, cell: CellId, service: ServiceId, num_requests: u32) {
        if self.is_per_request {
            let request = Batch { cell, service, num_requests: 1 };
            self.batches.extend(std::iter::repeat_n(request, num_requests as usize));
        } else if num_requests > 0 {
            self.batches.push(Batch { cell, service, num_requests });
        }
    }

    /// Writes requests that come in this order: a service stands where it is first asked for.
    pub(crate) fn write_in_order(&mut self, cell: CellId, services: impl Iterator<Item = ServiceId> + Clone) {
        if self.is_per_request {
            self.batches.extend(services.map(|service| Batch { cell, service, num_requests: 1 }));
            return;
        }
        for service in services.clone() {
            self.counts[service.index()] += 1;
        }
        for service in services {
            let num_requests = std::mem::take(&mut self.counts[service.index()]);
            if num_requests > 0 {
                self.batches.push(Batch { cell, service, num_requests });
            }
        }
    }

    /// Puts the users of the slot's requests, which come as service and user in order of arrival, into the order of its batches.
    pub(crate) fn users_in_order(
        &mut self,
        requests: impl Iterator<Item = (ServiceId, UserId)>,
        users: &mut Vec<UserId>,
    ) {
        users.clear();
        if self.is_per_request {
            users.extend(requests.map(|(_, user)| user));
            return;
        }
        let mut next = 0;
        for batch in &self.batches {
            self.counts[batch.service.index()] = next;
            next += batch.num_requests;
        }
        users.resize(next as usize, UserId::ALL);
        for (service, user) in requests {
            let place = &mut self.counts[service.index()];
            users[*place as usize] = user;
            *place += 1;
        }
        for batch in &self.batches {
            self.counts[batch.service.index()] = 0;
        }
    }

    /// Notes a request at a place in the slot; [`write_timed`](Self::write_timed) follows.
    pub(crate) fn note(&mut self, at: f64, service: ServiceId) {
        self.timed.push((at, service));
    }

    /// Writes what was noted, in order of time.
    pub(crate) fn write_timed(&mut self, cell: CellId) {
        let mut timed = std::mem::take(&mut self.timed);
        timed.sort_unstable_by(|(at, service), (other_at, other)| {
            at.total_cmp(other_at).then(service.cmp(other))
        });
        self.write_in_order(cell, timed.iter().map(|(_, service)| *service));
        timed.clear();
        self.timed = timed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_carry_a_time_are_decided_in_order_of_first_arrival() {
        for (is_per_request, expected) in
            [(false, vec![(2, 2), (0, 1), (1, 1)]), (true, vec![(2, 1), (0, 1), (2, 1), (1, 1)])]
        {
            let mut sheet = Sheet::new(3, 1, is_per_request);
            for (at, service) in [(0.5, 0), (0.75, 2), (0.25, 2), (0.75001, 1)] {
                sheet.note(at, ServiceId(service));
            }
            sheet.write_timed(CellId(0));
            let found: Vec<(u32, u32)> =
                sheet.batches.iter().map(|batch| (batch.service.0, batch.num_requests)).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn recorded_users_follow_the_batches_and_within_one_the_order_of_arrival() {
        let requests =
            [(2, 7), (0, 1), (2, 3), (2, 7)].map(|(service, user)| (ServiceId(service), UserId(user)));
        for (is_per_request, expected) in [(false, [7, 3, 7, 1]), (true, [7, 1, 3, 7])] {
            let mut sheet = Sheet::new(3, 1, is_per_request);
            sheet.write_in_order(CellId(0), requests.iter().map(|(service, _)| *service));
            let mut users = vec![UserId(9)];
            sheet.users_in_order(requests.into_iter(), &mut users);
            assert_eq!(users, expected.map(UserId));
            assert_eq!(sheet.counts, [0; 3], "ready for the next slot");
        }
    }
}
