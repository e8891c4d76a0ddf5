//! The entries of a row about compute, thoughts that vary, and users with contexts of their own, in abstract scenarios.
//!
//! ```text
//! cell.compute     what is left of the budget in this slot / budget        with cell.compute_budget_tflop_per_slot
//! batch.thought    x/(x+1), x the length of the request's thought / mean   with thought.cv above 0
//! users.fresh      n/(n+4), n contexts of which something is fresh         with context.scope = "user"
//! user.since       1/(1+slots) since the batch's user was last served      with context.scope = "user"
//! users.T.within   n/(n+4), n contexts that were served in the last T slots, the present one included
//! ```
//! Contexts are those of all users at the cell, and of all its services. `user.since` is about the service of the batch, the mean
//! over its requests, and 0 for users whom the entry has not served since it was loaded, and at a prefetch decision.
//! `user.since` and `users.T.within` are the memory of a user: they tell who was served without telling the age of thought, and
//! `since` and `within` hide them.

use super::api::Entry;
use super::observation::{DecisionObservation, saturate};
use crate::scenario::Scenario;

/// The slots that are looked back.
const WINDOWS: [u32; 5] = [1, 2, 4, 8, 16];

/// Names and bounds, see the [module](self).
pub(super) fn entries(scenario: &Scenario) -> Vec<Entry> {
    let mut names = Vec::new();
    if has_compute(scenario) {
        names.push("cell.compute".to_owned());
    }
    if scenario.thought_cv > 0.0 {
        names.push("batch.thought".to_owned());
    }
    if scenario.remembers_users() {
        names.extend(["users.fresh".to_owned(), "user.since".to_owned()]);
        names.extend(WINDOWS.map(|slots| format!("users.{slots}.within")));
    }
    names.into_iter().map(|name| Entry::new(name, 0.0, 1.0)).collect()
}

fn has_compute(scenario: &Scenario) -> bool {
    scenario.compute_budget_flop.is_some() && scenario.physical().is_none()
}

/// Writes them, as many as [`entries`] names.
pub(super) fn encode(row: &mut [f32], scenario: &Scenario, observation: &DecisionObservation) {
    let mut entries = row.iter_mut();
    let mut write = |value: f32| *entries.next().expect("a row has its entries") = value;
    if has_compute(scenario) {
        write(observation.compute_left as f32);
    }
    if scenario.thought_cv > 0.0 {
        let length = observation.thought_length as f32;
        write(if observation.is_prefetch { 0.0 } else { length / (length + 1.0) });
    }
    if scenario.remembers_users() {
        let known = &observation.known_users;
        let count = |is_counted: &dyn Fn(u32, f64) -> bool| {
            saturate(known.iter().filter(|known| is_counted(known.slots_ago, known.age_tokens)).count() as u32)
        };
        write(count(&|_, age_tokens| age_tokens > 0.0));
        let requests = observation.visits.iter().map(|visit| visit.num_requests as f32);
        let since = observation.visits.iter().zip(requests.clone()).filter_map(|(visit, requests)| {
            let known = observation.known(visit.user)?;
            Some(requests / (1.0 + known.slots_ago as f32))
        });
        write(since.sum::<f32>() / requests.sum::<f32>().max(1.0));
        for window in WINDOWS {
            write(count(&|slots_ago, _| slots_ago <= window));
        }
    }
}
