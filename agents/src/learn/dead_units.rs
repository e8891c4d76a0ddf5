//! Hidden units that say nothing: a sign of a step size that is too great, or of rows of the wrong scale.
//!
//! # Target
//! ```text
//! relu: dead when it puts out 0 for every row
//! tanh: dead when it puts out the same number for every row, or more than 0.99 in size for every row
//! dead_units = dead hidden units of all nets / hidden units of all nets
//! ```
//! At most [`MAX_ROWS`] rows are asked, spread evenly. Rows that are all alike can tell nothing: the share is 0 then, as it
//! is for nets without hidden layers.

use super::net::{Activation, Net};
use tch::{Kind, Tensor, no_grad_guard};

/// The most rows that are asked: few enough that nobody waits for the answer.
pub const MAX_ROWS: usize = 256;
/// A unit with `tanh` beyond this size has next to no gradient.
const SATURATED: f64 = 0.99;

/// The share of dead hidden units of nets that read the same rows, 0 to 1.
pub fn dead_units(nets: &[&Net], rows: &Tensor) -> f64 {
    let _guard = no_grad_guard();
    let count = rows.size()[0] as usize;
    // An odd stride, because rows of a rollout lie lane by lane and lanes are often a power of two.
    let stride = count.div_ceil(MAX_ROWS) | 1;
    let rows = if count > MAX_ROWS { rows.slice(0, None, None, stride as i64) } else { rows.shallow_clone() };
    if count == 0 || greatest(&rows).gt_tensor(&least(&rows)).any().int64_value(&[]) == 0 {
        return 0.0;
    }
    let (mut dead, mut units) = (0.0, 0.0);
    for net in nets {
        for layer in net.activations(&rows) {
            let is_dead = match net.spec().activation {
                Activation::Relu => greatest(&layer).le(0.0),
                Activation::Tanh => {
                    let is_constant = least(&layer).eq_tensor(&greatest(&layer));
                    is_constant.logical_or(&least(&layer.abs()).gt(SATURATED))
                }
            };
            dead += is_dead.sum(Kind::Float).double_value(&[]);
            units += layer.size()[1] as f64;
        }
    }
    if units > 0.0 { dead / units } else { 0.0 }
}

fn least(rows: &Tensor) -> Tensor {
    rows.amin([0_i64].as_slice(), false)
}

fn greatest(rows: &Tensor) -> Tensor {
    rows.amax([0_i64].as_slice(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::net::{HeadSpec, NetSpec};

    /// One entry, one hidden layer of units `tanh` or `relu` of `weight * x + bias`, one head.
    fn net(activation: Activation, weights: &[f32], biases: &[f32]) -> Net {
        let spec = NetSpec {
            name: "net".into(),
            inputs: 1,
            hidden: vec![weights.len()],
            activation,
            heads: vec![HeadSpec::new("head", 1, 1.0)],
        };
        let head = vec![1.0; weights.len() + 1];
        Net::from_flat(spec, &[weights, biases, &head].concat())
    }

    fn rows(numbers: &[f32]) -> Tensor {
        Tensor::from_slice(numbers).view([-1, 1])
    }

    #[test]
    fn a_rectifier_is_dead_when_no_row_passes_it() {
        // x in -1, 1: x passes once, -1 - x and -5 never (a sum of exactly 0 passes nothing), 7 always: 2 of 4 are dead.
        let net = net(Activation::Relu, &[1.0, -1.0, 0.0, 0.0], &[0.0, -1.0, -5.0, 7.0]);
        assert_eq!(dead_units(&[&net], &rows(&[-1.0, 1.0])), 0.5);
        // At -3 the second one passes 2.
        assert_eq!(dead_units(&[&net], &rows(&[-3.0, 1.0])), 0.25);
    }

    #[test]
    fn a_tangent_is_dead_when_it_is_constant_or_always_saturated() {
        // tanh x lives; a constant 0 does not; 100 x saturates on both sides; 100 x + 100 is 0 at x = -1 and lives.
        let net = net(Activation::Tanh, &[1.0, 0.0, 100.0, 100.0], &[0.0, 0.0, 0.0, 100.0]);
        assert_eq!(dead_units(&[&net], &rows(&[-1.0, 1.0])), 0.5);
    }

    #[test]
    fn units_of_all_nets_and_layers_count_together() {
        let dead = net(Activation::Relu, &[0.0], &[-1.0]);
        let alive = net(Activation::Tanh, &[1.0, 0.5, 2.0], &[0.0; 3]);
        assert_eq!(dead_units(&[&dead, &alive], &rows(&[0.25, 0.5])), 0.25);
        let spec = NetSpec { hidden: vec![2, 1], ..alive.spec().clone() };
        // Two living units, of which the second layer reads nothing.
        let deep = Net::from_flat(spec, &[1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        approx::assert_abs_diff_eq!(dead_units(&[&deep], &rows(&[0.25, 0.5])), 1.0 / 3.0, epsilon = 1e-6);
    }

    #[test]
    fn nothing_is_said_without_rows_that_differ_or_without_hidden_units() {
        let dead = net(Activation::Relu, &[0.0], &[-1.0]);
        assert_eq!(dead_units(&[&dead], &rows(&[0.5, 0.5])), 0.0);
        assert_eq!(dead_units(&[&dead], &rows(&[])), 0.0);
        let flat = Net::from_flat(NetSpec { hidden: vec![], ..dead.spec().clone() }, &[1.0, 0.0]);
        assert_eq!(dead_units(&[&flat], &rows(&[0.5, 1.0])), 0.0);
    }

    #[test]
    fn many_rows_are_asked_evenly_and_every_lane_among_them() {
        // 4,096 rows of 32 lanes, which the rows name; a unit that only lane 31 switches on must be found alive.
        let lanes: Vec<f32> = (0..4096).map(|at| (at % 32) as f32).collect();
        let net = net(Activation::Relu, &[1.0], &[-30.5]);
        assert_eq!(dead_units(&[&net], &rows(&lanes)), 0.0);
        // The last quarter of the rows is asked too.
        let mut late: Vec<f32> = (0..3072).map(|at| (at % 2) as f32).collect();
        late.extend([31.0_f32; 1024]);
        assert_eq!(dead_units(&[&net], &rows(&late)), 0.0);
    }
}
