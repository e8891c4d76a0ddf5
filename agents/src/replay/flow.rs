//! A lower bound of the misses of every rule, with or without bypass, for objects of any sizes.
//!
//! *Problem.* As in `optimum`: hit `k` needs `s_k` bytes after each request of its interval `I_k`, from the previous request
//! for its object to the one before the hit, and saves `v_k`: 1, or the bytes of the request. With `x_k` = 1 for a hit and
//! capacity `C`:
//! ```text
//! maximise sum_k v_k x_k   with   sum_{k: t in I_k} s_k x_k <= C  after each request t,   x_k in {0, 1}
//! ```
//! The flow bound of the literature allows `0 <= x_k <= 1` (parts of objects), which makes this a flow of least cost.
//!
//! *Equation.* For prices `p_t >= 0` of a byte after request t, the saved value of every rule is at most
//! ```text
//! D(p) = C sum_t p_t + sum_k max(0, v_k - s_k sum_{t in I_k} p_t)
//! ```
//! *Proof.* Add `sum_t p_t (C - sum_{k: t in I_k} s_k x_k)`, which is not negative, to the saved value and sort by k: each hit
//! adds `x_k (v_k - s_k sum_{t in I_k} p_t)`, at most its positive part. The least D over all prices is the flow bound (duality of
//! linear programmes), so any prices give a bound that is the flow bound or weaker: lower than it, never wrong.
//!
//! *Rule.* The first price is one for all t, the best such one: greedy by value per byte and request (PFOO-L). Then 2, 4, 8 ...
//! stretches of requests get prices of their own, which rise where hits take more than C and fall where they take less.
//!
//! *What it relaxes.* Parts of objects; prices that are not the best ones; sizes that change (each object counts with its least
//! size). Hits of objects that are larger than C are left out.
//!
//! *Cost.* O(requests log requests) for the first price, then O(requests) for each of the [`ROUNDS`] rounds of each stage.
//!
//! *Reference.* Berger, Beckmann, Harchol-Balter, "Practical bounds on optimal caching with variable object sizes", Proc. ACM
//! Meas. Anal. Comput. Syst. 2(2), 2018 (FOO and PFOO).

use super::cache::Tally;
use super::trace::{NEVER, ObjectTrace};

/// Changes of the prices in each stage.
const ROUNDS: u32 = 60;
/// How far the first change of a stage goes: the logarithm of a price moves by this for a stretch filled twice.
const STEP: f64 = 0.5;
/// The most that the logarithm of a price moves in the first round of a stage, in steps.
const LONGEST: f64 = 3.0;

/// A hit that is possible.
#[derive(Clone, Copy, Debug)]
struct Interval {
    from: u32,
    /// The hit's request.
    to: u32,
    size: f64,
    value: f64,
}

impl Interval {
    /// Value per byte and request.
    fn density(self) -> f64 {
        self.value / (self.size * f64::from(self.to - self.from))
    }
}

/// What a miss costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// 1.
    Request,
    /// The bytes of the request.
    Bytes,
}

/// A lower bound of the misses of every rule in `capacity` bytes, and one of the bytes of its misses. Not every rule has both at
/// once.
pub(super) fn misses(trace: &ObjectTrace, capacity: u64) -> Tally {
    Tally { misses: least(trace, capacity, Value::Request), miss_bytes: least(trace, capacity, Value::Bytes) }
}

/// The least misses, or bytes of misses, that any rule can have in `capacity` bytes, or fewer.
fn least(trace: &ObjectTrace, capacity: u64, value: Value) -> u64 {
    let intervals = intervals(trace, capacity, value);
    let total = if value == Value::Request { trace.len() as f64 } else { trace.bytes() as f64 };
    let saved = best_dual(&intervals, trace.len(), capacity as f64);
    // The computed sums of prices are sums of some prices; only D itself is rounded, at most twice for each of its terms.
    let fewest = total - saved - 2.0 * f64::EPSILON * trace.len() as f64 * total;
    fewest.ceil().max(0.0) as u64
}

