//! The physical part of the world: sessions bring requests, users that ask are connected, and cells work, load and remember.
//!
//! ```text
//! open slot    sessions bring requests; whoever asks moves, is connected and shares the air of the cell    exogenous
//! meet         what a request finds at its cell: context, backlog, weights on their way, its user's twin
//! serve        the placement is priced; the cell takes on its work, and the twin is refreshed
//! close slot   cells work the backlog off, weights come nearer, and resident entries cost their holding
//! ```
//! A user who asks for nothing is not touched: the draws of a user in a slot have an address of their own.

use super::World;
use super::serving::Present;
use super::station::Station;
use crate::cache::Cache;
use crate::digest::mix;
use crate::edition::Edition;
use crate::kept;
use crate::llm::cloud_cache::CloudContext;
use crate::llm::flight::Request;
use crate::llm::loading::Tier;
use crate::placement::pipeline::{RequestView, StageBill};
use crate::placement::request::{RequestFacts, UserLink};
use crate::radio::mobility::Position;
use crate::radio::user::{Connection, UserRadio, UserRadios};
use crate::random::{Addressed, Purpose, Seed, Stream};
use crate::scenario::Scenario;
use crate::scenario::physics::Physical;
use crate::thought::Thought;
use crate::twin::Twin;
use crate::units::{CellId, ServiceId, UserId};
use crate::workload::arrivals::Batch;
use crate::workload::sessions::{Asked, Sessions, SessionsState};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The least rate of a link. Below it a call is dropped and made again, which no stage tells.
const LEAST_BPS: f64 = 1e5;
/// Up to one user in so many is forgotten one by one when an episode begins; more are forgotten with all others.
const FEW_KNOWN: usize = 16;
/// The most handovers, and the most links beyond valid distances, that a state may tell of.
const MOST_COUNTED: u64 = 1 << 53;

/// Everything that changes while the physical world runs, sessions apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Now {
    radios: UserRadios,
    /// By cell, then by user.
    twins: Vec<Twin>,
    /// By user; empty where the cloud keeps nothing.
    cloud: Vec<CloudContext>,
    pub(super) stations: Vec<Station>,
    seed: Seed,
    /// The requests of the slot in the order of decision, with the numbers that do not depend on decisions.
    requests: Vec<RequestFacts>,
    /// Users that moved to another cell since the episode began.
    handovers: u64,
    /// Links that were looked at beyond the distances that the path loss is valid for.
    num_clamped: u64,
    /// Contexts that were full and cleared since a step told of them.
    pub(super) num_cleared: u64,
}

/// The state of the physical world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PhysicsState {
    sessions: SessionsState,
    now: Now,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Physics {
    pub(super) scenario: Arc<Scenario>,
    pub(super) law: Arc<Physical>,
    sessions: Sessions,
    pub(super) now: Now,
    channel: Addressed,
    /// The users that have asked since the episode began, each once: the next one begins without a look at all others.
    /// `None` where nobody has kept count, because a state was taken back.
    known: Option<Vec<UserId>>,
    /// Users who ask in this slot, each once, by id; where they are connected; room for counting.
    users: Vec<UserId>,
    connections: Vec<Connection>,
    active: Vec<u32>,
    /// The cell of each request, its number, and the number of its user's connection.
    places: Vec<(CellId, u32, u32)>,
    /// The slot and the time of the pending decision, in seconds since the episode began.
    slot: u64,
    pub(super) now_s: f64,
    /// All numbers that the price of the pending request depends on; absent at a prefetch decision.
    pub(super) facts: Option<RequestFacts>,
    /// The bill of the last served request.
    pub(super) last_bill: Option<StageBill>,
}

impl Physics {
    pub(super) fn new(scenario: &Arc<Scenario>, law: &Arc<Physical>) -> Self {
        let num_cells = scenario.num_cells as usize;
        let num_users = law.num_users as usize;
        Self {
            sessions: Sessions::new(law.sessions.clone()),
            now: Now {
                radios: UserRadios::new(num_users, num_cells),
                twins: vec![Twin::default(); num_cells * num_users],
                cloud: vec![CloudContext::default(); law.cloud_cache.map_or(0, |_| num_users)],
                stations: vec![Station::new(scenario.services.len(), law); num_cells],
                seed: Seed::new(Purpose::Train, 0),
                requests: Vec::new(),
                handovers: 0,
                num_clamped: 0,
                num_cleared: 0,
            },
            channel: Addressed::new(Stream::Channel),
            known: Some(Vec::new()),
            users: Vec::new(),
            connections: Vec::new(),
            active: vec![0; num_cells],
            places: Vec::new(),
            slot: 0,
            now_s: 0.0,
            facts: None,
            last_bill: None,
            scenario: Arc::clone(scenario),
            law: Arc::clone(law),
        }
    }

