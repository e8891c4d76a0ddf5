//! The sizes of entries: weights, alone or shared, and context.
//!
//! Weights lie in memory as *copies*. Without `memory.shared_weights` every service has a copy of its own (P1); with it the
//! services on one model use one copy, which is there as long as one of their entries is. With `memory.kv` a context of `K`
//! tokens occupies `K * kv_bytes_per_token`, rounded up to whole bytes for each context.

use super::Residency;
use crate::scenario::Scenario;
use crate::units::ServiceId;

/// The sizes of all entries of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sizes {
    /// By service: the copy of weights that its entry uses; empty where each service has a copy of its own number.
    copies: Vec<u32>,
    /// By copy: its bytes.
    copy_bytes: Vec<u64>,
    /// By service; empty where context occupies nothing.
    kv_bytes_per_token: Vec<f64>,
    /// By service: a full window; empty where context occupies nothing.
    window_tokens: Vec<f64>,
}

/// The least integer that is not below `bytes`, which are at least 0; the greatest one where none is that large.
fn ceil(bytes: f64) -> u64 {
    let below = bytes as u64;
    below.saturating_add(u64::from((below as f64) < bytes))
}

impl Sizes {
    /// Entries that pay for their weights each, and for nothing else.
    #[cfg(test)]
    pub(crate) fn alone(bytes: Vec<u64>) -> Self {
        Self::of(Vec::new(), bytes, Vec::new())
    }

    /// Each service's copy (none where none is shared), the copies' bytes, and each service's bytes per token.
    #[cfg(test)]
    pub(crate) fn of(copies: Vec<u32>, copy_bytes: Vec<u64>, kv_bytes_per_token: Vec<f64>) -> Self {
        Self { copies, copy_bytes, kv_bytes_per_token, window_tokens: Vec::new() }
    }

    /// The entries of a scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let services = &scenario.services;
        let mut sizes = Self {
            copies: Vec::new(),
            copy_bytes: services.iter().map(|service| service.bytes).collect(),
            kv_bytes_per_token: Vec::new(),
            window_tokens: Vec::new(),
        };
        if scenario.has_shared_weights {
            sizes.copy_bytes.clear();
            for (index, service) in services.iter().enumerate() {
                let earlier = services[..index].iter().position(|earlier| earlier.model == service.model);
                sizes
                    .copies
                    .push(earlier.map_or(sizes.copy_bytes.len() as u32, |earlier| sizes.copies[earlier]));
                if earlier.is_none() {
                    sizes.copy_bytes.push(service.bytes);
                }
            }
        }
        if scenario.has_kv {
            sizes.kv_bytes_per_token = services.iter().map(|service| service.kv_bytes_per_token).collect();
            sizes.window_tokens = services.iter().map(|service| service.window_tokens).collect();
        }
        sizes
    }

    /// How many services there are.
    pub(crate) fn num_services(&self) -> usize {
        if self.is_shared() { self.copies.len() } else { self.copy_bytes.len() }
    }

    /// How many copies there can be.
    pub(crate) fn num_copies(&self) -> usize {
        self.copy_bytes.len()
    }

    /// Whether services on one model use one copy.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        !self.copies.is_empty()
    }

    /// Whether context occupies memory.
    #[inline]
    pub(crate) fn has_kv(&self) -> bool {
        !self.kv_bytes_per_token.is_empty()
    }

    /// Whether every entry occupies its own weights and nothing else.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        !self.is_shared() && !self.has_kv()
    }

    /// The copy that a service's entry uses.
    #[inline]
    pub(crate) fn copy(&self, service: usize) -> usize {
        if self.is_shared() { self.copies[service] as usize } else { service }
    }

    /// Bytes of a copy.
    #[inline]
    pub(crate) fn copy_bytes(&self, copy: usize) -> u64 {
        self.copy_bytes[copy]
    }

    /// Bytes of the weights that a service's entry uses.
    #[inline]
    pub(crate) fn weight_bytes(&self, service: usize) -> u64 {
        self.copy_bytes[self.copy(service)]
    }

    /// Bytes of one context of so many tokens: more than any memory where they cannot be counted.
    pub(crate) fn context_bytes(&self, service: usize, context_tokens: f64) -> u64 {
        self.kv_bytes_per_token.get(service).map_or(0, |per_token| ceil(context_tokens * per_token))
    }

    /// Bytes of a full window of a service.
    pub(crate) fn window_bytes(&self, service: usize) -> u64 {
        self.window_tokens.get(service).map_or(0, |&tokens| self.context_bytes(service, tokens))
    }

    /// Bytes that are free once these different resident entries have left together for a batch of `service`. Its own
    /// weights stay, even if all others that use them leave.
    pub(crate) fn freed_by(
        &self,
        victims: &[ServiceId],
        service: ServiceId,
        residency: &[Residency],
        context_bytes: &[u64],
    ) -> u64 {
        if victims.is_empty() {
            return 0;
        }
        let context: u64 = victims.iter().map(|victim| context_bytes[victim.index()]).sum();
        if !self.is_shared() {
            return context + victims.iter().map(|victim| self.weight_bytes(victim.index())).sum::<u64>();
        }
        let leaves = |copy: usize| {
            let mut users = (0..residency.len()).filter(|&i| self.copies[i] as usize == copy);
            users.all(|i| !residency[i].is_resident || victims.contains(&ServiceId::from_index(i)))
        };
        let mut weights = 0;
        for (place, victim) in victims.iter().enumerate() {
            let copy = self.copy(victim.index());
            let is_counted = victims[..place].iter().any(|earlier| self.copy(earlier.index()) == copy);
            if copy != self.copy(service.index()) && !is_counted && leaves(copy) {
                weights += self.copy_bytes[copy];
            }
        }
        context + weights
    }
}

#[cfg(test)]
mod tests {
    use super::ceil;

    #[test]
    fn bytes_are_rounded_up_and_never_overflow() {
        let cases =
            [(0.0, 0), (0.25, 1), (1.0, 1), (1.5, 2), (4_503_599_627_370_495.5, 4_503_599_627_370_496)];
        for (bytes, expected) in cases {
            assert_eq!(ceil(bytes), expected);
        }
        assert_eq!((ceil(1e30), ceil(f64::INFINITY), ceil(f64::NAN)), (u64::MAX, u64::MAX, 0));
    }
}
