//! Small nets by hand, and what the parameters share.

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
                approx::assert_abs_diff_eq!(dot(&vector(first), &vector(second)), expected, epsilon = 1e-5);
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
    net.to_mlp(1, None, vec![1]).unwrap().logits(&[0.3, 99.0, -2.0], &mut Scratch::default(), &mut logits);
    let rows = Tensor::from_slice(&[0.3_f32, 0.0, -2.0]).view([1, 3]);
    let expected = net.head(1, &net.features(&rows));
    for (at, logit) in logits.into_iter().enumerate() {
        approx::assert_abs_diff_eq!(f64::from(logit), expected.double_value(&[0, at as i64]), epsilon = 1e-5);
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
    let flat = |run| tensor_rows::to_vec::<f32>(Net::new(spec(4, &[8], &[("q", 2)]), &mut rng(run)).flat());
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
