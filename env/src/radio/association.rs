//! The choice of the cell that serves a user.
//!
//! *Models.* The user stays with a cell until another one is clearly better.
//!
//! *Equation.* Hand over to the strongest cell c for which `gain(c) > gain(serving) 10^(hysteresis / 10)` at `now - TTT` and now.
//!
//! *Symbols.* gain: large-scale gain, shadowing and antennas included, linear; hysteresis in dB: offset and hysteresis of the event
//! together; TTT: time to trigger, 0 in edition 1 and 320 ms in edition 2.
//!
//! *Assumptions.* Looked at when the user asks for something, and TTT before it; who has asked within TTT is looked at as it was then
//! (ours). A handover takes no time of its own. Context stays behind.
//!
//! *Source.* Event A3 of 3GPP TS 38.331, section 5.5.4.4; offset 2 dB, hysteresis 1 dB and 320 ms, values that it allows, are ours.

use crate::edition::Edition;
use crate::invalid::{Invalid, between};
use crate::units::{CellId, Decibel};
use serde::{Deserialize, Serialize};

/// `[radio.association]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssociationConfig {
    /// How much stronger another cell has to be in dB, 0 to 30 (3: an offset of 2 and a hysteresis of 1).
    pub hysteresis_db: f64,
}

impl Default for AssociationConfig {
    fn default() -> Self {
        Self { hysteresis_db: 3.0 }
    }
}

impl AssociationConfig {
    /// Checks the number, by the law of an edition.
    ///
    /// # Errors
    /// A hysteresis out of its range.
    pub fn validate(&self, table: &str, edition: Edition) -> Result<Association, Invalid> {
        let hysteresis = Decibel(between(table, "hysteresis_db", self.hysteresis_db, 0.0, 30.0)?);
        let time_to_trigger_s = edition.pick(0.0, TIME_TO_TRIGGER_S);
        Ok(Association { advantage: hysteresis.to_linear(), time_to_trigger_s })
    }
}

/// How long another cell has to be better in the second edition.
const TIME_TO_TRIGGER_S: f64 = 0.32;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    advantage: f64,
    /// Seconds for which another cell has to be better.
    pub time_to_trigger_s: f64,
}

/// A cell and its gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The cell.
    pub cell: CellId,
    /// Its large-scale gain, linear.
    pub gain: f64,
}

impl Association {
    /// Whether a cell is clearly better than the one that serves.
    pub fn is_better(&self, gain: f64, serving_gain: f64) -> bool {
        gain > serving_gain * self.advantage
    }

    /// The cell that serves from now on, given the one that did, if any, and the strongest.
    pub fn choose(&self, serving: Option<Candidate>, strongest: Candidate) -> Candidate {
        match serving {
            Some(serving) if !self.is_better(strongest.gain, serving.gain) => serving,
            _ => strongest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_stays_until_another_cell_is_stronger_by_the_hysteresis() {
        let rule =
            AssociationConfig { hysteresis_db: 3.0 }.validate("radio.association", Edition::Second).unwrap();
        let at = |cell, gain| Candidate { cell: CellId(cell), gain };
        let serving = at(0, 1.0);
        assert_eq!(rule.choose(Some(serving), at(1, 1.99)), serving);
        assert_eq!(rule.choose(Some(serving), at(1, 2.0)), at(1, 2.0));
        assert_eq!(rule.choose(None, at(1, 0.1)), at(1, 0.1));
        assert_eq!(rule.choose(Some(serving), serving), serving);
    }
}
