//! `policy.safetensors`: a network as tensors and back.

use super::meta::damaged;
use super::{CheckpointError, Meta, POLICY_FILE};
use crate::learn::state::StateDict;
use crate::net_policy::{Dense, Mlp};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeSet;
use thoughtcache_env::message::{one_line, shown};

/// The layers of a network with the first part of their tensors' names.
pub(crate) fn named_layers(net: &Mlp) -> impl Iterator<Item = (String, &Dense)> {
    let hidden = net.hidden().iter().enumerate().map(|(index, layer)| (format!("hidden.{index}"), layer));
    let heads = std::iter::once(("head".to_owned(), net.head()));
    hidden.chain(heads).chain(net.value().map(|layer| ("value".to_owned(), layer)))
}

/// The layers of a network as arrays, weights as PyTorch keeps them.
pub(crate) fn net_to_state(net: &Mlp) -> StateDict {
    let mut state = StateDict::default();
    for (name, layer) in named_layers(net) {
        let shape = [layer.outputs(), layer.inputs()];
        state.put(format!("{name}.weight"), &shape, &layer.transposed_weight());
        state.put_list(format!("{name}.bias"), layer.bias());
    }
    state
}

pub(super) fn net_to_bytes(net: &Mlp) -> Vec<u8> {
    net_to_state(net).into_bytes()
}

pub(super) fn net_from_bytes(bytes: &[u8], meta: &Meta) -> Result<Mlp, CheckpointError> {
    let broken = |what: String| CheckpointError::Damaged(format!("{POLICY_FILE}{what}"));
    let unreadable = |reason: &str| broken(format!(" cannot be read: {reason}"));
    let tensors =
        SafeTensors::deserialize(bytes).map_err(|error| unreadable(&one_line(&error.to_string())))?;
    let mut unread: BTreeSet<String> = tensors.names().into_iter().map(str::to_owned).collect();
    let mut read = |name: String, shape: Vec<usize>| -> Result<Vec<f32>, CheckpointError> {
        let Ok(view) = tensors.tensor(&name) else {
            return Err(broken(format!(" has no tensor `{name}`")));
        };
        unread.remove(&name);
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            let expected = format!("{:?} {shape:?}", Dtype::F32);
            return Err(broken(format!(": tensor `{name}` is {found}, {expected} is needed")));
        }
        let (numbers, _) = view.data().as_chunks();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    let mut layer = |name: &str, inputs: usize, outputs: usize| -> Result<Dense, CheckpointError> {
        let weight = read(format!("{name}.weight"), vec![outputs, inputs])?;
        let bias = read(format!("{name}.bias"), vec![outputs])?;
        Dense::from_transposed(name, inputs, outputs, &weight, bias)
            .map_err(|error| broken(format!(": {error}")))
    };
    let mut width = meta.entries.len();
    let mut hidden = Vec::new();
    for (index, &outputs) in meta.hidden.iter().enumerate() {
        hidden.push(layer(&format!("hidden.{index}"), width, outputs)?);
        width = outputs;
    }
    let head = layer("head", width, meta.actions.len())?;
    let value = if meta.dueling { Some(layer("value", width, 1)?) } else { None };
    if let Some(tensor) = unread.pop_first() {
        let tensor = shown(&tensor);
        return Err(broken(format!(
            " has a tensor `{tensor}` that the network described in meta.json does not have"
        )));
    }
    let mut ignore = Vec::with_capacity(meta.ignore_entries.len());
    for name in &meta.ignore_entries {
        let Some(entry) = meta.entries.iter().position(|entry| entry == name) else {
            return Err(damaged(&format!("the ignored entry `{}` is no entry", shown(name))));
        };
        ignore.push(entry);
    }
    let net = Mlp::new(hidden, head, value, meta.activation, ignore)
        .map_err(|error| broken(format!(": {error}")))?;
    // Another order of tensors, or notes beside them, would be lost without a word when the policy is written again.
    if net_to_bytes(&net) != bytes {
        return Err(unreadable(
            "the tensors are right, but the file is not laid out as this program writes it",
        ));
    }
    Ok(net)
}
