//! Whether a memory that was kept is one that serving, loading and evicting lead to: the invariants of this module, counted
//! anew.

use super::{Cache, Use};

impl Cache {
    /// Looks at every number; `window_tokens` by service.
    ///
    /// # Errors
    /// What is impossible, and at which service.
    pub(crate) fn check(
        &self,
        window_tokens: impl Fn(usize) -> f64,
        num_users: u32,
        batches_served: u64,
    ) -> Result<(), String> {
        let mut uses = vec![Use::default(); self.uses.len()];
        for (index, residency) in self.residency.iter().enumerate() {
            self.check_entry(index, window_tokens(index), num_users, batches_served)
                .map_err(|reason| format!("service {index}: {reason}"))?;
            let copy = &mut uses[self.sizes.copy(index)];
            copy.holders += u32::from(residency.is_resident);
            copy.pinned += u32::from(residency.is_protected);
        }
        if let Some(copy) = (0..uses.len()).find(|&copy| uses[copy] != self.uses[copy]) {
            let (Use { holders, pinned }, counted) = (uses[copy], self.uses[copy]);
            return Err(format!(
                "weights {copy} are counted as used by {} entries, {} of them protected; {holders} and {pinned} are",
                counted.holders, counted.pinned
            ));
        }
        let sum = |is_in: &dyn Fn(&Use) -> bool, is_with: &dyn Fn(usize) -> bool| {
            let copies = uses.iter().enumerate().filter(|(_, copy)| is_in(copy));
            let weights = copies.map(|(copy, _)| u128::from(self.sizes.copy_bytes(copy))).sum::<u128>();
            let entries = (0..self.residency.len()).filter(|&index| is_with(index));
            weights + entries.map(|index| u128::from(self.context_bytes[index])).sum::<u128>()
        };
        let occupied = sum(&|copy| copy.holders > 0, &|_| true);
        if occupied + u128::from(self.free_bytes) != u128::from(self.capacity_bytes) {
            return Err(format!(
                "{occupied} bytes are occupied and {} free, {} in all",
                self.free_bytes, self.capacity_bytes
            ));
        }
        let protected = sum(&|copy| copy.pinned > 0, &|index| self.residency[index].is_protected);
        if protected != u128::from(self.protected_bytes) {
            let counted = self.protected_bytes;
            return Err(format!("{counted} bytes are counted as protected, {protected} are"));
        }
        Ok(())
    }

    fn check_entry(
        &self,
        index: usize,
        window_tokens: f64,
        num_users: u32,
        batches_served: u64,
    ) -> Result<(), String> {
        let (residency, thought) = (self.residency[index], self.thoughts[index]);
        if self.last_served[index] > batches_served {
            let last = self.last_served[index];
            return Err(format!("it served batch {last}, there were {batches_served}"));
        }
        let bytes = |context_tokens| self.sizes.context_bytes(index, context_tokens);
        let (context_bytes, is_empty) = if let Some(contexts) = self.contexts.get(index) {
            contexts.check(window_tokens, num_users)?;
            let total = contexts.total();
            if total != thought {
                return Err(format!(
                    "its users have {} tokens of context, {} of them fresh, counted are {} and {}",
                    total.context_tokens, total.age_tokens, thought.context_tokens, thought.age_tokens
                ));
            }
            let each = contexts.thoughts().map(|thought| bytes(thought.context_tokens));
            (each.fold(0, u64::saturating_add), contexts.thoughts().next().is_none())
        } else {
            thought.check(window_tokens)?;
            (bytes(thought.context_tokens), thought.context_tokens == 0.0)
        };
        if context_bytes != self.context_bytes[index] {
            let counted = self.context_bytes[index];
            return Err(format!("its context is counted as {counted} bytes, it takes {context_bytes}"));
        }
        if residency.is_protected && !(residency.is_resident && self.protection != super::Protection::Nothing)
        {
            return Err("it is protected, which it cannot be".into());
        }
        if !residency.is_resident && !is_empty {
            return Err("it is not resident and has context".into());
        }
        Ok(())
    }
}
