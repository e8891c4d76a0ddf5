//! The physical part of the world: sessions bring requests, users that ask are connected, and cells work, load and remember.
//!
//! ```text
//! open slot    sessions bring requests; whoever asks moves, is connected and shares the air of the cell    exogenous
//! meet         what a request finds at its cell: context, backlog, weights on their way, its user's twin
//! serve        the placement is priced; the cell takes on its work, and the twin is refreshed
//! close slot   cells work the backlog off, weights come nearer, what is resident costs its holding
//! ```
//! A user who asks for nothing is not touched: the draws of a user in a slot have an address of their own.

mod check;

use crate::cache::Cache;
use crate::digest::mix;
use crate::llm::loading::{Loading, Tier};
use crate::llm::queue::Backlog;
use crate::placement::request::{RequestFacts, UserLink};
use crate::radio::fading::Fading;
use crate::radio::fading::block::BlockFading;
use crate::radio::mobility::Position;
use crate::radio::user::{Connection, UserRadios};
use crate::random::{Addressed, Purpose, Seed, Stream};
use crate::scenario::Scenario;
use crate::scenario::physics::Physical;
use crate::twin::Twin;
use crate::units::{CellId, ServiceId, UserId};
use crate::workload::arrivals::Batch;
use crate::workload::sessions::{Sessions, SessionsState};
use serde::{Deserialize, Serialize};

/// No link is slower: beyond that a call is dropped and made again, which no stage tells.
const LEAST_BPS: f64 = 1e5;
/// Up to one user in so many is forgotten one by one when an episode begins; more are forgotten with all others.
const FEW_KNOWN: usize = 16;

/// What a cell does beside keeping entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Station {
    backlog: Backlog,
    loading: Loading,
    /// By service: requests that were served at the edge in this slot.
    served: Vec<u32>,
    /// By service: seconds that the GPUs had to work before the batch that its next request would be part of began.
    batch_waiting_s: Vec<f64>,
    /// By service: when its entry neither loads nor serves any more, in seconds since the episode began.
    busy_until_s: Vec<f64>,
}

impl Station {
    /// Work that was accepted and is not yet done.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Weights outside GPU memory, and on their way into it.
    pub fn loading(&self) -> &Loading {
        &self.loading
    }
}

/// What changes while the physical world runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PhysicsState {
    sessions: SessionsState,
    radios: UserRadios,
    /// By cell, then by user.
    twins: Vec<Twin>,
    stations: Vec<Station>,
    seed: Seed,
    requests: Vec<RequestFacts>,
    handovers: u64,
    num_clamped: u64,
}

impl PhysicsState {
    /// Who asks, request by request.
    pub(super) fn askers(&self) -> impl Iterator<Item = UserId> {
        self.requests.iter().map(|facts| facts.user)
    }
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Physics {
    sessions: Sessions,
    radios: UserRadios,
    cells: Vec<Position>,
    twins: Vec<Twin>,
    stations: Vec<Station>,
    seed: Seed,
    channel: Addressed,
    /// The requests of the slot in the order of decision, with what does not depend on decisions.
    requests: Vec<RequestFacts>,
    /// Users that moved to another cell since the episode began.
    handovers: u64,
    /// Links that were looked at beyond the distances that the path loss is valid for.
    num_clamped: u64,
    /// Who has asked since the episode began, so that the next one begins without a look at all others.
    known: Known,
    /// Who asks in this slot, each once, by id; where they are connected; room for counting.
    users: Vec<UserId>,
    connections: Vec<Connection>,
    active: Vec<u32>,
    /// The cell of each request, its number, and the number of its user's connection.
    places: Vec<(CellId, u32, u32)>,
    /// Who asks, request by request.
    askers: Vec<UserId>,
}

/// Users of whom something is remembered.
#[derive(Clone, Debug)]
enum Known {
    /// These, each once.
    Listed(Vec<UserId>),
    /// Nobody has kept count: a state was taken back.
    Anybody,
}

impl Physics {
    pub(super) fn new(scenario: &Scenario, physical: &Physical) -> Self {
        let (services, num_cells) = (scenario.services().len(), scenario.num_cells() as usize);
        let num_users = physical.num_users() as usize;
        let station = Station {
            backlog: Backlog::default(),
            loading: Loading::default(),
            served: vec![0; services],
            batch_waiting_s: vec![0.0; services],
            busy_until_s: vec![0.0; services],
        };
        Self {
            sessions: Sessions::new(physical.sessions().clone()),
            radios: UserRadios::new(num_users, num_cells),
            cells: physical.cells().to_vec(),
            twins: vec![Twin::default(); num_cells * num_users],
            stations: vec![station; num_cells],
            seed: Seed::new(Purpose::Train, 0),
            channel: Addressed::new(Stream::Channel),
            requests: Vec::new(),
            handovers: 0,
            num_clamped: 0,
            known: Known::Listed(Vec::new()),
            users: Vec::new(),
            connections: Vec::new(),
            active: vec![0; num_cells],
            places: Vec::new(),
            askers: Vec::new(),
        }
    }

