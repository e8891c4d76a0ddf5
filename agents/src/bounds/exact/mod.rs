//! The exact optimum of a tiny world: one request a slot, a few services, a popularity that changes by phases.
//!
//! Models: a world of [`PhasedModel`](thoughtcache_env::workload::phased::PhasedModel) as a finite Markov decision process.
//! Between two slots its state is *(resident set, phase)*; within a slot it is *(resident set, requested service, victims
//! chosen so far, phase)*. Costs, legal actions and what becomes of the memory are not modelled a second time: the table is
//! made by stepping the decision environment through every situation (`table.rs`). Only the chances of the next phase and
//! the next request come from the workload.
//!
//! Equations, `W` the cost to come between slots, `V` within a slot, `S` the resident set, `p`, `q` phases, `m` services:
//! ```text
//! V(S, m, p) = min over decisions of cost + gamma * sum_q Pr(q | p) W(S', q)          S' the set after the decision
//! W(S, q)    = sum_m Pr(m | q) V(S, m, q)
//! ```
//! - **Discounted**: the fixed point for `gamma < 1`. Its value is `W(empty, .)`: an empty memory *before* the first request
//!   is drawn, averaged over the phase of the first slot, which is any phase alike. This is the convention that reproduces
//!   the reference values.
//! - **Average cost**: relative value iteration with `gamma = 1`, damped by a half so that a periodic chain of phases does
//!   no harm. For every `W`, the least and the greatest entry of `LW - W` bound the optimum from below and from above.
//!
//! Assumptions: nothing that a decision costs depends on the context that the entries hold. Worlds for which this is not so
//! are refused ([`NotTiny`]). The action `edge` *without* a victim where one is needed is left out: it evicts by least age
//! of thought, so its outcome is that of one of the actions that name their victims.
//!
//! Reference: Puterman, "Markov Decision Processes", 1994, sections 6.6 (bounds on the value) and 8.5.

mod instance;
mod policy;
mod solve;
mod table;

pub use instance::{Instance, InstanceError, read_csv};
pub use policy::{ExactPolicy, OPTIMAL, PhaseHidden};
pub use solve::{Average, Discounted, Plan, SolveError};
pub use table::{Choice, ExactMdp, NotTiny, ServiceSet, Situation};

#[cfg(test)]
mod tests;
