//! Means, intervals and paired differences.
//!
//! *Intervals*: 95 % percentile bootstrap (Efron 1979) with [`RESAMPLES`] resamples and a fixed seed, so that a table is
//! the same whenever it is made. Episodes are independent and are drawn one by one. The slots of one long run are not: they
//! are drawn in moving blocks (Künsch 1989), wrapped around the end so that every slot counts equally (Politis and Romano
//! 1992).
//!
//! *Block length*: as long as the series remembers, by the rule of Politis and White (2004, corrected 2009): the spectral
//! density at zero by a flat-top window that ends where the autocorrelation is no longer told apart from 0, then the length
//! that minimises the error of the variance, `(2 G^2 / D)^(1/3) n^(1/3)`. A length tied to `n` alone would be too short
//! where costs follow the time of day, and needlessly long where they do not.
//!
//! *Seeds and episodes*: all training seeds of a learner play the same episodes, so the two are crossed, and both are chance.
//! Seeds and episodes are resampled apart from each other (the two-way bootstrap of Owen 2007, its main effects added up);
//! see [`crossed_mean_interval`].
//!
//! *Pairing*: two policies met the same requests, so each resample takes the same episodes or slots of both; what they share
//! cancels, and the interval of the difference is far narrower than those of the costs.

use rand::RngExt;
use serde::{Serialize, Serializer};
use std::fmt;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};

/// Resamples behind an interval.
pub const RESAMPLES: usize = 10_000;

/// The lower end of a 95 % interval, as a quantile; the upper lies as far from 1.
const TAIL: f64 = 0.025;

/// A 95 % interval; serialised as `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The 2.5 % quantile.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.low, self.high].serialize(serializer)
    }
}

/// A relative difference and its interval: -0.3 is 30 % less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub mean: f64,
    /// Its interval.
    pub ci95: Interval,
}

impl Estimate {
    /// Whether the whole interval lies below 0.
    pub fn is_below_zero(&self) -> bool {
        self.ci95.high < 0.0
    }

    /// Whether the whole interval lies above 0.
    pub fn is_above_zero(&self) -> bool {
        self.ci95.low > 0.0
    }
}

/// In per cent: `-32.7 % [-33.4, -31.9]`.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { low, high } = self.ci95;
        write!(f, "{} % [{}, {}]", percent(self.mean), percent(low), percent(high))
    }
}

/// A share in per cent with its sign and one decimal; what rounds to zero has no sign: `-32.7`.
pub fn percent(share: f64) -> String {
    let text = format!("{:+.1}", 100.0 * share);
    if text == "+0.0" || text == "-0.0" { "0.0".into() } else { text }
}

/// How resamples are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// One by one: episodes.
    Independent,
    /// In blocks of neighbours: the slots of one run.
    Blocks {
        /// Slots of a block, at least 1.
        length: usize,
    },
}

impl Resampling {
    /// Blocks as long as the series remembers.
    pub fn for_series(series: &[f64]) -> Self {
        Self::Blocks { length: block_length(series) }
    }
}

/// The mean; NaN of nothing.
pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The mean of some numbers and its standard error; 0 for a single one.
pub fn mean_and_error(numbers: &[f64]) -> (f64, f64) {
    let (n, mean) = (numbers.len() as f64, mean(numbers));
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, if numbers.len() < 2 { 0.0 } else { (squares / (n * (n - 1.0))).sqrt() })
}

