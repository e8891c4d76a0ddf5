//! What happened to each entry since it was loaded: the memory of the cache rules.
//!
//! Time is a counter of batches. Whether an entry is in memory is read from the observation and never guessed: an entry that
//! exhausts its window vanishes without a word, and its history goes with it.

use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::units::{CellId, ServiceId};

/// The history of an entry since its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The batch that loaded it.
    pub loaded_at: u64,
    /// The last batch that it served.
    pub last_access: u64,
    /// Requests that it served, those of the batch that loaded it included.
    pub num_requests: u64,
}

/// The histories of all entries of all cells.
#[derive(Clone, Debug)]
pub(super) struct History {
    now: u64,
    cells: Vec<Vec<Option<Stay>>>,
}

impl History {
    /// No history, for this many cells and services.
    pub(super) fn new(num_cells: usize, num_services: usize) -> Self {
        Self { now: 0, cells: vec![vec![None; num_services]; num_cells] }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.now = 0;
        for cell in &mut self.cells {
            cell.fill(None);
        }
    }

    /// A new batch is asked about: drops the histories of entries that are gone, and begins one for entries that came
    /// without this policy's doing (when it takes over in the middle of an episode).
    pub(super) fn observe(&mut self, observation: &DecisionObservation) {
        self.now += 1;
        for (stay, residency) in self.cells[observation.cell.index()].iter_mut().zip(&observation.residency) {
            if !residency.is_resident {
                *stay = None;
            } else if stay.is_none() {
                *stay = Some(Stay { loaded_at: self.now, last_access: self.now, num_requests: 1 });
            }
        }
    }

    /// The batch is served by its own entry, which is loaded for it if it has no history.
    pub(super) fn serve(&mut self, observation: &DecisionObservation) {
        let now = self.now;
        let stay = &mut self.cells[observation.cell.index()][observation.service.index()];
        let stay = stay.get_or_insert(Stay { loaded_at: now, last_access: now, num_requests: 0 });
        stay.last_access = now;
        stay.num_requests += u64::from(observation.num_requests);
    }

    /// The history of an entry that is in memory.
    pub(super) fn stay(&self, cell: CellId, service: ServiceId) -> Stay {
        self.cells[cell.index()][service.index()].expect("a resident entry has a history")
    }
}
