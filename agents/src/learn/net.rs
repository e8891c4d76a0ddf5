//! A small network: a trunk of dense layers and linear heads on its features.
//!
//! All parameters of a net lie in **one** flat tensor, in the order of [`Net::parameters`]. The layers are detached views
//! of it that collect gradients, so the optimiser is a few operations on flat tensors, a target net is one copy, and
//! nothing of torch's own modules (whose state cannot be saved) is used.
//!
//! First weights are orthogonal (Saxe et al., arXiv 1312.6120) and drawn by our generator; biases start at 0.

use super::tensor_rows;
use crate::net_policy::{self, Mlp, NetError};
use rand_distr::{Distribution, StandardNormal};
use tch::{Tensor, no_grad_guard};
use thoughtcache_env::random::SimRng;

pub use crate::net_policy::Activation;

/// The gain of the first weights of a hidden layer: keeps the variance of what passes a rectifier, and is the custom of
/// PPO for `tanh` as well.
pub const HIDDEN_GAIN: f64 = std::f64::consts::SQRT_2;

/// A linear map of the trunk's features.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadSpec {
    /// Its name, the middle of its parameters' names.
    pub name: String,
    /// The numbers it puts out.
    pub outputs: usize,
    /// The gain of its first weights: 0.01 for logits (a policy begins nearly uniform), 1 for values.
    pub gain: f64,
}

impl HeadSpec {
    /// A head of `outputs` numbers.
    pub fn new(name: impl Into<String>, outputs: usize, gain: f64) -> Self {
        Self { name: name.into(), outputs, gain }
    }
}

/// The shape of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct NetSpec {
    /// The first part of its parameters' names, such as `actor`.
    pub name: String,
    /// The length of a row.
    pub inputs: usize,
    /// The widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The activation after each hidden layer.
    pub activation: Activation,
    /// What reads the last hidden layer, or the row itself where there is none.
    pub heads: Vec<HeadSpec>,
}

/// A named piece of a net's flat parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Such as `actor.0.weight` or `actor.logits.bias`.
    pub name: String,
    /// `[outputs, inputs]` of a weight, `[outputs]` of a bias.
    pub shape: Vec<usize>,
    /// The numbers, in row-major order.
    pub values: Vec<f32>,
}

/// A leaf view of one layer's parameters.
#[derive(Debug)]
struct Dense {
    name: String,
    inputs: usize,
    outputs: usize,
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    fn apply(&self, rows: &Tensor) -> Tensor {
        rows.linear(&self.weight, Some(&self.bias))
    }

    /// The layer as plain numbers; there, the weights that leave one input lie side by side.
    fn frozen(&self) -> Result<net_policy::Dense, NetError> {
        let weight = tensor_rows::to_vec(&self.weight.detach().transpose(0, 1).contiguous());
        net_policy::Dense::new(&self.name, self.inputs, self.outputs, weight, tensor_rows::to_vec(&self.bias))
    }
}

/// A trunk and its heads.
#[derive(Debug)]
pub struct Net {
    spec: NetSpec,
    flat: Tensor,
    trunk: Vec<Dense>,
    heads: Vec<Dense>,
}

impl Net {
    /// A net with orthogonal first weights drawn from `rng`, layer by layer.
    pub fn new(spec: NetSpec, rng: &mut SimRng) -> Self {
        let mut values = Vec::new();
        for (_, inputs, outputs, gain) in layers(&spec) {
            values.extend(orthogonal(outputs, inputs, gain, rng));
            values.extend(std::iter::repeat_n(0.0_f32, outputs));
        }
        Self::from_flat(spec, &values)
    }

    /// A net with these parameters, in the order of [`parameters`](Self::parameters).
    ///
    /// # Panics
    /// When their number is not that of the net.
    pub fn from_flat(spec: NetSpec, values: &[f32]) -> Self {
        Self::over(spec, Tensor::from_slice(values))
    }

    /// A net whose layers are views of `flat`.
    fn over(spec: NetSpec, flat: Tensor) -> Self {
        let _guard = no_grad_guard();
        let mut offset = 0_i64;
        let mut leaf = |shape: &[i64]| {
            let len = shape.iter().product();
            let view = flat.narrow(0, offset, len).view(shape).detach().set_requires_grad(true);
            offset += len;
            view
        };
        let mut all: Vec<Dense> = layers(&spec)
            .map(|(name, inputs, outputs, _)| Dense {
                name,
                inputs,
                outputs,
                weight: leaf(&[outputs as i64, inputs as i64]),
                bias: leaf(&[outputs as i64]),
            })
            .collect();
        assert_eq!(offset as usize, flat.numel(), "the parameters are not those of this net");
        let heads = all.split_off(spec.hidden.len());
        Self { spec, flat, trunk: all, heads }
    }

