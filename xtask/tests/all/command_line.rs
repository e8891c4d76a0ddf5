//! The program as it is typed: exit codes, messages, and what each command calls.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

static SCRIPTS: Mutex<()> = Mutex::new(());

/// A machine of shell scripts (`bin/`) and a checkout that holds a finished libtorch or none. One at a time: a script
/// cannot be started while another thread still has it open on its way to a program of its own.
struct Machine {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// A python whose pip installs a uv, whose maturin makes wheels, and which notes modules that are run but for pip.
const PYTHON: &str = "[ \"$1\" = -c ] && echo 3.11
    [ \"$1 $2\" = '-m pip' ] || [ \"$1\" = -c ] || echo \"${LIBTORCH-unset} $*\" >> \"$MACHINE/calls\"
    case \"$2 $*\" in pytest*\"$FAILS\") exit 1;; esac
    while [ $# -gt 0 ]; do
      [ \"$1\" = --target ] && mkdir \"$2/bin\" && cp \"${2%/.venv*}/../bin/uv\" \"$2/bin\"
      [ \"$1\" = --out ] && echo wheel > \"$2/thoughtcache-1.whl\" && echo trainer > \"$2/thoughtcache_cli-1.whl\"
      shift
    done
    exit 0";

impl Machine {
    /// Python with pip and compilers; no libtorch yet.
    fn new() -> Self {
        let alone = SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = Self { folder: TempDir::new().unwrap(), _alone: alone };
        fs::create_dir_all(machine.path("bin")).unwrap();
        fs::create_dir_all(machine.root().join("xtask")).unwrap();
        for tool in ["cat", "cp", "mkdir"] {
            let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
            symlink(real.iter().find(|path| path.exists()).unwrap(), machine.path("bin").join(tool)).unwrap();
        }
        machine.script("bin/cc", "cat > /dev/null");
        machine.script("bin/c++", "cat > /dev/null");
        machine.script("bin/python3", PYTHON);
        machine.script("bin/uv", "[ \"$2\" = venv ] && mkdir \"$7/bin\" && cp \"${0%/.venv*}/../bin/python3\" \"$7/bin/python\"; exit 0");
        machine
    }

    /// The same, with a libtorch that nobody needs to download.
    fn with_libtorch() -> Self {
        let machine = Self::new();
        let libtorch = machine.root().join(".libtorch");
        let libraries = ["torch.so", "torch_cpu.so", "c10.so", "gomp.so.1", "cupti.so.13", "cudart.so.13"];
        let more =
            ["arm_compute.so", "arm_compute_graph.so", "nvpl_blas_core.so.0", "nvpl_blas_lp64_gomp.so.0"];
        let last = ["nvpl_lapack_core.so.0", "nvpl_lapack_lp64_gomp.so.0"];
        let mac = ["torch.dylib", "torch_cpu.dylib", "c10.dylib", "omp.dylib"];
        let all = libraries.iter().chain(&more).chain(&last).chain(&mac);
        for library in all {
            machine.write(&libtorch.join(format!("lib/lib{library}")), "library");
        }
        machine.write(&libtorch.join("include/torch/csrc/api/include/torch/torch.h"), "// header");
        machine.write(&libtorch.join("build-version"), "2.11.0\n");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("checkout")
    }

    fn write(&self, path: &Path, text: &str) {
        assert!(path.starts_with(self.folder.path()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn without(&self, tool: &str) -> &Self {
        fs::remove_file(self.path("bin").join(tool)).unwrap();
        self
    }

    /// xtask as cargo would run it in the checkout; `beside` is the folder of the finished programs.
    fn xtask(&self, words: &str) -> Command {
        let beside = self.path("target/release");
        fs::create_dir_all(&beside).unwrap();
        let program = beside.join("xtask");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
        }
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("CARGO_MANIFEST_DIR", self.root().join("xtask"));
        command.env("LIBTORCH", self.root().join(".libtorch")); // as the configuration of cargo does
        command.args(words.split_whitespace()).current_dir(self.root());
        command
    }

    fn clean(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(self.folder.path().to_str().unwrap(), "MACHINE")
    }

    /// Exit code, stdout, stderr.
    fn outcome(&self, command: &mut Command) -> (i32, String, String) {
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code().unwrap(), self.clean(&stdout), self.clean(&stderr))
    }

    /// What a `setup` that cannot work says.
    fn refused(&self) -> String {
        let (code, stdout, stderr) = self.outcome(&mut self.xtask("setup"));
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        let (_, error) = stderr.split_once("error: ").unwrap();
        error.to_owned()
    }
}

#[test]
fn help_is_printed_and_a_mistyped_command_is_refused() {
    let machine = Machine::new();
    let (code, stdout, stderr) = machine.outcome(&mut machine.xtask("help"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("setup") && stdout.contains("demo") && stdout.contains("test"));
    let (code, stdout, stderr) = machine.outcome(&mut machine.xtask("tets"));
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("unrecognized subcommand 'tets'"), "{stderr}");
}

#[test]
fn a_finished_libtorch_is_all_that_set_up_asks_for() {
    let machine = Machine::with_libtorch();
    for tool in ["cc", "c++", "python3"] {
        machine.without(tool);
    }
    let (code, stdout, stderr) = machine.outcome(&mut machine.xtask("setup"));
    assert_eq!((code, stdout.as_str()), (0, ""));
    insta::assert_snapshot!(stderr, @"libtorch 2.11.0 is in MACHINE/checkout/.libtorch");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod linux {
    use super::*;

    #[test]
    fn no_python_is_said_so() {
        let machine = Machine::new();
        insta::assert_snapshot!(machine.without("python3").refused(), @r#"
        no python3: "python3" did not run: not found
          it is needed once, to download libtorch with pip
          install it:       apt-get install python3 python3-pip   (Debian, Ubuntu)
                            dnf install python3 python3-pip       (Fedora)
                            brew install python                   (macOS)
          or name another:  PYTHON=/path/to/python3 cargo xtask setup
        "#);
    }

    #[test]
    fn python_without_pip_is_said_so() {
        let machine = Machine::new();
        let body = "[ \"$1\" = -c ] && echo 3.11 && exit 0; echo '/usr/bin/python3: No module named pip' >&2; exit 1";
        machine.script("bin/python3", body);
        insta::assert_snapshot!(machine.refused(), @r#"
        python3 has no pip: "python3 -m pip" said: /usr/bin/python3: No module named pip
          it is needed once, to download libtorch
          install it:       apt-get install python3-pip           (Debian, Ubuntu)
                            dnf install python3-pip               (Fedora)
                            python3 -m ensurepip --user
          or name another:  PYTHON=/path/to/python3 cargo xtask setup
        "#);
    }

    #[test]
    fn a_python_can_be_chosen() {
        let machine = Machine::new();
        machine.without("python3").script("bin/mine", "echo 3.7");
        let (code, _, stderr) = machine.outcome(machine.xtask("setup").env("PYTHON", "mine"));
        assert_eq!(code, 2);
        assert!(stderr.contains("\"mine\" is 3.7, 3.9 or later is needed"), "{stderr}");
    }

    #[test]
    fn no_compiler_is_said_so() {
        let machine = Machine::new();
        insta::assert_snapshot!(machine.without("c++").refused(), @r#"
        no working C++ compiler: "c++" said: not found
          it is needed to build what lies between Rust and libtorch
          install it:       apt-get install g++                   (Debian, Ubuntu)
                            dnf install gcc-c++                   (Fedora)
                            xcode-select --install                (macOS)
          or name another:  CXX=/path/to/compiler cargo xtask setup
        "#);
        assert!(machine.without("cc").refused().starts_with("no working C compiler: \"cc\" said: not found"));
    }

    #[test]
    fn a_compiler_can_be_chosen_with_its_arguments() {
        let machine = Machine::new();
        machine.without("c++").script("bin/wrapper", "cat > /dev/null; [ \"$1\" = my-c++ ]");
        let (_, _, stderr) = machine.outcome(machine.xtask("setup").env("CXX", "wrapper my-c++"));
        assert!(!stderr.contains("compiler"), "{stderr}");
    }

    #[test]
    fn no_network_is_said_in_the_words_of_pip() {
        let machine = Machine::new();
        let body = "[ \"$1\" = -c ] && echo 3.11 && exit 0
                    [ \"$3\" = --version ] && exit 0
                    echo 'WARNING: Retrying after connection broken: Failed to establish a new connection' >&2
                    echo 'ERROR: No matching distribution found' >&2; exit 1";
        machine.script("bin/python3", body);
        let (_, _, stderr) = machine.outcome(&mut machine.xtask("setup"));
        let (_, told) = stderr.split_once("WARNING: ").unwrap();
        insta::assert_snapshot!(told, @r#"
        Retrying after connection broken: Failed to establish a new connection
        ERROR: No matching distribution found
        error: the download of nvidia-cuda-runtime==13.0.96 failed: "python3 -m pip" ended with exit status 1, and says why above
          see that the package index can be reached (behind a proxy: set HTTPS_PROXY), then type the command again
          without a network: bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1
        "#);
    }

    #[test]
    fn a_file_that_is_not_the_wheel_is_refused_by_its_checksum() {
        let machine = Machine::new();
        let body = "[ \"$1\" = -c ] && echo 3.11 && exit 0
                    [ \"$3\" = --version ] && exit 0
                    while [ \"$1\" != -d ]; do shift; done
                    echo no wheel > \"$2/nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl\"";
        machine.script("bin/python3", body);
        insta::assert_snapshot!(machine.refused(), @r"
        wrong checksum: nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl is not the file that this project was tried with
          expected sha256 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
          got      sha256 db2f18ec4a074ac561622712af4a91565e0b148f21312b1d06d97dc7b0b50efa
          it was thrown away; type again:  cargo xtask setup
          if it happens again, pip takes it from elsewhere; see what redirects it:  python3 -m pip config list
        ");
    }
}

#[test]
fn a_libtorch_of_the_users_own_that_is_not_whole_is_refused() {
    let machine = Machine::with_libtorch();
    let (code, _, stderr) = machine.outcome(machine.xtask("setup").env("LIBTORCH", machine.path("own")));
    assert_eq!(code, 2);
    insta::assert_snapshot!(stderr, @r"
    error: LIBTORCH=MACHINE/own cannot be used: there is no MACHINE/own/include/torch/csrc/api/include/torch/torch.h
      point it to a whole libtorch 2.11.0, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup
    ");
}

#[test]
fn a_whole_libtorch_of_the_users_own_needs_no_set_up() {
    let machine = Machine::with_libtorch();
    fs::rename(machine.root().join(".libtorch"), machine.path("own")).unwrap();
    let (code, _, stderr) = machine.outcome(machine.xtask("setup").env("LIBTORCH", machine.path("own")));
    assert_eq!(code, 0, "{stderr}");
    assert!(!machine.root().join(".libtorch").exists());
}

#[test]
fn a_pytorch_is_used_when_it_is_asked_for_and_fits() {
    let machine = Machine::new();
    machine.script("bin/python3", "echo 2.11.0+cpu; echo /opt/site-packages/torch");
    let setup = || {
        let mut command = machine.xtask("setup");
        command.env("LIBTORCH_USE_PYTORCH", "1");
        machine.outcome(&mut command)
    };
    assert_eq!(setup().2, "libtorch 2.11.0+cpu is in /opt/site-packages/torch (LIBTORCH_USE_PYTORCH)\n");
    machine.script("bin/python3", "echo 2.9.1; echo /opt/site-packages/torch");
    let (code, _, stderr) = setup();
    assert_eq!(code, 2);
    insta::assert_snapshot!(stderr, @r"
    error: LIBTORCH_USE_PYTORCH is set, but the torch of python3 is 2.9.1, and the crate tch needs 2.11.0
      install it:              python3 -m pip install torch==2.11.0
      or have one downloaded:  env -u LIBTORCH_USE_PYTORCH cargo xtask setup
    ");
    machine.script("bin/python3", "echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1");
    assert!(setup().2.contains("cannot import torch: ModuleNotFoundError: No module named 'torch'"));
}

/// A cargo that notes what it is asked and with which LIBTORCH, and prints what tests print.
const CARGO: &str = "echo \"${LIBTORCH-unset} $*\" >> \"$MACHINE/calls\"
    case \"$1 $*\" in
      test*) echo 'skipped: recorded data is not here'; echo 'test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s';;
    esac
    case \"$*\" in *\"$FAILS\"*) exit 101;; esac";

fn with_cargo(machine: &Machine, words: &str, fails: &str) -> (i32, String, String, Vec<String>) {
    machine.script("bin/cargo", CARGO);
    let mut command = machine.xtask(words);
    command.env("MACHINE", machine.folder.path()).env("FAILS", fails);
    let (code, stdout, stderr) = machine.outcome(&mut command);
    let calls = fs::read_to_string(machine.path("calls")).unwrap_or_default();
    (code, stdout, stderr, machine.clean(calls.as_bytes()).lines().map(str::to_owned).collect())
}

#[test]
fn test_runs_every_step_and_passes_on_the_lines_of_the_tests() {
    let machine = Machine::with_libtorch();
    let (code, stdout, stderr, calls) = with_cargo(&machine, "test", "nothing");
    assert_eq!(code, 0, "{stderr}");
    insta::assert_snapshot!(calls.join("\n"), @r"
    unset fmt --version
    unset clippy --version
    unset fmt --all -- --check
    unset clippy --release --workspace --all-targets -- -D warnings
    /no/libtorch/is/needed/here check --release -p thoughtcache-agents -p thoughtcache --all-targets --no-default-features
    unset doc --release --workspace --no-deps
    /no/libtorch/is/needed/here test --release --no-fail-fast --workspace --exclude thoughtcache-py --test cli --no-default-features without_torch
    unset test --release --no-fail-fast --workspace --exclude thoughtcache-py -- --show-output
    unset run --release --quiet -p xtask -- docs --built
    ");
    assert_eq!(stdout.matches("test result: ok. 7 passed;").count(), 2);
    assert_eq!(
        stdout
            .matches("7 passed, 0 failed, 1 ignored, 1 without their recorded data, test programs: 1")
            .count(),
        2
    );
}

#[test]
fn a_quick_test_looks_at_the_format_and_runs_the_unit_tests() {
    let machine = Machine::with_libtorch();
    let (code, _, stderr, calls) = with_cargo(&machine, "test --quick", "nothing");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        calls[2..],
        [
            "unset fmt --all -- --check",
            "unset test --release --no-fail-fast --workspace --exclude thoughtcache-py --lib --bins",
        ]
    );
}

#[test]
fn test_goes_on_after_a_failure_and_exits_with_one() {
    let machine = Machine::with_libtorch();
    let (code, stdout, stderr, calls) = with_cargo(&machine, "test", "clippy --release --workspace");
    assert_eq!(code, 1);
    assert_eq!(calls.len(), 9, "two looks at the tools, seven steps");
    assert!(stdout.contains("  FAILED  lints"), "{stdout}");
    assert!(stderr.ends_with("error: 1 of 7 steps failed: lints, benches included\n"), "{stderr}");
}

#[test]
fn the_tests_in_python_run_in_both_environments_on_the_wheels() {
    let machine = Machine::with_libtorch();
    let (code, stdout, stderr, calls) = with_cargo(&machine, "test --python", "python/tests/rllib");
    assert_eq!(code, 1, "{stderr}");
    let portable = if cfg!(target_os = "linux") { " --zig --compatibility manylinux_2_28" } else { "" };
    let maturin = |manifest: &str, more: &str| {
        format!(
            "-m maturin build --manifest-path {manifest} --out MACHINE/target/wheels{more} --release --strip"
        )
    };
    assert_eq!(
        calls,
        [
            format!("/no/libtorch/is/needed/here {}", maturin("python/Cargo.toml", portable)),
            format!("unset {}", maturin("python/cli/Cargo.toml", "")),
            "unset -m pytest python/tests --ignore python/tests/rllib".to_owned(),
            "unset -m pytest python/tests --ignore python/tests/peers".to_owned(),
        ]
    );
    assert!(stdout.contains("MACHINE/target/wheels/thoughtcache-1.whl: 6 B in "), "{stdout}");
    assert!(stdout.contains("MACHINE/target/wheels/thoughtcache_cli-1.whl: 8 B in "), "{stdout}");
    assert!(
        stdout.contains("  FAILED  Python, Gymnasium 1.4") && stdout.contains("  ok      Python, RLlib"),
        "{stdout}"
    );
    assert!(stderr.ends_with("error: 1 of 3 steps failed: Python, Gymnasium 1.4\n"), "{stderr}");
}

#[test]
fn test_without_rustfmt_says_how_to_get_it() {
    let machine = Machine::with_libtorch();
    let (code, _, stderr, _) = with_cargo(&machine, "test", "fmt --version");
    assert_eq!(
        (code, stderr.as_str()),
        (2, "error: cargo has no `rustfmt`: install it:  rustup component add rustfmt\n")
    );
}

/// A program that notes what it is asked, and writes what it is asked to write.
const PROGRAM: &str = "echo \"$*\" >> \"$MACHINE/calls\"
    case \"$*\" in *\"$FAILS\"*) exit $CODE;; esac
    case \"$1\" in
      train) mkdir \"$5\" && echo run > \"$5/config.toml\";;
      compare) echo 'the table';;
    esac";

fn demo(machine: &Machine, fails: &str, code: &str) -> (i32, String, String, Vec<String>) {
    machine.script("bin/cargo", "echo \"cargo $*\" >> \"$MACHINE/calls\"");
    let mut command = machine.xtask("demo");
    command.env("MACHINE", machine.folder.path()).env("FAILS", fails).env("CODE", code);
    machine.script("target/release/thoughtcache", PROGRAM);
    let (code, stdout, stderr) = machine.outcome(&mut command);
    let calls = fs::read_to_string(machine.path("calls")).unwrap_or_default();
    (code, stdout, stderr, calls.lines().map(str::to_owned).collect())
}

#[test]
fn demo_builds_trains_compares_and_names_the_files() {
    let machine = Machine::with_libtorch();
    machine.write(&machine.root().join("runs/demo/ppo/stale"), "of a demo before");
    machine.write(&machine.root().join("runs/mine/config.toml"), "of somebody");
    let (code, stdout, stderr, calls) = demo(&machine, "nothing", "0");
    assert_eq!(code, 0, "{stderr}");
    insta::assert_snapshot!(calls.join("\n"), @r"
    cargo build --release
    train --config configs/experiments/demo-ppo.toml --out runs/demo/ppo
    train --config configs/experiments/demo-dqn.toml --out runs/demo/dqn
    compare --scenario street runs/demo/ppo runs/demo/dqn --out-text runs/demo/compare.txt --out-csv runs/demo/compare.csv
    ");
    assert!(stdout.starts_with("the table\n"), "{stdout}");
    assert!(
        stdout.contains("  runs/demo/compare.txt\n  runs/demo/compare.csv\n  runs/demo/ppo/\n"),
        "{stdout}"
    );
    assert!(!machine.root().join("runs/demo/ppo/stale").exists());
    assert!(machine.root().join("runs/mine/config.toml").exists());
}

#[test]
fn demo_stops_at_the_first_command_that_fails() {
    let machine = Machine::with_libtorch();
    let (code, _, stderr, calls) = demo(&machine, "demo-ppo.toml", "101");
    assert_eq!((code, calls.len()), (2, 2));
    let last = stderr.lines().last().unwrap();
    let train = "thoughtcache train --config configs/experiments/demo-ppo.toml --out runs/demo/ppo";
    assert_eq!(last, format!("error: `{train}` ended with exit status 101"));
}

#[test]
fn demo_that_is_interrupted_says_so_with_its_exit_code() {
    let machine = Machine::with_libtorch();
    assert_eq!(demo(&machine, "demo-dqn.toml", "130").0, 130);
}