/// The mean of what remains when the lowest and the highest quarter (rounded down) are left out; NaN of nothing.
pub fn interquartile_mean(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

/// The interval of a mean. One observation has no spread: its interval is itself.
pub fn mean_interval(numbers: &[f64], resampling: Resampling) -> Interval {
    interval(resample([numbers], resampling, RESAMPLES, 0).map(|[mean]| mean))
}

/// The mean paired difference to a baseline, divided by the baseline's mean, with its paired interval.
///
/// `None` when the lengths differ, there is nothing to compare, the baseline's mean is 0 or not finite, or it is 0 in so many
/// resamples that the interval has no end.
pub fn relative_difference(numbers: &[f64], baseline: &[f64], resampling: Resampling) -> Option<Estimate> {
    let of_baseline = mean(baseline);
    if numbers.len() != baseline.len() || !of_baseline.is_finite() || of_baseline == 0.0 {
        return None;
    }
    let differences: Vec<f64> = numbers.iter().zip(baseline).map(|(x, b)| x - b).collect();
    let resamples = resample([&differences, baseline], resampling, RESAMPLES, 0)
        // Where a resample drew neither a cost nor a difference, the two are equal.
        .map(|[difference, of_baseline]| if difference == 0.0 { 0.0 } else { difference / of_baseline });
    let ci95 = interval(resamples);
    let is_finite = ci95.low.is_finite() && ci95.high.is_finite();
    is_finite.then(|| Estimate { mean: mean(&differences) / of_baseline, ci95 })
}

/// As [`relative_difference`] for the slots of one run, in blocks as long as the estimate's own terms remember.
pub fn relative_difference_of_series(numbers: &[f64], baseline: &[f64]) -> Option<Estimate> {
    let ratio = mean(numbers) / mean(baseline);
    // The influence of a slot on the ratio of two means.
    let terms: Vec<f64> = numbers.iter().zip(baseline).map(|(x, b)| x - ratio * b).collect();
    relative_difference(numbers, baseline, Resampling::for_series(&terms))
}

/// Paired probability of improvement: the share of positions where `numbers` is below `others`, equals counting half; NaN
/// of nothing.
pub fn share_below(numbers: &[f64], others: &[f64]) -> f64 {
    let pairs = numbers.iter().zip(others);
    let score = |(x, y): (&f64, &f64)| if x < y { 1.0 } else { f64::from(u8::from(x == y)) / 2.0 };
    let scores: Vec<f64> = pairs.map(score).collect();
    mean(&scores)
}

/// The interval of the mean over training seeds and episodes: one row a seed, one column an episode (or a slot of the only
/// episode, whose columns are drawn in blocks), all rows equally long.
///
/// *Model*: `cost = mean + seed + episode + rest`. The variance of the mean is that of the row means over the number of rows,
/// plus that of the column means over the number of columns, minus what both contain of the rest.
///
/// *Interval*: rows and columns are resampled apart from each other, each [`RESAMPLES`] times. The deviations of `n` row means
/// are stretched by `sqrt(n / (n - 1))`, because a resample of few spreads too little, and by `t(n - 1) / t(inf)`, because the
/// spread of few is itself uncertain; so are those of the columns. Their sums, scaled to the variance above, have the
/// quantiles. One row has no spread of its own: only episodes are chance then.
pub fn crossed_mean_interval(rows: &[Vec<f64>], is_series: bool) -> Interval {
    crossed_interval(grand_mean(rows), &[(rows, 1.0)], is_series, RESAMPLES)
}

/// The mean of `rows` over that of `baseline`, minus 1, with its interval over seeds and episodes; episodes are paired, and the
/// baseline has a row for each seed of its own, one where it is a rule. As [`crossed_mean_interval`], with the ratio replaced
/// by its tangent.
///
/// `None` when columns do not match, or the baseline's mean is 0 or not finite.
pub fn crossed_relative_difference(
    rows: &[Vec<f64>],
    baseline: &[Vec<f64>],
    is_series: bool,
) -> Option<Estimate> {
    let columns = baseline.first()?.len();
    let (of_rows, of_baseline) = (grand_mean(rows), grand_mean(baseline));
    let is_matched = rows.iter().chain(baseline).all(|row| row.len() == columns);
    if !is_matched || !of_baseline.is_finite() || of_baseline == 0.0 {
        return None;
    }
    let tables = [(rows, 1.0 / of_baseline), (baseline, -of_rows / (of_baseline * of_baseline))];
    let mean = of_rows / of_baseline - 1.0;
    let ci95 = crossed_interval(mean, &tables, is_series, RESAMPLES);
    (ci95.low.is_finite() && ci95.high.is_finite()).then_some(Estimate { mean, ci95 })
}

fn grand_mean(rows: &[Vec<f64>]) -> f64 {
    mean(&rows.iter().map(|row| mean(row)).collect::<Vec<f64>>())
}

/// The interval of an estimate that varies like the sum of weighted grand means of tables, whose columns are the same
/// episodes.
fn crossed_interval(
    estimate: f64,
    tables: &[(&[Vec<f64>], f64)],
    is_series: bool,
    resamples: usize,
) -> Interval {
    let columns = tables.iter().flat_map(|(rows, _)| rows.iter().map(Vec::len)).min().unwrap_or(0);
    let mut by_column = vec![0.0; columns];
    let mut dimensions = Vec::new();
    let mut counted_twice = 0.0;
    for (rows, weight) in tables {
        let count = rows.len() as f64;
        let of_rows: Vec<f64> = rows.iter().map(|row| weight * mean(&row[..columns])).collect();
        let of_columns: Vec<f64> = (0..columns)
            .map(|column| weight * rows.iter().map(|row| row[column]).sum::<f64>() / count)
            .collect();
        let centre = mean(&of_rows);
        if rows.len() > 1 && columns > 1 {
            let rest = |(row, of_row): (&Vec<f64>, &f64)| -> f64 {
                let cells = row.iter().zip(&of_columns);
                cells.map(|(cell, of_column)| (weight * cell - of_row - of_column + centre).powi(2)).sum()
            };
            let squares: f64 = rows.iter().zip(&of_rows).map(rest).sum();
            let cells = count * columns as f64;
            counted_twice += squares / ((count - 1.0) * (columns as f64 - 1.0) * cells);
        }
        for (sum, of_column) in by_column.iter_mut().zip(&of_columns) {
            *sum += of_column - centre;
        }
        dimensions.push((of_rows.iter().map(|row| row - centre).collect(), Resampling::Independent));
    }
    let resampling = if is_series { Resampling::for_series(&by_column) } else { Resampling::Independent };
    dimensions.push((by_column, resampling));
    let (mut variances, mut sums) = (Vec::new(), vec![0.0; resamples]);
    for (lane, (deviations, resampling)) in dimensions.iter().enumerate() {
        let Some((means, variance)) = stretched(deviations, *resampling, resamples, lane as u32) else {
            continue;
        };
        variances.push(variance);
        sums.iter_mut().zip(means).for_each(|(sum, deviation)| *sum += deviation);
    }
    let total: f64 = variances.iter().sum();
    let largest = variances.iter().copied().fold(0.0, f64::max);
    let scale = if total > 0.0 { ((total - counted_twice).max(largest) / total).sqrt() } else { 1.0 };
    interval(sums.into_iter().map(|deviation| estimate + scale * deviation))
}

/// Resampled means of deviations around 0, widened for their small number, and their variance before the stretch by
/// Student's t; `None` where there is one observation.
fn stretched(
    deviations: &[f64],
    resampling: Resampling,
    resamples: usize,
    lane: u32,
) -> Option<(Vec<f64>, f64)> {
    let count = match resampling {
        Resampling::Independent => deviations.len(),
        Resampling::Blocks { length } => deviations.len() / length.max(1),
    };
    if count < 2 {
        return None;
    }
    let freedom = count as f64 - 1.0;
    let widened = (count as f64 / freedom).sqrt();
    let means = resample([deviations], resampling, resamples, lane).map(|[mean]| widened * mean);
    let means: Vec<f64> = means.collect();
    let variance = means.iter().map(|mean| mean * mean).sum::<f64>() / means.len() as f64;
    let stretch = student_t(freedom) / student_t(f64::INFINITY);
    Some((means.into_iter().map(|mean| stretch * mean).collect(), variance))
}

/// The 97.5 % quantile of Student's t: tabled to three decimals, between them linear in one over the degrees of freedom (at
/// least 1).
fn student_t(freedom: f64) -> f64 {
    const INF: f64 = f64::INFINITY;
    const FREEDOM: [f64; 17] =
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0, 120.0, INF];
    const QUANTILES: [f64; 17] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.179, 2.131, 2.086, 2.042,
        2.000, 1.980, 1.960,
    ];
    let above = FREEDOM.iter().position(|known| *known >= freedom).unwrap_or(FREEDOM.len() - 1).max(1);
    let (few, many) = (FREEDOM[above - 1], FREEDOM[above]);
    let (wide, narrow) = (QUANTILES[above - 1], QUANTILES[above]);
    let share = (freedom.recip() - many.recip()) / (few.recip() - many.recip());
    narrow + share * (wide - narrow)
}