    pub(super) fn begin_episode(&mut self, seed: Seed) {
        self.now.seed = seed;
        self.sessions.begin_episode(seed);
        self.forget_users();
        (self.now.handovers, self.now.num_clamped, self.now.num_cleared) = (0, 0, 0);
        for station in &mut self.now.stations {
            station.begin_anew(&self.law);
        }
        self.last_bill = None;
    }

    /// Forgets where users are and what cells saw of them.
    fn forget_users(&mut self) {
        let Now { radios, twins, cloud, .. } = &mut self.now;
        let num_users = radios.num_users();
        match self.known.replace(Vec::new()) {
            Some(mut known) if known.len() <= num_users / FEW_KNOWN => {
                for &user in &known {
                    radios.forget(user);
                    if let Some(context) = cloud.get_mut(user.index()) {
                        *context = CloudContext::default();
                    }
                    twins[user.index()..]
                        .iter_mut()
                        .step_by(num_users)
                        .for_each(|twin| *twin = Twin::default());
                }
                known.clear();
                self.known = Some(known);
            }
            _ => {
                radios.reset();
                twins.fill(Twin::default());
                cloud.fill(CloudContext::default());
            }
        }
    }

    /// Draws a new future, and what nobody is told of the present: who else asks in this slot, over which link, and what; how
    /// long the answers are that nobody has read to their end.
    pub(super) fn reseed_future(&mut self, seed: Seed, present: Present, batches: &mut [Batch]) {
        self.now.seed = seed;
        let Present { slot, decided, seen } = present;
        let requests = &self.now.requests[decided..];
        let mut asked: Vec<Asked> = requests
            .iter()
            .zip(decided..)
            .map(|(facts, number)| Asked {
                user: facts.user,
                service: facts.service,
                arrival_s: facts.arrival_s,
                new_tokens: facts.new_tokens as u32,
                output_tokens: facts.output_tokens as u32,
                said_tokens: facts.said_tokens as u32,
                is_seen: number < seen,
            })
            .collect();
        self.sessions.reseed_future(seed, slot + 1, &mut asked);
        for (number, asked) in (decided..).zip(&asked) {
            let mut facts = self.now.requests[number];
            if facts.user != asked.user {
                facts.link = self.redraw_link(asked.user, slot, facts.link.time_share);
            }
            facts.user = asked.user;
            facts.class = self.law.class_of(asked.user) as u32;
            facts.new_tokens = f64::from(asked.new_tokens);
            facts.output_tokens = f64::from(asked.output_tokens);
            facts.said_tokens = f64::from(asked.said_tokens);
            self.now.requests[number] = facts;
        }
        // Who had connected to the cell is not who asks now.
        self.places.truncate(seen);
        let mut rng = seed.stream_at(Stream::Arrivals, 0, 0);
        let (mut from, slot_s) = (seen, self.law.slot_s);
        let pending =
            seen.checked_sub(1).map(|pending| (batches[pending].cell, self.now.requests[pending].arrival_s));
        for of_cell in batches[seen..].chunk_by_mut(|one, next| one.cell == next.cell) {
            let unseen = &mut self.now.requests[from..][..of_cell.len()];
            from += of_cell.len();
            // A cell's requests come in order of time: at its cell after the pending one. Rows tell how many come, not when.
            let begin_s = pending.filter(|(cell, _)| *cell == of_cell[0].cell).map_or(0.0, |(_, at_s)| at_s);
            let mut times: Vec<f64> =
                unseen.iter().map(|_| begin_s + (slot_s - begin_s) * rng.random::<f64>()).collect();
            times.sort_unstable_by(f64::total_cmp);
            unseen.shuffle(&mut rng);
            for ((facts, arrival_s), batch) in unseen.iter_mut().zip(times).zip(of_cell) {
                (facts.arrival_s, batch.service) = (arrival_s, facts.service);
            }
        }
        let now_s = self.now_s;
        let Self { now, sessions, law, .. } = self;
        for station in &mut now.stations {
            station.redraw_answers(now_s, |service| sessions.model.draw_output(service, 1, &mut rng), law);
        }
    }

