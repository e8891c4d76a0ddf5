//! The network by hand, and what must be refused.

use super::*;

fn dense(inputs: usize, outputs: usize, weight: &[f32], bias: &[f32]) -> Dense {
    Dense::new("layer", inputs, outputs, weight.to_vec(), bias.to_vec()).unwrap()
}

fn logits(net: &Mlp, row: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; net.num_actions()];
    net.logits(row, &mut Scratch::default(), &mut out);
    out
}

#[test]
fn weights_lie_input_by_input() {
    // Input 0 feeds outputs with 1 and 2, input 1 with 10 and 20. The transposed reading would give 21 and 43 (minus).
    let net =
        Mlp::new(vec![], dense(2, 2, &[1.0, 2.0, 10.0, 20.0], &[0.5, 0.0]), None, Activation::Relu, vec![])
            .unwrap();
    assert_eq!(logits(&net, &[1.0, 2.0]), [21.5, 42.0]);
}

#[test]
fn weights_of_pytorch_are_turned_over_and_back() {
    // PyTorch's rows are outputs: (1, 2, 3) makes the first output of three inputs.
    let layer = Dense::from_transposed("layer", 3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.0; 2]).unwrap();
    assert_eq!(layer.weight(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(layer.transposed_weight(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let short = Dense::from_transposed("layer", 3, 2, &[1.0; 5], vec![0.0; 2]).unwrap_err();
    assert_eq!(short.to_string(), "layer: weight has 5 numbers, 6 are needed");
}

#[test]
fn every_input_counts_when_their_number_is_no_multiple_of_four() {
    for inputs in 1..=9 {
        let weight: Vec<f32> = (0..inputs * 3).map(|index| index as f32).collect();
        let layer = dense(inputs, 3, &weight, &[0.0; 3]);
        let row: Vec<f32> = (0..inputs).map(|index| 1.0 + index as f32).collect();
        let expected: Vec<f32> = (0..3)
            .map(|output| (0..inputs).map(|input| row[input] * weight[input * 3 + output]).sum())
            .collect();
        let net = Mlp::new(vec![], layer, None, Activation::Relu, vec![]).unwrap();
        assert_eq!(logits(&net, &row), expected);
    }
}

#[test]
fn hidden_layers_are_activated_and_the_head_is_not() {
    let hidden = || vec![dense(1, 2, &[1.0, -1.0], &[0.0, 0.0])];
    let head = || dense(2, 1, &[1.0, 10.0], &[-5.0]);
    let relu = Mlp::new(hidden(), head(), None, Activation::Relu, vec![]).unwrap();
    assert_eq!(logits(&relu, &[2.0]), [-3.0]);
    let smooth = Mlp::new(hidden(), head(), None, Activation::Tanh, vec![]).unwrap();
    let expected = 2.0_f32.tanh() - 10.0 * 2.0_f32.tanh() - 5.0;
    assert!((logits(&smooth, &[2.0])[0] - expected).abs() < 1e-5);
}

#[test]
fn the_dueling_head_centres_its_advantages_over_all_actions() {
    // A = (1, 2, 6) x, mean 3 x; V = 10 x: Q = 8, 9, 13 at x = 1. Without centring: 11, 12, 16.
    let head = dense(1, 3, &[1.0, 2.0, 6.0], &[0.0; 3]);
    let net = Mlp::new(vec![], head, Some(dense(1, 1, &[10.0], &[0.0])), Activation::Tanh, vec![]).unwrap();
    assert_eq!(logits(&net, &[1.0]), [8.0, 9.0, 13.0]);
}

#[test]
fn ignored_entries_do_not_reach_the_network() {
    let net = Mlp::new(vec![], dense(2, 1, &[1.0, 10.0], &[0.0]), None, Activation::Tanh, vec![1]).unwrap();
    assert_eq!(logits(&net, &[2.0, 7.0]), [2.0]);
    assert_eq!(logits(&net, &[2.0, f32::NAN]), [2.0]);
}

#[test]
fn our_tanh_is_the_tangent_to_two_ten_millionths() {
    let worst = (-12_000..=12_000)
        .map(|step| step as f32 / 1000.0)
        .map(|x| (f64::from(tanh(x)) - f64::from(x).tanh()).abs())
        .fold(0.0, f64::max);
    assert!(worst < 2e-7, "{worst}");
    assert_eq!([tanh(0.0), tanh(-50.0), tanh(f32::INFINITY)], [0.0, -1.0, 1.0]);
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let layer = |inputs, outputs| {
        Dense::new("hidden.1", inputs, outputs, vec![0.0; inputs * outputs], vec![0.0; outputs]).unwrap()
    };
    let short = Dense::new("head", 2, 3, vec![0.0; 5], vec![0.0; 3]).unwrap_err();
    assert_eq!(short.to_string(), "head: weight has 5 numbers, 6 are needed");
    let empty = Dense::new("head", 0, 3, vec![], vec![0.0; 3]).unwrap_err();
    assert_eq!(empty.to_string(), "head is 0 x 3; a layer has at least one input and one output");
    let infinite = Dense::new("head", 1, 1, vec![f32::INFINITY], vec![0.0]).unwrap_err();
    assert_eq!(infinite.to_string(), "head: weight holds inf at position 0; every number must be finite");
    let gap =
        Mlp::new(vec![layer(2, 3), layer(4, 5)], layer(5, 1), None, Activation::Tanh, vec![]).unwrap_err();
    assert_eq!(gap.to_string(), "hidden.1 takes 4 inputs, the layer before gives 3");
    let beyond = Mlp::new(vec![], layer(2, 1), None, Activation::Tanh, vec![2]).unwrap_err();
    assert_eq!(beyond.to_string(), "hidden.0: entry 2 is to be ignored, a row has entries 0 to 1");
}
