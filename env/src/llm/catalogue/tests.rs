//! The shipped numbers, and what is refused.

use super::*;
use approx::assert_relative_eq;

const MODEL: &str = r#"[[models]]
name = "toy"
source = "a test"
total_parameters_b = 8.0
layers = 32
width = 4096
heads = 32
kv_heads = 8
head_dimension = 128
bytes_per_weight = 2.0
window_tokens = 8192.0
"#;

const DEVICE: &str = r#"[[devices]]
name = "toy"
source = "a test"
constants_source = "a test"
peak_fp16_tflop_per_s = 100.0
memory_gb = 24.0
bandwidth_gb_per_s = 300.0
power_idle_w = 10.0
power_busy_w = 70.0
mfu = 0.5
eta = 0.7
t_step_ms = 2.0
"#;

fn parse(models: &str, devices: &str) -> Result<Catalogue, String> {
    let models = Source { file: "models.toml", text: models };
    let devices = Source { file: "devices.toml", text: devices };
    Catalogue::parse(models, devices).map_err(|error| error.to_string())
}

#[test]
fn what_is_shipped_is_valid_and_each_number_has_a_source() {
    let catalogue = Catalogue::shipped();
    assert!(catalogue.models.len() >= 20 && catalogue.devices.len() >= 10);
    for model in catalogue.models {
        assert!(model.source.len() > 20, "{}", model.name);
        assert_eq!(model.name, model.name.to_lowercase());
    }
    for device in catalogue.devices {
        assert!(device.source.len() > 20 && device.constants_source.len() > 20, "{}", device.name);
        let [fp16, int8] = [Arithmetic::Fp16, Arithmetic::Int8].map(|a| device.peak_flop_per_s(a));
        assert!((1.9..2.1).contains(&(int8 / fp16)), "{}: integers are twice as fast", device.name);
    }
}

#[test]
fn sizes_are_those_of_the_published_models() {
    let catalogue = Catalogue::shipped();
    // Weights in GB, kB of context a token: 2 x layers x KV heads x head dimension x 2 bytes.
    for (name, gb, kv_kb) in [
        ("llama-2-7b", 13.48, 524.288),
        ("llama-2-70b", 137.95, 327.68),
        ("llama-3.1-8b", 16.06, 131.072),
        ("llama-3.1-70b", 141.11, 327.68),
        ("mixtral-8x7b", 93.41, 131.072),
        ("qwen2.5-0.5b", 0.988, 12.288),
        ("phi-3-mini", 7.64, 393.216),
        ("gemma-2-9b", 18.48, 344.064),
        ("llama-3.1-8b-int8", 8.03, 131.072),
        ("llama-3.2-3b-int4", 1.807, 114.688),
        ("bloom-176b", 352.49, 4014.08),
    ] {
        let model = catalogue.model("model", name).unwrap();
        assert_relative_eq!(model.weight_bytes() as f64 / 1e9, gb, max_relative = 1e-3);
        assert_relative_eq!(model.kv_bytes_per_token / 1e3, kv_kb, max_relative = 1e-12);
    }
    let mixture = catalogue.model("model", "mixtral-8x7b").unwrap();
    assert_relative_eq!(mixture.active_parameters, 12.88e9);
    assert_relative_eq!(mixture.active_weight_bytes(), 25.76e9);
}

#[test]
fn better_models_of_a_family_are_larger() {
    let catalogue = Catalogue::shipped();
    for family in [
        [
            "qwen2.5-0.5b",
            "qwen2.5-1.5b",
            "qwen2.5-3b",
            "qwen2.5-7b",
            "qwen2.5-14b",
            "qwen2.5-32b",
            "qwen2.5-72b",
        ]
        .as_slice(),
        &["llama-2-7b", "llama-2-13b", "llama-2-70b"],
        &["llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.1-70b"],
        &["gemma-2-2b", "gemma-2-9b", "gemma-2-27b"],
    ] {
        let models: Vec<&Model> = family.iter().map(|name| catalogue.model("model", name).unwrap()).collect();
        for pair in models.windows(2) {
            assert!(pair[0].mmlu_accuracy < pair[1].mmlu_accuracy && pair[0].mmlu_accuracy.is_some());
            assert!(pair[0].active_parameters < pair[1].active_parameters);
        }
    }
}

#[test]
fn a_scenario_may_keep_the_weights_in_other_numbers() {
    let model = Catalogue::shipped().model("model", "llama-2-7b").unwrap().clone();
    let int4 = model.with_bytes_per_weight("models[0].bytes_per_weight", 0.5).unwrap();
    assert_eq!(int4.weight_bytes(), 3_369_000_000);
    assert_eq!(int4.kv_bytes_per_token, 524_288.0, "context stays as it is");
    let refused = int4.with_bytes_per_weight("models[0].bytes_per_weight", 0.0).unwrap_err();
    assert_eq!(refused.to_string(), "models[0].bytes_per_weight = 0.0: a number from 0.125 to 8.0");
}

#[test]
fn mistakes_name_file_line_key_value_and_what_is_allowed() {
    assert!(parse(MODEL, DEVICE).is_ok());
    let model = |from: &str, to: &str| parse(&MODEL.replace(from, to), DEVICE).unwrap_err();
    let device = |from: &str, to: &str| parse(MODEL, &DEVICE.replace(from, to)).unwrap_err();
    let refusals = [
        model("layers = 32", "layer = 32"),
        model("layers = 32", "layers = 0"),
        model("kv_heads = 8", "kv_heads = 5"),
        model("window_tokens = 8192.0", "window_tokens = nan"),
        model("total_parameters_b = 8.0", "total_parameters_b = 8.0\nactive_parameters_b = 9.0"),
        model("bytes_per_weight = 2.0", "bytes_per_weight = 16.0"),
        model("bytes_per_weight = 2.0", "bytes_per_weight = 2.0\narithmetic = \"fp8\""),
        model("source = \"a test\"", "source = \"\""),
        parse(&MODEL.repeat(2), DEVICE).unwrap_err(),
        device("eta = 0.7", "eta = 1.5"),
        device("mfu = 0.5", "mfu = 0.0"),
        device("power_busy_w = 70.0", "power_busy_w = 7.0"),
        device("t_step_ms = 2.0", "t_step_ms = -1.0"),
        device("memory_gb = 24.0", "memory_gb = inf"),
        device("mfu = 0.5\n", ""),
        parse(MODEL, &DEVICE.repeat(2)).unwrap_err(),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_name_that_nobody_has_is_answered_with_the_one_that_was_meant() {
    let catalogue = parse(MODEL, DEVICE).unwrap();
    let refused = catalogue.model("services[2].model", "tov").unwrap_err();
    assert_eq!(refused.to_string(), "services[2].model = \"tov\": one of toy; did you mean toy?");
    let refused = catalogue.device("cell.device", "h100").unwrap_err();
    assert_eq!(refused.to_string(), "cell.device = \"h100\": one of toy");
}

#[test]
fn what_is_embedded_is_what_stands_in_the_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/catalogue");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    assert_eq!((read("models.toml").as_str(), read("devices.toml").as_str()), (MODELS_TOML, DEVICES_TOML));
}
