use super::*;
use approx::{assert_abs_diff_eq, assert_relative_eq};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rayon::prelude::*;

fn seeded(run: u64) -> SimRng {
    Seed::new(Purpose::Train, run).stream(Stream::Arrivals)
}

/// The share of `repeats` intervals that contain `truth`.
fn coverage(repeats: u64, truth: f64, one: impl Fn(&mut SimRng) -> Interval + Sync) -> f64 {
    let holds = |run: u64| {
        let Interval { low, high } = one(&mut seeded(run));
        u32::from(low <= truth && truth <= high)
    };
    f64::from((0..repeats).into_par_iter().map(holds).sum::<u32>()) / repeats as f64
}

fn quick_interval(numbers: &[f64], resampling: Resampling) -> Interval {
    interval(resample([numbers], resampling, 1_000, 0).map(|[mean]| mean))
}

/// A stationary series around 0 in which each value keeps `memory` of the one before.
fn remembering(len: usize, memory: f64, rng: &mut SimRng) -> Vec<f64> {
    let mut state: f64 = rng.sample(StandardNormal);
    let fresh = (1.0 - memory * memory).sqrt();
    (0..len)
        .map(|_| {
            let noise: f64 = rng.sample(StandardNormal);
            state = memory * state + fresh * noise;
            state
        })
        .collect()
}

#[test]
fn the_interquartile_mean_leaves_a_quarter_out_at_each_end() {
    assert_eq!(interquartile_mean(&[1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1000.0]), 3.5);
    // Five numbers: a quarter rounds down to one at each end.
    assert_eq!(interquartile_mean(&[9.0, 1.0, 2.0, 3.0, 0.0]), 2.0);
    assert_eq!(interquartile_mean(&[9.0, 1.0]), 5.0);
}

#[test]
fn the_standard_error_is_the_deviation_of_one_divided_by_the_root_of_how_many_there_are() {
    // Squares of 4 and 4 around 3, 8 of one degree of freedom: a deviation of the root of 8, an error of 2.
    assert_eq!(mean_and_error(&[1.0, 5.0]), (3.0, 2.0));
    assert_eq!(mean_and_error(&[7.0]), (7.0, 0.0));
}

#[test]
fn quantiles_are_interpolated_between_neighbours() {
    // Of 0, 1, ..., 40 the 2.5 % quantile lies at position 1 and the 97.5 % quantile at 39.
    let all = interval((0..=40).rev().map(f64::from));
    assert_relative_eq!(all.low, 1.0, epsilon = 1e-12);
    assert_relative_eq!(all.high, 39.0, epsilon = 1e-12);
    assert_relative_eq!(quantile(&[0.0, 10.0], 0.25), 2.5);
}

#[test]
fn two_observations_have_the_interval_of_four_equally_likely_resamples() {
    // Means 0, 1/2, 1/2, 1: the tails of 2.5 % lie on 0 and 1.
    assert_eq!(mean_interval(&[0.0, 1.0], Resampling::Independent), Interval { low: 0.0, high: 1.0 });
    // One block of both numbers: every resample has the same mean.
    let whole = mean_interval(&[0.0, 1.0], Resampling::Blocks { length: 2 });
    assert_eq!(whole, Interval { low: 0.5, high: 0.5 });
}

#[test]
fn a_relative_difference_is_paired_by_position() {
    let baseline = [1.0, 2.0, 3.0, 4.0, 10.0];
    let tenth_off = baseline.map(|cost| 0.9 * cost);
    let paired = relative_difference(&tenth_off, &baseline, Resampling::Independent).unwrap();
    assert_relative_eq!(paired.mean, -0.1, epsilon = 1e-12);
    assert_relative_eq!(paired.ci95.low, -0.1, epsilon = 1e-12);
    assert_relative_eq!(paired.ci95.high, -0.1, epsilon = 1e-12);
    // The same numbers against other partners: the same mean, an honest width.
    let mut turned = tenth_off;
    turned.reverse();
    let crossed = relative_difference(&turned, &baseline, Resampling::Independent).unwrap();
    assert_relative_eq!(crossed.mean, -0.1, epsilon = 1e-12);
    assert!(crossed.ci95.low < -0.3 && crossed.ci95.high > 0.3);
}

#[test]
fn the_ratio_is_of_sums_and_not_the_mean_of_ratios() {
    // Differences 1 and 0 over a baseline of 1 and 9: 1/10, where the mean of the ratios would be 1/2.
    let estimate = relative_difference(&[2.0, 9.0], &[1.0, 9.0], Resampling::Independent).unwrap();
    assert_relative_eq!(estimate.mean, 0.1);
    assert_eq!(estimate.ci95, Interval { low: 0.0, high: 1.0 });
}

