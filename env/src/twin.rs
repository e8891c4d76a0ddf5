//! Digital twins: the picture that a cell has of a user, and how it goes stale.
//!
//! *Models.* Every cell keeps a picture of each user's surroundings, refreshed when a perception result of the user reaches it.
//!
//! *Equation.* Grounding at edge and cloud is multiplied by `floor + (1 - floor) exp(-age / tau)`; on the device by 1.
//!
//! *Symbols.* age: slots since the last result of the user reached the cell, before this request's own; tau: slots after which a
//! picture is worth 1/e of what it was above the floor; floor: what a picture of any age is worth, as is none at all.
//!
//! *Assumptions.* Ours.
//!
//! *Source.* The role of digital twins: Xu et al., arXiv 2401.07764; the law is ours.

use crate::invalid::{Invalid, Range, between, number};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `[twin]`: how pictures of users go stale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwinConfig {
    /// The worth of a picture however old it is, 0 to 1.
    pub floor: f64,
    /// Seconds after which a picture is worth 1/e of the rest, 0.001 to 1e9.
    pub memory_s: f64,
}

impl TwinConfig {
    /// Checks the numbers and counts in slots.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, slot_s: f64) -> Result<TwinLaw, Invalid> {
        let floor = number(format!("{table}.floor"), self.floor, Range::Share)?;
        let memory_s = between(table, "memory_s", self.memory_s, 1e-3, 1e9)?;
        Ok(TwinLaw::new(floor, memory_s / slot_s))
    }
}

/// Ages, from 0, whose factor is kept.
const KEPT_AGES: u32 = 512;

/// How pictures go stale.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinLaw {
    floor: f64,
    memory_slots: f64,
    /// The factor by age in slots, for the ages that are met most: each decision asks for it.
    by_age: Arc<[f64]>,
}

impl TwinLaw {
    fn new(floor: f64, memory_slots: f64) -> Self {
        let law = Self { floor, memory_slots, by_age: Arc::new([]) };
        Self { by_age: (0..KEPT_AGES).map(|age| law.computed(Some(age))).collect(), ..law }
    }

    /// The factor of the quality of grounding for a picture of an age in slots, `None` for no picture.
    pub fn grounding(&self, age_slots: Option<u32>) -> f64 {
        let kept = age_slots.and_then(|age| self.by_age.get(age as usize));
        kept.copied().unwrap_or_else(|| self.computed(age_slots))
    }

    fn computed(&self, age_slots: Option<u32>) -> f64 {
        let fresh = age_slots.map_or(0.0, |age| libm::exp(-f64::from(age) / self.memory_slots));
        self.floor + (1.0 - self.floor) * fresh
    }
}

/// The picture that one cell has of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// The slot of the last result, plus 1; 0 for none.
    refreshed: u32,
}

impl Twin {
    /// Slots since the last result, `None` without one.
    pub fn age_slots(self, slot: u32) -> Option<u32> {
        self.refreshed.checked_sub(1).map(|refreshed| slot.saturating_sub(refreshed))
    }

    /// A perception result arrives.
    pub fn refresh(&mut self, slot: u32) {
        self.refreshed = slot.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_worth_everything_at_first_and_the_floor_in_the_end() {
        let law = TwinConfig { floor: 0.6, memory_s: 20.0 }.validate("twin", 2.0).unwrap();
        let mut twin = Twin::default();
        assert_eq!(law.grounding(twin.age_slots(5)), 0.6);
        twin.refresh(5);
        assert_eq!(law.grounding(twin.age_slots(5)), 1.0);
        // Ten slots of two seconds: 0.6 + 0.4 / e.
        approx::assert_relative_eq!(
            law.grounding(twin.age_slots(15)),
            0.747_151_776_468_577,
            max_relative = 1e-12
        );
        assert!(law.grounding(twin.age_slots(100_000)) - 0.6 < 1e-12);
        twin.refresh(15);
        assert_eq!(twin.age_slots(16), Some(1));
    }

    #[test]
    fn factors_that_are_kept_are_those_that_are_computed() {
        let law = TwinConfig { floor: 0.6, memory_s: 300.0 }.validate("twin", 1.0).unwrap();
        for age in [0, 1, KEPT_AGES - 1, KEPT_AGES, KEPT_AGES + 1] {
            assert_eq!(law.grounding(Some(age)), law.computed(Some(age)), "{age}");
        }
        assert_eq!(law.by_age.len(), KEPT_AGES as usize);
    }

    #[test]
    fn numbers_that_cannot_be_meant_are_refused() {
        let error =
            |floor, memory_s| TwinConfig { floor, memory_s }.validate("twin", 1.0).unwrap_err().to_string();
        assert_eq!(error(1.5, 1.0), "twin.floor = 1.5: a number from 0 to 1");
        assert_eq!(error(0.5, f64::NAN), "twin.memory_s = NaN: a number from 0.001 to 1e9");
    }
}
