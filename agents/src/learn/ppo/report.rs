//! The batch of a number that is not finite, for a report.

use super::{PolicyData, ValueData};
use crate::learn::state::StateDict;
use crate::learn::tensor_rows;
use tch::Tensor;

/// What the actor saw and what it made of it.
pub(super) fn seen(rows: &Tensor, masks: &[bool], logits: &[f32], lanes: usize) -> StateDict {
    let mut batch = StateDict::default();
    let rows: Vec<f32> = tensor_rows::to_vec(&rows.contiguous());
    batch.put("rows", &[lanes, rows.len() / lanes], &rows);
    batch.put("legal", &[lanes, masks.len() / lanes], masks);
    batch.put("logits", &[lanes, logits.len() / lanes], logits);
    batch
}

/// The minibatch of an update.
pub(super) fn minibatch(policy: &PolicyData, value: &ValueData, indices: &[i64]) -> StateDict {
    let index = Tensor::from_slice(indices);
    let chosen = |tensor: &Tensor| tensor.index_select(0, &index);
    let len = indices.len();
    let mut batch = StateDict::default();
    let rows: Vec<f32> = tensor_rows::to_vec(&chosen(&policy.rows));
    batch.put("rows", &[len, rows.len() / len], &rows);
    let illegal: Vec<bool> = tensor_rows::to_vec(&chosen(&policy.all.illegal));
    batch.put("illegal", &[len, illegal.len() / len], &illegal);
    batch.put_list("actions", &tensor_rows::to_vec::<i64>(&chosen(&policy.all.actions)));
    for (name, numbers) in [
        ("old_log_probs", &policy.all.old_log_probs),
        ("advantages", &policy.all.advantages),
        ("old_values", &value.old_values),
        ("returns", &value.returns),
    ] {
        batch.put_list(name, &tensor_rows::to_vec::<f32>(&chosen(numbers)));
    }
    batch
}
