//! The serving constants of a device, from measured times.
//!
//! Models: the equation of `llm/inference.rs`. Its constants enter linearly once it is known which side of the roofline a
//! row lies on, so that they can be solved for.
//!
//! Equation:
//! ```text
//! minimise  sum over rows and over {prompt, answer} of | T - T_measured | / max(T, T_measured)
//! T         = t_step * steps + (1/eta) * read_s  or  (1/mfu) * compute_s + (1/link) * link_bytes + t_sync * syncs + t_sequence * sequences
//! subject to  t_step, t_sync, t_sequence, 1/link >= 0,  1/eta >= 1,  1/mfu >= 1
//! ```
//! Symbols: those of `llm/inference.rs`; a token's time is that of the decoding divided by the output tokens.
//!
//! Assumptions: relative errors, because times span three orders of magnitude, of which none counts more than 1; their sum and
//! not the sum of their squares, because measured profiles hold rows that failed (one prompt of the Llama-2-70B profile took a
//! tenth of the time that it needs). Solved by iteratively reweighted least squares; the greater of both times and the side of
//! the roofline are those of the round before.
//! [`Form::Normative`] has MODEL 5's three constants; [`Form::Extended`] adds the three that are *ours*. A fit is judged on
//! groups of rows that it has not seen ([`unseen`]): a profile repeats each measurement, so that neighbouring rows say little.
//!
//! Source: MODEL 5. Reweighting: Holland and Welsch, Communications in Statistics 6(9), 1977.

mod least_squares;
pub mod profile;

use super::catalogue::{Device, Model, ServingConstants};
use super::inference::{Pace, Server, Tokens, Work};
use least_squares::{COLUMNS, Row, non_negative};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Rounds of reweighting.
const ROUNDS: usize = 200;
/// Relative errors below this weigh alike, so that no weight grows without limit.
const LEAST_ERROR: f64 = 1e-4;
/// The fewest rows of a fit, each of which is two equations.
const LEAST_ROWS: usize = 2 * COLUMNS;
/// Constants that multiply columns of the equation: step, read, compute, link, sync, sequence.
const READ: usize = 1;
const COMPUTE: usize = 2;

/// One measured batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Tokens of each prompt.
    pub prompt_tokens: f64,
    /// Requests of the batch.
    pub batch: u32,
    /// Tokens of each answer.
    pub output_tokens: f64,
    /// GPUs that shared the model.
    pub parallel: u32,
    /// Seconds until the first token.
    pub prompt_s: f64,
    /// Seconds of every other token, on average.
    pub token_s: f64,
}

/// Which constants are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `t_step`, `eta`, `mfu`: MODEL 5.
    Normative,
    /// Also the exchange between GPUs and the time of each sequence.
    Extended,
}

/// Why nothing can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// Fewer rows than constants.
    #[error("{rows} measured rows: at least {needed} are needed")]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Too few rows to fit on one half of the groups and to judge on the other.
    #[error(
        "{} and {} rows in the two halves of its groups (rows of one tensor_parallel, batch_size and prompt_size are a \
         group): at least {LEAST_ROWS} are needed in each, for each is judged by a fit to the other",
        .rows[0], .rows[1]
    )]
    TooFewGroups {
        /// How many there are in each half.
        rows: [usize; 2],
    },
    /// A row that no machine can have measured.
    #[error("measured row {row}: counts must be at least 1, times finite and above 0")]
    Impossible {
        /// Its position, from 0.
        row: usize,
    },
}

/// The median errors of some rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// How many rows.
    pub rows: usize,
    /// Median error of the prompt.
    pub prompt: f64,
    /// Median error of a token.
    pub token: f64,
}

/// A measured batch and how far a prediction misses it: predicted over measured, minus 1, without sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missed {
    /// The measured batch.
    pub row: Measured,
    /// Error of the prompt.
    pub prompt: f64,
    /// Error of a token.
    pub token: f64,
}

/// The even and the odd rows.
pub fn halves(rows: &[Measured]) -> [Vec<Measured>; 2] {
    [0, 1].map(|first| rows.iter().skip(first).step_by(2).copied().collect())
}

/// The rows in two halves that share no group: rows of equal parallelism, batch and prompt are one, and groups, in this order,
/// go to the halves in turns.
fn halves_by_group(rows: &[Measured]) -> [Vec<Measured>; 2] {
    let group = |row: &Measured| (row.parallel, row.batch, row.prompt_tokens.to_bits());
    let groups: BTreeSet<_> = rows.iter().map(group).collect();
    let places: BTreeMap<_, usize> = groups.into_iter().zip(0..).collect();
    let (even, odd) = rows.iter().partition(|row| places[&group(row)].is_multiple_of(2));
    [even, odd]
}

