//! One file a command; each has `Args` with `run(self, Console) -> Result<Verdict>`.

pub(crate) mod bench;
pub(crate) mod catalogue;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod rules;
pub(crate) mod scenario;
pub(crate) mod trace;
pub(crate) mod train;
pub(crate) mod tune;
pub(crate) mod verify;
