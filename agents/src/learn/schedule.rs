//! A number that follows the progress of a run.
//!
//! `learning_rate` is the number at the beginning; `learning_rate_schedule` says what becomes of it:
//! ```text
//! constant:  initial                     linear:  initial * (1 - decisions / budget)
//! ```
//! The Zoo of Stable-Baselines3 writes the same as `learning_rate: 6e-4` and `learning_rate: lin_6e-4`.

use serde::{Deserialize, Serialize};

/// How a number changes from the first decision of a run to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to 0 in a straight line over the budget.
    #[default]
    Linear,
}

impl Schedule {
    /// The number after `decisions` of a budget of `budget`.
    pub fn value(self, initial: f64, decisions: u64, budget: u64) -> f64 {
        match self {
            Self::Constant => initial,
            Self::Linear if budget == 0 => 0.0,
            Self::Linear => initial * (1.0 - decisions as f64 / budget as f64).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_and_a_line_falls_to_nothing_at_the_end_of_the_budget() {
        assert_eq!(Schedule::Constant.value(8.0, 75, 100), 8.0);
        let line: Vec<f64> =
            [0, 25, 50, 100, 120].map(|decisions| Schedule::Linear.value(8.0, decisions, 100)).to_vec();
        assert_eq!(line, [8.0, 6.0, 4.0, 0.0, 0.0]);
    }

    #[test]
    fn schedules_are_written_in_lower_case() {
        assert_eq!(serde_json::to_string(&Schedule::Linear).unwrap(), "\"linear\"");
        assert_eq!(serde_json::from_str::<Schedule>("\"constant\"").unwrap(), Schedule::Constant);
    }
}
