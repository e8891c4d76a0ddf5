//! Every key of a scenario, wrong in every way: what a person reads. The snapshots are pages to be read aloud.

use crate::wrong::{page, verdict};

/// A scenario with every key that can stand beside the others.
const SMALL: &str = r#"name = "small"
horizon_slots = 9
slot_s = 1.0
[cell]
count = 1
memory_gb = 3.0
compute_tflop_per_s = 100.0
compute_budget_tflop_per_slot = 90.0
[[models]]
name = "a"
memory_gb = 1.0
window_tokens = 400.0
active_parameters_b = 7.0
kv_bytes_per_token = 1000.0
[thought]
tokens = 200.0
cv = 0.5
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.6
[memory]
refresh = "evict"
shared_weights = true
kv = true
[context]
scope = "user"
users = 5
[quality.linear]
beta = 0.5
[workload.poisson]
mean_requests_per_service = 0.7
zipf_exponent = 1.0
reshuffle_slots = 4
[decision]
granularity = "request"
hold = true
prefetch = true
placements = ["edge", "cloud"]
[cost]
edge_per_request = 0.0001
cloud_per_request = 0.0075
accuracy_weight = 2.5
compute_weight = 2.0
[cost.switching.per_load_second]
weight = 1e-5
[[services]]
name = "first"
model = "a"
alpha = 0.5
thought_tokens = 100.0
load_s = 1.5
edge_per_request = 0.25
cloud_per_request = 0.75
[policies.density]
margin = 1.2
"#;

#[test]
fn every_key_wrong_in_every_way() {
    assert_eq!(verdict(SMALL), "accepted");
    insta::assert_snapshot!(page(SMALL, "name = \"small\""));
}

