//! What a decision costs, by component.
//!
//! Costs are positive; the reward of a step is minus their sum. MODEL: abstract costs of P1 (arXiv 2403.05826) and P2
//! (arXiv 2501.14205).

use serde::{Deserialize, Serialize};

/// The components of a cost, in the scenario's own cost unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostBreakdown {
    /// Loading weights into a cell's memory (P1 eq. 21).
    pub switching: f64,
    /// Access to the edge.
    pub transmission: f64,
    /// Thinking at the edge.
    pub compute: f64,
    /// What a less than perfect answer costs (P1 eq. 20).
    pub accuracy: f64,
    /// Serving a request in the cloud.
    pub cloud: f64,
}

impl CostBreakdown {
    /// The names of the components, in the order of [`components`](Self::components).
    pub const NAMES: [&'static str; 5] = ["switching", "transmission", "compute", "accuracy", "cloud"];

    /// The components, in the order of [`NAMES`](Self::NAMES).
    pub const fn components(&self) -> [f64; 5] {
        [self.switching, self.transmission, self.compute, self.accuracy, self.cloud]
    }

    /// The sum of all components.
    pub fn total(&self) -> f64 {
        self.components().iter().sum()
    }
}

impl std::ops::AddAssign for CostBreakdown {
    fn add_assign(&mut self, other: Self) {
        self.switching += other.switching;
        self.transmission += other.transmission;
        self.compute += other.compute;
        self.accuracy += other.accuracy;
        self.cloud += other.cloud;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_counts_every_component_once() {
        let mut sum = CostBreakdown::default();
        sum += CostBreakdown { switching: 1.0, transmission: 2.0, compute: 4.0, accuracy: 8.0, cloud: 16.0 };
        sum += CostBreakdown { switching: 32.0, ..CostBreakdown::default() };
        assert_eq!(sum.total(), 63.0);
        assert_eq!(sum.components().len(), CostBreakdown::NAMES.len());
    }
}
