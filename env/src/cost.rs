//! What a decision costs, by component.
//!
//! Costs are positive; the reward of a step is minus their sum. In abstract scenarios they are the scalars of P1 (arXiv
//! 2403.05826) and P2 (arXiv 2501.14205); in physical ones seconds, joules, quality and money, each times its weight, and the
//! time of a request is priced where it was spent.

use serde::{Deserialize, Serialize};

/// The components of a cost, in the scenario's own cost unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostBreakdown {
    /// Loading weights into a cell's memory (P1 eq. 21); physical: its traffic, its energy, and waiting for it.
    pub switching: f64,
    /// Access to the edge; physical: time and energy of radio and backhaul.
    pub transmission: f64,
    /// Thinking at the edge; physical: time in the queue, time and energy of computing anywhere.
    pub compute: f64,
    /// What a less than perfect answer costs (P1 eq. 20).
    pub accuracy: f64,
    /// Serving a request in the cloud; physical: its price per token.
    pub cloud: f64,
    /// Keeping entries in memory; physical only.
    pub holding: f64,
    /// Answers that came after their deadline; physical only.
    pub deadline: f64,
}

impl CostBreakdown {
    /// The names of the components, in the order of [`components`](Self::components).
    pub const NAMES: [&'static str; 7] =
        ["switching", "transmission", "compute", "accuracy", "cloud", "holding", "deadline"];

    /// The components, in the order of [`NAMES`](Self::NAMES).
    pub const fn components(&self) -> [f64; 7] {
        [
            self.switching,
            self.transmission,
            self.compute,
            self.accuracy,
            self.cloud,
            self.holding,
            self.deadline,
        ]
    }

    /// The cost with these components, in the order of [`NAMES`](Self::NAMES).
    pub const fn from_components(components: [f64; 7]) -> Self {
        let [switching, transmission, compute, accuracy, cloud, holding, deadline] = components;
        Self { switching, transmission, compute, accuracy, cloud, holding, deadline }
    }

    /// The cost with every component changed in the same way.
    #[must_use]
    pub fn map(&self, change: impl FnMut(f64) -> f64) -> Self {
        Self::from_components(self.components().map(change))
    }

    /// The sum of all components.
    pub fn total(&self) -> f64 {
        self.components().iter().sum()
    }
}

impl std::ops::AddAssign for CostBreakdown {
    fn add_assign(&mut self, other: Self) {
        let mut sum = self.components();
        for (component, more) in sum.iter_mut().zip(other.components()) {
            *component += more;
        }
        *self = Self::from_components(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_counts_every_component_once() {
        let mut sum = CostBreakdown::default();
        sum += CostBreakdown {
            switching: 1.0,
            transmission: 2.0,
            compute: 4.0,
            accuracy: 8.0,
            cloud: 16.0,
            holding: 32.0,
            deadline: 64.0,
        };
        sum += CostBreakdown { switching: 128.0, ..CostBreakdown::default() };
        assert_eq!(sum.total(), 255.0);
        assert_eq!(CostBreakdown::from_components(sum.components()), sum);
        assert_eq!(sum.map(|component| 2.0 * component).total(), 510.0);
        assert_eq!(sum.components().len(), CostBreakdown::NAMES.len());
    }
}
