//! Writes the first inputs of each target into `corpus/`: everything that is shipped, and small files of every kind.

use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;
use thoughtcache_agents::checkpoint::{Algorithm, Checkpoint};
use thoughtcache_agents::net_policy::{Activation, Dense, Mlp};
use thoughtcache_env::gym::api::{Entry, EnvSpec};

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
    "--set cell.count=1\n--set workload.trace.path=x.csv\n--set workload.trace.services.top_models={}\n",
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

    for (name, text) in traces() {
        put("trace", name, text.as_bytes())?;
    }
    let mut gzip = GzEncoder::new(b"R".to_vec(), Compression::best());
    gzip.write_all(requests().as_bytes())?;
    put("trace", "requests-gzip", &gzip.finish()?)?;

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

/// Forty requests for three models by four users, all columns, not in order of time.
fn requests() -> String {
    let header = "time_s,model,user,session,turn,prompt_tokens,output_tokens,reused_tokens,think_time_s,load_s";
    let rows = (0..40_u32).map(|row| {
        let model = ["a", "\"b,\"\"c\"\"\"", "d", ""][(row % 4) as usize];
        let load = ["1", "2.5", "0", ""][(row % 4) as usize];
        let user = if row % 5 == 4 { String::new() } else { format!("u{}", row % 4) };
        let time = f64::from(row * row) * 0.25 - if row == 30 { 100.5 } else { 0.0 };
        format!("{time},{model},{user},s{},{row},{},{row},{},{}.5,{load}\n", row / 7, row * 100, row * 50, row % 9)
    });
    format!("{header}\n{}", rows.collect::<String>())
}

/// A small file of every kind.
fn traces() -> Vec<(&'static str, String)> {
    let rows = |count: u32, row: &dyn Fn(u32) -> String| (0..count).map(row).collect::<String>();
    let azure = rows(12, &|row| {
        format!("2023-11-16 18:{:02}:46.6805900,{},{}\r\n", row * 3, 100 + row, 7 * row)
    });
    let gentd26 = rows(12, &|row| {
        let model = if row == 5 { String::new() } else { format!("M{}", row % 3) };
        format!("2024-11-15 16:{:02}:50,G{},{model}\n", row * 4, row % 4)
    });
    let gentd26 = format!("Ggmt_create,groupId,checkpoint_model_version_id\n{gentd26}");
    let mooncake = rows(9, &|row| {
        let (ms, tokens, chat) = (row * 500, 1200 + row, row % 3);
        format!("{{\"timestamp\": {ms}, \"input_length\": {tokens}, \"output_length\": {row}, \"hash_ids\": [0, {chat}, {row}]}}\n")
    });
    let sparse = "{\"timestamp\": 7.5, \"input_length\": 0, \"output_length\": 1, \"hash_ids\": []}\n\n{\"timestamp\": 0, \"input_length\": 4294967295, \"output_length\": 0, \"hash_ids\": [18446744073709551615], \"x\": null}\n";
    let sessions = rows(9, &|row| format!("s{},{}.25,m{},{},{}\n", row / 3, row % 3 * 4, row % 2, row * 64, row));
    let rates = rows(8, &|row| format!("m{},c,{},{}.5,1.5,{}\n", row % 2, row / 2 * 600, row, ["gamma", "weibull"][row as usize % 2]));
    let theirs = rows(4, &|row| format!("m,c,{},1.5,2,Gamma,0.4,5\n", row * 600));
    let phones = rows(9, &|row| format!("5G,a{},{row},{}\n", row / 5, row * 10));
    let irish = rows(5, &|row| format!("Download,Driving,a.csv,2019.12.01_12.11.{:02},{},-\n", row + 10, row * 100));
    vec![
        ("requests", format!("R{}", requests())),
        ("requests-few", "R\u{feff}service,time_s\r\na,0\r\n\r\n\"b\nc\",1.5\r\n".into()),
        ("requests-semicolons", "Rtime_s;model\n0;a\n".into()),
        ("mapped", format!("Itime_s=t*0.001 service=model prompt_tokens=in reused_tokens=blocks*64\nsession,t,model,in,blocks\n{sessions}")),
        ("mapped-sessions", format!("I!time_s=t session=session turn=blocks\nsession,t,model,in,blocks\n{sessions}")),
        ("mapped-instants", "Itime_s=at\nat\n2023-11-16T18:15:46Z\n2023-11-16 18:15:47.5\n1700158546.5\n".into()),
        ("azure", format!("ATIMESTAMP,ContextTokens,GeneratedTokens\r\n{azure}")),
        ("gentd26", gentd26.clone()),
        ("gentd26-loads", format!("{gentd26}\n--\ntimestamp_anon,value\n1.0,3000.0\n1.0,1000.0\n")),
        ("mooncake", format!("M{mooncake}")),
        ("mooncake-odd", format!("M{sparse}")),
        ("rates", format!("Cmodel,client,start_s,rate_per_s,iat_cv,family\n{rates}")),
        ("servegen", format!("Smodel,client,t_start_s,rate_req_s,iat_cv,arrival_family,arg1_shape,arg2_scale\n{theirs}")),
        ("throughput", format!("Tradio,trace,time_s,downlink_mbps\n{phones}")),
        ("irish5g", format!("5app,mobility,file,Timestamp,DL_bitrate,UL_bitrate\n{irish}")),
        ("paths", "Wpath,time_s,x_m,y_m\na,0,0,0\na,10,5,5\nb,-3,1,1\nb,0,2,2\n".into()),
        ("sites", "Pname,x_m,y_m\nb,1,2.5\na,0,100000\n".into()),
    ]
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
