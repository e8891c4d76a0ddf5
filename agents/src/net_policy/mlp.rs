//! A frozen multi-layer perceptron in plain Rust, no libtorch.
//!
//! *Models*: a multi-layer perceptron with a head of one number per action: logits of a policy, or action values. With a
//! value head the network is dueling.
//! *Equations*: `h_0 = row`, ignored entries 0; `h_(i+1) = activation(h_i W_i + b_i)`; `out = h W + b`; dueling
//! `Q = V + A - mean(A)` with the mean over all actions (Wang et al. 2016, eq. 9), legal or not, so that a row has one
//! answer whatever its mask.
//! *Cost*: one multiply-add per weight, no allocation per decision.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The activation after each hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
}

/// Why weights do not make a network: the layer, what is wrong with it, and what is needed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NetError(String);

fn expect_length(layer: &str, what: &str, got: usize, expected: usize) -> Result<(), NetError> {
    if got == expected {
        return Ok(());
    }
    Err(NetError(format!("{layer}: {what} has {got} numbers, {expected} are needed")))
}

/// A layer `y = x W + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    /// `inputs x outputs`, row by row: the weights that leave one input lie side by side.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    /// A layer with these weights (`inputs x outputs`, row by row) and biases; `name` is for messages.
    ///
    /// # Errors
    /// When a length does not fit, the layer is empty, or a number is not finite.
    pub fn new(
        name: &str,
        inputs: usize,
        outputs: usize,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Self, NetError> {
        if inputs == 0 || outputs == 0 {
            return Err(NetError(format!(
                "{name} is {inputs} x {outputs}; a layer has at least one input and one output"
            )));
        }
        for (what, numbers, expected) in
            [("weight", &weight, inputs.saturating_mul(outputs)), ("bias", &bias, outputs)]
        {
            expect_length(name, what, numbers.len(), expected)?;
            if let Some(position) = numbers.iter().position(|number| !number.is_finite()) {
                return Err(NetError(format!(
                    "{name}: {what} holds {} at position {position}; every number must be finite",
                    numbers[position]
                )));
            }
        }
        Ok(Self { inputs, outputs, weight, bias })
    }

    /// A layer from weights as PyTorch keeps them: `outputs x inputs`, row by row.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_transposed(
        name: &str,
        inputs: usize,
        outputs: usize,
        weight: &[f32],
        bias: Vec<f32>,
    ) -> Result<Self, NetError> {
        Self::new(name, inputs, outputs, transpose(weight, inputs), bias)
    }

    /// The weights as PyTorch keeps them: `outputs x inputs`, row by row.
    pub fn transposed_weight(&self) -> Vec<f32> {
        transpose(&self.weight, self.outputs)
    }

    /// The length of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The length of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights, `inputs x outputs`, row by row.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// The biases.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Writes `x W + b`. Four inputs at a time, so that each output is loaded and stored once for four multiply-adds.
    fn apply(&self, x: &[f32], out: &mut [f32]) {
        let width = self.outputs;
        out.copy_from_slice(&self.bias);
        let out = &mut out[..width];
        let mut quads = x.chunks_exact(4);
        let mut blocks = self.weight.chunks_exact(4 * width);
        for (x, block) in quads.by_ref().zip(blocks.by_ref()) {
            let (w0, rest) = block.split_at(width);
            let (w1, rest) = rest.split_at(width);
            let (w2, w3) = rest.split_at(width);
            for (index, y) in out.iter_mut().enumerate() {
                *y += (x[0] * w0[index] + x[1] * w1[index]) + (x[2] * w2[index] + x[3] * w3[index]);
            }
        }
        for (x, weights) in quads.remainder().iter().zip(blocks.remainder().chunks_exact(width)) {
            for (y, w) in out.iter_mut().zip(weights) {
                *y += x * w;
            }
        }
    }
}

/// A matrix with `columns` columns, row by row, turned over. Numbers beyond the last full row are kept at the end, so that
/// a wrong length stays wrong.
fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    let columns = columns.max(1);
    let rows = matrix.len() / columns;
    let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column]));
    turned.chain(matrix[rows * columns..].iter().copied()).collect()
}

/// The numbers that make a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    hidden: Vec<Dense>,
    head: Dense,
    value: Option<Dense>,
    activation: Activation,
    ignore: Vec<usize>,
}