#[test]
fn degenerate_input_gives_points_nothing_or_nan_but_no_panic() {
    for resampling in
        [Resampling::Independent, Resampling::Blocks { length: 0 }, Resampling::Blocks { length: 99 }]
    {
        assert_eq!(mean_interval(&[4.0], resampling), Interval { low: 4.0, high: 4.0 });
        let equal = mean_interval(&[0.1; 7], resampling);
        assert_abs_diff_eq!(equal.low, 0.1, epsilon = 1e-15);
        assert_abs_diff_eq!(equal.high, 0.1, epsilon = 1e-15);
        assert!(mean_interval(&[], resampling).low.is_nan());
        assert_eq!(relative_difference(&[1.0, 2.0], &[0.0, 0.0], resampling), None);
        assert_eq!(relative_difference(&[1.0, 2.0], &[1.0], resampling), None);
        assert_eq!(relative_difference(&[], &[], resampling), None);
    }
    // Most resamples of this baseline cost nothing; the estimate is still a number.
    let sparse = relative_difference(&[0.0, 0.0, 2.0], &[0.0, 0.0, 1.0], Resampling::Independent).unwrap();
    assert_relative_eq!(sparse.mean, 1.0);
    assert_eq!(sparse.ci95, Interval { low: 0.0, high: 1.0 });
    assert_eq!(relative_difference_of_series(&[1.0], &[2.0]).unwrap().mean, -0.5);
    assert_eq!(relative_difference_of_series(&[1.0], &[0.0]), None);
    assert!(interquartile_mean(&[]).is_nan() && share_below(&[], &[]).is_nan());
    for series in
        [&[][..], &[1.0], &[3.0; 50], &[0.1; 1000], &[f64::NAN; 20], &[1.0, f64::INFINITY, 2.0, 4.0]]
    {
        assert_eq!(block_length(series), 1, "{series:?}");
    }
}

#[test]
fn the_same_table_has_the_same_intervals_whenever_it_is_made() {
    let numbers: Vec<f64> = seeded(1).sample_iter(Exp1).take(40).collect();
    let one = mean_interval(&numbers, Resampling::Independent);
    assert_eq!(one, mean_interval(&numbers, Resampling::Independent));
    assert_ne!(one, quick_interval(&numbers, Resampling::Independent));
}

#[test]
fn the_probability_of_improvement_counts_equals_half() {
    assert_eq!(share_below(&[1.0, 2.0, 3.0, 4.0], &[2.0, 2.0, 2.0, 5.0]), 0.625);
}

#[test]
fn per_cent_have_a_sign_and_one_decimal() {
    let estimate = |mean, low, high| Estimate { mean, ci95: Interval { low, high } };
    assert_eq!(estimate(-0.3268, -0.334, -0.319).to_string(), "-32.7 % [-33.4, -31.9]");
    assert_eq!(estimate(0.0004, -0.01, 0.0213).to_string(), "0.0 % [-1.0, +2.1]");
    assert!(estimate(-0.1, -0.2, -0.01).is_below_zero() && !estimate(-0.1, -0.2, 0.0).is_below_zero());
    assert!(estimate(0.1, 0.01, 0.2).is_above_zero() && !estimate(0.1, 0.0, 0.2).is_above_zero());
}

#[test]
fn intervals_of_episode_means_hold_the_truth_about_95_times_in_100() {
    let normal = coverage(1_000, 0.0, |rng| {
        let numbers: Vec<f64> = rng.sample_iter(StandardNormal).take(40).collect();
        quick_interval(&numbers, Resampling::Independent)
    });
    assert!((0.92..=0.97).contains(&normal), "normal: {normal}");
    // A skewed distribution costs the percentile interval a little.
    let skewed = coverage(1_000, 1.0, |rng| {
        let numbers: Vec<f64> = rng.sample_iter(Exp1).take(40).collect();
        quick_interval(&numbers, Resampling::Independent)
    });
    assert!((0.90..=0.97).contains(&skewed), "exponential: {skewed}");
}

