//! The state of an environment at one moment, as bytes: to come back to it, to put it into a file, to look ahead from it.
//!
//! A snapshot knows the entries and actions of the environment that made it and has a checksum: another environment, or
//! a damaged byte, is refused.

use super::spec::EnvSpec;
use crate::digest::{mix, of_bytes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use thiserror::Error;

/// The first bytes of a snapshot: a name and the version of its form.
const MAGIC: [u8; 8] = *b"tcsnap07";
/// Magic, digest of the spec, digest of the state.
const HEAD_BYTES: usize = 24;

/// A spec and the digest of its names, which every snapshot of its environment begins with: computed once, for a spec has
/// hundreds of names.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestedSpec {
    spec: EnvSpec,
    digest: u64,
}

impl DigestedSpec {
    /// The spec with its digest.
    pub fn new(spec: EnvSpec) -> Self {
        let names = spec.entries.iter().map(|entry| &entry.name).chain(&spec.actions);
        let digest =
            names.fold(of_bytes(spec.id.as_bytes()), |hash, name| mix(hash, of_bytes(name.as_bytes())));
        Self { spec, digest }
    }
}

impl Deref for DigestedSpec {
    type Target = EnvSpec;

    fn deref(&self) -> &EnvSpec {
        &self.spec
    }
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    bytes: Vec<u8>,
}

/// Why a snapshot is refused; the environment is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It was made by an environment with other entries or actions, or with another scenario.
    #[error("the snapshot belongs to another environment than {id}: {difference}")]
    Foreign {
        /// The environment that was to be restored.
        id: String,
        /// The difference.
        difference: String,
    },
    /// The bytes are not those of a snapshot.
    #[error("the snapshot is damaged: {reason}")]
    Damaged {
        /// The fault in them.
        reason: String,
    },
}

impl SnapshotError {
    /// The refusal of a snapshot that this environment did not make.
    pub fn foreign(spec: &EnvSpec, difference: impl Into<String>) -> Self {
        Self::Foreign { id: spec.id.clone(), difference: difference.into() }
    }

    /// The refusal of bytes that are no snapshot.
    pub fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}

impl Snapshot {
    /// The snapshot of `state` of an environment with this spec.
    ///
    /// # Panics
    /// When the state cannot be serialised: sequences without a length, say.
    pub fn of<S: Serialize>(spec: &DigestedSpec, state: &S) -> Self {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&spec.digest.to_le_bytes());
        let mut bytes = postcard::to_extend(state, bytes).expect("a state of plain numbers and lists");
        let digest = of_bytes(&bytes[HEAD_BYTES..]);
        bytes[16..24].copy_from_slice(&digest.to_le_bytes());
        Self { bytes }
    }

    /// The state, for an environment with this spec.
    ///
    /// # Errors
    /// [`SnapshotError`] when the snapshot is damaged or of an environment with other entries or actions.
    pub fn state<S: DeserializeOwned>(&self, spec: &DigestedSpec) -> Result<S, SnapshotError> {
        let head: &[u8; HEAD_BYTES] =
            self.bytes.first_chunk().ok_or_else(|| SnapshotError::damaged("it is too short"))?;
        if head[..6] == MAGIC[..6] && head[6..8] != MAGIC[6..] {
            return Err(SnapshotError::damaged("another version of this program made it"));
        }
        if head[..8] != MAGIC {
            return Err(SnapshotError::damaged("it does not begin as a snapshot does"));
        }
        let state = &self.bytes[HEAD_BYTES..];
        if head[16..24] != of_bytes(state).to_le_bytes() {
            return Err(SnapshotError::damaged("its checksum is not that of its bytes"));
        }
        if head[8..16] != spec.digest.to_le_bytes() {
            return Err(SnapshotError::foreign(spec, "its name, entries or actions are others"));
        }
        match postcard::take_from_bytes(state) {
            Ok((state, [])) => Ok(state),
            Ok((_, rest)) => {
                Err(SnapshotError::damaged(format!("{} bytes are left over at its end", rest.len())))
            }
            Err(error) => Err(SnapshotError::damaged(error.to_string())),
        }
    }

    /// The bytes, to be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A snapshot that was kept; whether it is one shows when it is restored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(action: &str) -> DigestedSpec {
        DigestedSpec::new(EnvSpec { id: "toy".into(), entries: vec![], actions: vec![action.into()] })
    }

    #[test]
    fn a_state_comes_back_and_only_to_an_environment_of_its_kind() {
        let state = (7_u64, vec![0.5_f64, f64::INFINITY], Some(3_u32));
        let snapshot = Snapshot::of(&spec("stay"), &state);
        assert_eq!(snapshot.state::<(u64, Vec<f64>, Option<u32>)>(&spec("stay")), Ok(state));
        let refused = snapshot.state::<(u64, Vec<f64>, Option<u32>)>(&spec("go")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the snapshot belongs to another environment than toy: its name, entries or actions are others"
        );
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_refused() {
        let whole = Snapshot::of(&spec("stay"), &vec![1_u32, 70_000, 3]);
        for at in 0..whole.as_bytes().len() {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(Snapshot::from_bytes(bytes).state::<Vec<u32>>(&spec("stay")).is_err(), "byte {at}");
            let short = whole.as_bytes()[..at].to_vec();
            assert!(Snapshot::from_bytes(short).state::<Vec<u32>>(&spec("stay")).is_err(), "{at} bytes");
        }
        let mut old = whole.as_bytes().to_vec();
        old[7] = b'1';
        let refused = Snapshot::from_bytes(old).state::<Vec<u32>>(&spec("stay")).unwrap_err();
        assert_eq!(refused.to_string(), "the snapshot is damaged: another version of this program made it");
        let mut long = whole.as_bytes().to_vec();
        long.push(0);
        assert!(Snapshot::from_bytes(long).state::<Vec<u32>>(&spec("stay")).is_err());
    }
}
