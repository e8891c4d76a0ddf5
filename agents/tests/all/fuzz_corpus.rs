//! Every input that the fuzzers found worth keeping, and every one that once broke a promise, read again.

#[path = "../../fuzz/readers/mod.rs"]
mod readers;

use std::fs;
use std::path::Path;

/// Reads every file of `corpus/TARGET` and `regressions/TARGET`; a broken promise is reported with the file's name.
fn replay(target: &str, read: fn(&[u8])) {
    let mut count = 0;
    for folder in ["corpus", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| read(&bytes));
            assert!(outcome.is_ok(), "{} breaks a promise: see above", file.display());
            count += 1;
        }
    }
    assert!(count > 0, "fuzz/corpus/{target} holds the inputs");
}

#[test]
fn every_kept_config_is_refused_with_a_line_or_can_be_played() {
    replay("config", readers::config::read);
}

#[test]
fn every_kept_trace_is_refused_with_a_line_or_can_be_replayed() {
    replay("trace", readers::trace::read);
}

#[test]
fn every_kept_checkpoint_is_refused_with_a_line_or_is_written_again_byte_for_byte() {
    replay("checkpoint", readers::checkpoint::read);
}
