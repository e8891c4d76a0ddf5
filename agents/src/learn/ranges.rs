//! Ranges that the configs of all learners share.

use thoughtcache_env::invalid::{Invalid, Range, number};

/// The widest hidden layer; wider ones would take minutes to initialise and gigabytes to keep.
const MAX_WIDTH: usize = 4096;
/// The most hidden layers of a net: two or three are enough here, and a long list is a slip of the pen.
const MAX_LAYERS: usize = 8;

/// Refuses the first of these numbers of a table that lies outside its range.
///
/// # Errors
/// [`Invalid`] with the key, the value and the range.
pub(super) fn check_numbers(table: &str, numbers: &[(&str, f64, Range)]) -> Result<(), Invalid> {
    numbers
        .iter()
        .try_for_each(|&(key, value, range)| number(format!("{table}.{key}"), value, range).map(drop))
}

/// Refuses the first of these counts of a table that is not from 1 to its greatest.
///
/// # Errors
/// [`Invalid`] with the key, the value and the range.
pub(super) fn check_counts(table: &str, counts: &[(&str, usize, usize)]) -> Result<(), Invalid> {
    counts.iter().try_for_each(|&(key, value, most)| {
        let allowed = format!("a whole number from 1 to {most}");
        Invalid::unless((1..=most).contains(&value), format!("{table}.{key}"), value, allowed)
    })
}

/// Refuses hidden layers that are too many, have no unit, or have more than `MAX_WIDTH`.
///
/// # Errors
/// [`Invalid`] with the number of layers or the first such width.
pub(super) fn check_net_arch(key: &str, net_arch: &[usize]) -> Result<(), Invalid> {
    let layers = format!("{} layers", net_arch.len());
    let allowed = format!("at most {MAX_LAYERS} hidden layers");
    Invalid::unless(net_arch.len() <= MAX_LAYERS, key, layers, allowed)?;
    net_arch.iter().try_for_each(|width| {
        let allowed = format!("widths from 1 to {MAX_WIDTH}");
        Invalid::unless((1..=MAX_WIDTH).contains(width), key, width, allowed)
    })
}
