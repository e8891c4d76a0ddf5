//! The learners: masked PPO and DQN on libtorch (feature `torch`), and what both share.
//!
//! Reading order: [`agent`] (what a learner is), [`config`] (what a user says), [`state`] (what it remembers),
//! [`schedule`], [`gae`]; then, with
//! libtorch, `net` and `adam` (the arithmetic), `categorical`, `rollout`, `ppo_loss`, `ppo`; `n_step`,
//! `replay`, `dqn_loss`, `dqn`; `imitation_loss`, `warm_start` (a rule first); and `train` (the loop).
#![allow(clippy::cast_possible_wrap)] // libtorch counts in i64; sizes of tensors in memory fit

pub mod agent;
pub mod check;
pub mod config;
pub mod dqn_config;
pub mod gae;
pub mod ppo_config;
mod ranges;
pub mod run_print;
pub mod schedule;
pub mod state;

#[cfg(feature = "torch")]
pub mod adam;
#[cfg(feature = "torch")]
pub mod categorical;
#[cfg(feature = "torch")]
pub mod dead_units;
#[cfg(feature = "torch")]
pub mod dqn;
#[cfg(feature = "torch")]
pub mod dqn_loss;
#[cfg(feature = "torch")]
pub mod imitation_loss;
#[cfg(feature = "torch")]
mod input_baseline;
#[cfg(feature = "torch")]
pub mod n_step;
#[cfg(feature = "torch")]
pub mod net;
#[cfg(feature = "torch")]
pub mod observer;
#[cfg(feature = "torch")]
pub mod ppo;
#[cfg(feature = "torch")]
pub mod ppo_loss;
#[cfg(feature = "torch")]
pub mod ppo_metrics;
#[cfg(feature = "torch")]
pub mod replay;
#[cfg(feature = "torch")]
pub mod rollout;
#[cfg(feature = "torch")]
pub mod tensor_rows;
#[cfg(feature = "torch")]
pub mod threads;
#[cfg(feature = "torch")]
pub mod train;
#[cfg(feature = "torch")]
mod train_error;
#[cfg(feature = "torch")]
pub mod warm_start;

#[cfg(test)]
#[cfg(feature = "torch")]
mod fixtures;
