//! Sessions: conversations of several turns, with thinking between them, tools within them, and a context that grows.
//!
//! Models: users start sessions ([`Starts`]). A session has one service, by popularity rank, and a number of turns. A turn is
//! one call of the model, or a loop of calls with a tool between them. From one request to the next of a session passes a
//! think time (next turn) or a tool time (next call of a turn), counted from arrival to arrival: nothing here depends on how
//! fast or where a request is served. Each request brings new tokens (what the user says, or what the tool answers) and gets
//! output tokens; all of them are context of what follows.
//!
//! Equation, starts at `lambda` per second, `T` turns, `C` further calls of a turn:
//! ```text
//! requests       lambda * E[T] * (1 + E[C])  per second
//! live sessions  lambda * ( (E[T] - 1) * E[think] + E[T] * E[C] * E[tool] )                       Little
//! C              0 with probability 1 - p, else geometric with mean m:  E[C] = p m
//! ```
//! An episode begins with the sessions that are under way: for Poisson starts exactly as after an infinite time, for other
//! families with the same mean.
//!
//! Every length and time of a session has an address (session, request) in the tokens stream: the order of drawing does not
//! matter, and a live session is a few numbers. The cost of a slot is in proportion to its requests; a user without a session
//! takes no memory.
//!
//! Nobody is told whether a session goes on. One that is over is kept as long as it could still come back, so that another
//! future draws for both kinds alike whether they do, and sessions that nobody has met yet are drawn as at the start.
//!
//! Source: MODEL 2 (exogenous sessions); figures: `crate::scenario::sessions`.

mod agenda;
mod laws;
mod model;
mod starts;

pub use laws::{GapTime, Tokens, Tools, Turns};
pub use model::SessionsModel;
pub use starts::{Starts, UserClass};

use super::draw::Streams;
use super::popularity::{Ranking, zipf_intensities};
use crate::random::{Addressed, Purpose, Seed, Stream};
use crate::units::{ServiceId, UserId};
use agenda::Agenda;
use rand::RngExt;
use rand_distr::Poisson;
use serde::{Deserialize, Serialize};
use starts::{StartsState, poisson};

/// The most sessions that are counted.
const MOST_SESSIONS: u64 = 1 << 53;
/// The most requests of one session that are counted.
const MOST_REQUESTS: u32 = u32::MAX / 2;

/// One request of a session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRequest {
    /// The number of the session in the episode.
    pub session: u64,
    /// The user who asks.
    pub user: UserId,
    /// The service that it asks for.
    pub service: ServiceId,
    /// The time of its arrival, seconds from the slot's start.
    pub arrival_s: f64,
    /// Tokens that the user adds, or that a tool answered; at least 1.
    pub new_tokens: u32,
    /// Tokens of the answer, at least 1. With the new ones they fit into the window of the service.
    pub output_tokens: u32,
    /// All tokens of the session before this request; they may exceed the window.
    pub context_tokens_before: u32,
    /// The turn, from 0.
    pub turn: u32,
    /// The call of the turn, from 0; a tool answered before each but the first.
    pub call: u32,
    /// Whether the session ends with it.
    pub is_last: bool,
}

/// A request of the present slot that a new future may change: its answer is not known, and unless the request `is_seen`,
/// neither is anything but its service and its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The user who asks.
    pub user: UserId,
    /// The service that it asks for.
    pub service: ServiceId,
    /// Seconds since the slot began.
    pub arrival_s: f64,
    /// Tokens of the new part of the prompt.
    pub new_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Tokens of the session before.
    pub said_tokens: u32,
    /// Whether somebody decides about it now.
    pub is_seen: bool,
}

