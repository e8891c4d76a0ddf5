//! The numbers of the actions: where to serve, and whom to evict for it.
//!
//! With placements `p0 ... pn` and services `0 ... m`: the first numbers are the placements in scenario order (victims, if
//! any, by least age of thought); then, for each placement that needs residency, one number a service (serve there and
//! evict that one).

use super::api::ActionId;
use crate::placement::Placement;
use crate::units::ServiceId;

/// What an action means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the batch is served.
    pub placement: Placement,
    /// Whom to evict; the world chooses by least age of thought when absent.
    pub victim: Option<ServiceId>,
}

/// The mapping between numbers and meanings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSpace {
    placements: Vec<Placement>,
    /// Placements that need residency, in the order of their blocks.
    resident: Vec<Placement>,
    num_services: usize,
}

impl ActionSpace {
    /// The actions for these placements and this many services.
    pub fn new(placements: &[Placement], num_services: usize) -> Self {
        let resident = placements.iter().copied().filter(|placement| placement.needs_residency()).collect();
        Self { placements: placements.to_vec(), resident, num_services }
    }

    /// How many actions there are.
    pub fn len(&self) -> usize {
        self.placements.len() + self.resident.len() * self.num_services
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

    /// What a number means; `None` beyond the last.
    pub fn decode(&self, action: ActionId) -> Option<Decision> {
        let index = action.index();
        if let Some(&placement) = self.placements.get(index) {
            return Some(Decision { placement, victim: None });
        }
        let index = index - self.placements.len();
        let placement = *self.resident.get(index / self.num_services)?;
        Some(Decision { placement, victim: Some(ServiceId::from_index(index % self.num_services)) })
    }

    /// The names of all actions, in order: `edge`, `cloud`, `edge evict 0`, ...
    pub fn names(&self) -> Vec<String> {
        (0..self.len())
            .filter_map(|index| self.decode(ActionId::from_index(index)))
            .map(|decision| match decision.victim {
                None => decision.placement.name().to_owned(),
                Some(victim) => format!("{} evict {}", decision.placement.name(), victim.0),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_meanings_are_inverse() {
        let space = ActionSpace::new(&[Placement::Edge, Placement::Cloud], 3);
        assert_eq!(space.names(), ["edge", "cloud", "edge evict 0", "edge evict 1", "edge evict 2"]);
        for index in 0..space.len() {
            let action = ActionId::from_index(index);
            let Decision { placement, victim } = space.decode(action).unwrap();
            let back = victim.map_or(space.place(placement), |victim| space.evict(placement, victim));
            assert_eq!(back, Some(action));
        }
        assert_eq!(space.decode(ActionId(5)), None);
        assert_eq!(space.evict(Placement::Cloud, ServiceId(0)), None);
        assert_eq!(space.evict(Placement::Edge, ServiceId(3)), None);
    }
}
