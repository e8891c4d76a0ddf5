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
    /// What follows each hidden layer.
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
            let sums = layer.apply(&features);
            features = match self.spec.activation {
                Activation::Tanh => sums.tanh(),
                Activation::Relu => sums.relu(),
            };
        }
        features
    }

    /// What head `index` makes of features: `rows x outputs`.
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
mod tests {
    use super::*;
    use crate::net_policy::Scratch;
    use tch::{Device, Kind};
    use thoughtcache_env::random::{Purpose, Seed, Stream};

    fn rng(run: u64) -> SimRng {
        Seed::new(Purpose::Train, run).stream(Stream::Initialisation)
    }

    fn spec(inputs: usize, hidden: &[usize], heads: &[(&str, usize)]) -> NetSpec {
        NetSpec {
            name: "net".into(),
            inputs,
            hidden: hidden.to_vec(),
            activation: Activation::Tanh,
            heads: heads.iter().map(|&(name, outputs)| HeadSpec::new(name, outputs, 1.0)).collect(),
        }
    }

    #[test]
    fn rows_of_a_wide_matrix_and_columns_of_a_tall_one_are_orthogonal_with_the_gain_as_length() {
        for (rows, columns) in [(3, 7), (7, 3), (5, 5)] {
            let matrix = orthogonal(rows, columns, 2.0, &mut rng(1));
            let vector = |index: usize| -> Vec<f64> {
                (0..rows.max(columns))
                    .map(|at| if rows <= columns { index * columns + at } else { at * columns + index })
                    .map(|at| f64::from(matrix[at]))
                    .collect()
            };
            for first in 0..rows.min(columns) {
                for second in 0..rows.min(columns) {
                    let expected = if first == second { 4.0 } else { 0.0 };
                    approx::assert_abs_diff_eq!(
                        dot(&vector(first), &vector(second)),
                        expected,
                        epsilon = 1e-5
                    );
                }
            }
        }
    }

    #[test]
    fn a_net_computes_what_a_person_computes() {
        // One hidden unit: tanh(2 x + 3 y - 1), head 5 h + 7.
        let net = Net::from_flat(spec(2, &[1], &[("q", 1)]), &[2.0, 3.0, -1.0, 5.0, 7.0]);
        let rows = Tensor::from_slice(&[0.5_f32, 0.0, 0.0, 1.0]).view([2, 2]);
        let outputs = tensor_rows::to_vec::<f32>(&net.forward(&rows).detach().contiguous());
        approx::assert_abs_diff_eq!(outputs[0], 7.0, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(outputs[1], 5.0 * 2.0_f32.tanh() + 7.0, epsilon = 1e-6);
    }

    #[test]
    fn the_frozen_network_computes_the_same() {
        let mut spec = spec(3, &[5, 4], &[("value", 1), ("advantage", 2)]);
        spec.activation = Activation::Relu;
        let net = Net::new(spec, &mut rng(3));
        let mut logits = [0.0; 2];
        net.to_mlp(1, None, vec![1]).unwrap().logits(
            &[0.3, 99.0, -2.0],
            &mut Scratch::default(),
            &mut logits,
        );
        let rows = Tensor::from_slice(&[0.3_f32, 0.0, -2.0]).view([1, 3]);
        let expected = net.head(1, &net.features(&rows));
        for (at, logit) in logits.into_iter().enumerate() {
            approx::assert_abs_diff_eq!(
                f64::from(logit),
                expected.double_value(&[0, at as i64]),
                epsilon = 1e-5
            );
        }
        assert!(net.to_mlp(1, Some(0), vec![]).unwrap().value().is_some());
    }

    #[test]
    fn the_flat_gradient_has_the_order_of_the_parameters() {
        // No hidden layer: loss = 2 x + 3 y + bias over the row (11, 13): the gradient is the row, then 1.
        let net = Net::from_flat(spec(2, &[], &[("q", 1)]), &[2.0, 3.0, 0.0]);
        let loss = net.forward(&Tensor::from_slice(&[11.0_f32, 13.0]).view([1, 2])).sum(Kind::Float);
        assert_eq!(tensor_rows::to_vec::<f32>(&net.gradient(&loss)), [11.0, 13.0, 1.0]);
    }

    #[test]
    fn layers_see_what_is_written_into_the_flat_tensor() {
        let mut net = Net::from_flat(spec(1, &[], &[("q", 1)]), &[2.0, 0.0]);
        tensor_rows::write(net.flat_mut(), 0, &[10.0_f32, 1.0]);
        let output = net.forward(&Tensor::from_slice(&[3.0_f32]).view([1, 1]));
        assert_eq!(output.double_value(&[0, 0]), 31.0);
    }

    #[test]
    fn two_heads_read_the_same_features_and_all_parameters_are_named() {
        let net = Net::new(spec(4, &[3], &[("value", 1), ("advantage", 2)]), &mut rng(2));
        let features = net.features(&Tensor::ones([5, 4], (Kind::Float, Device::Cpu)));
        assert_eq!(net.head(0, &features).size(), [5, 1]);
        assert_eq!(net.head(1, &features).size(), [5, 2]);
        let names: Vec<(String, Vec<usize>)> =
            net.parameters().into_iter().map(|parameter| (parameter.name, parameter.shape)).collect();
        let expected = [
            ("net.0.weight", vec![3, 4]),
            ("net.0.bias", vec![3]),
            ("net.value.weight", vec![1, 3]),
            ("net.value.bias", vec![1]),
            ("net.advantage.weight", vec![2, 3]),
            ("net.advantage.bias", vec![2]),
        ];
        assert_eq!(names, expected.map(|(name, shape)| (name.to_owned(), shape)));
        assert_eq!(net.flat().numel(), 12 + 3 + 3 + 1 + 6 + 2);
    }

    #[test]
    fn the_same_seed_gives_the_same_net_and_another_seed_another() {
        let flat =
            |run| tensor_rows::to_vec::<f32>(Net::new(spec(4, &[8], &[("q", 2)]), &mut rng(run)).flat());
        assert_eq!(flat(1), flat(1));
        assert_ne!(flat(1), flat(2));
    }

    #[test]
    fn a_twin_sees_what_is_written_and_a_duplicate_does_not() {
        let mut net = Net::from_flat(spec(1, &[], &[("q", 1)]), &[2.0, 0.0]);
        let (twin, duplicate) = (net.twin(), net.duplicate());
        tensor_rows::write(net.flat_mut(), 0, &[10.0_f32, 1.0]);
        let row = Tensor::from_slice(&[3.0_f32]).view([1, 1]);
        assert_eq!(twin.forward(&row).double_value(&[0, 0]), 31.0);
        assert_eq!(duplicate.forward(&row).double_value(&[0, 0]), 6.0);
    }

    #[test]
    fn a_net_follows_another_by_tau_and_keeps_its_own_memory() {
        let source = Net::from_flat(spec(1, &[], &[("q", 1)]), &[4.0, 8.0]);
        let mut target = Net::from_flat(spec(1, &[], &[("q", 1)]), &[0.0, 0.0]);
        target.follow(&source, 0.25);
        assert_eq!(tensor_rows::to_vec::<f32>(target.flat()), [1.0, 2.0]);
        target.follow(&source, 1.0);
        assert_eq!(tensor_rows::to_vec::<f32>(target.flat()), [4.0, 8.0]);
        let mut copy = source.duplicate();
        let _ = copy.flat_mut().zero_();
        assert_eq!(tensor_rows::to_vec::<f32>(source.flat()), [4.0, 8.0]);
    }
}