/// The constants that fit the rows best; those that are not fitted are without effect.
///
/// # Errors
/// [`FitError`] where there is too little to fit.
pub fn fit(
    device: &Device,
    model: &Model,
    rows: &[Measured],
    form: Form,
) -> Result<ServingConstants, FitError> {
    if rows.len() < LEAST_ROWS {
        return Err(FitError::TooFewRows { rows: rows.len(), needed: LEAST_ROWS });
    }
    let possible = |row: &Measured| {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        row.batch >= 1
            && row.parallel >= 1
            && [row.prompt_tokens, row.output_tokens, row.prompt_s, row.token_s].into_iter().all(positive)
    };
    if let Some(row) = rows.iter().position(|row| !possible(row)) {
        return Err(FitError::Impossible { row });
    }
    let works: Vec<(Work, f64)> = rows.iter().flat_map(|row| works(device, model, row)).collect();
    let mut constants = ServingConstants::normative(0.0, 1.0, 0.5);
    // Least squares first: every error weighs alike.
    let mut weights = vec![1.0; works.len()];
    for _ in 0..ROUNDS {
        let pace = Pace::from(&constants);
        let equations = works.iter().zip(&weights).map(|(&(work, seconds), weight)| {
            let columns = columns(&work, &pace, form);
            let scale_s = seconds.max(work.seconds(&pace));
            // 1/eta = 1 + x, 1/mfu = 1 + x: what is left to solve for is not negative.
            let value = (seconds - columns[READ] - columns[COMPUTE]) / scale_s;
            Row { columns: columns.map(|column| column / scale_s), value, weight: *weight }
        });
        let solution = non_negative(equations);
        constants = ServingConstants {
            t_step_s: solution[0],
            eta: 1.0 / (1.0 + solution[READ]),
            mfu: 1.0 / (1.0 + solution[COMPUTE]),
            link_bytes_per_s: 1.0 / solution[3],
            sync_s: solution[4],
            t_sequence_s: solution[5],
        };
        let pace = Pace::from(&constants);
        for ((work, seconds), weight) in works.iter().zip(&mut weights) {
            let predicted_s = work.seconds(&pace);
            *weight = 1.0 / ((predicted_s - seconds).abs() / predicted_s.max(*seconds)).max(LEAST_ERROR);
        }
    }
    Ok(constants)
}

/// What a row's prompt and one of its tokens have to do, and the seconds that they took.
fn works(device: &Device, model: &Model, row: &Measured) -> [(Work, f64); 2] {
    let server = Server::new(device, model, row.parallel);
    let tokens = Tokens { prompt: row.prompt_tokens, reused: 0.0, output: row.output_tokens };
    let batch = f64::from(row.batch);
    let answer_s = row.token_s * row.output_tokens;
    [(server.prefill_work(&tokens, batch), row.prompt_s), (server.decode_work(&tokens, batch), answer_s)]
}

/// Returns the factor of each constant in the predicted time.
fn columns(work: &Work, pace: &Pace, form: Form) -> [f64; COLUMNS] {
    let is_read = work.is_memory_bound(pace);
    let (read_s, compute_s) = if is_read { (work.read_s, 0.0) } else { (0.0, work.compute_s) };
    let ours = match form {
        Form::Normative => [0.0; 3],
        Form::Extended => [work.link_bytes, work.syncs, work.sequences],
    };
    [work.steps, read_s, compute_s, ours[0], ours[1], ours[2]]
}

/// The errors of the device's own constants.
pub fn errors(device: &Device, model: &Model, rows: &[Measured]) -> Vec<Missed> {
    let pace = Pace::from(&device.constants);
    let error = |(work, seconds): (Work, f64)| (work.seconds(&pace) / seconds - 1.0).abs();
    let missed = |row: &Measured| {
        let [prompt, token] = works(device, model, row).map(error);
        Missed { row: *row, prompt, token }
    };
    rows.iter().map(missed).collect()
}

/// The errors of each row of a profile, predicted by constants that were fitted on the half of its groups without it.
///
/// # Errors
/// [`FitError`] where a half is too small.
pub fn unseen(
    device: &Device,
    model: &Model,
    rows: &[Measured],
    form: Form,
) -> Result<Vec<Missed>, FitError> {
    let [even, odd] = halves_by_group(rows);
    let sizes = [even.len(), odd.len()];
    if sizes.iter().any(|&rows| rows < LEAST_ROWS) {
        return Err(FitError::TooFewGroups { rows: sizes });
    }
    let judged = |fitted: &[Measured], others: &[Measured]| {
        let constants = fit(device, model, fitted, form)?;
        Ok(errors(&Device { constants, ..device.clone() }, model, others))
    };
    Ok([judged(&even, &odd)?, judged(&odd, &even)?].concat())
}

/// The medians of errors; `None` where there are none.
pub fn medians<'a>(missed: impl Iterator<Item = &'a Missed> + Clone) -> Option<Judged> {
    let median = |of: fn(&Missed) -> f64| {
        let mut sorted: Vec<f64> = missed.clone().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let below = if sorted.len().is_multiple_of(2) { middle.checked_sub(1)? } else { middle };
        Some(f64::midpoint(sorted[below], sorted[middle]))
    };
    let (prompt, token) = (median(|missed| missed.prompt)?, median(|missed| missed.token)?);
    Some(Judged { rows: missed.count(), prompt, token })
}

/// The median errors of the device's own constants over the rows that `chosen` takes; `None` where it takes none.
pub fn judge(
    device: &Device,
    model: &Model,
    rows: &[Measured],
    chosen: impl Fn(&Measured) -> bool,
) -> Option<Judged> {
    medians(errors(device, model, rows).iter().filter(|missed| chosen(&missed.row)))
}

#[cfg(test)]
mod tests;