    /// The link of somebody who had not been connected in this slot.
    fn redraw_link(&mut self, user: UserId, slot: u64, time_share: f64) -> UserLink {
        let Now { radios, seed, .. } = &mut self.now;
        let places = UserRadios::places_per_slot(self.law.cells.len(), &self.law.radio.association);
        let rng = self.channel.at(*seed, u64::from(user.0), (slot as u32).wrapping_mul(places));
        if let Some(known) = &mut self.known
            && !radios.user(user).is_known()
        {
            known.push(user);
        }
        let now_s = slot as f64 * self.law.slot_s;
        let connection = radios.advance(user, &self.law.cells, now_s, rng, &self.law.radio);
        self.shared_link(&connection, user, slot, time_share)
    }

    /// The station of a cell.
    pub(super) fn station(&self, cell: CellId) -> &Station {
        &self.now.stations[cell.index()]
    }

    /// The requests of a slot, cell by cell in order of arrival.
    pub(super) fn draw(&mut self, slot: u64, batches: &mut Vec<Batch>) {
        let requests = self.sessions.draw(slot);
        self.users.clear();
        self.users.extend(requests.iter().map(|request| request.user));
        self.users.sort_unstable();
        self.users.dedup();
        self.connect(slot);
        let requests = self.sessions.requests();
        self.places.clear();
        self.places.extend((0..).zip(requests).map(|(index, request)| {
            let connection =
                self.users.binary_search(&request.user).expect("everybody who asks is connected");
            (self.connections[connection].cell, index, connection as u32)
        }));
        // Arrivals are in order already; cells come by id.
        if self.now.stations.len() > 1 {
            self.places.sort_unstable();
        }
        self.now.requests.clear();
        for &(cell, index, connection) in &self.places {
            let request = &requests[index as usize];
            batches.push(Batch { cell, service: request.service, num_requests: 1 });
            let facts = RequestFacts {
                user: request.user,
                class: self.law.class_of(request.user) as u32,
                service: request.service,
                arrival_s: request.arrival_s,
                link: self.link(&self.connections[connection as usize], request.user, slot),
                new_tokens: f64::from(request.new_tokens),
                output_tokens: f64::from(request.output_tokens),
                said_tokens: f64::from(request.context_tokens_before),
                cloud_tokens: 0.0,
                kept_tokens: 0.0,
                fresh_tokens: 0.0,
                edge_batch: 1,
                backlog_s: 0.0,
                load_s: 0.0,
                air_s: 0.0,
                twin_age_slots: None,
            };
            self.now.requests.push(facts);
        }
        for station in &mut self.now.stations {
            station.served.fill(0);
        }
    }

    /// Connects everybody who asks in this slot, and counts them by cell.
    fn connect(&mut self, slot: u64) {
        let Now { radios, seed, handovers, num_clamped, .. } = &mut self.now;
        let now_s = slot as f64 * self.law.slot_s;
        let cells = &self.law.cells;
        let places = UserRadios::places_per_slot(cells.len(), &self.law.radio.association);
        self.active.fill(0);
        self.connections.clear();
        for &user in &self.users {
            let rng = self.channel.at(*seed, u64::from(user.0), (slot as u32).wrapping_mul(places));
            if let Some(known) = &mut self.known
                && !radios.user(user).is_known()
            {
                known.push(user);
            }
            let connection = radios.advance(user, cells, now_s, rng, &self.law.radio);
            self.active[connection.cell.index()] += 1;
            *handovers += u64::from(connection.handover_from.is_some());
            *num_clamped += u64::from(connection.num_clamped);
            self.connections.push(connection);
        }
    }

    /// The link of a user, who shares the air of the cell with everybody else that asks there; in the second edition they wait for it, and
    /// each has all of it.
    fn link(&self, connection: &Connection, user: UserId, slot: u64) -> UserLink {
        let active = self.law.edition.pick(f64::from(self.active[connection.cell.index()]), 1.0);
        self.shared_link(connection, user, slot, self.law.radio.communication_share() / active)
    }

    /// The link of a user who is on the air for this share of the time.
    fn shared_link(&self, connection: &Connection, user: UserId, slot: u64, time_share: f64) -> UserLink {
        let (radio, slot_s, seed) = (&self.law.radio, self.law.slot_s, self.now.seed);
        let (walked_m, span_s) = (self.now.radios.user(user).walked_m, (slot as f64 * slot_s, slot_s));
        let rates = radio.user_rates_bits_per_s(connection, (seed, user), walked_m, span_s, time_share);
        let [downlink_bps, uplink_bps] = rates.map(|rate| rate.max(LEAST_BPS));
        UserLink {
            uplink_bps,
            downlink_bps,
            time_share,
            is_los: connection.is_los,
            is_blocked: connection.is_blocked,
            sensing_quality: radio.sensing_quality(connection, (seed, user), walked_m),
        }
    }

