//! Every flag of every command: unknown, without a value, with a bad one, in bad company.

use super::super::Desk;
use super::assert_mistakes;

#[test]
fn of_the_program_and_its_commands() {
    assert_mistakes(
        "flags_program",
        &Desk::new(),
        &[
            "tran",
            "--jsn doctor",
            "doctor now",
            "bench",
            "trace",
            "trace replya x",
            "scenario",
            "scenario lst",
            "scenario list tight",
        ],
    );
}

#[cfg(feature = "torch")]
#[test]
fn of_training() {
    let desk = Desk::new();
    desk.write("x.toml", "");
    assert_mistakes(
        "flags_train",
        &desk,
        &[
            "train",
            "train --config",
            "train x.toml",
            "train --confg x.toml",
            "train --config x.toml --config x.toml",
            "train --config x.toml --seed",
            "train --config x.toml --seed -1",
            "train --config x.toml --seed 1.5",
            "train --config x.toml --seed 99999999999999999999",
            "train --config x.toml --out",
            "train --config x.toml --set",
            "train --config x.toml --set seed",
            "train --config x.toml --set =3",
            "train --config x.toml --set seed=3 --seed 4",
            "train --config x.toml --time-limit soon",
            "train --config x.toml --time-limit -1",
            "train --config x.toml --time-limit 0s",
            "train --config x.toml --from last",
            "train --resume",
            "train --resume missing --from",
            "verify",
            "verify resume",
            "verify determinism",
            "verify determinsm x.toml",
            "verify determinism x.toml --decisions 0",
            "verify determinism x.toml --decisions many",
            "bench train --config x.toml --decisions 0",
            "bench train --config x.toml --at-least fast",
        ],
    );
}

#[test]
fn of_playing() {
    assert_mistakes(
        "flags_play",
        &Desk::new(),
        &[
            "evaluate",
            "evaluate --scenario tight",
            "evaluate lru --scenario",
            "evaluate lru --scenario tight --scenario paper",
            "evaluate lru --scenario tight --episodes 0",
            "evaluate lru --scenario tight --episodes 1000001",
            "evaluate lru --scenario tight --episodes 1e3",
            "evaluate lru --scenario tight --episodes",
            "evaluate lru --scenario tight --seed -1",
            "evaluate lru --scenario tight --baseline lru",
            "compare --scenario tight --only",
            "compare --scenario tight --baseline lruu",
            "compare --scenario tight least_aot",
            "compare --scenario tight --sweep",
            "compare --scenario tight --sweep scenario.slot_s",
            "compare --scenario tight --sweep scenario.slot_s=1,,2",
            "compare --scenario tight --sweep scenario.slot_s=1,1",
            "compare --scenario tight --sweep slot_s=1,2",
            "compare --scenario tight --sweep scenario.slots=1,2",
            "compare --scenario tight --sweep scenario.slot_s=1,0",
            "compare --scenario tight --sweep scenario.slot_s=1,2 --set scenario.slot_s=3",
            "tune --scenario tight --policy desnity",
            "tune --scenario tight --episodes 0",
            "bench env --lanes 0",
            "bench env --seconds 0",
            "bench env --seconds nan",
            "bench env --at-least x",
            "scenario describe tight --slot x",
            "scenario describe tight --slot -1",
            "scenario describe tight --slot 200",
            "scenario describe tight --policy leastaot",
            "scenario check",
            "scenario show tight paper",
        ],
    );
}

#[test]
fn of_recordings() {
    let desk = Desk::new();
    desk.write("x.csv", "");
    assert_mistakes(
        "flags_trace",
        &desk,
        &[
            "trace import",
            "trace import x.csv",
            "trace import x.csv --format",
            "trace import x.csv --format csv",
            "trace import x.csv --format azur",
            "trace import x.csv --format azure --load-times x.csv",
            "trace import x.csv --format azure --out",
            "trace stats",
            "trace stats x.csv --slot-s",
            "trace stats x.csv --slot-s one",
            "trace stats x.csv --format csv",
            "trace stats x.csv --format throughput --slot-s 1",
            "trace stats x.csv --scenario tight",
            "trace stats x.csv --set scenario.horizon_slots=5",
            "trace check",
            "trace check x.csv x.csv",
            "trace replay",
            "trace replay x.bin",
            "trace replay x.bin --capacity",
            "trace replay x.bin --capacity 0",
            "trace replay x.bin --capacity -1",
            "trace replay x.bin --capacity 1.5GiB",
            "trace replay x.bin --capacity 1MiB,",
            "trace replay x.bin --capacity 1Mib",
            "trace replay x.bin --capacity 99999999TiB",
            "trace replay x.bin --capacity 1 --policy",
            "trace replay x.bin --capacity 1 --policy lruu",
            "trace replay x.bin --capacity 1 --policy lru,quicksort",
            "trace replay x.bin --capacity 1MiB --unit-sizes",
            "trace replay x.bin --capacity 1 --out-csv - --json",
            "trace replay x.bin --capacity 1 --out-csv",
        ],
    );
}
