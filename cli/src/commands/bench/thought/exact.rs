//! The exact part: two users of whom one is served, and random worlds with shared contexts.

use std::fmt::Write;
use thoughtcache_agents::bounds::thought::{Gap, TwoUsers, gaps};

/// Thoughts that fade in a slot.
const FADES: [f64; 6] = [0.0, 0.2, 0.4, TwoUsers::PAPER_FADE, 0.8, 1.0];

/// The table of the two users.
pub(super) fn two_users() -> String {
    let mut text = "| thoughts that fade in a slot | sighted: the optimum | affinity: always the same user | blind: does not know whom it serves | \
                    blind, best share of slots in which it serves anyone | cloud alone |\n\
                    | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for fade in FADES {
        let world = TwoUsers::new(fade);
        let (sighted, affinity, (blind, share)) = (world.sighted(), world.affinity(), world.blind());
        let mark = if fade == TwoUsers::PAPER_FADE { "**" } else { "" };
        let costs = [sighted, affinity, blind].map(|cost| format!("{mark}{cost:.4}{mark}")).join(" | ");
        // A String takes everything.
        let _ = writeln!(text, "| {mark}{fade}{mark} | {costs} | {share} | {:.4} |", world.blind_with(0.0));
    }
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