    /// The users of the slot's requests, in the order of decision.
    pub(super) fn askers(&self) -> impl ExactSizeIterator<Item = UserId> {
        self.now.requests.iter().map(|facts| facts.user)
    }

    /// Adds what the slot brought to a digest.
    pub(super) fn fingerprint(&self, before: u64) -> u64 {
        self.now.requests.iter().fold(before, |digest, facts| {
            let who = u64::from(facts.user.0) << 32 | u64::from(facts.service.0);
            let digest = mix(mix(digest, who), facts.arrival_s.to_bits());
            mix(mix(digest, facts.link.uplink_bps.to_bits()), facts.link.downlink_bps.to_bits())
        })
    }

    /// Comes to a decision at a cell, about a request of the slot or about a prefetch: entries that neither load nor serve
    /// any more may leave.
    pub(super) fn reach(&mut self, slot: u64, request: Option<usize>, cell: CellId, cache: &mut Cache) {
        let begin_s = slot as f64 * self.law.slot_s;
        self.slot = slot;
        self.now_s = request.map_or(begin_s, |request| begin_s + self.now.requests[request].arrival_s);
        self.facts = None;
        self.play(cell, self.now_s, cache);
        let (law, station) = (&self.law, &self.now.stations[cell.index()]);
        for index in 0..cache.residency().len() {
            let service = ServiceId::from_index(index);
            if cache.residency()[index].is_protected && station.is_idle(service, self.now_s, law) {
                cache.unpin(service);
            }
        }
    }

    /// Second edition: plays on what is in flight at a cell; the contexts of those who are answered grow.
    fn play(&mut self, cell: CellId, until_s: f64, cache: &mut Cache) {
        if self.law.edition == Edition::First {
            return;
        }
        let (law, scenario, num_cleared) = (&self.law, &self.scenario, &mut self.now.num_cleared);
        self.now.stations[cell.index()].flight.play(&law.fleet(), until_s, |answered| {
            let Request { service, user, new_tokens, said_tokens, tokens, .. } = *answered.request;
            let own = law.said_law(scenario.context_law(service), new_tokens + tokens.output, said_tokens);
            *num_cleared += cache.end(service, user, &own);
        });
    }

    /// The last moment of a slot at a cell.
    pub(super) fn end_answers(&mut self, slot: u64, cell: CellId, cache: &mut Cache) {
        self.play(cell, (slot + 1) as f64 * self.law.slot_s, cache);
    }

    /// By service: the requests in flight at a cell of a state.
    pub(super) fn in_flight(&self, state: &PhysicsState, cell: CellId) -> Vec<u64> {
        state.now.stations.get(cell.index()).map_or_else(Vec::new, |station| station.in_flight(&self.law))
    }

    /// Notes what the pending request finds at its cell, where its context is `found`.
    pub(super) fn find(&mut self, request: usize, cell: CellId, cache: &Cache, found: Thought) {
        let facts = self.now.requests[request];
        let (service, station) = (facts.service, self.station(cell));
        let entry = self.scenario.service(service);
        let load_s = if cache.is_resident(service) {
            station.loading.seconds_left(service)
        } else {
            let bytes = cache.marginal_bytes(service);
            station.loading.expected_s(&self.law.path, entry.model, bytes)
        };
        let twin = self.now.twins[self.twin_place(cell, facts.user)];
        let cloud_tokens = self
            .now
            .cloud
            .get(facts.user.index())
            .map_or(0.0, |context| context.hit_tokens(service, facts.said_tokens, self.now_s));
        self.facts = Some(RequestFacts {
            cloud_tokens,
            kept_tokens: found.context_tokens,
            fresh_tokens: found.fresh_tokens(entry.window_tokens),
            edge_batch: station.next_batch(service, &self.law),
            backlog_s: station.waiting_s(service, &self.law),
            load_s,
            air_s: (station.air_free_s - self.now_s).max(0.0),
            twin_age_slots: twin.age_slots(self.slot as u32),
            ..facts
        });
    }