    pub(super) fn begin_episode(&mut self, seed: Seed, physical: &Physical) {
        self.seed = seed;
        self.sessions.begin_episode(seed);
        self.forget_users();
        (self.handovers, self.num_clamped) = (0, 0);
        for station in &mut self.stations {
            station.backlog = Backlog::default();
            station.loading.begin_anew(physical.load_path(), physical.model_bytes());
            station.served.fill(0);
            station.batch_waiting_s.fill(0.0);
            station.busy_until_s.fill(0.0);
        }
    }

    /// Forgets where users are and what cells saw of them.
    fn forget_users(&mut self) {
        let num_users = self.radios.num_users();
        match std::mem::replace(&mut self.known, Known::Listed(Vec::new())) {
            Known::Listed(mut known) if known.len() <= num_users / FEW_KNOWN => {
                for &user in &known {
                    self.radios.forget(user);
                    self.twins[user.index()..]
                        .iter_mut()
                        .step_by(num_users)
                        .for_each(|twin| *twin = Twin::default());
                }
                known.clear();
                self.known = Known::Listed(known);
            }
            Known::Listed(_) | Known::Anybody => {
                self.radios.reset();
                self.twins.fill(Twin::default());
            }
        }
    }

    /// Draws the future anew; the requests of the present slot stay.
    pub(super) fn reseed_future(&mut self, seed: Seed, slot: u64) {
        self.seed = seed;
        self.sessions.reseed_future(seed, slot + 1);
    }

    pub(super) fn state(&self) -> PhysicsState {
        PhysicsState {
            sessions: self.sessions.state().clone(),
            radios: self.radios.clone(),
            twins: self.twins.clone(),
            stations: self.stations.clone(),
            seed: self.seed,
            requests: self.requests.clone(),
            handovers: self.handovers,
            num_clamped: self.num_clamped,
        }
    }

    /// Comes back to a state that fits.
    pub(super) fn restore(&mut self, state: PhysicsState) {
        self.sessions.restore(state.sessions);
        self.radios = state.radios;
        self.known = Known::Anybody;
        self.twins = state.twins;
        self.stations = state.stations;
        self.seed = state.seed;
        self.requests = state.requests;
        self.askers.clear();
        self.askers.extend(self.requests.iter().map(|facts| facts.user));
        (self.handovers, self.num_clamped) = (state.handovers, state.num_clamped);
        // Where they were connected is no part of a state.
        self.places.clear();
    }

    /// What a cell does beside keeping entries.
    pub(super) fn station(&self, cell: CellId) -> &Station {
        &self.stations[cell.index()]
    }

    /// Users that moved to another cell since the episode began.
    pub(super) fn handovers(&self) -> u64 {
        self.handovers
    }

    /// Links that were looked at since the episode began beyond the distances that the path loss is valid for: it was taken
    /// at the nearest valid one.
    pub(super) fn num_clamped(&self) -> u64 {
        self.num_clamped
    }

    /// How the user of a request of this slot is connected; `None` after a state was taken back, until the slot ends.
    pub(super) fn connection(&self, request: usize) -> Option<&Connection> {
        let &(_, _, connection) = self.places.get(request)?;
        self.connections.get(connection as usize)
    }

    /// Bytes that a user occupies who asks for nothing: its radio, and what each cell saw of it.
    pub(super) fn idle_user_bytes(&self) -> usize {
        let num_cells = self.cells.len();
        UserRadios::bytes_per_user(num_cells) + num_cells * size_of::<Twin>()
    }

    /// Where a user was when it last asked.
    pub(super) fn position(&self, user: UserId) -> Option<Position> {
        (user.index() < self.radios.num_users()).then(|| self.radios.user(user).position())
    }