/// A session between two of its requests, or after its last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Live {
    session: u64,
    user: UserId,
    service: ServiceId,
    /// Of the next request; of the last where none follows.
    turn: u32,
    call: u32,
    /// The call of the last request.
    last_call: u32,
    /// Requests before the next.
    requests: u32,
    context_tokens: u32,
    /// The time of the last request, seconds since the episode began; below 0 where it was before.
    #[serde(deserialize_with = "crate::kept::finite")]
    since_s: f64,
    /// The time of the next request; [`NEVER_S`] where none follows.
    #[serde(deserialize_with = "crate::kept::finite")]
    next_s: f64,
}

/// The time of a request that does not come.
const NEVER_S: f64 = 1e30;

impl Live {
    /// Whether no request follows.
    fn is_over(&self) -> bool {
        self.next_s >= NEVER_S
    }

    /// Whether it has asked since the episode began.
    fn is_met(&self) -> bool {
        self.since_s >= 0.0
    }

    /// The turn of its last request.
    fn last_turn(&self) -> u32 {
        if self.is_over() || self.call > 0 { self.turn } else { self.turn.saturating_sub(1) }
    }

    /// What follows the last request, which came at `since_s`.
    fn follow(&mut self, next: Next, gap_s: f64) {
        (self.turn, self.call) = match next {
            Next::End => (self.turn, self.call),
            Next::Call => (self.turn, self.call + 1),
            Next::Turn => (self.turn + 1, 0),
        };
        self.next_s = if next == Next::End { NEVER_S } else { self.since_s + gap_s };
    }
}

/// The next event of a session after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Call,
    Turn,
    End,
}

/// Everything that is drawn for a request.
struct Drawn {
    new_tokens: u32,
    output_tokens: u32,
    next: Next,
    /// Seconds to the next request; 0 if there is none.
    gap_s: f64,
}

/// The state of all sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionsState {
    streams: Streams,
    /// The address of lengths and times.
    seed: Seed,
    ranking: Ranking,
    starts: StartsState,
    next_session: u64,
    /// By the slot of the next request.
    live: Agenda,
}

/// The sessions of a running episode.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The laws.
    pub model: SessionsModel,
    /// By rank: its share of sessions.
    rank_shares: Vec<f64>,
    /// The same with the more popular ones.
    shares_up_to: Vec<f64>,
    /// How many sessions start in a slot, where that has the same law in each.
    starts: Option<Poisson<f64>>,
    state: SessionsState,
    /// Lengths and times.
    tokens: Addressed,
    places: Vec<f64>,
    requests: Vec<SessionRequest>,
}