#[test]
fn paired_intervals_hold_the_truth_and_are_narrower_than_unpaired_ones() {
    // A shared part of 10 +- 3 and noise of 0.5: the truth is (9 - 10) / 10.
    let pair = |rng: &mut SimRng| -> (Vec<f64>, Vec<f64>) {
        (0..40)
            .map(|_| {
                let [shared, a, b]: [f64; 3] = std::array::from_fn(|_| StandardNormal.sample(rng));
                (9.0 + 3.0 * shared + 0.5 * a, 10.0 + 3.0 * shared + 0.5 * b)
            })
            .unzip()
    };
    let held = coverage(500, -0.1, |rng| {
        let (numbers, baseline) = pair(rng);
        relative_difference(&numbers, &baseline, Resampling::Independent).unwrap().ci95
    });
    assert!((0.91..=0.98).contains(&held), "paired: {held}");
    let (numbers, baseline) = pair(&mut seeded(0));
    let paired = relative_difference(&numbers, &baseline, Resampling::Independent).unwrap().ci95;
    let one = mean_interval(&numbers, Resampling::Independent);
    assert!(paired.high - paired.low < 0.3 * (one.high - one.low) / 10.0);
}

#[test]
fn blocks_hold_the_truth_of_a_series_with_memory_where_single_draws_do_not() {
    let held = |memory: f64, resampling: fn(&[f64]) -> Resampling| {
        coverage(400, 0.0, |rng| {
            let series = remembering(700, memory, rng);
            quick_interval(&series, resampling(&series))
        })
    };
    let blocks = held(0.7, Resampling::for_series);
    assert!((0.88..=0.97).contains(&blocks), "blocks: {blocks}");
    let single = held(0.7, |_| Resampling::Independent);
    assert!(single < 0.75, "single draws: {single}");
    let forgetful = held(0.0, Resampling::for_series);
    assert!((0.92..=0.98).contains(&forgetful), "no memory: {forgetful}");
}

#[test]
fn blocks_grow_with_memory() {
    let typical = |memory: f64| {
        let mut lengths: Vec<usize> =
            (0..101).map(|run| block_length(&remembering(700, memory, &mut seeded(run)))).collect();
        lengths.sort_unstable();
        lengths[50]
    };
    // By the rule's own formula for this family, (2 G^2 / D)^(1/3) n^(1/3) with G / g = 2 m / (1 - m^2):
    // memory 0.5 gives (1.5 * (4/3)^2 * 700)^(1/3) = 12.3, memory 0.8 gives (1.5 * (4.44)^2 * 700)^(1/3) = 27.5.
    assert!(typical(0.0) <= 4, "{}", typical(0.0));
    assert!((9..=16).contains(&typical(0.5)), "{}", typical(0.5));
    assert!((20..=35).contains(&typical(0.8)), "{}", typical(0.8));
}

#[test]
fn students_t_is_that_of_the_tables() {
    assert_eq!([1.0, 4.0, 9.0, 60.0].map(student_t), [12.706, 2.776, 2.262, 2.0]);
    assert_eq!(student_t(f64::INFINITY), 1.96);
    // scipy.stats.t.ppf(0.975, 19) and (0.975, 39).
    assert_abs_diff_eq!(student_t(19.0), 2.0930, epsilon = 1e-3);
    assert_abs_diff_eq!(student_t(39.0), 2.0227, epsilon = 1e-3);
}

#[test]
fn two_seeds_that_differ_and_episodes_that_do_not_have_the_interval_of_two_numbers() {
    // Row means 1 and 3: resamples deviate by -1, 0, 0, 1, times sqrt(2), times 12.706 / 1.96.
    let reach = 2.0_f64.sqrt() * 12.706 / 1.96;
    let ci95 = crossed_mean_interval(&[vec![1.0; 6], vec![3.0; 6]], false);
    assert_relative_eq!(ci95.low, 2.0 - reach, epsilon = 1e-9);
    assert_relative_eq!(ci95.high, 2.0 + reach, epsilon = 1e-9);
    // Against a baseline of 4 a slot that has no seeds: the same over 4.
    let relative =
        crossed_relative_difference(&[vec![1.0; 6], vec![3.0; 6]], &[vec![4.0; 6]], false).unwrap();
    assert_relative_eq!(relative.mean, -0.5);
    assert_relative_eq!(relative.ci95.high, -0.5 + reach / 4.0, epsilon = 1e-9);
    assert_eq!(crossed_relative_difference(&[vec![1.0; 2]], &[vec![0.0; 2]], false), None);
    assert_eq!(crossed_relative_difference(&[vec![1.0, 2.0]], &[vec![1e-200, 2e-200]], false), None);
    assert_eq!(crossed_relative_difference(&[vec![1.0; 2]], &[vec![1.0; 3]], false), None);
}

