//! What no policy can beat: exact optima of tiny worlds.

pub mod exact;
