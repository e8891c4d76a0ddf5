//! How much a less than perfect answer costs, given the context that the agent has.
//!
//! Models: in-context learning: fresh thoughts make answers better.
//!
//! Equation:
//! ```text
//! linear        c = (1 - alpha) / (max(kappa, 1) * ln(1 / beta))             P1 eq. 20, kappa after the batch
//! logarithmic   A = min(A_max, A0 + A1 * log2(1 + (kappa / k)^exponent))     P3, kappa before the batch; c = 1 - A
//! ```
//! Symbols: `c` unit accuracy cost per request; `kappa` fresh tokens, at most the window; `k` tokens of a thought; `A`
//! accuracy, 0 to 1.
//!
//! Assumptions: the linear `c` is a cost and not a probability (it exceeds nothing but has no upper meaning either).
//!
//! Source: P1 arXiv 2403.05826 eq. 20; P3 arXiv 2305.12130.

/// The law of one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QualityLaw {
    /// P1's law, with everything that does not depend on the age multiplied out.
    Linear {
        /// `(1 - alpha) / ln(1 / beta)`, in tokens.
        scale_tokens: f64,
    },
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
}

impl QualityLaw {
    /// P1's law for `0 < alpha < 1` and `0 < beta < 1`.
    pub fn linear(alpha: f64, beta: f64) -> Self {
        Self::Linear { scale_tokens: (1.0 - alpha) / libm::log(1.0 / beta) }
    }

    /// The unit accuracy cost of a request, from the fresh tokens before and after its batch.
    pub fn unit_cost(&self, fresh_before_tokens: f64, fresh_after_tokens: f64) -> f64 {
        match *self {
            Self::Linear { scale_tokens } => scale_tokens / fresh_after_tokens.max(1.0),
            Self::Logarithmic { base, gain, exponent, max_accuracy, thought_tokens } => {
                let thoughts = libm::pow(fresh_before_tokens / thought_tokens, exponent);
                1.0 - (base + gain * libm::log2(1.0 + thoughts)).min(max_accuracy)
            }
        }
    }
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
        let law = QualityLaw::Logarithmic {
            base: 0.643,
            gain: 0.037,
            exponent: 0.23,
            max_accuracy: 0.72,
            thought_tokens: 200.0,
        };
        assert_relative_eq!(law.unit_cost(0.0, 9e9), 1.0 - 0.643, max_relative = 1e-12);
        // One thought: log2(1 + 1) = 1 doubling.
        assert_relative_eq!(law.unit_cost(200.0, 9e9), 1.0 - 0.680, max_relative = 1e-12);
        assert_relative_eq!(law.unit_cost(9e9, 0.0), 1.0 - 0.72, max_relative = 1e-12);
    }
}
