//! The work of a physical cell beside keeping entries: requests that wait, and weights on their way.

use crate::edition::Edition;
use crate::llm::flight::{Flight, Request, Totals, backlog_s};
use crate::llm::loading::Loading;
use crate::llm::queue::Backlog;
use crate::placement::pipeline::{Joined, Stage, StageBill};
use crate::scenario::physics::Physical;
use crate::units::ServiceId;
use serde::{Deserialize, Serialize};

/// The requests of a physical cell that wait, and the weights on their way into its memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Station {
    /// Work that was accepted and is not yet done.
    pub backlog: Backlog,
    /// Weights outside GPU memory, and on their way into it.
    pub loading: Loading,
    /// By service: requests that were served at the edge in this slot.
    pub(super) served: Vec<u32>,
    /// By service: seconds that the GPUs had to work before the batch that its next request would be part of began.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub(super) batch_waiting_s: Vec<f64>,
    /// By service: the time at which its entry neither loads nor serves any more, in seconds since the episode began.
    pub(super) busy_until_s: Vec<f64>,
    /// By service: the answer that keeps its entry busy for longest.
    pub(super) answers: Vec<Answer>,
    /// The second edition's: the requests in flight, what they take, and when the uplink is free.
    pub(crate) flight: Flight,
    pub(crate) projected: Totals,
    #[serde(deserialize_with = "crate::kept::amount")]
    pub(super) air_free_s: f64,
}

/// An answer that is on its way: when its request came, the seconds that it takes apart from its tokens, and those of a token.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Answer {
    #[serde(deserialize_with = "crate::kept::amount")]
    asked_s: f64,
    #[serde(deserialize_with = "crate::kept::amount")]
    other_s: f64,
    #[serde(deserialize_with = "crate::kept::amount")]
    s_per_token: f64,
}

/// How often the length of an answer is drawn until it is one that is not at its end yet.
const DRAWS: u32 = 64;
/// The end of a load is counted from its begin and from now: a rounding between the two is no answer.
const ROUNDING_S: f64 = 1e-6;

impl Station {
    pub(super) fn new(num_services: usize, law: &Physical) -> Self {
        Self {
            backlog: Backlog::default(),
            loading: Loading::default(),
            served: vec![0; num_services],
            batch_waiting_s: vec![0.0; num_services],
            busy_until_s: vec![0.0; num_services],
            answers: vec![Answer::default(); num_services],
            flight: law.nothing.clone(),
            projected: Totals::default(),
            air_free_s: 0.0,
        }
    }

    /// Begins an episode.
    pub(super) fn begin_anew(&mut self, law: &Physical) {
        self.backlog = Backlog::default();
        self.loading.begin_anew(&law.path, &law.model_bytes);
        self.served.fill(0);
        self.batch_waiting_s.fill(0.0);
        self.busy_until_s.fill(0.0);
        self.answers.fill(Answer::default());
        self.flight.copy_from(&law.nothing);
        (self.projected, self.air_free_s) = (Totals::default(), 0.0);
    }

    /// Takes on a request of the second edition.
    pub(super) fn join(&mut self, joined: &Joined, law: &Physical) {
        self.flight.accept(law.model_of(joined.request.service), joined.request);
        self.projected += joined.added;
    }

    /// Whether the model of a service takes one more request on: as many as it answers at a time may wait. Always in the first edition.
    pub(super) fn has_room(&self, service: ServiceId, law: &Physical) -> bool {
        let most = 2 * law.max_batch as usize;
        law.edition == Edition::First || self.flight.requests(law.model_of(service)).nth(most - 1).is_none()
    }

    /// Seconds for which the GPUs have to work on what was accepted.
    pub(super) fn backlog_s(&self, law: &Physical) -> f64 {
        if law.edition == Edition::First {
            return self.backlog.waiting_s(law.gpus);
        }
        let (fleet, mut loads) = (law.fleet(), Vec::new());
        self.flight.loads(&fleet, &mut loads);
        backlog_s(&fleet, &loads)
    }

    /// The number of requests in the batch that the next request of a service would be part of, itself included.
    pub(super) fn next_batch(&self, service: ServiceId, law: &Physical) -> u32 {
        1 + self.served[service.index()] % law.max_batch
    }

    /// Seconds that a request of a service waits for the GPUs: for the work before its batch, not for the batch itself.
    pub(super) fn waiting_s(&self, service: ServiceId, law: &Physical) -> f64 {
        let is_joining = !self.served[service.index()].is_multiple_of(law.max_batch);
        if is_joining { self.batch_waiting_s[service.index()] } else { self.backlog.waiting_s(law.gpus) }
    }

    /// Takes on a request of now that is answered with so many tokens.
    pub(super) fn work(
        &mut self,
        service: ServiceId,
        now_s: f64,
        (bill, output_tokens): (&StageBill, f64),
        law: &Physical,
    ) {
        self.batch_waiting_s[service.index()] = self.waiting_s(service, law);
        self.backlog.add(bill.edge_gpu_s);
        self.served[service.index()] += 1;
        let until_s = now_s + bill.latency_s;
        if until_s > self.busy_until_s[service.index()] {
            let decode_s = bill.line(Stage::Decode).seconds;
            let (other_s, s_per_token) = (bill.latency_s - decode_s, decode_s / output_tokens);
            self.answers[service.index()] = Answer { asked_s: now_s, other_s, s_per_token };
        }
        self.keep_busy(service, until_s);
    }