    /// All numbers that the price of the pending request depends on, with these of its own.
    pub(super) fn view(&self, cell: CellId, facts: RequestFacts) -> RequestView<'_> {
        let Station { flight, projected, .. } = self.station(cell);
        self.law.view_in(facts, flight, *projected)
    }

    /// Whether the pending request may join those in flight at its cell.
    pub(super) fn has_room(&self, cell: CellId) -> bool {
        self.facts.is_none_or(|facts| self.station(cell).has_room(facts.service, &self.law))
    }

    fn twin_place(&self, cell: CellId, user: UserId) -> usize {
        cell.index() * self.now.radios.num_users() + user.index()
    }

    /// A perception result of a user reaches a cell.
    pub(super) fn refresh_twin(&mut self, cell: CellId, user: UserId) {
        let place = self.twin_place(cell, user);
        self.now.twins[place].refresh(self.slot as u32);
    }

    /// The cloud keeps what it has served for a while; of the conversation before a new one it has nothing for the new one.
    pub(super) fn hear_in_cloud(&mut self, facts: &RequestFacts, is_served_there: bool) {
        let (Some(cache), Some(context)) = (self.law.cloud_cache, self.now.cloud.get_mut(facts.user.index()))
        else {
            return;
        };
        if is_served_there {
            let tokens = facts.said_tokens + facts.new_tokens + facts.output_tokens;
            context.keep(facts.service, tokens, self.now_s + cache.keeps_s);
        } else if facts.said_tokens == 0.0 {
            *context = CloudContext::default();
        }
    }

    /// Weights of so many bytes begin their way into the memory of a cell; returns the cost of that, waiting apart.
    pub(super) fn load(&mut self, cell: CellId, service: ServiceId, bytes: u64) -> f64 {
        let (path, model_bytes) = (&self.law.path, &self.law.model_bytes);
        let model = self.scenario.service(service).model;
        let station = &mut self.now.stations[cell.index()];
        let store_bytes = if station.loading.tier(model) == Tier::Remote { bytes } else { 0 };
        let seconds = station.loading.begin(path, model_bytes, service, model, bytes);
        station.keep_busy(service, self.now_s + seconds);
        // An entry on weights that are in memory already costs nothing to load.
        if bytes > 0 { self.law.load_cost(seconds, store_bytes) } else { 0.0 }
    }

    /// An entry has left the memory of a cell, and its weights, too, unless another entry uses them.
    pub(super) fn evicted(&mut self, cell: CellId, service: ServiceId, cache: &Cache) {
        let station = &mut self.now.stations[cell.index()];
        station.loading.cancel(service);
        if cache.marginal_bytes(service) > 0 {
            let model = self.scenario.service(service).model;
            station.loading.evicted(&self.law.path, &self.law.model_bytes, model);
        }
    }

    /// A slot passes at a cell; returns the cost of what is in its memory.
    pub(super) fn end_slot(&mut self, cell: CellId, cache: &Cache) -> f64 {
        let station = &mut self.now.stations[cell.index()];
        station.backlog.drain(self.law.gpus, self.law.slot_s);
        station.loading.advance(self.law.slot_s);
        self.law.holding_cost(cache.capacity_bytes() - cache.free_bytes())
    }

    pub(super) fn state(&self) -> PhysicsState {
        PhysicsState { sessions: self.sessions.state().clone(), now: self.now.clone() }
    }

    /// Whether a state fits: no index of it is out of bounds, and its numbers can be computed with.
    ///
    /// # Errors
    /// The part that does not fit.
    pub(super) fn check(&self, state: &PhysicsState, batches: &[Batch]) -> Result<(), &'static str> {
        let (now, services) = (&state.now, self.scenario.services.len());
        self.sessions.check(&state.sessions)?;
        let is_sound = |station: &Station| {
            station.loading.fits(self.law.model_bytes.len(), services)
                && station.served.len() == services
                && station.served.iter().all(|&served| served as usize <= batches.len())
                && station.batch_waiting_s.len() == services
                && station.busy_until_s.len() == services
                && station.answers.len() == services
                && station.flies(&self.law, services)
        };
        if !now.radios.fits(&self.now.radios)
            || now.twins.len() != self.now.twins.len()
            || now.cloud.len() != self.now.cloud.len()
            || now.handovers.max(now.num_clamped).max(now.num_cleared) > MOST_COUNTED
            || now.stations.len() != self.now.stations.len()
            || !now.stations.iter().all(is_sound)
        {
            return Err("its users or its cells are others");
        }
        let is_of = |(facts, batch): (&RequestFacts, &Batch)| {
            facts.service == batch.service
                && batch.num_requests == 1
                && facts.user.index() < now.radios.num_users()
                && (facts.class as usize) < self.law.classes.len()
                && facts.link.uplink_bps.min(facts.link.downlink_bps) >= LEAST_BPS
                && facts.exogenous().into_iter().all(kept::is_amount)
        };
        if now.requests.len() != batches.len() || !now.requests.iter().zip(batches).all(is_of) {
            return Err("its requests are not those of its batches");
        }
        Ok(())
    }

    /// Comes back to a state that fits. Where users are connected is no part of a state.
    pub(super) fn restore(&mut self, state: PhysicsState) {
        self.sessions.restore(state.sessions);
        self.now = state.now;
        self.known = None;
        self.places.clear();
        self.last_bill = None;
    }
}

