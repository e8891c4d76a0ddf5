//! Adam on flat parameters, and the clipping of gradients.
//!
//! # Idea
//! Adam (Kingma and Ba, arXiv 1412.6980) in the form of PyTorch's `torch.optim.Adam`:
//! ```text
//! m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2        t = t + 1
//! p = p - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
//! ```
//! It is ours because the state of torch's optimisers cannot be read or saved through tch.

use super::state::{StateDict, StateError};
use super::tensor_rows;
use tch::{Device, Kind, Tensor, no_grad_guard};

/// The decay of the mean of the gradients.
pub const BETA_1: f64 = 0.9;
/// The decay of the mean of the squared gradients.
pub const BETA_2: f64 = 0.999;

/// The optimiser of one net.
#[derive(Debug)]
pub struct Adam {
    mean: Tensor,
    square: Tensor,
    steps: u64,
    eps: f64,
}

/// A step that has been computed and not been taken.
#[derive(Debug)]
pub struct PreparedStep {
    parameters: Tensor,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    /// An optimiser of `num_parameters` numbers; `eps` (above 0) keeps the division finite.
    pub fn new(num_parameters: usize, eps: f64) -> Self {
        let zeros = || Tensor::zeros([num_parameters as i64], (Kind::Float, Device::Cpu));
        Self { mean: zeros(), square: zeros(), steps: 0, eps }
    }

    /// Computes a step of `parameters` against `gradient` (both flat, of the optimiser's length), to be taken with
    /// [`take`](Self::take) once other nets' steps are known to be finite too.
    ///
    /// # Errors
    /// What the sum of the numbers after the step is, when it is not finite: then one of them is not.
    pub fn prepare(
        &self,
        parameters: &Tensor,
        gradient: &Tensor,
        learning_rate: f64,
    ) -> Result<PreparedStep, f64> {
        let _guard = no_grad_guard();
        let steps = i32::try_from(self.steps + 1).unwrap_or(i32::MAX);
        let (bias_1, bias_2) = (1.0 - BETA_1.powi(steps), 1.0 - BETA_2.powi(steps));
        let mean = self.mean.lerp(gradient, 1.0 - BETA_1);
        let square = self.square.lerp(&gradient.square(), 1.0 - BETA_2);
        let mut denominator = square.sqrt();
        denominator /= bias_2.sqrt();
        denominator += self.eps;
        let mut change = &mean / denominator;
        change *= -learning_rate / bias_1;
        change += parameters;
        let sum = (change.sum(Kind::Float) + square.sum(Kind::Float)).double_value(&[]);
        if sum.is_finite() { Ok(PreparedStep { parameters: change, mean, square }) } else { Err(sum) }
    }

    /// Takes a step that [`prepare`](Self::prepare) computed.
    pub fn take(&mut self, parameters: &mut Tensor, step: PreparedStep) {
        let _guard = no_grad_guard();
        parameters.copy_(&step.parameters);
        (self.mean, self.square) = (step.mean, step.square);
        self.steps += 1;
    }

    /// Returns what the optimiser remembers: both running means and the number of steps taken.
    pub fn save(&self) -> StateDict {
        let mut state = StateDict::default();
        state.put_list("mean", &tensor_rows::to_vec::<f32>(&self.mean));
        state.put_list("square", &tensor_rows::to_vec::<f32>(&self.square));
        state.put_value("steps", self.steps);
        state
    }

    /// Goes on from what [`save`](Self::save) gave.
    ///
    /// # Errors
    /// When it is not the state of an optimiser of as many numbers.
    pub fn load(&mut self, mut state: StateDict) -> Result<(), StateError> {
        let shape = [self.mean.numel()];
        let mean: Vec<f32> = state.take_finite("mean", &shape)?;
        let square: Vec<f32> = state.take_finite("square", &shape)?;
        self.steps = state.take_counts("steps", &[])?[0];
        tensor_rows::write(&mut self.mean, 0, &mean);
        tensor_rows::write(&mut self.square, 0, &square);
        state.finish()
    }
}