impl Sessions {
    /// No sessions, before the first episode.
    pub fn new(model: SessionsModel) -> Self {
        let seed = Seed::new(Purpose::Train, 0);
        let mut streams = Streams::new(seed);
        let services = model.window_tokens.len();
        let mut below = 0.0;
        let rank_shares = zipf_intensities(services, model.zipf_exponent, 1.0 / services as f64);
        let shares_up_to = rank_shares
            .iter()
            .map(|share| {
                below += share;
                below
            })
            .collect();
        let state = SessionsState {
            seed,
            ranking: Ranking::new(services, model.reshuffle_slots),
            starts: model.starts.begin(&mut streams),
            streams,
            next_session: 0,
            live: Agenda::default(),
        };
        Self {
            starts: model.starts.constant(),
            model,
            rank_shares,
            shares_up_to,
            state,
            tokens: Addressed::new(Stream::Tokens),
            places: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Begins an episode with the sessions that are under way.
    pub fn begin_episode(&mut self, seed: Seed) {
        let state = &mut self.state;
        state.seed = seed;
        state.streams = Streams::new(seed);
        state.ranking.deal(&mut state.streams.popularity);
        state.starts = self.model.starts.begin(&mut state.streams);
        state.live.clear();
        state.next_session = 0;
        self.find_all();
    }

    /// Adds the sessions that are under way when an episode begins.
    fn find_all(&mut self) {
        let [thinking, calling] = self.model.live_by_kind();
        for _ in 0..poisson(thinking, &mut self.state.streams.arrivals) {
            let turns = self.model.turns.found_between(&mut self.state.streams.arrivals);
            self.find(turns, None);
        }
        if let Some(tools) = self.model.tools {
            for _ in 0..poisson(calling, &mut self.state.streams.arrivals) {
                let turns = self.model.turns.found_within(&mut self.state.streams.arrivals);
                let calls = 1 + laws::geometric(tools.more_prob, &mut self.state.streams.arrivals);
                self.find(turns, Some(calls));
            }
        }
    }

    /// Adds a session with so many turns behind it, and so many calls of the present one.
    fn find(&mut self, turns: u32, calls: Option<u32>) {
        let gap = match (calls, self.model.tools) {
            (Some(_), Some(tools)) => tools.time,
            _ => self.model.think_time,
        };
        let (passed_s, left_s) = gap.open(&mut self.state.streams.arrivals);
        let mut live = self.new_session(left_s);
        live.since_s = -passed_s;
        let mut turn = 0;
        while turn < turns || calls.is_some_and(|calls| live.call < calls) {
            let drawn = self.drawn(&live, false);
            live.context_tokens = context_after(&live, &drawn);
            live.requests += 1;
            live.call += 1;
            // How many turns, and how many calls of the present one, is known; calls of the turns before are not.
            if turn < turns && drawn.next != Next::Call {
                turn += 1;
                (live.turn, live.call) = (turn, 0);
            }
        }
        self.state.live.keep(self.model.slot_of(live.next_s), live);
    }

    /// A session whose first request arrives at this time.
    fn new_session(&mut self, next_s: f64) -> Live {
        let state = &mut self.state;
        let session = state.next_session;
        state.next_session += 1;
        let user = starts::user(&self.model.users, &mut state.streams.arrivals);
        let place = state.streams.arrivals.random::<f64>();
        let rank = self.shares_up_to.partition_point(|below| *below <= place);
        let service = state.ranking.services[rank.min(self.shares_up_to.len() - 1)];
        Live {
            session,
            user,
            service,
            turn: 0,
            call: 0,
            last_call: 0,
            requests: 0,
            context_tokens: 0,
            since_s: next_s,
            next_s,
        }
    }

    /// Draws the next request of a session; the time to the one after it, which is drawn last, is 0 where nobody asks for it.
    fn drawn(&mut self, live: &Live, asks_for_gap: bool) -> Drawn {
        let model = &self.model;
        let rng = self.tokens.at(self.state.seed, live.session, live.requests);
        let window = model.window_tokens[live.service.index()];
        let said = match (&model.tools, live.call) {
            (Some(tools), 1..) => tools.result_tokens,
            _ => model.new_tokens,
        };
        let new_tokens = said.draw(window - 1, rng);
        let output_tokens = model.output_tokens.draw(window - new_tokens, rng);
        let (call_place, turn_place) = (rng.random::<f64>(), rng.random::<f64>());
        let call_prob = model.tools.as_ref().map_or(0.0, |tools| tools.call_prob(live.call));
        let (next, gap) = match &model.tools {
            Some(tools) if call_place < call_prob => (Next::Call, tools.time),
            _ if turn_place < model.turns.more_prob(live.turn + 1) => (Next::Turn, model.think_time),
            _ => (Next::End, model.think_time),
        };
        let gap_s = if asks_for_gap && next != Next::End { gap.draw(rng) } else { 0.0 };
        Drawn { new_tokens, output_tokens, next, gap_s }
    }

    /// The requests of a slot, in order of arrival; slots are asked for one after the other, from 0.
    pub fn draw(&mut self, slot: u64) -> &[SessionRequest] {
        self.requests.clear();
        let state = &mut self.state;
        state.ranking.drift(slot, &mut state.streams.popularity);
        let mut places = std::mem::take(&mut self.places);
        self.model.starts.draw(
            slot,
            &mut state.starts,
            self.starts.as_ref(),
            &mut state.streams,
            &mut places,
        );
        while let Some(live) = self.state.live.take_due(slot) {
            self.play(slot, live);
        }
        for place in &places {
            let live = self.new_session((slot as f64 + place) * self.model.slot_s);
            self.play(slot, live);
        }
        self.places = places;
        self.requests.sort_unstable_by(|one, other| {
            let order = one.arrival_s.total_cmp(&other.arrival_s);
            order
                .then(one.session.cmp(&other.session))
                .then((one.turn, one.call).cmp(&(other.turn, other.call)))
        });
        &self.requests
    }

    /// The requests of the slot that was drawn last.
    pub fn requests(&self) -> &[SessionRequest] {
        &self.requests
    }

    /// Writes the requests of a session that arrive in this slot, and keeps it if there are more.
    fn play(&mut self, slot: u64, mut live: Live) {
        let begin_s = slot as f64 * self.model.slot_s;
        // Nobody asks any more for what was kept because it could have come back.
        while !live.is_over() {
            let is_first = !live.is_met() || live.requests == 0;
            if is_first {
                let asked = &mut self.state.ranking.asked[live.service.index()];
                *asked = asked.saturating_add(1);
            }
            let drawn = self.drawn(&live, true);
            self.requests.push(SessionRequest {
                session: live.session,
                user: live.user,
                service: live.service,
                arrival_s: (live.next_s - begin_s).clamp(0.0, self.model.slot_s),
                new_tokens: drawn.new_tokens,
                output_tokens: drawn.output_tokens,
                context_tokens_before: live.context_tokens,
                turn: live.turn,
                call: live.call,
                is_last: drawn.next == Next::End,
            });
            live.context_tokens = context_after(&live, &drawn);
            live.requests += 1;
            (live.since_s, live.last_call) = (live.next_s, live.call);
            live.follow(drawn.next, drawn.gap_s);
            let next_slot = self.slot_to_keep_until(&live);
            if next_slot > slot {
                self.state.live.keep(next_slot, live);
                return;
            }
        }
    }

    /// The slot in which a session comes back, or in which it could not any more.
    fn slot_to_keep_until(&self, live: &Live) -> u64 {
        let until_s = if live.is_over() { live.since_s + self.model.longest_s() } else { live.next_s };
        self.model.slot_of(until_s)
    }

    /// Draws anew what has not happened yet, and what nobody is told: the ranking, given the sessions so far; starts; the
    /// sessions that nobody has met; whether those that have asked go on, when, and with what, given how long they have been
    /// silent; and of the slot's undecided requests, `asked`, the answers, and who asks where nobody has seen it. `slots` have
    /// been drawn.
    pub fn reseed_future(&mut self, seed: Seed, slots: u64, asked: &mut [Asked]) {
        let now_s = slots as f64 * self.model.slot_s;
        let state = &mut self.state;
        state.seed = seed;
        state.streams = Streams::new(seed);
        state.ranking.redraw(&self.rank_shares, &mut state.streams.popularity);
        self.model.starts.redraw(&mut state.starts, &mut state.streams);
        let mut known = state.live.take_all();
        known.retain(|live| live.is_met() && live.since_s + self.model.longest_s() >= now_s);
        // In an order, and with numbers, that do not tell which of them go on.
        known.sort_unstable_by(|one, other| {
            one.since_s.total_cmp(&other.since_s).then(one.user.cmp(&other.user))
        });
        (0..).zip(&mut known).for_each(|(number, live)| live.session = number);
        self.state.next_session = known.len() as u64;
        self.find_all();
        let found = self.state.live.take_all();
        let begin_s = now_s - self.model.slot_s;
        for asked in asked {
            self.redraw_request(begin_s, asked, &mut known);
        }
        for live in found.into_iter().filter(|live| live.next_s >= now_s) {
            self.state.live.keep(self.model.slot_of(live.next_s), live);
        }
        for mut live in known {
            (live.turn, live.call) = (live.last_turn(), live.last_call);
            let silent_s = (now_s - live.since_s).max(0.0);
            let rng = &mut self.state.streams.arrivals;
            let (next, gap_s) = self.model.redraw_next(live.turn, live.call, silent_s, rng);
            live.follow(next, gap_s);
            live.next_s = live.next_s.max(now_s);
            self.state.live.keep(self.slot_to_keep_until(&live).max(slots), live);
        }
    }

    /// Draws the answer of a request anew, and unless it was seen, its prompt and who asks: a new session as often as requests
    /// are those of a new one, else any of the sessions for this service that may come back, each as likely as the others. The
    /// sessions exchange their places.
    fn redraw_request(&mut self, begin_s: f64, asked: &mut Asked, known: &mut [Live]) {
        let (model, rng) = (&self.model, &mut self.state.streams.arrivals);
        let is_own = |live: &Live| {
            (live.user, live.service) == (asked.user, asked.service)
                && (live.since_s - begin_s - asked.arrival_s).abs() < 1e-6
        };
        let own = known.iter().position(is_own);
        if !asked.is_seen {
            let is_other = |live: &Live| live.service == asked.service && live.since_s < begin_s;
            let others: Vec<usize> = (0..known.len()).filter(|&place| is_other(&known[place])).collect();
            let is_new = rng.random::<f64>() * model.requests_per_slot() < model.starts.per_slot;
            let place = rng.random_range(0..=others.len());
            let mut turn = 0;
            if is_new {
                (asked.user, asked.said_tokens) = (starts::user(&model.users, rng), 0);
            } else if let Some(&other) = others.get(place) {
                let live = &mut known[other];
                turn = live.last_turn() + 1;
                std::mem::swap(&mut asked.user, &mut live.user);
                std::mem::swap(&mut asked.said_tokens, &mut live.context_tokens);
            } else {
                // The session that did ask.
                turn = own.map_or(0, |own| known[own].last_turn());
            }
            if let Some(own) = own {
                let live = &mut known[own];
                (live.turn, live.call, live.last_call, live.next_s) = (turn, 0, 0, NEVER_S);
            }
            let window = model.window_tokens[asked.service.index()];
            asked.new_tokens = model.new_tokens.draw(window - 1, rng);
        }
        asked.output_tokens = model.draw_output(asked.service, asked.new_tokens, rng);
        if let Some(own) = own {
            let live = &mut known[own];
            live.user = asked.user;
            let said = asked.said_tokens.saturating_add(asked.new_tokens);
            live.context_tokens = said.saturating_add(asked.output_tokens);
        }
    }

    /// The state of this moment.
    pub fn state(&self) -> &SessionsState {
        &self.state
    }

    /// Whether no index of a state is out of bounds, and nothing in it is about to be more than can be counted.
    ///
    /// # Errors
    /// The part that does not fit.
    pub fn check(&self, state: &SessionsState) -> Result<(), &'static str> {
        if !state.ranking.is_alike(&self.state.ranking) || !self.model.starts.fits(&state.starts) {
            return Err("its sessions start by another law");
        }
        let num_users = self.model.users.last().map_or(0, |class| class.first + class.count);
        let fits = |live: &Live| {
            live.session < state.next_session
                && live.user.0 < num_users
                && live.service.index() < self.model.window_tokens.len()
                && live.turn.max(live.call).max(live.last_call).max(live.requests) <= MOST_REQUESTS
        };
        if state.next_session > MOST_SESSIONS || !state.live.iter().all(fits) {
            return Err("it has sessions that do not exist");
        }
        Ok(())
    }

    /// Comes back to a state that fits.
    pub fn restore(&mut self, state: SessionsState) {
        self.state = state;
    }
}

/// The context of a session after a request.
fn context_after(live: &Live, drawn: &Drawn) -> u32 {
    live.context_tokens.saturating_add(drawn.new_tokens).saturating_add(drawn.output_tokens)
}

#[cfg(test)]
mod tests;
