//! The work of a physical cell beside keeping entries: requests that wait, and weights on their way.

use crate::llm::loading::Loading;
use crate::llm::queue::Backlog;
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
}

impl Station {
    pub(super) fn new(num_services: usize) -> Self {
        Self {
            backlog: Backlog::default(),
            loading: Loading::default(),
            served: vec![0; num_services],
            batch_waiting_s: vec![0.0; num_services],
            busy_until_s: vec![0.0; num_services],
        }
    }

    /// Begins an episode.
    pub(super) fn begin_anew(&mut self, law: &Physical) {
        self.backlog = Backlog::default();
        self.loading.begin_anew(&law.path, &law.model_bytes);
        self.served.fill(0);
        self.batch_waiting_s.fill(0.0);
        self.busy_until_s.fill(0.0);
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

    /// Takes on a request that will be done at `until_s`.
    pub(super) fn work(&mut self, service: ServiceId, gpu_s: f64, until_s: f64, law: &Physical) {
        self.batch_waiting_s[service.index()] = self.waiting_s(service, law);
        self.backlog.add(gpu_s);
        self.served[service.index()] += 1;
        self.keep_busy(service, until_s);
    }

    /// The entry of a service loads or serves until then.
    pub(super) fn keep_busy(&mut self, service: ServiceId, until_s: f64) {
        let busy_until_s = &mut self.busy_until_s[service.index()];
        *busy_until_s = busy_until_s.max(until_s);
    }

    /// Whether the entry of a service neither loads nor serves.
    pub(super) fn is_idle(&self, service: ServiceId, now_s: f64) -> bool {
        self.busy_until_s[service.index()] <= now_s && self.loading.seconds_left(service) == 0.0
    }
}
