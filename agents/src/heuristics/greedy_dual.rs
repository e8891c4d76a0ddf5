//! Credits that age by inflation: what GDSF and rent-or-buy rank entries by, and GDSF on traces of objects too.
//!
//! Equation: `key = L + worth` when an entry is loaded and at each hit, `worth` being `count * cost / size` (GDSF) or
//! `cost / size` (`GreedyDual`); the entry with the least key is evicted, and `L` becomes that key.
//!
//! Source: Young, "On-line file caching", 2002; Cherkasova, HPL-98-69, 1998.

use thoughtcache_env::units::ServiceId;

/// `L` of one cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inflation(f64);

impl Inflation {
    /// The key that an entry of this worth gets now.
    pub(crate) fn key(self, worth: f64) -> f64 {
        self.0 + worth
    }

    /// `L` becomes `key`, if that is greater.
    pub(crate) fn raise(&mut self, key: f64) {
        self.0 = self.0.max(key);
    }
}

/// The credits of one cell.
#[derive(Clone, Debug)]
pub(super) struct Credits {
    inflation: Inflation,
    keys: Vec<f64>,
}

impl Credits {
    /// No credits, for this many services.
    pub(super) fn new(num_services: usize) -> Self {
        Self { inflation: Inflation::default(), keys: vec![0.0; num_services] }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.inflation = Inflation::default();
        self.keys.fill(0.0);
    }

    /// The key of a resident entry.
    pub(super) fn key(&self, service: ServiceId) -> f64 {
        self.keys[service.index()]
    }

    /// The key that an entry of this worth would get now.
    pub(super) fn fresh_key(&self, worth: f64) -> f64 {
        self.inflation.key(worth)
    }

    /// The entries leave: `L` becomes the greatest of their keys.
    pub(super) fn evict(&mut self, victims: &[ServiceId]) {
        for &victim in victims {
            self.raise(self.keys[victim.index()]);
        }
    }

    /// `L` becomes `key`, if that is greater.
    pub(super) fn raise(&mut self, key: f64) {
        self.inflation.raise(key);
    }

    /// The entry is loaded or hit.
    pub(super) fn touch(&mut self, service: ServiceId, worth: f64) {
        self.keys[service.index()] = self.fresh_key(worth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_after_an_eviction_starts_above_what_was_evicted() {
        let mut credits = Credits::new(3);
        credits.touch(ServiceId(0), 2.0);
        credits.touch(ServiceId(1), 5.0);
        credits.evict(&[ServiceId(0)]);
        credits.touch(ServiceId(2), 1.0);
        assert_eq!([0, 1, 2].map(|i| credits.key(ServiceId(i))), [2.0, 5.0, 3.0]);
        credits.clear();
        assert_eq!((credits.key(ServiceId(1)), credits.fresh_key(1.0)), (0.0, 1.0));
    }
}
