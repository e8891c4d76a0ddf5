//! How good an answer is, given the context that the agent has, and what a less than perfect one costs.
//!
//! Models: in-context learning: fresh thoughts make answers better. In physical scenarios an answer is as good as its three
//! modules together.
//!
//! Equation:
//! ```text
//! linear        c = (1 - alpha) / (max(kappa, 1) * ln(1 / beta))             P1 eq. 20, kappa after the batch
//! logarithmic   A = min(A_max, A0 + A1 * log2(1 + (kappa / k)^exponent))     P3, kappa before the batch; c = 1 - A
//! table         A = the line between the knots on both sides of kappa / k    P2 Tables III-IV, kappa before the batch; c = 1 - A
//! perception    q_p = 1 - (1 - q_modality) (1 - q_sensing)                   ours
//! answer        q = q_p * q_grounding * q_alignment                          ours
//! ```
//! Symbols: `c` unit accuracy cost per request; `kappa` fresh tokens, at most the window; `k` tokens of a thought, so that
//! `kappa / k` counts the reasoning paths that are fresh in the context; `A` accuracy, 0 to 1; `q` quality, 0 to 1.
//!
//! Assumptions: the linear `c` is a cost and not a probability (it exceeds nothing but has no upper meaning either). P2's
//! tables hold accuracy against sampled reasoning paths; here the paths are those that the context still holds (*ours*), so
//! that they age. Outside its knots a table is flat. The modules fail independently of each other.
//!
//! Source: P1 arXiv 2403.05826 eq. 20; P2 arXiv 2501.14205 Tables III-IV; P3 arXiv 2305.12130.

use std::sync::Arc;

/// The law of one service.
#[derive(Clone, Debug, PartialEq)]
pub enum QualityLaw {
    /// P1's law, with everything that does not depend on the age multiplied out.
    Linear {
        /// `(1 - alpha) / ln(1 / beta)`, in tokens.
        scale_tokens: f64,
    },
    /// A law that gives an accuracy; what is missing to 1 costs.
    Accuracy(AccuracyLaw),
}

impl QualityLaw {
    /// P1's law for `0 < alpha < 1` and `0 < beta < 1`.
    pub fn linear(alpha: f64, beta: f64) -> Self {
        Self::Linear { scale_tokens: (1.0 - alpha) / libm::log(1.0 / beta) }
    }

    /// The unit accuracy cost of a request, from the fresh tokens before and after its batch.
    pub fn unit_cost(&self, fresh_before_tokens: f64, fresh_after_tokens: f64) -> f64 {
        match self {
            Self::Linear { scale_tokens } => scale_tokens / fresh_after_tokens.max(1.0),
            Self::Accuracy(law) => 1.0 - law.accuracy(fresh_before_tokens),
        }
    }

    /// Whether more fresh context never makes an answer worse: a table may say otherwise.
    pub fn improves_with_age(&self) -> bool {
        match self {
            Self::Accuracy(AccuracyLaw::Table(table)) => {
                table.knots.is_sorted_by(|one, next| one.accuracy <= next.accuracy)
            }
            Self::Linear { .. } | Self::Accuracy(AccuracyLaw::Logarithmic { .. }) => true,
        }
    }
}

/// How accurate a model is with some context: the share of answers that are right.
#[derive(Clone, Debug, PartialEq)]
pub enum AccuracyLaw {
    /// P3's law.
    Logarithmic {
        /// Accuracy without context.
        base: f64,
        /// Accuracy gained per doubling.
        gain: f64,
        /// How fast thoughts count.
        exponent: f64,
        /// The greatest accuracy.
        max_accuracy: f64,
        /// Tokens of one thought.
        thought_tokens: f64,
    },
    /// Measured accuracies, with straight lines between them.
    Table(AccuracyTable),
}

impl AccuracyLaw {
    /// The accuracy, 0 to 1, with this many fresh tokens in the context.
    pub fn accuracy(&self, fresh_tokens: f64) -> f64 {
        match self {
            Self::Logarithmic { base, gain, exponent, max_accuracy, thought_tokens } => {
                if fresh_tokens == 0.0 {
                    // What the equation gives; most placements have no context, and powers are slow.
                    return base.min(*max_accuracy);
                }
                let thoughts = libm::pow(fresh_tokens / thought_tokens, *exponent);
                (base + gain * libm::log2(1.0 + thoughts)).min(*max_accuracy)
            }
            Self::Table(table) => table.accuracy(fresh_tokens),
        }
    }
}

/// Measured accuracy against fresh tokens, see [`AccuracyTable::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct AccuracyTable {
    knots: Arc<[Knot]>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Knot {
    fresh_tokens: f64,
    accuracy: f64,
}

impl AccuracyTable {
    /// The table of these accuracies (0 to 1) at these numbers of reasoning paths, each of `thought_tokens` tokens.
    /// `None` unless both lists are equally long, not empty, and the paths are finite and rise.
    pub fn new(paths: &[f64], accuracy: &[f64], thought_tokens: f64) -> Option<Self> {
        let rises =
            paths.windows(2).all(|pair| pair[0] < pair[1]) && paths.iter().all(|path| path.is_finite());
        if paths.len() != accuracy.len() || paths.is_empty() || !rises {
            return None;
        }
        let knots = paths.iter().zip(accuracy);
        let knots = knots.map(|(path, &accuracy)| Knot { fresh_tokens: path * thought_tokens, accuracy });
        Some(Self { knots: knots.collect() })
    }