    /// A net of its own with the same shape and parameters.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::from_flat(self.spec.clone(), &tensor_rows::to_vec(&self.flat))
    }

    /// Another handle on the same parameters, for another thread: what is written into one is seen by both.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self::over(self.spec.clone(), self.flat.shallow_clone())
    }

    /// The shape.
    pub fn spec(&self) -> &NetSpec {
        &self.spec
    }

    /// The features of `rows x inputs`: what the heads read.
    pub fn features(&self, rows: &Tensor) -> Tensor {
        let mut features = rows.shallow_clone();
        for layer in &self.trunk {
            features = self.activate(&layer.apply(&features));
        }
        features
    }

    /// Returns the output of every hidden layer for `rows x inputs`, first layer first.
    pub fn activations(&self, rows: &Tensor) -> Vec<Tensor> {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.trunk.len());
        for layer in &self.trunk {
            outputs.push(self.activate(&layer.apply(outputs.last().unwrap_or(rows))));
        }
        outputs
    }

    fn activate(&self, sums: &Tensor) -> Tensor {
        match self.spec.activation {
            Activation::Tanh => sums.tanh(),
            Activation::Relu => sums.relu(),
        }
    }

    /// Returns the output of head `index` for features: `rows x outputs`.
    pub fn head(&self, index: usize, features: &Tensor) -> Tensor {
        self.heads[index].apply(features)
    }

    /// The first head's output for `rows x inputs`.
    pub fn forward(&self, rows: &Tensor) -> Tensor {
        self.head(0, &self.features(rows))
    }

    /// The gradient of a scalar loss in the order of the flat parameters. Frees the graph of the loss.
    pub fn gradient(&self, loss: &Tensor) -> Tensor {
        let leaves: Vec<&Tensor> =
            self.trunk.iter().chain(&self.heads).flat_map(|layer| [&layer.weight, &layer.bias]).collect();
        let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
        let flat: Vec<Tensor> = gradients.iter().map(|gradient| gradient.reshape([-1])).collect();
        Tensor::cat(&flat, 0)
    }

    /// All parameters as one tensor.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// All parameters as one tensor, for the optimiser: the layers see what is written.
    pub fn flat_mut(&mut self) -> &mut Tensor {
        &mut self.flat
    }

    /// Moves the parameters towards those of `source`: `self = (1 - tau) * self + tau * source`. With `tau` 1 it copies.
    ///
    /// # Panics
    /// When the nets have different shapes.
    pub fn follow(&mut self, source: &Self, tau: f64) {
        assert_eq!(self.flat.size(), source.flat.size(), "a net follows a net of the same shape");
        let _guard = no_grad_guard();
        if tau >= 1.0 {
            self.flat.copy_(&source.flat);
        } else {
            let _ = self.flat.lerp_(&source.flat, tau);
        }
    }

    /// The parameters by name, trunk first, weight before bias.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut named = Vec::new();
        for layer in self.trunk.iter().chain(&self.heads) {
            named.push(Parameter {
                name: format!("{}.weight", layer.name),
                shape: vec![layer.outputs, layer.inputs],
                values: tensor_rows::to_vec(&layer.weight),
            });
            named.push(Parameter {
                name: format!("{}.bias", layer.name),
                shape: vec![layer.outputs],
                values: tensor_rows::to_vec(&layer.bias),
            });
        }
        named
    }

    /// The trunk, head `head` and, for a dueling net, the head `value` as a network of plain numbers that does not see
    /// the entries `ignore`.
    ///
    /// # Errors
    /// When a parameter is not a finite number, or an entry does not exist.
    pub fn to_mlp(&self, head: usize, value: Option<usize>, ignore: Vec<usize>) -> Result<Mlp, NetError> {
        let hidden = self.trunk.iter().map(Dense::frozen).collect::<Result<_, _>>()?;
        let value = value.map(|index| self.heads[index].frozen()).transpose()?;
        Mlp::new(hidden, self.heads[head].frozen()?, value, self.spec.activation, ignore)
    }
}

/// Name, inputs, outputs and gain of every layer, trunk first.
fn layers(spec: &NetSpec) -> impl Iterator<Item = (String, usize, usize, f64)> + '_ {
    let trunk = spec.hidden.iter().enumerate().map(|(index, &outputs)| {
        let inputs = if index == 0 { spec.inputs } else { spec.hidden[index - 1] };
        (format!("{}.{index}", spec.name), inputs, outputs, HIDDEN_GAIN)
    });
    let features = spec.hidden.last().copied().unwrap_or(spec.inputs);
    let heads = spec
        .heads
        .iter()
        .map(move |head| (format!("{}.{}", spec.name, head.name), features, head.outputs, head.gain));
    trunk.chain(heads)
}

/// A random matrix `rows x columns`, row-major, whose rows (or columns, whichever are fewer) are orthogonal vectors of
/// length `gain`: Gram and Schmidt on normal draws, in f64 and twice, so that rounding leaves nothing behind.
fn orthogonal(rows: usize, columns: usize, gain: f64, rng: &mut SimRng) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(rng)).collect();
        for _ in 0..2 {
            for earlier in &vectors {
                let overlap = dot(earlier, &vector);
                for (value, base) in vector.iter_mut().zip(earlier) {
                    *value -= overlap * base;
                }
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        if norm > 1e-6 {
            vectors.push(vector.into_iter().map(|value| value / norm).collect());
        }
    }
    let at =
        |row: usize, column: usize| if rows <= columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows * columns).map(|index| (gain * at(index / columns, index % columns)) as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests;
