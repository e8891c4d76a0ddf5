//! Checkpoints: the description (`meta.json`) and the weights (`policy.safetensors`).
//!
//! The first byte of an input says how the rest becomes the two files; they are parted by the first byte 0, which no JSON
//! holds:
//!
//! | byte | the rest |
//! |---|---|
//! | `R` | both files as they are |
//! | `C` | both files, whose checksums are put right before they are read |
//! | `U` | the description, the head of the weights' file as JSON, byte 0, its numbers; length and checksums are made |

use super::expect_message;
use std::sync::OnceLock;
use thoughtcache_agents::checkpoint::{Checkpoint, CheckpointBytes, Meta, POLICY_FILE, sha256};
use thoughtcache_agents::net_policy::Scratch;
use thoughtcache_env::gym::api::{Entry, Env, EnvSpec};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// Reads the input as what its first byte says.
pub(crate) fn read(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let (meta, policy) = parted(rest);
    match kind {
        b'R' => both(policy, meta),
        b'C' => both(policy, &with_checksums(policy, meta)),
        b'U' => {
            let (head, numbers) = parted(policy);
            let mut policy = (head.len() as u64).to_le_bytes().to_vec();
            policy.extend_from_slice(head);
            policy.extend_from_slice(numbers);
            both(&policy, &with_checksums(&policy, meta));
        }
        _ => {}
    }
}

/// What stands before and after the first byte 0.
fn parted(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(zero) => (&bytes[..zero], &bytes[zero + 1..]),
        None => (bytes, &[]),
    }
}

/// The description with the checksums of these weights and of itself; as it is where it is no description.
fn with_checksums(policy: &[u8], meta: &[u8]) -> Vec<u8> {
    let Ok(mut description) = serde_json::from_slice::<Meta>(meta) else { return meta.to_vec() };
    let text = |description: &Meta| {
        let mut text = serde_json::to_vec_pretty(description).expect("a description is always JSON");
        text.push(b'\n');
        text
    };
    description.checksums.insert(POLICY_FILE.into(), sha256(policy));
    description.meta_sha256 = String::new();
    description.meta_sha256 = sha256(&text(&description));
    text(&description)
}

fn both(policy: &[u8], meta: &[u8]) {
    match Checkpoint::from_bytes(policy, meta) {
        Err(error) => expect_message(&error.to_string()),
        Ok(checkpoint) => {
            let before = CheckpointBytes { policy: policy.to_vec(), meta: meta.to_vec() };
            assert!(checkpoint.to_bytes() == before, "an accepted checkpoint is written as other bytes");
            let net = checkpoint.net();
            let mut numbers = vec![0.0; net.num_actions()];
            net.logits(&vec![0.5; net.num_entries()], &mut Scratch::default(), &mut numbers);
            for spec in specs() {
                if let Err(error) = checkpoint.check_spec(spec) {
                    expect_message(&error.to_string());
                }
            }
        }
    }
}

/// The world of the seeds, and a shipped one.
fn specs() -> &'static [EnvSpec; 2] {
    static SPECS: OnceLock<[EnvSpec; 2]> = OnceLock::new();
    SPECS.get_or_init(|| {
        let toy = EnvSpec {
            id: "toy".into(),
            entries: ["age", "rate", "free"].map(|name| Entry::new(name, 0.0, 1.0)).to_vec(),
            actions: ["edge", "cloud"].map(str::to_owned).to_vec(),
        };
        let tight = DecisionEnv::new(Scenario::shipped("tight").into());
        [toy, tight.spec().clone()]
    })
}
