//! What must be refused, and the way back to the same bytes.

use super::*;
use crate::net_policy::Activation;
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use thoughtcache_env::gym::api::Entry;

fn spec(entries: &[&str], actions: &[&str]) -> EnvSpec {
    EnvSpec {
        id: "toy".into(),
        entries: entries.iter().map(|&name| Entry::new(name, 0.0, 1.0)).collect(),
        actions: actions.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn toy_spec() -> EnvSpec {
    spec(&["service.0.age", "service.0.rate", "cell.free"], &["cloud", "edge"])
}

/// 3 entries, 4 hidden units, 2 actions, every number another one.
fn toy_net(dueling: bool) -> Mlp {
    let layer = |name: &str, inputs: usize, outputs: usize, first: f32| {
        let weight = (0..inputs * outputs).map(|index| first + index as f32 / 8.0).collect();
        let bias = (0..outputs).map(|index| -first - index as f32).collect();
        Dense::new(name, inputs, outputs, weight, bias).unwrap()
    };
    let value = dueling.then(|| layer("value", 4, 1, 0.75));
    Mlp::new(vec![layer("hidden.0", 3, 4, 0.25)], layer("head", 4, 2, 0.5), value, Activation::Relu, vec![2])
        .unwrap()
}

fn toy() -> Checkpoint {
    Checkpoint::new(toy_net(true), Algorithm::Dqn, &toy_spec(), 300_000, Some(-0.125))
}

/// The description after `change`, with its own checksum made right again.
fn with_meta(bytes: &CheckpointBytes, change: impl Fn(&mut Meta)) -> Vec<u8> {
    let mut meta: Meta = serde_json::from_slice(&bytes.meta).unwrap();
    change(&mut meta);
    meta.meta_sha256 = meta_checksum(&meta);
    json(&meta)
}

fn message(policy: &[u8], meta: &[u8]) -> String {
    Checkpoint::from_bytes(policy, meta).unwrap_err().to_string()
}

#[test]
fn what_is_read_is_what_was_written_and_gives_the_same_bytes_again() {
    for dueling in [false, true] {
        let before = Checkpoint::new(toy_net(dueling), Algorithm::Ppo, &toy_spec(), 7, None);
        let bytes = before.to_bytes();
        let after = Checkpoint::from_bytes(&bytes.policy, &bytes.meta).unwrap();
        assert_eq!(after.net(), before.net());
        assert_eq!(after.meta().ignore_entries, ["cell.free"]);
        assert_eq!(after.to_bytes(), bytes);
    }
}

#[test]
fn weights_are_stored_as_pytorch_keeps_them() {
    let bytes = toy().to_bytes();
    let tensors = SafeTensors::deserialize(&bytes.policy).unwrap();
    let weight = tensors.tensor("hidden.0.weight").unwrap();
    assert_eq!(weight.shape(), [4, 3]);
    // Output 0 from inputs 0, 1, 2; in our memory those lie four numbers apart.
    let first_row: Vec<f32> =
        weight.data().chunks(4).take(3).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(first_row, [0.25, 0.75, 1.25]);
}

#[test]
fn the_description_says_what_a_person_wants_to_know() {
    let text = String::from_utf8(toy().to_bytes().meta).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn a_scenario_with_other_entries_or_actions_is_refused_with_the_first_difference() {
    let checkpoint = toy();
    checkpoint.check_spec(&toy_spec()).unwrap();
    let refusal = |spec: EnvSpec| checkpoint.check_spec(&spec).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            refusal(spec(&["service.0.age", "service.0.size", "cell.full"], &["cloud", "edge"])),
            refusal(spec(&["service.0.age", "service.0.rate"], &["cloud", "edge"])),
            refusal(spec(&["service.0.age", "service.0.rate", "cell.free"], &["cloud", "edge.0"])),
            refusal(spec(&["service.0.age", "service.0.rate", "cell.free"], &["cloud", "edge", "device"])),
        ]
        .join("\n")
    );
}

#[test]
fn damage_is_named() {
    let bytes = toy().to_bytes();
    let policy = bytes.policy.as_slice();
    let resign = |policy: &[u8], change: &dyn Fn(&mut Meta)| {
        let sum = sha256(policy);
        with_meta(&bytes, |meta| {
            meta.checksums.insert(POLICY_FILE.into(), sum.clone());
            change(meta);
        })
    };
    let mut flipped = policy.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut infinite = policy.to_vec();
    let end = infinite.len();
    infinite[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let edited = String::from_utf8(bytes.meta.clone()).unwrap().replace("300000", "300001");
    let next = String::from_utf8(bytes.meta.clone()).unwrap().replace("\"schema\": 2", "\"schema\": 3");
    let half = |tensor: &str, dtype: Dtype, shape: Vec<usize>| {
        let data = vec![0_u8; shape.iter().product::<usize>() * dtype.bitsize() / 8];
        let view = TensorView::new(dtype, shape, &data).unwrap();
        let whole = SafeTensors::deserialize(policy).unwrap();
        let mut tensors: BTreeMap<String, TensorView<'_>> = whole.tensors().into_iter().collect();
        tensors.insert(tensor.to_owned(), view);
        safetensors::serialize(tensors, None).unwrap()
    };
    let (wrong_type, wrong_shape) =
        (half("head.bias", Dtype::F16, vec![2]), half("head.bias", Dtype::F32, vec![3]));
    let extra = half("trojan", Dtype::F32, vec![1]);
    insta::assert_snapshot!(
        [
            message(&flipped, &bytes.meta),
            message(&policy[..policy.len() - 1], &bytes.meta),
            message(policy, edited.as_bytes()),
            message(policy, next.as_bytes()),
            message(policy, b"{"),
            message(policy, &with_meta(&bytes, |meta| meta.checksums.clear())),
            message(
                policy,
                &with_meta(&bytes, |meta| {
                    meta.checksums.insert("../config.toml".into(), String::new());
                }),
            ),
            message(
                policy,
                &with_meta(&bytes, |meta| {
                    meta.schema = 1;
                    meta.checksums.insert(TRAINER_FILE.into(), String::new());
                }),
            ),
            message(b"not tensors", &resign(b"not tensors", &|_| ())),
            message(&infinite, &resign(&infinite, &|_| ())),
            message(&wrong_type, &resign(&wrong_type, &|_| ())),
            message(&wrong_shape, &resign(&wrong_shape, &|_| ())),
            message(&extra, &resign(&extra, &|_| ())),
            message(policy, &resign(policy, &|meta| meta.dueling = false)),
            message(policy, &resign(policy, &|meta| meta.hidden.push(4))),
            message(policy, &resign(policy, &|meta| meta.entries.truncate(2))),
            message(policy, &resign(policy, &|meta| meta.ignore_entries = vec!["none".into()])),
        ]
        .join("\n")
    );
}

#[test]
fn a_policy_with_schema_1_is_read_and_keeps_its_bytes() {
    let bytes = toy().to_bytes();
    let old = with_meta(&bytes, |meta| meta.schema = 1);
    let read = Checkpoint::from_bytes(&bytes.policy, &old).unwrap();
    assert_eq!(read.net(), toy().net());
    assert_eq!(read.to_bytes().meta, old);
}

#[test]
fn a_checkpoint_vouches_for_the_files_beside_it() {
    let files: [(&str, &[u8]); 2] = [(TRAINER_FILE, b"trainer"), (LOG_FILE, b"{}")];
    let bytes = toy().to_bytes_with(&files);
    let read = Checkpoint::from_bytes(&bytes.policy, &bytes.meta).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    assert!(read.has_file(TRAINER_FILE) && !read.has_file(REPLAY_FILE));
    for (file, bytes) in files {
        read.verify(file, bytes).unwrap();
    }
    let message = |file: &str| read.verify(file, b"other").unwrap_err().to_string();
    assert!(message(LOG_FILE).starts_with("log.json is damaged: its SHA-256 is "), "{}", message(LOG_FILE));
    assert_eq!(
        message(REPLAY_FILE),
        "meta.json is damaged or not ours: it has no checksum of replay.safetensors"
    );
    // Read and written again without its files, it is a checkpoint of the policy alone.
    assert_eq!(read.to_bytes_with(&[]), toy().to_bytes());
}

proptest! {
    #[test]
    fn any_change_of_the_weights_is_an_error(position in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = toy().to_bytes();
        let mut policy = bytes.policy.clone();
        policy[position.index(bytes.policy.len())] ^= flip;
        prop_assert!(Checkpoint::from_bytes(&policy, &bytes.meta).is_err());
        prop_assert!(Checkpoint::from_bytes(&policy[..position.index(bytes.policy.len())], &bytes.meta).is_err());
    }

    #[test]
    fn a_change_of_the_description_is_an_error_or_changes_nothing(
        position in any::<prop::sample::Index>(),
        replacement in any::<u8>(),
    ) {
        let bytes = toy().to_bytes();
        let mut meta = bytes.meta.clone();
        meta[position.index(bytes.meta.len())] = replacement;
        // White space between fields may become other white space.
        if let Ok(read) = Checkpoint::from_bytes(&bytes.policy, &meta) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn damaged_weights_with_a_right_checksum_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        kept in any::<prop::sample::Index>(),
    ) {
        let bytes = toy().to_bytes();
        let mut policy = bytes.policy.clone();
        for (position, replacement) in &changes {
            policy[position.index(bytes.policy.len())] = *replacement;
        }
        for policy in [&policy[..], &policy[..kept.index(policy.len())]] {
            let sum = sha256(policy);
            let meta = with_meta(&bytes, |meta| {
                meta.checksums.insert(POLICY_FILE.into(), sum.clone());
            });
            let _ = Checkpoint::from_bytes(policy, &meta);
        }
    }
}

#[test]
fn a_source_has_the_checksum_of_its_bytes_however_long_it_is() {
    let bytes: Vec<u8> = (0..200_000_u32).map(|place| (place % 251) as u8).collect();
    for length in [0, 1, 1 << 16, 200_000] {
        assert_eq!(sha256_of_reader(&bytes[..length]).unwrap(), sha256(&bytes[..length]));
    }
}