#[test]
fn every_key_of_the_other_choices() {
    let logarithmic = "[quality.logarithmic]\nbase = 0.3\ngain = 0.1\nexponent = 1.0\nmax_accuracy = 0.9";
    let other = SMALL.replace("[quality.linear]\nbeta = 0.5", logarithmic).replace("alpha = 0.5\n", "");
    assert_eq!(verdict(&other), "accepted");
    let mut pages: Vec<String> =
        page(&other, "base = 0.3").split("workload.poisson").take(1).map(str::to_owned).collect();
    let table = "[quality.table]\npaths = [0.0, 5.0]\naccuracy = [0.3, 0.9]";
    let other = SMALL.replace("[quality.linear]\nbeta = 0.5", table).replace("alpha = 0.5\n", "");
    assert_eq!(verdict(&other), "accepted");
    let first = "paths = [0.0, 5.0]";
    pages.push(page(&other, first).split("workload.poisson").take(1).map(str::to_owned).collect());
    let poisson = &SMALL[SMALL.find("[workload.poisson]").unwrap()..SMALL.find("[decision]").unwrap()];
    let drawn = "[workload.trace]\npath = \"x.csv\"\n[workload.trace.services.drawn]\nzipf_exponent = 1.0\nseed = 1\nreshuffle_slots = 5\n";
    let other = SMALL.replace(poisson, drawn);
    assert_eq!(verdict(&other), "accepted");
    pages.push(page(&other, "path = \"x.csv\"").split("decision.").take(1).map(str::to_owned).collect());
    let phased = "[workload.phased]\npopularity = [[1.0], [1.0]]\nstay_prob = 0.5\n[observation]\npopularity_phase = true\n";
    let other = SMALL.replace(poisson, phased);
    assert_eq!(verdict(&other), "accepted");
    let first = "popularity = [[1.0], [1.0]]";
    pages.push(page(&other, first).split("decision.").take(1).map(str::to_owned).collect());
    let day = "[workload.weibull.diurnal]\nperiod_slots = 5\namplitude = 0.5\n";
    let weibull =
        format!("[workload.weibull]\nmean_requests_per_service = 0.7\nzipf_exponent = 1.0\ncv = 2.0\n{day}");
    let other = SMALL.replace(poisson, &weibull);
    assert_eq!(verdict(&other), "accepted");
    pages.push(page(&other, "cv = 2.0").split("decision.").take(1).map(str::to_owned).collect());
    let states = "[[workload.modulated.states]]\nfactor = 0.5\nmean_slots = 9.0\n";
    let modulated = format!(
        "[workload.modulated]\nmean_requests_per_service = 0.7\nzipf_exponent = 1.0\n{states}{}",
        states.replace("0.5", "1.5").replace("9.0", "3.0")
    );
    let other = SMALL.replace(poisson, &modulated);
    assert_eq!(verdict(&other), "accepted");
    pages.push(page(&other, "factor = 1.5").split("decision.").take(1).map(str::to_owned).collect());
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
fn tables_and_combinations_that_contradict_each_other() {
    let cases = [
        ("the file is empty", String::new()),
        ("the file is no TOML", "{\"name\": \"small\"}".into()),
        ("a line is cut off", SMALL[..SMALL.len() - 20].into()),
        ("a key stands twice", SMALL.replace("slot_s = 1.0", "slot_s = 1.0\nslot_s = 2.0")),
        ("a table stands twice", format!("{SMALL}[memory]\nrefresh = \"evict\"\n")),
        ("a table is missing", SMALL.replace("[memory]\nrefresh = \"evict\"\nshared_weights = true\nkv = true\n", "")),
        ("a table is misspelt", SMALL.replace("[thought]", "[thougt]")),
        ("a choice is misspelt", SMALL.replace("[quality.linear]", "[quality.liner]")),
        ("a choice is left open", SMALL.replace("[quality.linear]\nbeta = 0.5", "[quality]")),
        ("two choices at once", SMALL.replace("[workload.poisson]", "[workload.trace]\npath = \"x\"\n[workload.poisson]")),
        ("a choice is a word", SMALL.replace("[quality.linear]\nbeta = 0.5", "").replace("slot_s = 1.0", "slot_s = 1.0\nquality = \"linear\"")),
        ("no models", SMALL.replace("[[models]]", "[[model]]")),
        ("a model twice", SMALL.replace("[thought]", "[[models]]\nname = \"a\"\nmemory_gb = 1.0\nwindow_tokens = 1.0\n[thought]")),
        ("a service of no model", SMALL.replace("model = \"a\"", "model = \"b\"")),
        ("no services", SMALL[..SMALL.find("[[services]]").unwrap()].into()),
        ("compute is priced without a speed", SMALL.replace("compute_tflop_per_s = 100.0\n", "")),
        ("a speed that nothing reads", SMALL.replace("compute_weight = 2.0", "compute_weight = 0.0")),
        ("memory for contexts of unknown size", SMALL.replace("kv_bytes_per_token = 1000.0\n", "")),
        ("sizes of contexts that nothing reads", SMALL.replace("kv = true\n", "")),
        ("users who are not told apart", SMALL.replace("scope = \"user\"", "scope = \"service\"")),
        ("contexts of users without their number", SMALL.replace("users = 5\n", "")),
        ("a price of loads that nothing reads", SMALL.replace("load_s = 1.5", "load_cost = 1.5")),
        ("a refusal that lasts, with nothing to last for", SMALL.replace("\"request\"", "\"service\"")),
        ("lengths of thoughts that are decided together", SMALL.replace("\"request\"", "\"service\"").replace("hold = true\n", "")),
        ("compute is priced without parameters", SMALL.replace("active_parameters_b = 7.0\n", "")),
        ("an alpha that the quality law does not read", SMALL.replace("[quality.linear]\nbeta = 0.5", "[quality.logarithmic]\nbase = 0.3\ngain = 0.1\nexponent = 1.0\nmax_accuracy = 0.9")),
        ("an alpha that the table does not read", SMALL.replace("[quality.linear]\nbeta = 0.5", "[quality.table]\npaths = [0.0]\naccuracy = [0.3]")),
        ("a placement that has no price", SMALL.replace("[\"edge\", \"cloud\"]", "[\"device\", \"edge\", \"cloud\"]")),
        ("a quality law without its alpha", SMALL.replace("alpha = 0.5\n", "")),
        ("load times that nothing reads", SMALL.replace("per_load_second", "per_gb")),
        ("load times missing", SMALL.replace("load_s = 1.5\n", "")),
        ("an accuracy below its base", SMALL.replace("[quality.linear]\nbeta = 0.5", "[quality.logarithmic]\nbase = 0.9\ngain = 0.1\nexponent = 1.0\nmax_accuracy = 0.3").replace("alpha = 0.5\n", "")),
        ("a recording for two cells", SMALL.replace("count = 1", "count = 2").replace("[workload.poisson]\nmean_requests_per_service = 0.7\nzipf_exponent = 1.0\nreshuffle_slots = 4", "[workload.trace]\npath = \"x\"\n[workload.trace.services.top_models]")),
        ("more slots than the recording has", SMALL.replace("horizon_slots = 9", "horizon_slots = 90").replace("[workload.poisson]\nmean_requests_per_service = 0.7\nzipf_exponent = 1.0\nreshuffle_slots = 4", "[workload.trace]\npath = \"x\"\n[workload.trace.services.top_models]")),
        ("a key with a line end", format!("\"x\\ny\" = 3\n{SMALL}")),
    ];
    let page: Vec<String> =
        cases.iter().map(|(what, text)| format!("{what}\n    {}\n", verdict(text))).collect();
    let page = page.concat();
    insta::assert_snapshot!(page);
}