fn intervals(trace: &ObjectTrace, capacity: u64, value: Value) -> Vec<Interval> {
    let mut least = vec![u32::MAX; trace.num_objects()];
    for (&object, &size) in trace.objects.iter().zip(&trace.sizes) {
        let known = &mut least[object as usize];
        *known = size.min(*known);
    }
    let next = trace.next_requests();
    let all = (0_u32..).zip(trace.objects.iter().zip(&next)).filter(|&(_, (_, &to))| to != NEVER);
    let possible = all.filter(|&(_, (&object, _))| u64::from(least[object as usize]) <= capacity);
    let interval = |(from, (&object, &to)): (u32, (&u32, &u32))| {
        let value = if value == Value::Request { 1.0 } else { f64::from(trace.sizes[to as usize]) };
        Interval { from, to, size: f64::from(least[object as usize]), value }
    };
    possible.map(interval).collect()
}

/// The best single price: values per byte and request, greatest first, until the capacity is filled for all requests.
fn single_price(intervals: &[Interval], num_requests: usize, capacity: f64) -> f64 {
    let mut by_density: Vec<(f64, f64)> =
        intervals.iter().map(|interval| (interval.density(), interval.value / interval.density())).collect();
    by_density.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut room = capacity * num_requests as f64;
    let marginal = by_density.iter().find(|(_, taken)| {
        room -= taken;
        room < 0.0
    });
    marginal.map_or(0.0, |(density, _)| *density)
}

/// Prices, what they bound, and what the hits that are worth their price take.
struct Dual<'a> {
    intervals: &'a [Interval],
    capacity: f64,
    prices: Vec<f64>,
    /// Sum of the prices before each request.
    sums: Vec<f64>,
    /// Bytes taken after each request.
    taken: Vec<f64>,
}

impl Dual<'_> {
    /// `D` of the prices.
    fn evaluate(&mut self) -> f64 {
        let mut sum = 0.0;
        for (total, price) in self.sums.iter_mut().zip(&self.prices) {
            *total = sum;
            sum += price;
        }
        self.taken.fill(0.0);
        let mut saved = self.capacity * sum;
        for interval in self.intervals {
            let (from, to) = (interval.from as usize, interval.to as usize);
            let gain = interval.value - interval.size * (self.sums[to] - self.sums[from]);
            if gain > 0.0 {
                saved += gain;
                self.taken[from] += interval.size;
                self.taken[to] -= interval.size;
            }
        }
        let mut bytes = 0.0;
        for taken in &mut self.taken {
            bytes += *taken;
            *taken = bytes;
        }
        saved
    }

    /// Moves the price of each stretch of `length` requests by how full it is.
    fn step(&mut self, length: usize, size: f64) {
        for (prices, taken) in self.prices.chunks_mut(length).zip(self.taken.chunks(length)) {
            let filled = taken.iter().sum::<f64>() / (self.capacity * taken.len() as f64);
            let factor = (size * (filled - 1.0).min(LONGEST)).exp();
            for price in prices {
                *price *= factor;
            }
        }
    }
}

/// The least `D` that was found.
fn best_dual(intervals: &[Interval], num_requests: usize, capacity: f64) -> f64 {
    let zeros = vec![0.0; num_requests];
    let mut dual =
        Dual { intervals, capacity, prices: zeros.clone(), sums: zeros.clone(), taken: zeros.clone() };
    let mut best = dual.evaluate();
    if dual.taken.iter().all(|&taken| taken <= capacity) {
        return best; // all hits fit, for nothing
    }
    // Where the whole is never full, parts are: their prices start low.
    let lowest = intervals.iter().map(|interval| interval.density()).fold(f64::INFINITY, f64::min);
    dual.prices.fill(single_price(intervals, num_requests, capacity).max(lowest));
    let mut best_prices = zeros;
    let mut length = num_requests;
    loop {
        for round in 1..=ROUNDS {
            let saved = dual.evaluate();
            if saved < best || length == num_requests && round == 1 {
                best = best.min(saved);
                best_prices.copy_from_slice(&dual.prices);
            }
            dual.step(length, STEP / f64::from(round).sqrt());
        }
        if length == 1 {
            return best;
        }
        length = length.div_ceil(2);
        dual.prices.copy_from_slice(&best_prices);
    }
}
