//! The choice of the cell that serves a user.
//!
//! *Models.* The user stays with a cell until another one is clearly better.
//!
//! *Equation.* Hand over to the strongest cell c when `gain(c) > gain(serving) 10^(hysteresis / 10)`.
//!
//! *Symbols.* gain: large-scale gain, shadowing and antennas included, linear; hysteresis in dB.
//!
//! *Assumptions.* Looked at when the user asks for something; a handover takes no time of its own. Context stays behind.
//!
//! *Source.* Event A3 of 3GPP TS 38.331, without its time to trigger.

use crate::invalid::{Invalid, between};
use crate::units::{CellId, Decibel};
use serde::{Deserialize, Serialize};

/// `[radio.association]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssociationConfig {
    /// How much stronger another cell has to be in dB, 0 to 30 (3).
    pub hysteresis_db: f64,
}

impl Default for AssociationConfig {
    fn default() -> Self {
        Self { hysteresis_db: 3.0 }
    }
}

impl AssociationConfig {
    /// Checks the number.
    ///
    /// # Errors
    /// A hysteresis out of its range.
    pub fn validate(&self, table: &str) -> Result<Association, Invalid> {
        let hysteresis = Decibel(between(table, "hysteresis_db", self.hysteresis_db, 0.0, 30.0)?);
        Ok(Association { advantage: hysteresis.to_linear() })
    }
}

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    advantage: f64,
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
    /// The cell that serves from now on, given the one that did, if any, and the strongest.
    pub fn choose(&self, serving: Option<Candidate>, strongest: Candidate) -> Candidate {
        match serving {
            Some(serving) if strongest.gain <= serving.gain * self.advantage => serving,
            _ => strongest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_stays_until_another_cell_is_stronger_by_the_hysteresis() {
        let rule = AssociationConfig { hysteresis_db: 3.0 }.validate("radio.association").unwrap();
        let at = |cell, gain| Candidate { cell: CellId(cell), gain };
        let serving = at(0, 1.0);
        assert_eq!(rule.choose(Some(serving), at(1, 1.99)), serving);
        assert_eq!(rule.choose(Some(serving), at(1, 2.0)), at(1, 2.0));
        assert_eq!(rule.choose(None, at(1, 0.1)), at(1, 0.1));
        assert_eq!(rule.choose(Some(serving), serving), serving);
    }
}