    /// The requests of a slot, cell by cell in order of arrival.
    pub(super) fn draw(&mut self, slot: u64, physical: &Physical, batches: &mut Vec<Batch>) {
        let requests = self.sessions.draw(slot);
        self.users.clear();
        self.users.extend(requests.iter().map(|request| request.user));
        self.users.sort_unstable();
        self.users.dedup();
        self.connect(slot, physical);
        let requests = self.sessions.requests();
        self.places.clear();
        self.places.extend((0..).zip(requests).map(|(index, request)| {
            let connection = place_of(&self.users, request.user);
            (self.connections[connection].cell, index, connection as u32)
        }));
        // Arrivals are in order already; cells come by id.
        if self.cells.len() > 1 {
            self.places.sort_unstable();
        }
        self.requests.clear();
        for &(cell, index, connection) in &self.places {
            let request = &requests[index as usize];
            let link = link(
                &self.connections[connection as usize],
                self.active[cell.index()],
                physical,
                &self.radios,
                (self.seed, request.user, slot),
            );
            batches.push(Batch { cell, service: request.service, num_requests: 1 });
            self.requests.push(RequestFacts {
                user: request.user,
                class: physical.class_of(request.user) as u32,
                service: request.service,
                arrival_s: request.arrival_s,
                link,
                new_tokens: f64::from(request.new_tokens),
                output_tokens: f64::from(request.output_tokens),
                said_tokens: f64::from(request.context_tokens_before),
                kept_tokens: 0.0,
                fresh_tokens: 0.0,
                edge_batch: 1,
                backlog_s: 0.0,
                load_s: 0.0,
                twin_age_slots: None,
            });
        }
        self.askers.clear();
        self.askers.extend(self.requests.iter().map(|facts| facts.user));
        for station in &mut self.stations {
            station.served.fill(0);
        }
    }

    /// Connects everybody who asks in this slot, and counts them by cell.
    fn connect(&mut self, slot: u64, physical: &Physical) {
        let now_s = slot as f64 * physical.slot_s();
        let places = UserRadios::places_per_slot(self.cells.len());
        self.active.fill(0);
        self.connections.clear();
        for &user in &self.users {
            let rng = self.channel.at(self.seed, u64::from(user.0), (slot as u32).wrapping_mul(places));
            if let Known::Listed(known) = &mut self.known
                && !self.radios.user(user).is_known()
            {
                known.push(user);
            }
            let connection = self.radios.advance(user, &self.cells, now_s, rng, physical.radio());
            self.active[connection.cell.index()] += 1;
            self.handovers += u64::from(connection.handover_from.is_some());
            self.num_clamped += u64::from(connection.num_clamped);
            self.connections.push(connection);
        }
    }

    /// Who asks, request by request.
    pub(super) fn askers(&self) -> &[UserId] {
        &self.askers
    }

    /// A digest of what a slot brought.
    pub(super) fn fingerprint(&self, before: u64) -> u64 {
        self.requests.iter().fold(before, |digest, facts| {
            let who = u64::from(facts.user.0) << 32 | u64::from(facts.service.0);
            let digest = mix(mix(digest, who), facts.arrival_s.to_bits());
            mix(mix(digest, facts.link.uplink_bps.to_bits()), facts.link.downlink_bps.to_bits())
        })
    }

    /// Entries that neither load nor serve any more may leave when this request is decided.
    pub(super) fn release(&self, now_s: f64, cell: CellId, cache: &mut Cache) {
        let station = &self.stations[cell.index()];
        for (index, &until_s) in station.busy_until_s.iter().enumerate() {
            let service = ServiceId::from_index(index);
            let is_done = || until_s <= now_s && !station.loading.is_loading(service);
            if cache.residency()[index].is_protected && is_done() {
                cache.unpin(service);
            }
        }
    }

    /// When a request of this slot arrived, in seconds since the episode began.
    pub(super) fn arrival_s(&self, slot: u64, request: usize, physical: &Physical) -> f64 {
        slot as f64 * physical.slot_s() + self.requests[request].arrival_s
    }

    /// What a request finds at its cell; its context there is `thought`.
    pub(super) fn facts(
        &self,
        (slot, request, cell): (u64, usize, CellId),
        cache: &Cache,
        thought: crate::thought::Thought,
        (scenario, physical): (&Scenario, &Physical),
    ) -> RequestFacts {
        let facts = self.requests[request];
        let (service, station) = (facts.service, &self.stations[cell.index()]);
        let entry = scenario.service(service);
        let load_s = if cache.is_resident(service) {
            station.loading.seconds_left(service)
        } else {
            let bytes = cache.marginal_bytes(service);
            station.loading.expected_s(physical.load_path(), entry.model, bytes)
        };
        let twin = self.twins[self.twin_place(cell, facts.user)];
        RequestFacts {
            kept_tokens: thought.context_tokens,
            fresh_tokens: thought.fresh_tokens(entry.window_tokens),
            edge_batch: 1 + station.served[service.index()] % physical.max_batch(),
            backlog_s: station.waiting_s(service, physical),
            load_s,
            twin_age_slots: twin.age_slots(slot as u32),
            ..facts
        }
    }

