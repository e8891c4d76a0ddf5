//! Constants that are fitted to measured times.

use super::Desk;
use std::fmt::Write;
use thoughtcache_env::llm::catalogue::{Catalogue, Device, ServingConstants};
use thoughtcache_env::llm::inference::{Server, Tokens};

const HEAD: &str =
    "model,hardware,prompt_size,batch_size,token_size,prompt_time,token_time,tensor_parallel\n";

/// What an H100 that reaches .45 of its peak and .75 of its bandwidth, with 4 ms a step, takes for Llama-3.1-8B: 24 batches.
fn profile() -> String {
    let catalogue = Catalogue::shipped();
    let constants = ServingConstants::normative(0.004, 0.75, 0.45);
    let device = Device { constants, ..catalogue.device("", "h100-sxm").unwrap().clone() };
    let gpu = Server::new(&device, catalogue.model("", "llama-3.1-8b").unwrap(), 1);
    let mut text = HEAD.to_owned();
    for prompt in [256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0] {
        for batch in [1, 2, 4, 8] {
            let served = gpu.serve(&Tokens { prompt, reused: 0.0, output: 100.0 }, batch);
            let (prompt_ms, token_ms) = (1e3 * served.prefill_s, 1e3 * served.decode_s / 100.0);
            writeln!(text, "llama3,h100,{prompt},{batch},100,{prompt_ms},{token_ms},1").unwrap();
        }
    }
    text
}

#[test]
fn a_fitted_device_is_pasted_into_a_scenario_and_runs_there() {
    let desk = Desk::new();
    desk.write("profile.csv", &profile());
    let line = "catalogue fit profile.csv --model llama-3.1-8b --device h100-sxm";
    let document = desk.run(&format!("{line} --json")).expect(0).json();
    let fitted = &document["fitted"];
    for (key, value) in [("mfu", 0.45), ("eta", 0.75), ("t_step_ms", 4.0), ("bandwidth_gb_per_s", 3350.0)] {
        assert_eq!(fitted[key], value, "{key}");
    }
    assert_eq!((&fitted["name"], &fitted["sync_us"]), (&"h100-sxm-fitted".into(), &0.0.into()));
    assert_eq!((&document["measured"], &document["unseen"]["rows"]), (&"llama3 on h100".into(), &24.into()));
    for error in ["token", "prompt"] {
        assert!(document["unseen"][error].as_f64().unwrap() < 1e-3, "{document}");
        assert!(document["before"][error].as_f64().unwrap() > 0.02, "{document}");
    }
    assert_eq!(document["groups"].as_array().unwrap().len(), 24);
    let printed = desk.run(line).expect(0).stdout;
    desk.write(
        "mine.toml",
        &format!("from = \"street\"\nphysical.server.device = \"h100-sxm-fitted\"\n{printed}"),
    );
    desk.run("scenario check mine.toml").expect(0);
    // The device of a scenario can be fitted again, from what the scenario says of it.
    let again =
        format!("{} --scenario mine.toml --name again --json", line.replace("h100-sxm", "h100-sxm-fitted"));
    let again = desk.run(&again).expect(0).json();
    assert_eq!((&again["fitted"]["mfu"], &again["fitted"]["name"]), (&0.45.into(), &"again".into()));
    assert!(again["before"]["token"].as_f64().unwrap() < 1e-3, "{again}");
}

#[test]
fn what_cannot_be_fitted_is_one_message() {
    let desk = Desk::new();
    let rows = profile();
    desk.write("profile.csv", &rows);
    desk.write("bare.csv", "model,hardware,prompt_size\nllama3,h100,512\n");
    desk.write("wrong.csv", &format!("{HEAD}llama3,h100,512,1,100,fast,20.0,1\n"));
    desk.write("empty.csv", HEAD);
    desk.write("few.csv", &rows.lines().take(9).collect::<Vec<_>>().join("\n"));
    let row = format!("{}\n", rows.lines().nth(1).unwrap());
    desk.write("one.csv", &format!("{HEAD}{}", row.repeat(30)));
    desk.write("two.csv", &rows.replacen("llama3,h100", "llama3,h200", 12));
    let lines: Vec<String> = [
        "missing.csv",
        "bare.csv",
        "wrong.csv",
        "empty.csv",
        "few.csv",
        "one.csv",
        "two.csv",
        "profile.csv --profile-model llama2",
        "profile.csv --set scenario.slot_s=2",
        "profile.csv --scenario stret",
    ]
    .map(|rest| format!("catalogue fit {rest} --model llama-3.1-8b --device h100-sxm"))
    .into_iter()
    .chain(
        ["llama-3.1-8 --device h100-sxm", "llama-3.1-8b --device h100"]
            .map(|names| format!("catalogue fit profile.csv --model {names}")),
    )
    .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    super::mistakes::assert_mistakes("catalogue", &desk, &lines);
}