impl Mlp {
    /// A network from its layers in order, its head (one number per action), for a dueling network its value head (one
    /// number), and the positions of the entries that it must not see.
    ///
    /// # Errors
    /// When widths do not fit each other, the value head has more than one output, or an ignored entry does not exist.
    pub fn new(
        hidden: Vec<Dense>,
        head: Dense,
        value: Option<Dense>,
        activation: Activation,
        ignore: Vec<usize>,
    ) -> Result<Self, NetError> {
        let num_entries = hidden.first().unwrap_or(&head).inputs;
        let mut width = num_entries;
        for (index, layer) in hidden.iter().enumerate() {
            expect_width(&format!("hidden.{index}"), layer, width)?;
            width = layer.outputs;
        }
        expect_width("head", &head, width)?;
        if let Some(value) = &value {
            expect_width("value", value, width)?;
            expect_length("value", "bias", value.outputs, 1)?;
        }
        if let Some(entry) = ignore.iter().find(|&&entry| entry >= num_entries) {
            return Err(NetError(format!(
                "hidden.0: entry {entry} is to be ignored, a row has entries 0 to {}",
                num_entries - 1
            )));
        }
        Ok(Self { hidden, head, value, activation, ignore })
    }

    /// The length of an observation row.
    pub fn num_entries(&self) -> usize {
        self.hidden.first().unwrap_or(&self.head).inputs
    }

    /// The number of actions.
    pub fn num_actions(&self) -> usize {
        self.head.outputs
    }

    /// The hidden layers in order.
    pub fn hidden(&self) -> &[Dense] {
        &self.hidden
    }

    /// The layer whose outputs belong to the actions.
    pub fn head(&self) -> &Dense {
        &self.head
    }

    /// The value layer of a dueling network.
    pub fn value(&self) -> Option<&Dense> {
        self.value.as_ref()
    }

    /// The activation after each hidden layer.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The positions of the entries that the network does not see.
    pub fn ignore(&self) -> &[usize] {
        &self.ignore
    }

    /// Writes the logits or action values of `row` into `out`.
    ///
    /// # Panics
    /// When `row` or `out` has the wrong length.
    pub fn logits(&self, row: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        assert_eq!(row.len(), self.num_entries(), "entries of a row");
        assert_eq!(out.len(), self.num_actions(), "one number per action");
        let Scratch { now, next } = scratch;
        now.clear();
        now.extend_from_slice(row);
        for &entry in &self.ignore {
            now[entry] = 0.0;
        }
        for layer in &self.hidden {
            next.resize(layer.outputs, 0.0);
            layer.apply(now, next);
            match self.activation {
                Activation::Tanh => next.iter_mut().for_each(|x| *x = tanh(*x)),
                Activation::Relu => next.iter_mut().for_each(|x| *x = x.max(0.0)),
            }
            std::mem::swap(now, next);
        }
        self.head.apply(now, out);
        if let Some(value) = &self.value {
            let mut state_value = [0.0];
            value.apply(now, &mut state_value);
            let shift = state_value[0] - out.iter().sum::<f32>() / out.len() as f32;
            for advantage in out {
                *advantage += shift;
            }
        }
    }
}

fn expect_width(name: &str, layer: &Dense, expected: usize) -> Result<(), NetError> {
    if layer.inputs == expected {
        return Ok(());
    }
    let got = layer.inputs;
    Err(NetError(format!("{name} takes {got} inputs, the layer before gives {expected}")))
}

/// Memory that [`Mlp::logits`] uses again and again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    now: Vec<f32>,
    next: Vec<f32>,
}

/// `tanh` within 2e-7 of the exact value, the same bits on every machine, and free of branches so that a whole layer runs
/// in vector registers: `(1 - e) / (1 + e)` with `e = exp(-2 |x|)`.
fn tanh(x: f32) -> f32 {
    // exp(-2|x|) = 2^(n + r), n whole, |r| <= 1/2; beyond |x| = 10 the result is 1 to the last bit.
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number
    let power = x.abs().min(10.0) * (-2.0 * std::f32::consts::LOG2_E);
    let rounded = power + SHIFT;
    let t = (power - (rounded - SHIFT)) * std::f32::consts::LN_2;
    // Taylor's series of exp at 0: the first term left out is below 7e-8 for |t| <= 0.347.
    let series =
        1.0 + t * (1.0 + t * (0.5 + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0 + t / 720.0)))));
    let two_to_n = f32::from_bits((rounded.to_bits().wrapping_add(127)) << 23);
    let e = series * two_to_n;
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

#[cfg(test)]
mod tests;
