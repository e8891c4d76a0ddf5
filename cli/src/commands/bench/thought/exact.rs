//! The exact part: two users of whom one is served, and random worlds with shared contexts.

use std::fmt::Write;
use thoughtcache_agents::bounds::thought::{Gap, TwoUsers, gaps};

/// The table of the two users.
pub(super) fn two_users() -> String {
    let world = TwoUsers::default();
    let (blind, serving_prob) = world.blind();
    let rows = [
        ("sees both contexts: the optimum", world.sighted()),
        ("affinity: always the same user, no context seen", world.affinity()),
        ("blind: does not know who asks, remembers nothing", blind),
        ("cloud alone", world.blind_with(0.0)),
    ];
    let mut text = "| policy | cost per slot |\n| --- | ---: |\n".to_owned();
    for (policy, cost) in rows {
        let _ = writeln!(text, "| {policy} | {cost:.4} |"); // a String takes everything
    }
    let _ = writeln!(
        text,
        "\n{} states of the two contexts. The best blind policy serves one of the two with probability {serving_prob}.",
        world.num_states()
    );
    text
}

/// The quantiles of the gaps between sighted and blind.
pub(super) fn shared_contexts(count: u64) -> String {
    let gaps = gaps(count);
    let mut shares: Vec<f64> = gaps.iter().map(Gap::share).collect();
    shares.sort_by(f64::total_cmp);
    let at = |quantile: f64| shares[(quantile * (shares.len() - 1) as f64).round() as usize];
    let mut text =
        "| of the worlds | a sighted policy costs at most so much less |\n| --- | ---: |\n".to_owned();
    for (name, quantile) in [("half", 0.5), ("nine tenths", 0.9), ("99 of 100", 0.99), ("all", 1.0)] {
        let _ = writeln!(text, "| {name} | {:.1} % |", 100.0 * at(quantile)); // a String takes everything
    }
    let _ = writeln!(text, "\n{count} random worlds of two or three services.");
    text
}

#[cfg(test)]
mod tests {
    /// The page shows what the solver says today.
    #[test]
    fn the_table_of_the_two_users_is_up_to_date() {
        let kept = include_str!("../../../../../runs/reference/age-of-thought/exact.md");
        assert_eq!(
            kept,
            super::two_users(),
            "type: thoughtcache bench age-of-thought --out runs/reference/age-of-thought"
        );
    }
}