    /// Draws anew how long entries serve that serve now: nobody is told the length of an answer before its end. `output_tokens`
    /// draws one; that the answer is not at its end is known.
    pub(super) fn redraw_answers(
        &mut self,
        now_s: f64,
        mut output_tokens: impl FnMut(ServiceId) -> u32,
        law: &Physical,
    ) {
        if law.edition == Edition::Second {
            let drawn = |request: &Request, written: f64| {
                let mut draw = || f64::from(output_tokens(request.service));
                let longer = (0..DRAWS).map(|_| draw()).find(|&tokens| tokens > written);
                longer.unwrap_or_else(|| written + draw())
            };
            let fleet = law.fleet();
            self.flight.redraw(fleet.servers, drawn);
            self.projected = self.flight.projected(&fleet);
        }
        for (index, (answer, until_s)) in self.answers.iter().zip(&mut self.busy_until_s).enumerate() {
            let Answer { asked_s, other_s, s_per_token } = *answer;
            let service = ServiceId::from_index(index);
            // Everybody knows how long an entry loads; behind a load there may be answers.
            let free_s = now_s + self.loading.seconds_left(service);
            if *until_s <= free_s + ROUNDING_S || s_per_token == 0.0 {
                continue;
            }
            let mut drawn = || s_per_token * f64::from(output_tokens(service));
            let ends = (0..DRAWS).map(|_| asked_s + other_s + drawn()).find(|&end_s| end_s > free_s);
            *until_s = ends.unwrap_or_else(|| free_s + drawn());
        }
    }

    /// The entry of a service loads or serves until then.
    pub(super) fn keep_busy(&mut self, service: ServiceId, until_s: f64) {
        let busy_until_s = &mut self.busy_until_s[service.index()];
        *busy_until_s = busy_until_s.max(until_s);
    }

    /// Whether the entry of a service neither loads nor serves; it is in flight, or serves for a known time.
    pub(super) fn is_idle(&self, service: ServiceId, now_s: f64, law: &Physical) -> bool {
        self.busy_until_s[service.index()] <= now_s
            && self.loading.seconds_left(service) == 0.0
            && !self.serves(service, law)
    }

    /// Whether the requests in flight are such that can be played, and take what is noted.
    pub(super) fn flies(&self, law: &Physical, num_services: usize) -> bool {
        let fleet = law.fleet();
        self.flight.fits(fleet.servers.len(), num_services, law.num_users as usize)
            && self.projected.is_near(self.flight.projected(&fleet))
    }

    /// By service: its requests in flight.
    pub(super) fn in_flight(&self, law: &Physical) -> Vec<u64> {
        let mut by_service = vec![0; self.served.len()];
        for request in (0..law.fleet().servers.len()).flat_map(|model| self.flight.requests(model)) {
            by_service[request.service.index()] += 1;
        }
        by_service
    }

    /// Whether a request of a service is in flight.
    fn serves(&self, service: ServiceId, law: &Physical) -> bool {
        law.edition == Edition::Second
            && self.flight.requests(law.model_of(service)).any(|request| request.service == service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Placement;
    use crate::placement::pipeline::price;
    use crate::placement::request::{RequestFacts, UserLink};
    use crate::scenario::Scenario;
    use approx::assert_relative_eq;

    #[test]
    fn another_future_draws_the_answers_that_are_on_their_way_and_knows_which_are_over() {
        let scenario = Scenario::shipped("street");
        let (law, own) = (scenario.physical().unwrap(), ServiceId(0));
        let link = UserLink { uplink_bps: 1e8, downlink_bps: 1e8, time_share: 1.0, ..UserLink::default() };
        let facts = RequestFacts {
            link,
            new_tokens: 50.0,
            output_tokens: 200.0,
            edge_batch: 1,
            ..Default::default()
        };
        let bill = price(Placement::Edge, &law.view(facts));
        let (latency_s, token_s) = (bill.latency_s, bill.line(Stage::Decode).seconds / 200.0);
        let mut station = Station::new(scenario.services.len(), law);
        station.work(own, 10.0, (&bill, 200.0), law);
        let until_s = |station: &Station| station.busy_until_s[own.index()];
        assert_relative_eq!(until_s(&station), 10.0 + latency_s);
        for tokens in [200, 400] {
            station.redraw_answers(10.0, |_| tokens, law);
            let more_s = (f64::from(tokens) - 200.0) * token_s;
            assert_relative_eq!(until_s(&station), 10.0 + latency_s + more_s, max_relative = 1e-12);
        }
        // Just before the end of an answer of 200 tokens: one of 1 token would be over, so it is not that one.
        let mut draws = [1, 300].into_iter().cycle();
        station.redraw_answers(10.0 + latency_s, |_| draws.next().unwrap(), law);
        assert_relative_eq!(until_s(&station), 10.0 + latency_s + 100.0 * token_s, max_relative = 1e-12);
        // What is over stays over.
        let before = until_s(&station);
        station.redraw_answers(before, |_| 1000, law);
        assert_eq!(until_s(&station), before);
    }
}
