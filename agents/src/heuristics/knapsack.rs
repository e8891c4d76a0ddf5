//! The best set of things that fits: 0/1 knapsack, exactly.
//!
//! Models: things in order of falling value per byte; after each, the list of all choices so far that are not dominated (no
//! other choice is at least as valuable and no larger). A choice is dropped when even filling its remaining room with
//! fractions of the things to come could not beat a choice that is known to be possible.
//!
//! Reference: Nemhauser and Ullmann, "Discrete dynamic programming and capital allocation", 1969; the bound is Dantzig's.

/// A choice among the things seen so far: the last thing taken, and the choice that it was added to.
#[derive(Clone, Copy)]
struct Taken {
    item: usize,
    before: Option<usize>,
}

#[derive(Clone, Copy)]
struct Choice {
    bytes: u64,
    value: f64,
    last: Option<usize>,
}

/// Which things to take, so that their bytes fit into `capacity_bytes` and their value is greatest. Things of no value are
/// never taken.
pub(super) fn best_set(bytes: &[u64], values: &[f64], capacity_bytes: u64) -> Vec<bool> {
    let mut items: Vec<usize> =
        (0..bytes.len()).filter(|&item| values[item] > 0.0 && bytes[item] <= capacity_bytes).collect();
    let density = |item: usize| values[item] / bytes[item] as f64;
    items.sort_by(|&a, &b| density(b).total_cmp(&density(a)));

    let mut taken: Vec<Taken> = Vec::new();
    let mut choices = vec![Choice { bytes: 0, value: 0.0, last: None }];
    for (place, &item) in items.iter().enumerate() {
        let rest = &items[place + 1..];
        let known =
            choices.iter().map(|choice| fill(choice, &items[place..], bytes, values, capacity_bytes).0);
        let known = known.fold(0.0, f64::max);
        let with_item: Vec<Choice> = choices
            .iter()
            .filter(|choice| choice.bytes + bytes[item] <= capacity_bytes)
            .map(|choice| Choice {
                bytes: choice.bytes + bytes[item],
                value: choice.value + values[item],
                last: choice.last,
            })
            .collect();
        let mut merged: Vec<Choice> = Vec::with_capacity(choices.len() + with_item.len());
        let (mut without, mut with) = (choices.iter().peekable(), with_item.iter().peekable());
        loop {
            let takes_item = match (without.peek(), with.peek()) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(a), Some(b)) => (b.bytes, -b.value) < (a.bytes, -a.value),
            };
            let next = if takes_item { with.next() } else { without.next() };
            let mut choice = *next.expect("one of the lists has more");
            let is_dominated = merged.last().is_some_and(|best| best.value >= choice.value);
            if is_dominated || fill(&choice, rest, bytes, values, capacity_bytes).1 < known * (1.0 - 1e-12) {
                continue;
            }
            if takes_item {
                taken.push(Taken { item, before: choice.last });
                choice.last = Some(taken.len() - 1);
            }
            merged.push(choice);
        }
        choices = merged;
    }
    let best = choices.iter().max_by(|a, b| a.value.total_cmp(&b.value));
    let mut set = vec![false; bytes.len()];
    let mut last = best.and_then(|choice| choice.last);
    while let Some(Taken { item, before }) = last.map(|index| taken[index]) {
        set[item] = true;
        last = before;
    }
    set
}

/// The value that a choice reaches by taking `rest` in order while it fits, whole and with a fraction of the first that does
/// not: a value that is possible, and one that cannot be exceeded.
fn fill(choice: &Choice, rest: &[usize], bytes: &[u64], values: &[f64], capacity_bytes: u64) -> (f64, f64) {
    let (mut free_bytes, mut value) = (capacity_bytes - choice.bytes, choice.value);
    for &item in rest {
        if bytes[item] > free_bytes {
            return (value, value + values[item] * (free_bytes as f64 / bytes[item] as f64));
        }
        free_bytes -= bytes[item];
        value += values[item];
    }
    (value, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use thoughtcache_env::random::{Purpose, Seed, Stream};

    #[test]
    fn the_best_set_is_not_the_densest_one() {
        // Density takes the first (3 a byte) and is left with room for nothing: 6 + 5 beats 9.
        assert_eq!(best_set(&[3, 3, 3], &[9.0, 6.0, 5.0], 4), [true, false, false]);
        assert_eq!(best_set(&[4, 3, 3], &[9.0, 6.0, 5.0], 6), [false, true, true]);
        assert_eq!(
            best_set(&[7, 1], &[9.0, -1.0], 6),
            [false, false],
            "too large, and worth less than nothing"
        );
        assert_eq!(best_set(&[], &[], 6), [false; 0]);
    }

    #[test]
    fn no_subset_is_better_tried_one_by_one() {
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Bootstrap);
        for _ in 0..300 {
            let count = rng.random_range(1..12_usize);
            let bytes: Vec<u64> = (0..count).map(|_| rng.random_range(1..40)).collect();
            let values: Vec<f64> = (0..count).map(|_| f64::from(rng.random_range(-3..30_i32))).collect();
            let capacity = rng.random_range(1..120);
            let worth = |set: &[bool]| {
                let size: u64 = (0..count).filter(|&i| set[i]).map(|i| bytes[i]).sum();
                let value: f64 = (0..count).filter(|&i| set[i]).map(|i| values[i]).sum();
                (size <= capacity).then_some(value)
            };
            let subsets =
                (0..1_u32 << count).map(|bits| (0..count).map(|i| bits >> i & 1 == 1).collect::<Vec<_>>());
            let best = subsets.filter_map(|set| worth(&set)).fold(0.0, f64::max);
            assert_eq!(
                worth(&best_set(&bytes, &values, capacity)),
                Some(best),
                "{bytes:?} {values:?} {capacity}"
            );
        }
    }

    #[test]
    fn a_thousand_things_are_chosen_from_without_trouble() {
        let mut rng = Seed::new(Purpose::Test, 2).stream(Stream::Bootstrap);
        let bytes: Vec<u64> = (0..1000).map(|_| rng.random_range(1_000_000_000..400_000_000_000)).collect();
        let values: Vec<f64> = (0..1000).map(|_| rng.random_range(0.0..1.0)).collect();
        let capacity = 20_000_000_000_000;
        let set = best_set(&bytes, &values, capacity);
        let size: u64 = (0..1000).filter(|&i| set[i]).map(|i| bytes[i]).sum();
        assert!(size <= capacity && size > capacity - 4_000_000_000, "{size}");
    }
}