/// Scales flat gradients down, together, so that the length of all of them taken as one vector is at most `max_norm`, as
/// PyTorch's `clip_grad_norm_` does; gives the length before. Gradients of nets that are trained together belong into one
/// call. A length that is not finite leaves them as they are.
pub fn clip_global_norm(gradients: &mut [&mut Tensor], max_norm: f64) -> f64 {
    let _guard = no_grad_guard();
    let squares: f64 = gradients.iter().map(|gradient| gradient.norm().double_value(&[]).powi(2)).sum();
    let norm = squares.sqrt();
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 && norm.is_finite() {
        for gradient in gradients.iter_mut() {
            **gradient *= factor;
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Adam {
        /// Computes a step and takes it if it is finite; says whether it was.
        pub(in crate::learn) fn step(
            &mut self,
            parameters: &mut Tensor,
            gradient: &Tensor,
            rate: f64,
        ) -> bool {
            let step = self.prepare(parameters, gradient, rate);
            step.map(|step| self.take(parameters, step)).is_ok()
        }
    }

    #[test]
    fn the_first_step_is_the_learning_rate_against_the_sign_of_the_gradient() {
        // With m / (1 - b1) = g and v / (1 - b2) = g^2 the first step is lr * g / (|g| + eps), whatever the size of g.
        let mut parameters = Tensor::from_slice(&[1.0_f32, 1.0, 1.0]);
        let mut adam = Adam::new(3, 1e-8);
        adam.step(&mut parameters, &Tensor::from_slice(&[100.0_f32, -0.01, 0.0]), 0.1);
        let values = tensor_rows::to_vec::<f32>(&parameters);
        approx::assert_abs_diff_eq!(values[0], 0.9, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(values[1], 1.1, epsilon = 1e-6);
        assert_eq!(values[2], 1.0);
    }

    #[test]
    fn eps_is_added_outside_the_root_after_the_bias_correction() {
        // g = 1, eps = 1: the step is lr * 1 / (1 + 1) = lr / 2; with eps inside the root it would be lr / sqrt(2).
        let mut parameters = Tensor::from_slice(&[0.0_f32]);
        Adam::new(1, 1.0).step(&mut parameters, &Tensor::from_slice(&[1.0_f32]), 1.0);
        approx::assert_abs_diff_eq!(parameters.double_value(&[0]), -0.5, epsilon = 1e-6);
    }

    #[test]
    fn ten_steps_equal_a_naive_version_in_f64_and_a_restored_state_goes_on_alike() {
        let gradient = |step: i32| [f64::from(step).sin(), 0.3 * f64::from(step) - 1.0];
        let tensor = |g: [f64; 2]| Tensor::from_slice(&[g[0] as f32, g[1] as f32]);
        let (mut m, mut v, mut naive) = ([0.0; 2], [0.0; 2], [0.5, -0.25]);
        let mut parameters = Tensor::from_slice(&[0.5_f32, -0.25]);
        let mut adam = Adam::new(2, 1e-5);
        for step in 1..=10 {
            let g = gradient(step);
            for (at, parameter) in naive.iter_mut().enumerate() {
                m[at] = BETA_1 * m[at] + (1.0 - BETA_1) * g[at];
                v[at] = BETA_2 * v[at] + (1.0 - BETA_2) * g[at] * g[at];
                let (m_hat, v_hat) = (m[at] / (1.0 - BETA_1.powi(step)), v[at] / (1.0 - BETA_2.powi(step)));
                *parameter -= 0.01 * m_hat / (v_hat.sqrt() + 1e-5);
            }
            if step == 5 {
                let state = adam.save();
                assert_eq!(state.clone().take_value::<u64>("steps"), Ok(4));
                adam = Adam::new(2, 1e-5);
                adam.load(state).unwrap();
            }
            adam.step(&mut parameters, &tensor(g), 0.01);
        }
        for (got, expected) in tensor_rows::to_vec::<f32>(&parameters).into_iter().zip(naive) {
            approx::assert_relative_eq!(f64::from(got), expected, max_relative = 1e-5);
        }
    }

    #[test]
    fn a_step_that_would_leave_the_finite_numbers_is_not_taken() {
        let mut parameters = Tensor::from_slice(&[1.0_f32, 2.0]);
        let mut adam = Adam::new(2, 1e-8);
        let gradient = Tensor::from_slice(&[1.0_f32, 0.0]);
        assert!(adam.step(&mut parameters, &gradient, 0.5));
        let before = (tensor_rows::to_vec::<f32>(&parameters), adam.save());
        assert!(!adam.step(&mut parameters, &gradient, 1e39));
        assert!(!adam.step(&mut parameters, &Tensor::from_slice(&[f32::NAN, 0.0]), 0.5));
        // The square of 1e20 is no finite f32: the parameters would stay finite, and never move again.
        assert!(!adam.step(&mut parameters, &Tensor::from_slice(&[1e20_f32, 0.0]), 0.5));
        assert_eq!((tensor_rows::to_vec::<f32>(&parameters), adam.save()), before);
    }

    #[test]
    fn gradients_are_clipped_by_their_common_length() {
        // (3, 0) and (0, 4) have length 5 together; clipped one by one to 1 both would have length 1.
        let mut first = Tensor::from_slice(&[3.0_f32, 0.0]);
        let mut second = Tensor::from_slice(&[0.0_f32, 4.0]);
        let norm = clip_global_norm(&mut [&mut first, &mut second], 1.0);
        approx::assert_abs_diff_eq!(norm, 5.0, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(first.double_value(&[0]), 0.6, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(second.double_value(&[1]), 0.8, epsilon = 1e-6);
        let unclipped = clip_global_norm(&mut [&mut first], 1.0);
        approx::assert_abs_diff_eq!(unclipped, 0.6, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(first.double_value(&[0]), 0.6, epsilon = 1e-6);
    }
}