#[test]
fn what_seeds_and_baseline_share_in_an_episode_cancels_and_what_seeds_differ_in_does_not() {
    let episodes: Vec<f64> = (0..20).map(|episode| 10.0 + f64::from(episode % 5)).collect();
    let scaled = |factor: f64| episodes.iter().map(|cost| factor * cost).collect::<Vec<f64>>();
    let equal = crossed_relative_difference(&[scaled(0.5), scaled(0.5)], &[scaled(1.0)], false).unwrap();
    assert_relative_eq!(equal.ci95.low, -0.5, epsilon = 1e-12);
    assert_relative_eq!(equal.ci95.high, -0.5, epsilon = 1e-12);
    let rows = [0.4, 0.5, 0.6].map(scaled);
    let apart = crossed_relative_difference(&rows, &[scaled(1.0)], false).unwrap();
    assert!(apart.ci95.low < -0.6 && apart.ci95.high > -0.4, "{apart}");
    assert!(crossed_mean_interval(&rows, true).low < crossed_mean_interval(&rows[..1], true).low);
}

/// A table of costs around `mean`: a part of the seed, one of the episode and a rest, each so large; skewed parts have the
/// skewness 1 (four exponential draws each).
fn crossed(
    [seeds, episodes]: [usize; 2],
    mean: f64,
    [of_seed, of_episode, of_rest]: [f64; 3],
    is_skewed: bool,
    rng: &mut SimRng,
) -> Vec<Vec<f64>> {
    let mut draw = |size: f64| -> f64 {
        let part = |rng: &mut SimRng| -> f64 { Exp1.sample(rng) };
        let skewed = |rng: &mut SimRng| ((0..4).map(|_| part(rng)).sum::<f64>() - 4.0) / 2.0;
        size * if is_skewed { skewed(rng) } else { StandardNormal.sample(rng) }
    };
    let columns: Vec<f64> = (0..episodes).map(|_| draw(of_episode)).collect();
    let row = |seed: f64, draw: &mut dyn FnMut(f64) -> f64| -> Vec<f64> {
        columns.iter().map(|column| mean + seed + column + draw(of_rest)).collect()
    };
    (0..seeds)
        .map(|_| {
            let seed = draw(of_seed);
            row(seed, &mut draw)
        })
        .collect()
}

/// How often intervals over seeds and episodes hold a known truth, a line a world: of the mean, and of the paired difference
/// to a rule that has no seeds.
fn coverage_study(repeats: u64) -> Vec<(String, f64)> {
    const PARTS: [[f64; 3]; 4] = [[1.0, 1.0, 1.0], [0.3, 1.0, 0.5], [0.3, 1.0, 2.0], [1.0, 3.0, 1.0]];
    let mut lines = Vec::new();
    for size in [[10, 40], [5, 20]] {
        for (parts, is_skewed) in PARTS.into_iter().flat_map(|parts| [(parts, false), (parts, true)]) {
            let skewed = if is_skewed { "skewed" } else { "normal" };
            let what = format!("{size:?} {parts:?} {skewed}");
            let held = coverage(repeats, 50.0, |rng| {
                crossed_interval_of_mean(&crossed(size, 50.0, parts, is_skewed, rng))
            });
            lines.push((format!("{what}, mean"), held));
            let held = coverage(repeats, -0.2, |rng| {
                let mut rows = crossed(size, 0.0, parts, is_skewed, rng);
                let shared = crossed([1, size[1]], 50.0, [0.0, 5.0, 0.0], is_skewed, rng).remove(0);
                for row in &mut rows {
                    row.iter_mut().zip(&shared).for_each(|(cost, shared)| *cost += 0.8 * shared);
                }
                let tables = [(&rows[..], 1.0), (&[shared][..], 1.0)];
                let [of_rows, of_baseline] = tables.map(|(rows, _)| grand_mean(rows));
                let tables =
                    [(tables[0].0, 1.0 / of_baseline), (tables[1].0, -of_rows / (of_baseline * of_baseline))];
                crossed_interval(of_rows / of_baseline - 1.0, &tables, false, 1_000)
            });
            lines.push((format!("{what}, relative"), held));
        }
    }
    lines
}

fn crossed_interval_of_mean(rows: &[Vec<f64>]) -> Interval {
    crossed_interval(grand_mean(rows), &[(rows, 1.0)], false, 1_000)
}

#[test]
fn intervals_over_seeds_and_episodes_hold_the_truth() {
    // The shares of 100 tables lie within four standard errors of a coverage of 95 %.
    for (what, held) in coverage_study(100) {
        assert!((0.86..=1.0).contains(&held), "{what}: {held}");
    }
}

/// `cargo xtask proofs` runs it: 4,000 tables a world put the share within 0.4 % of the coverage.
#[test]
#[ignore = "minutes; a proof"]
fn intervals_over_seeds_and_episodes_cover_93_to_98_per_cent() {
    for (what, held) in coverage_study(4_000) {
        println!("{what}: {held}");
        assert!((0.93..=0.98).contains(&held), "{what}: {held}");
    }
}