    fn twin_place(&self, cell: CellId, user: UserId) -> usize {
        cell.index() * self.radios.num_users() + user.index()
    }

    /// A perception result of a user reaches a cell.
    pub(super) fn refresh_twin(&mut self, cell: CellId, user: UserId, slot: u64) {
        let place = self.twin_place(cell, user);
        self.twins[place].refresh(slot as u32);
    }

    /// Weights of so many bytes begin their way into the memory of a cell; returns seconds until they are there, and the
    /// bytes that came from outside the cell.
    pub(super) fn load(
        &mut self,
        (cell, service, bytes): (CellId, ServiceId, u64),
        now_s: f64,
        (scenario, physical): (&Scenario, &Physical),
    ) -> (f64, u64) {
        let station = &mut self.stations[cell.index()];
        let model = scenario.service(service).model;
        let store_bytes = if station.loading.tier(model) == Tier::Remote { bytes } else { 0 };
        let load_s =
            station.loading.begin(physical.load_path(), physical.model_bytes(), service, model, bytes);
        station.keep_busy(service, now_s + load_s);
        (load_s, store_bytes)
    }

    /// An entry has left the memory of a cell, and its weights, too, unless another entry uses them.
    pub(super) fn evicted(
        &mut self,
        cell: CellId,
        service: ServiceId,
        weights_left: bool,
        (scenario, physical): (&Scenario, &Physical),
    ) {
        let station = &mut self.stations[cell.index()];
        station.loading.cancel(service);
        if !weights_left {
            return;
        }
        let model = scenario.service(service).model;
        station.loading.evicted(physical.load_path(), physical.model_bytes(), model);
    }

    /// A cell takes on a request that will be done at `until_s`.
    pub(super) fn work(
        &mut self,
        cell: CellId,
        service: ServiceId,
        (gpu_s, until_s): (f64, f64),
        physical: &Physical,
    ) {
        let station = &mut self.stations[cell.index()];
        station.batch_waiting_s[service.index()] = station.waiting_s(service, physical);
        station.backlog.add(gpu_s);
        station.served[service.index()] += 1;
        station.keep_busy(service, until_s);
    }

    /// A slot passes at a cell.
    pub(super) fn end_slot(&mut self, cell: CellId, physical: &Physical) {
        let station = &mut self.stations[cell.index()];
        station.backlog.drain(physical.num_gpus(), physical.slot_s());
        station.loading.advance(physical.slot_s());
    }
}

impl Station {
    /// Seconds that a request of a service waits for the GPUs: for what came before its batch, not for the batch itself.
    fn waiting_s(&self, service: ServiceId, physical: &Physical) -> f64 {
        let is_joining = !self.served[service.index()].is_multiple_of(physical.max_batch());
        if is_joining {
            self.batch_waiting_s[service.index()]
        } else {
            self.backlog.waiting_s(physical.num_gpus())
        }
    }

    fn keep_busy(&mut self, service: ServiceId, until_s: f64) {
        let busy_until_s = &mut self.busy_until_s[service.index()];
        *busy_until_s = busy_until_s.max(until_s);
    }
}

fn place_of(users: &[UserId], user: UserId) -> usize {
    users.binary_search(&user).expect("everybody who asks is connected")
}

/// The link of a user who shares the cell with `active` users, itself included.
fn link(
    connection: &Connection,
    active: u32,
    physical: &Physical,
    radios: &UserRadios,
    (seed, user, slot): (Seed, UserId, u64),
) -> UserLink {
    let radio = physical.radio();
    let time_share = radio.communication_share() / f64::from(active);
    let rates = if let Some(recorded) = &radio.recorded_rates {
        let slot_s = physical.slot_s();
        recorded.rates_bits_per_s((seed, user), (slot as f64 * slot_s, slot_s), time_share)
    } else {
        let waves = (radio.fading == Fading::Block)
            .then(|| BlockFading::draw(&mut seed.stream_at(Stream::Fading, u64::from(user.0), 0)));
        let walked_m = radios.user(user).walked_m();
        radio.rates_bits_per_s(connection, waves.as_ref().map(|waves| (waves, walked_m)), time_share)
    };
    let [downlink_bps, uplink_bps] = rates.map(|rate| rate.max(LEAST_BPS));
    UserLink {
        uplink_bps,
        downlink_bps,
        time_share,
        is_los: connection.is_los,
        is_blocked: connection.is_blocked,
        sensing_quality: radio.sensing_quality(connection),
    }
}