/// The means of resamples, the same positions for all series; other lanes draw other positions. Nothing comes of empty series.
fn resample<const N: usize>(
    series: [&[f64]; N],
    resampling: Resampling,
    resamples: usize,
    lane: u32,
) -> impl Iterator<Item = [f64; N]> {
    let len = series.iter().map(|series| series.len()).min().unwrap_or(0);
    let mut rng = Seed::new(Purpose::Test, 0).with_lane(lane).stream(Stream::Bootstrap);
    // Sums before each position over the series twice, so that a block that wraps around is one difference.
    let sums = series.map(|series| match resampling {
        Resampling::Independent => Vec::new(),
        Resampling::Blocks { .. } => {
            let mut sum = 0.0;
            let mut sums = vec![0.0];
            sums.extend(series[..len].iter().chain(&series[..len]).map(|number| {
                sum += number;
                sum
            }));
            sums
        }
    });
    (0..if len == 0 { 0 } else { resamples }).map(move |_| {
        let mut totals = [0.0; N];
        match resampling {
            Resampling::Independent => {
                for _ in 0..len {
                    let at = position(&mut rng, len);
                    for (total, series) in totals.iter_mut().zip(&series) {
                        *total += series[at];
                    }
                }
            }
            Resampling::Blocks { length } => {
                let mut left = len;
                while left > 0 {
                    let taken = length.clamp(1, left);
                    let at = position(&mut rng, len);
                    for (total, sums) in totals.iter_mut().zip(&sums) {
                        *total += sums[at + taken] - sums[at];
                    }
                    left -= taken;
                }
            }
        }
        totals.map(|total| total / len as f64)
    })
}

