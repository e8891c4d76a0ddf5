//! The numbers of the actions: where to serve, and whom to evict for it.
//!
//! With placements `p0 ... pn` and services `0 ... m`: the first numbers are the placements in scenario order (victims, if
//! any, by least age of thought); then, for each placement that needs residency, one number a service (serve there and
//! evict that one). Scenarios with `decision.prefetch` add `pass` and one number a service (load that one now).

use super::api::ActionId;
use crate::placement::Placement;
use crate::units::ServiceId;

/// The meaning of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Serve the batch, or, once a service to load ahead has been chosen, make room for it.
    Serve {
        /// Where the batch is served.
        placement: Placement,
        /// The service to evict; the world chooses by least age of thought when absent.
        victim: Option<ServiceId>,
    },
    /// Load nothing ahead of the requests.
    Pass,
    /// Load this service ahead of the requests.
    Load(ServiceId),
}

/// The mapping between numbers and meanings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSpace {
    placements: Vec<Placement>,
    /// Placements that need residency, in the order of their blocks.
    resident: Vec<Placement>,
    num_services: usize,
    has_prefetch: bool,
}

impl ActionSpace {
    /// The actions for these placements and this many services, with those of a prefetch decision or without.
    pub fn new(placements: &[Placement], num_services: usize, has_prefetch: bool) -> Self {
        let resident = placements.iter().copied().filter(|placement| placement.needs_residency()).collect();
        Self { placements: placements.to_vec(), resident, num_services, has_prefetch }
    }

    /// How many actions there are.
    pub fn len(&self) -> usize {
        self.first_ahead() + if self.has_prefetch { 1 + self.num_services } else { 0 }
    }

    /// How many actions name a victim.
    pub(crate) fn num_evictions(&self) -> usize {
        self.resident.len() * self.num_services
    }

    /// The number of the first action of a prefetch decision.
    fn first_ahead(&self) -> usize {
        self.placements.len() + self.num_evictions()
    }

    /// Whether there is no action at all; a validated scenario always has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The allowed placements.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// The action "serve there"; `None` where the scenario does not allow the placement.
    pub fn place(&self, placement: Placement) -> Option<ActionId> {
        self.placements.iter().position(|&p| p == placement).map(ActionId::from_index)
    }

    /// The action "serve there and evict that one"; `None` where the placement needs no residency or is not allowed.
    pub fn evict(&self, placement: Placement, victim: ServiceId) -> Option<ActionId> {
        let block = self.resident.iter().position(|&p| p == placement)?;
        (victim.index() < self.num_services)
            .then(|| ActionId::from_index(self.placements.len() + block * self.num_services + victim.index()))
    }

    /// The action "load nothing ahead of the requests"; `None` in scenarios without prefetch decisions.
    pub fn pass(&self) -> Option<ActionId> {
        self.has_prefetch.then(|| ActionId::from_index(self.first_ahead()))
    }

    /// The action "load that one ahead of the requests"; `None` in scenarios without prefetch decisions.
    pub fn load(&self, service: ServiceId) -> Option<ActionId> {
        (self.has_prefetch && service.index() < self.num_services)
            .then(|| ActionId::from_index(self.first_ahead() + 1 + service.index()))
    }

    /// Where a service that is loaded ahead will be served: the first placement that needs residency.
    pub(crate) fn ahead(&self) -> Option<Placement> {
        self.resident.first().copied()
    }

    /// The meaning of a number; `None` beyond the last.
    pub fn decode(&self, action: ActionId) -> Option<Decision> {
        let index = action.index();
        if let Some(&placement) = self.placements.get(index) {
            return Some(Decision::Serve { placement, victim: None });
        }
        if index >= self.first_ahead() {
            return match (index < self.len(), index - self.first_ahead()) {
                (false, _) => None,
                (true, 0) => Some(Decision::Pass),
                (true, ahead) => Some(Decision::Load(ServiceId::from_index(ahead - 1))),
            };
        }
        let index = index - self.placements.len();
        let placement = *self.resident.get(index / self.num_services)?;
        Some(Decision::Serve { placement, victim: Some(ServiceId::from_index(index % self.num_services)) })
    }

    /// The names of all actions, in order: `edge`, `cloud`, `edge evict 0`, ..., `pass`, `load.0`, ...
    pub fn names(&self) -> Vec<String> {
        (0..self.len())
            .filter_map(|index| self.decode(ActionId::from_index(index)))
            .map(|decision| match decision {
                Decision::Serve { placement, victim: None } => placement.name().to_owned(),
                Decision::Serve { placement, victim: Some(victim) } => {
                    format!("{} evict {}", placement.name(), victim.0)
                }
                Decision::Pass => "pass".to_owned(),
                Decision::Load(service) => format!("load.{}", service.0),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_meanings_are_inverse() {
        let space = ActionSpace::new(&[Placement::Edge, Placement::Cloud], 3, false);
        assert_eq!(space.names(), ["edge", "cloud", "edge evict 0", "edge evict 1", "edge evict 2"]);
        assert_eq!((space.decode(ActionId(5)), space.pass(), space.load(ServiceId(0))), (None, None, None));
        let ahead = ActionSpace::new(&[Placement::Edge, Placement::Cloud], 3, true);
        assert_eq!(ahead.names()[..5], space.names());
        assert_eq!(ahead.names()[5..], ["pass", "load.0", "load.1", "load.2"]);
        for (space, index) in
            [(&space, 0..5), (&ahead, 0..9)].into_iter().flat_map(|(s, r)| r.map(move |i| (s, i)))
        {
            let action = ActionId::from_index(index);
            let back = match space.decode(action).unwrap() {
                Decision::Serve { placement, victim: None } => space.place(placement),
                Decision::Serve { placement, victim: Some(victim) } => space.evict(placement, victim),
                Decision::Pass => space.pass(),
                Decision::Load(service) => space.load(service),
            };
            assert_eq!(back, Some(action));
        }
        assert_eq!((ahead.decode(ActionId(9)), ahead.load(ServiceId(3))), (None, None));
        assert_eq!(space.evict(Placement::Cloud, ServiceId(0)), None);
        assert_eq!(space.evict(Placement::Edge, ServiceId(3)), None);
    }
}