impl World {
    /// The work of a cell of a physical scenario beside keeping entries; `None` in abstract ones.
    pub fn station(&self, cell: CellId) -> Option<&Station> {
        self.serving.physics().map(|physics| physics.station(cell))
    }

    /// Seconds that the GPUs of a cell have to work on what was accepted; 0 in abstract scenarios.
    pub fn backlog_s(&self, cell: CellId) -> f64 {
        self.serving.physics().map_or(0.0, |physics| physics.station(cell).backlog_s(&physics.law))
    }

    /// Seconds until the uplink of a cell is free at the pending decision; 0 in the first edition and in abstract scenarios.
    pub fn air_s(&self, cell: CellId) -> f64 {
        let left_s = |physics: &Physics| (physics.station(cell).air_free_s - physics.now_s).max(0.0);
        self.serving.physics().map_or(0.0, left_s)
    }

    /// The bill of the last served request; `None` before it and in abstract scenarios.
    pub fn last_bill(&self) -> Option<StageBill> {
        self.serving.physics()?.last_bill
    }

    /// Users that moved to another cell since the episode began; `None` in abstract scenarios.
    pub fn handovers(&self) -> Option<u64> {
        Some(self.serving.physics()?.now.handovers)
    }

    /// [`handovers`](Self::handovers) for each kilometre that users have walked since they first asked, and the share of them that went
    /// back to a cell left at most 5 s before; `None` where there was none, and in abstract scenarios.
    pub fn handover_rates(&self) -> Option<[f64; 2]> {
        let now = &self.serving.physics()?.now;
        let (handovers, km) = (now.handovers as f64, 1e-3 * now.radios.walked_m());
        (handovers > 0.0 && km > 0.0).then(|| [handovers / km, now.radios.num_returns() as f64 / handovers])
    }

    /// Links that were looked at since the episode began beyond the distances that the path loss is valid for, where it was
    /// taken at the nearest valid one; `None` in abstract scenarios.
    pub fn clamped_links(&self) -> Option<u64> {
        Some(self.serving.physics()?.now.num_clamped)
    }

    /// How the user of the pending request is connected; `None` where none is pending, in abstract scenarios, and in a slot
    /// in which a state was restored.
    pub fn connection(&self) -> Option<&Connection> {
        self.pending_batch()?;
        let physics = self.serving.physics()?;
        let &(_, _, connection) = physics.places.get(self.requests_before)?;
        physics.connections.get(connection as usize)
    }

    /// Bytes that a user of a physical scenario occupies who asks for nothing, its radio and its twins; `None` in abstract
    /// ones.
    pub fn idle_user_bytes(&self) -> Option<usize> {
        let num_cells = self.serving.physics()?.now.stations.len();
        let cloud = if self.serving.physics()?.now.cloud.is_empty() { 0 } else { size_of::<CloudContext>() };
        Some(UserRadios::bytes_per_user(num_cells) + num_cells * size_of::<Twin>() + cloud)
    }

    /// The requests of the present slot in the order of decision, with the numbers that do not depend on decisions; none in
    /// abstract scenarios.
    pub fn requests(&self) -> &[RequestFacts] {
        self.serving.physics().map_or(&[], |physics| &physics.now.requests)
    }

    /// A user's radio as it was when the user last asked; `None` before, in abstract scenarios, and for users that there are
    /// not.
    pub fn user_radio(&self, user: UserId) -> Option<&UserRadio> {
        let radios = &self.serving.physics()?.now.radios;
        (user.index() < radios.num_users()).then(|| radios.user(user)).filter(|radio| radio.is_known())
    }

    /// Where a user was when it last asked; `None` in abstract scenarios, and for users that there are not.
    pub fn position(&self, user: UserId) -> Option<Position> {
        let radios = &self.serving.physics()?.now.radios;
        (user.index() < radios.num_users()).then(|| radios.user(user).position())
    }
}