fn position(rng: &mut SimRng, len: usize) -> usize {
    rng.random_range(0..len as u64) as usize
}

/// The 2.5 % and 97.5 % quantiles, interpolated between neighbours; NaN of nothing.
fn interval(numbers: impl Iterator<Item = f64>) -> Interval {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    Interval { low: quantile(&sorted, TAIL), high: quantile(&sorted, 1.0 - TAIL) }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let weight = place - below as f64;
    if weight == 0.0 { sorted[below] } else { sorted[below] + weight * (sorted[above] - sorted[below]) }
}

/// The block length for a series, see the file's head: from 1 to the smaller of `3 sqrt(n)` and `n / 3`, rounded up.
pub fn block_length(series: &[f64]) -> usize {
    let len = series.len();
    let n = len as f64;
    let longest = (3.0 * n.sqrt()).min(n / 3.0).ceil().max(1.0);
    let centre = mean(series);
    let centred: Vec<f64> = series.iter().map(|number| number - centre).collect();
    let autocovariance = |lag: usize| {
        let pairs = centred.iter().zip(centred.get(lag..).unwrap_or_default());
        pairs.map(|(early, late)| early * late).sum::<f64>() / n
    };
    let variance = autocovariance(0);
    let is_noise = |spread: f64| spread.is_nan() || spread <= f64::EPSILON * centre * centre;
    if len < 4 || is_noise(variance) {
        return 1;
    }
    // The first lag after which a run of autocorrelations cannot be told apart from 0.
    let quiet_run = 5.max(n.log10().sqrt().ceil() as usize);
    let last_lag = (n.sqrt().ceil() as usize + quiet_run).min(len - 1);
    let threshold = 2.0 * (n.log10() / n).sqrt() * variance;
    let covariances: Vec<f64> = (0..=last_lag).map(autocovariance).collect();
    let memory = (0..=last_lag.saturating_sub(quiet_run))
        .find(|&lag| covariances[lag + 1..].iter().take(quiet_run).all(|c| c.abs() < threshold))
        .unwrap_or(last_lag);
    let bandwidth = (2 * memory.max(1)).min(last_lag);
    let (mut density, mut slope) = (variance, 0.0);
    for (lag, covariance) in covariances.iter().enumerate().take(bandwidth + 1).skip(1) {
        let weight = (2.0 * (1.0 - lag as f64 / bandwidth as f64)).min(1.0);
        density += 2.0 * weight * covariance;
        slope += 2.0 * weight * lag as f64 * covariance;
    }
    let length = (1.5 * (slope / density).powi(2) * n).cbrt().ceil();
    if length.is_nan() { 1 } else { length.clamp(1.0, longest) as usize }
}

#[cfg(test)]
mod tests;
