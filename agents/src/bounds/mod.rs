//! What no policy can beat: exact optima of tiny worlds, and lower bounds of the cost of a trajectory in larger ones.

pub mod clairvoyant;
pub mod exact;
pub mod hindsight;
pub mod thought;
