//! Writes the first inputs of each target into `corpus/`: everything that is shipped, and small files of every kind.

use std::fs;
use std::path::Path;
use thoughtcache_agents::checkpoint::{Algorithm, Checkpoint};
use thoughtcache_agents::net_policy::{Activation, Dense, Mlp};
use thoughtcache_env::gym::api::{Entry, EnvSpec};
use thoughtcache_env::workload::trace::{Columns, Header, Request, Trace};

/// A scenario as small as one can be.
const SMALL: &str = r#"name = "small"
horizon_slots = 9
slot_s = 1.0
[cell]
count = 2
memory_gb = 3.0
[[models]]
name = "a"
memory_gb = 1.0
window_tokens = 400.0
[[models]]
name = "b"
memory_gb = 2.5
window_tokens = 900.0
[thought]
tokens = 200.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.6
[memory]
refresh = "evict"
[quality.linear]
beta = 0.5
[workload.poisson]
mean_requests_per_service = 0.7
zipf_exponent = 1.0
reshuffle_slots = 4
[decision]
granularity = "service"
placements = ["edge", "cloud"]
[cost]
edge_per_request = 0.0001
cloud_per_request = 0.0075
accuracy_weight = 2.5
compute_weight = 0.0
[cost.switching.per_gb]
weight = 1e-5
[[services]]
model = "a"
alpha = 0.5
[[services]]
name = "second"
model = "b"
alpha = 0.25
thought_tokens = 100.0
[[services]]
model = "a"
alpha = 0.75
[policies.density]
margin = 1.2
"#;

/// Changes that make other scenarios of the small one.
const CHANGES: [&str; 13] = [
    "--set decision.granularity=request\n--set decision.hold=true\n--set decision.prefetch=true\n",
    "--set cell.count=1\n--set workload.phased.popularity=[[0.5,0.25,0.25],[0.1,0.8,0.1]]\n--set workload.phased.stay_prob=0.9\n--set observation.popularity_phase=true\n",
    "--set memory.kv=true\n--set memory.shared_weights=true\n--set memory.refresh=clear\n--set models.0.kv_bytes_per_token=1e6\n--set models.1.kv_bytes_per_token=2e6\n",
    "--set context={scope=\"user\",users=7}\n--set services.0.edge_per_request=0.5\n--set services.1.cloud_per_request=2\n--set cost.switching.per_load.weight=1\n--set services.2.load_cost=3\n",
    "--set cell.compute_budget_tflop_per_slot=90\n--set models.0.active_parameters_b=1\n--set models.1.active_parameters_b=7\n",
    "--set cost.compute_weight=2\n--set cell.compute_tflop_per_s=100\n--set models.0.active_parameters_b=1\n--set models.1.active_parameters_b=7\n",
    "--set cost.switching.per_load.weight=0.25\n",
    "--set cost.switching.per_load_second.weight=1\n--set services.0.load_s=1\n--set services.1.load_s=2\n--set services.2.load_s=3\n",
    "--set cell.count=1\n--set workload.trace.path=x.tct\n--set workload.trace.services.top_models={}\n",
    "--set cell.count=1\n--set workload.trace={path=\"x\",services={drawn={zipf_exponent=1.0,seed=3,reshuffle_slots=7}}}\n",
    "--set decision.placements=[\"cloud\"]\n--set horizon_slots=1\n",
    "--set thought.paths=5\n--set thought.consensus_factor=0.5\n",
    "--set quality.logarithmic={base=0.3,gain=0.1,exponent=1.0,max_accuracy=0.9}\n",
];

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::write(root.join("corpus").join(target).join(name), bytes)
    };
    for folder in ["scenarios", "agents"] {
        for entry in fs::read_dir(root.join("../../configs").join(folder))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            put("config", &name, &fs::read(&path)?)?;
        }
    }
    put("config", "small.toml", SMALL.as_bytes())?;
    for (index, change) in CHANGES.iter().enumerate() {
        put("config", &format!("small-{index}.toml"), format!("{SMALL}{change}").as_bytes())?;
    }
    put("config", "ppo.toml", b"[ppo]\n--set ppo.gamma=0.5\n--set ppo.net_arch=[8]\n")?;
    put("config", "dqn.toml", b"[dqn]\nn_envs = 1\n--set ppo.batch_size=7\n")?;

    let tct = small_trace().write(Vec::new()).expect("a sound trace");
    put("trace", "raw", &[b"T", &tct[..]].concat())?;
    put("trace", "repaired", &[b"C", &tct[..]].concat())?;
    let header = br#"{"source":"x","start":"y","rows":@,"columns":{"model":true,"user":true,"prompt_tokens":true,"output_tokens":true,"service_us":true,"reused_tokens":true},"models":["a","b"],"num_users":2,"load_s":[1.5,2.0],"notes":["n"]}"#;
    let block = |times: [u8; 2]| {
        let columns = [&times[..], &[1, 2], &[0, 2], &[7, 8], &[9, 100], &[0x80, 1, 5], &[2, 0]].concat();
        [&[2, 0, columns.len() as u8, 0], &columns[..]].concat()
    };
    put("trace", "unpacked", &[b"U", &header[..], b"\n", &block([0, 90]), &block([95, 9])].concat())?;
    let times = br#"{"source":"x","start":"y","rows":@,"columns":{"model":false,"user":false,"prompt_tokens":false,"output_tokens":false,"service_us":false},"models":[],"num_users":0}"#;
    let column = [&[30, 0, 30, 0][..], &[4; 30]].concat();
    put("trace", "unpacked-times", &[b"U", &times[..], b"\n", &column].concat())?;
    let azure: String = (0..12)
        .map(|row| format!("2023-11-16 18:{:02}:46.6805900,{},{}\r\n", row * 3, 100 + row, 7 * row))
        .collect();
    put("trace", "azure", format!("ATIMESTAMP,ContextTokens,GeneratedTokens\r\n{azure}").as_bytes())?;
    let names = "gmt_create,predict_type,predict_status,exec_time_seconds,groupId,prompt_length,negative_prompt_length,num_images_per_prompt,num_inference_steps,checkpoint_model_version_id,num_lora";
    let rows: String = (0..12)
        .map(|row| {
            let model = if row == 5 { String::new() } else { format!("M{}", row % 3) };
            format!(
                "2024-11-15 16:{:02}:50,TXT_2_IMG,SUCCEED,3{row}.5,G{},63.0,,1.0,30.0,{model},0\n",
                row * 4,
                row % 4
            )
        })
        .collect();
    put("trace", "gentd26", format!("G{names}\n{rows}").as_bytes())?;
    let loads = "timestamp_anon,value,container_ip\n1.0,3000.0,x\n1.0,1000.0,x\n";
    put("trace", "gentd26-loads", format!("G{names}\n{rows}\n--\n{loads}").as_bytes())?;

    let mooncake: String = (0..9)
        .map(|row| format!("{{\"timestamp\": {}, \"input_length\": {}, \"output_length\": {row}, \"hash_ids\": [0, {}, {row}]}}\n", row * 500, 1200 + row, row % 3))
        .collect();
    put("trace", "mooncake", format!("M{mooncake}").as_bytes())?;
    let sparse = "{\"timestamp\": 7.5, \"input_length\": 0, \"output_length\": 1, \"hash_ids\": []}\n\n{\"timestamp\": 0, \"input_length\": 4294967295, \"output_length\": 0, \"hash_ids\": [18446744073709551615], \"x\": null}\n";
    put("trace", "mooncake-odd", format!("M{sparse}").as_bytes())?;

    for (name, is_dueling) in [("plain", false), ("dueling", true)] {
        let bytes = small_checkpoint(is_dueling).to_bytes();
        let length = u64::from_le_bytes(bytes.policy[..8].try_into().expect("eight bytes")) as usize;
        let (head, numbers) = bytes.policy[8..].split_at(length);
        put("checkpoint", &format!("raw-{name}"), &[b"R", &bytes.meta[..], b"\0", &bytes.policy].concat())?;
        put(
            "checkpoint",
            &format!("repaired-{name}"),
            &[b"C", &bytes.meta[..], b"\0", &bytes.policy].concat(),
        )?;
        put(
            "checkpoint",
            &format!("unpacked-{name}"),
            &[b"U", &bytes.meta[..], b"\0", head, b"\0", numbers].concat(),
        )?;
    }
    Ok(())
}