    fn accuracy(&self, fresh_tokens: f64) -> f64 {
        let above = self.knots.iter().position(|knot| fresh_tokens < knot.fresh_tokens);
        match above {
            Some(0) => self.knots[0].accuracy,
            Some(above) => {
                let (low, high) = (self.knots[above - 1], self.knots[above]);
                let share = (fresh_tokens - low.fresh_tokens) / (high.fresh_tokens - low.fresh_tokens);
                low.accuracy + share * (high.accuracy - low.accuracy)
            }
            None => self.knots[self.knots.len() - 1].accuracy,
        }
    }
}

/// How well the world is perceived (0 to 1): by the modality of the request and by the cell's sensing, of which one that
/// succeeds is enough.
pub fn perception_quality(modality_quality: f64, sensing_quality: f64) -> f64 {
    1.0 - (1.0 - modality_quality) * (1.0 - sensing_quality)
}

/// How good an answer is (0 to 1), from its three modules: all of them have to succeed.
pub fn answer_quality(perception: f64, grounding: f64, alignment: f64) -> f64 {
    perception * grounding * alignment
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn the_linear_law_divides_by_the_age_after_the_batch() {
        // (1 - .5) / (200 * ln 2) for alpha = beta = .5
        let law = QualityLaw::linear(0.5, 0.5);
        assert_relative_eq!(law.unit_cost(0.0, 200.0), 0.003_606_737_602_222_409, max_relative = 1e-12);
        assert_eq!(law.unit_cost(0.0, 0.0), law.unit_cost(0.0, 1.0), "less than one token counts as one");
    }

    #[test]
    fn the_logarithmic_law_gives_gpt3_on_triviaqa_and_uses_the_age_before_the_batch() {
        let law = QualityLaw::Accuracy(AccuracyLaw::Logarithmic {
            base: 0.643,
            gain: 0.037,
            exponent: 0.23,
            max_accuracy: 0.72,
            thought_tokens: 200.0,
        });
        assert_relative_eq!(law.unit_cost(0.0, 9e9), 1.0 - 0.643, max_relative = 1e-12);
        // One thought: log2(1 + 1) = 1 doubling.
        assert_relative_eq!(law.unit_cost(200.0, 9e9), 1.0 - 0.680, max_relative = 1e-12);
        assert_relative_eq!(law.unit_cost(9e9, 0.0), 1.0 - 0.72, max_relative = 1e-12);
    }

    /// LaMDA-137B on GSM8K, P2 Table III.
    fn gsm8k() -> AccuracyLaw {
        let (paths, accuracy) = ([0.0, 5.0, 10.0, 15.0, 20.0], [0.15, 0.21, 0.24, 0.25, 0.26]);
        AccuracyLaw::Table(AccuracyTable::new(&paths, &accuracy, 200.0).unwrap())
    }

    #[test]
    fn a_table_is_read_between_its_knots_and_is_flat_outside() {
        // Five paths of 200 tokens are 1000 tokens; halfway to ten paths lies halfway between 21 and 24 percent.
        let cases =
            [(0.0, 0.15), (500.0, 0.18), (1000.0, 0.21), (1500.0, 0.225), (4000.0, 0.26), (9e9, 0.26)];
        for (fresh_tokens, accuracy) in cases {
            assert_relative_eq!(gsm8k().accuracy(fresh_tokens), accuracy, max_relative = 1e-12);
        }
        let law = QualityLaw::Accuracy(gsm8k());
        assert_relative_eq!(law.unit_cost(1000.0, 9e9), 0.79, max_relative = 1e-12);
        let late = AccuracyTable::new(&[2.0, 4.0], &[0.5, 0.7], 100.0).unwrap();
        assert_eq!((late.accuracy(0.0), late.accuracy(200.0)), (0.5, 0.5), "flat below the first knot, too");
    }

    #[test]
    fn a_table_needs_rising_paths_with_an_accuracy_each() {
        let table = |paths: &[f64], accuracy: &[f64]| AccuracyTable::new(paths, accuracy, 200.0);
        assert_eq!(table(&[], &[]), None);
        assert_eq!(table(&[0.0, 5.0], &[0.1]), None);
        assert_eq!(table(&[0.0, 0.0], &[0.1, 0.2]), None);
        assert_eq!(table(&[0.0, f64::NAN], &[0.1, 0.2]), None);
        assert!(table(&[0.0], &[0.1]).is_some());
    }

    #[test]
    fn one_eye_is_enough_to_see_but_all_modules_are_needed_to_answer() {
        assert_relative_eq!(perception_quality(0.5, 0.6), 0.8, max_relative = 1e-12);
        assert_eq!(perception_quality(0.777, 0.0), 0.777);
        assert_eq!(perception_quality(0.25, 1.0), 1.0);
        assert_relative_eq!(answer_quality(0.8, 0.5, 0.9), 0.36, max_relative = 1e-12);
    }
}
