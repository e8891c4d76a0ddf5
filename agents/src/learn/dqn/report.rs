//! The report of a number that is not finite: the batch that led to it.

use crate::learn::replay::Batch;
use crate::learn::state::StateDict;

/// Returns the rows of the lanes for a report.
pub(super) fn seen(rows: &[f32], masks: &[bool], num_entries: usize) -> StateDict {
    let lanes = rows.len() / num_entries;
    let mut batch = StateDict::default();
    batch.put("rows", &[lanes, num_entries], rows);
    batch.put("legal", &[lanes, masks.len() / lanes], masks);
    batch
}

/// Both halves of a batch, for a report.
pub(super) fn transitions(halves: &[Batch; 2], num_entries: usize) -> StateDict {
    fn joined<T: Copy>(halves: &[Batch; 2], part: impl Fn(&Batch) -> &[T]) -> Vec<T> {
        halves.iter().flat_map(|half| part(half).iter().copied()).collect()
    }
    let actions = joined(halves, |half| &half.actions);
    let size = actions.len();
    let illegal = joined(halves, |half| &half.next_illegal);
    let mut batch = StateDict::default();
    batch.put("rows", &[size, num_entries], &joined(halves, |half| &half.rows));
    batch.put_list("actions", &actions);
    batch.put_list("rewards", &joined(halves, |half| &half.rewards));
    batch.put_list("discounts", &joined(halves, |half| &half.discounts));
    batch.put("next_rows", &[size, num_entries], &joined(halves, |half| &half.next_rows));
    batch.put("next_illegal", &[size, illegal.len() / size.max(1)], &illegal);
    batch
}