/// Forty requests for three models by four users.
fn small_trace() -> Trace {
    let header = Header {
        columns: Columns {
            model: true,
            user: true,
            prompt_tokens: true,
            output_tokens: true,
            service_us: true,
            reused_tokens: true,
        },
        models: ["a", "b", "c"].map(str::to_owned).to_vec(),
        num_users: 4,
        load_s: Some(vec![1.0, 2.5, 0.0]),
        notes: vec!["made for the fuzzer".into()],
        ..Header::named("seed", "2024-01-01 00:00:00")
    };
    let requests = (0..40_u32).map(|row| Request {
        time_us: u64::from(row * row) * 1_000,
        model: (row % 7 != 6).then_some(row % 3),
        user: (row % 5 != 4).then_some(row % 4),
        prompt_tokens: row * 100,
        output_tokens: row,
        service_us: u64::from(row) << 30,
        reused_tokens: row * 50,
    });
    Trace::from_requests(header, requests.collect()).expect("a sound trace")
}

/// Three entries, two hidden units, two actions.
fn small_checkpoint(is_dueling: bool) -> Checkpoint {
    let layer = |name: &str, inputs: usize, outputs: usize| {
        let numbers = |count: usize| (0..count).map(|index| 0.25 + index as f32 / 8.0).collect();
        Dense::new(name, inputs, outputs, numbers(inputs * outputs), numbers(outputs)).expect("a sound layer")
    };
    let value = is_dueling.then(|| layer("value", 2, 1));
    let (algorithm, activation, cost) = if is_dueling {
        (Algorithm::Dqn, Activation::Relu, Some(1.5))
    } else {
        (Algorithm::Ppo, Activation::Tanh, None)
    };
    let net = Mlp::new(vec![layer("hidden.0", 3, 2)], layer("head", 2, 2), value, activation, vec![2])
        .expect("a sound network");
    let spec = EnvSpec {
        id: "toy".into(),
        entries: ["age", "rate", "free"].map(|name| Entry::new(name, 0.0, 1.0)).to_vec(),
        actions: ["edge", "cloud"].map(str::to_owned).to_vec(),
    };
    Checkpoint::new(net, algorithm, &spec, 1_000, cost)
}
