//! Subgradient ascent: looks for the prices that make a bound greatest.
//!
//! Models: a bound that is a concave function of prices, none below 0. What the cheapest courses under some prices take beyond what there
//! is, is a direction in which it rises.
//!
//! Equation:
//! ```text
//! prices <- max(0, prices + (goal - bound) excess / |excess|^2)
//! ```
//! Symbols: the goal lies a fifth of the way from the first bound to a cost that is reached without what is scarce, beyond the best bound so
//! far; half as far whenever ten steps in a row bring nothing, and then the ascent goes on from the best prices.
//!
//! Source: Polyak's step; Held, Wolfe, Crowder, "Validation of subgradient optimization", Mathematical Programming 6 (1974).

/// Steps without a better bound after which the goal comes nearer.
const PATIENCE: u32 = 10;
/// How far the goal lies at first on the way from the first bound to the cost of serving everything elsewhere.
const GOAL: f64 = 0.2;
/// What is taken may seem to be so much more than there is where it is as much.
const ROUNDING: f64 = 1e-12;

/// How prices are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// How often prices move.
    pub steps: u32,
}

impl Default for Ascent {
    fn default() -> Self {
        Self { steps: 250 }
    }
}

/// A price for each thing that is scarce, none below 0.
pub(super) trait Prices: Clone {
    /// All numbers.
    fn all(&self) -> impl Iterator<Item = &f64>;

    /// All numbers, to be changed.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut f64>;
}

impl Prices for Vec<f64> {
    fn all(&self) -> impl Iterator<Item = &f64> {
        self.iter()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.iter_mut()
    }
}

/// Prices, and what they give.
#[derive(Clone)]
pub(super) struct Point<P> {
    pub(super) prices: P,
    pub(super) bound: f64,
    /// What the best courses take beyond what there is: the direction in which the bound rises.
    pub(super) excess: P,
}

/// What stays take of a memory at each of its decisions beyond all of it; a stay holds a share of it from a decision up to another.
pub(super) fn beyond(decisions: usize, stays: impl Iterator<Item = (usize, usize, f64)>) -> Vec<f64> {
    let mut excess = vec![0.0; decisions];
    for (from, until, share) in stays {
        excess[from] += share;
        if let Some(end) = excess.get_mut(until) {
            *end -= share;
        }
    }
    let mut taken = 0.0;
    for excess in &mut excess {
        taken += *excess;
        *excess = taken - 1.0;
    }
    excess
}

impl Ascent {
    /// The best point on the way up from one. `elsewhere` is the cost without what is scarce; `at` tells what prices give.
    pub(super) fn climb<P: Prices>(
        self,
        from: Point<P>,
        elsewhere: f64,
        at: impl Fn(P) -> Point<P>,
    ) -> Point<P> {
        let (mut goal, mut waited) = (GOAL * (elsewhere - from.bound), 0);
        let mut best = from.clone();
        let mut point = from;
        for _ in 0..self.steps {
            let Some(prices) = point.ahead(best.bound + goal) else { break };
            point = at(prices);
            if point.bound > best.bound {
                (best, waited) = (point.clone(), 0);
                continue;
            }
            waited += 1;
            if waited == PATIENCE {
                (goal, waited) = (goal / 2.0, 0);
                point = best.clone();
            }
        }
        best
    }
}

impl<P: Prices> Point<P> {
    /// Prices in the direction of a greater bound, so far that it would be `goal` if it rose in a straight line; `None` where
    /// there is no such direction.
    fn ahead(&self, goal: f64) -> Option<P> {
        let mut square = 0.0;
        for (price, excess) in self.prices.all().zip(self.excess.all()) {
            if *price > 0.0 || *excess > ROUNDING {
                square += excess * excess;
            }
        }
        if square == 0.0 {
            return None;
        }
        let length = (goal - self.bound) / square;
        let mut prices = self.prices.clone();
        for (price, excess) in prices.all_mut().zip(self.excess.all()) {
            *price = (*price + length * excess).max(0.0);
        }
        Some(prices)
    }
}
