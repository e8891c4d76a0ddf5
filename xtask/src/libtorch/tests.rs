//! The whole set-up with wheels of a few bytes and a python3 that is a shell script.
#![cfg(unix)]

use super::recipe::Wheel;
use super::*;
use crate::made_up_tests::{Room, zip};
use sha2::{Digest, Sha256};

/// A checkout, a shelf of wheels from which the fake pip downloads, and a note of its calls.
struct Fixture {
    room: Room,
    recipe: Recipe,
    machine: Machine,
}

const LIBRARY: &str = "pretend that this is a library";

impl Fixture {
    fn new() -> Self {
        let room = Room::new();
        let shelf = room.path().join("shelf");
        fs::create_dir(&shelf).unwrap();
        let small = zip(&[("nvidia/lib/libcupti.so", LIBRARY), ("nvidia/lib/unwanted.so", LIBRARY)]);
        let large = zip(&[
            ("torch/include/", ""),
            ("torch/include/torch/csrc/api/include/torch/torch.h", "// header"),
            ("torch/include/ATen/ATen.h", "// header"),
            ("torch/lib/libtorch_cpu.so", LIBRARY),
            ("torch/lib/libtorch_cuda.so", LIBRARY),
            ("torch/__init__.py", "pass"),
        ]);
        let keep_small = &["nvidia/lib/libcupti.so"];
        let keep_large = &["torch/include/", "torch/lib/libtorch_cpu.so"];
        let wheels = vec![
            wheel("nvidia-cuda-cupti==13.0.85", "cupti.whl", &small, keep_small),
            wheel("torch==2.11.0", "torch.whl", &large, keep_large),
        ];
        fs::write(shelf.join("cupti.whl"), small).unwrap();
        fs::write(shelf.join("torch.whl"), large).unwrap();
        let recipe = Recipe {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            wheels,
            kept_bytes: 1_000,
            makes_stub: false,
            is_tried: true,
        };
        let machine = Machine {
            python: "/nonexistent/python3".into(),
            cc: vec!["true".to_owned()],
            cxx: vec!["true".to_owned()],
            ..Machine::this()
        };
        let mut fixture = Self { room, recipe, machine };
        fixture.python("cp \"$shelf/$file\" \"$to\"");
        fixture
    }

    /// A python3 whose `pip download` runs `body`, knowing `$shelf`, `$file`, `$to` and `$TMPDIR`.
    fn python(&mut self, body: &str) {
        let root = self.room.path().display();
        let script = format!(
            "case \"$1 $2 $3\" in
              '-c '*) echo 3.11; exit 0;;
              '-m pip --version') exit 0;;
            esac
            shelf='{root}/shelf'
            while [ $# -gt 0 ]; do
              if [ \"$1\" = -d ]; then to=\"$2\"; fi
              last=\"$1\"; shift
            done
            echo \"$last\" >> '{root}/calls'
            case \"$last\" in torch*) file=torch.whl;; *) file=cupti.whl;; esac
            {body}"
        );
        self.machine.python = self.room.script("python3", &script).into_os_string();
    }

    fn set_up(&self) -> Result<()> {
        set_up(&self.recipe, &self.workspace(), &self.machine)
    }

    fn workspace(&self) -> Workspace {
        Workspace::at(self.room.path())
    }

    fn libtorch(&self) -> PathBuf {
        self.workspace().libtorch()
    }

    fn downloads(&self) -> PathBuf {
        self.room.path().join(".libtorch.download")
    }

    /// What pip was asked for since the last question.
    fn calls(&self) -> Vec<String> {
        let path = self.room.path().join("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }

    /// The message of a failed set-up, without the name of the temporary folder.
    fn failure(&self) -> String {
        let failure = self.set_up().unwrap_err();
        assert_eq!(crate::failure::exit_code(&failure), 2);
        failure.to_string().replace(self.room.path().to_str().unwrap(), "ROOM")
    }

    /// Names in the room that begin with `.libtorch`.
    fn traces(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.room.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.filter(|name| name.starts_with(".libtorch")).collect();
        names.sort();
        names
    }
}

fn wheel(requirement: &str, file: &str, content: &[u8], keep: &[&str]) -> Wheel {
    Wheel {
        requirement: requirement.to_owned(),
        file: file.to_owned(),
        bytes: content.len() as u64,
        sha256: download::hex(&Sha256::digest(content)),
        keep: keep.iter().map(|&name| name.to_owned()).collect(),
    }
}

#[test]
fn libtorch_is_what_the_recipe_keeps_and_nothing_else_is_left() {
    let fixture = Fixture::new();
    fixture.set_up().unwrap();
    let libtorch = fixture.libtorch();
    assert_eq!(fs::read_to_string(libtorch.join("build-version")).unwrap(), "2.11.0\n");
    assert_eq!(fs::read_to_string(libtorch.join("lib/libtorch_cpu.so")).unwrap(), LIBRARY);
    assert_eq!(fs::read_to_string(libtorch.join("include/ATen/ATen.h")).unwrap(), "// header");
    assert_eq!(fs::read_dir(libtorch.join("lib")).unwrap().count(), 2, "no CUDA, nothing unwanted");
    assert_eq!(fixture.traces(), [".libtorch"]);
    assert_eq!(fixture.calls(), ["nvidia-cuda-cupti==13.0.85", "torch==2.11.0"]);
}

#[test]
fn a_second_set_up_asks_nobody() {
    let mut fixture = Fixture::new();
    fixture.set_up().unwrap();
    fixture.calls();
    fixture.machine.python = "/nonexistent/python3".into();
    fixture.machine.cxx = vec!["/nonexistent/c++".to_owned()];
    fixture.machine.free_bytes = |_| Ok(0);
    fixture.set_up().unwrap();
    assert_eq!(fixture.calls(), [""; 0]);
}

#[test]
fn a_libtorch_of_another_version_or_with_an_empty_library_is_replaced() {
    for (file, text) in [("build-version", "2.10.0\n"), ("lib/libcupti.so", "")] {
        let fixture = Fixture::new();
        fixture.set_up().unwrap();
        fs::write(fixture.libtorch().join(file), text).unwrap();
        fs::write(fixture.libtorch().join("stray"), "of the old one").unwrap();
        fixture.set_up().unwrap();
        assert!(is_whole(&fixture.recipe, &fixture.libtorch()), "{file}");
        assert!(!fixture.libtorch().join("stray").exists());
        assert_eq!(fixture.traces(), [".libtorch"]);
    }
}

#[test]
fn a_whole_wheel_from_before_is_used_again_and_half_a_one_is_not() {
    let fixture = Fixture::new();
    let downloads = fixture.downloads();
    fs::create_dir(&downloads).unwrap();
    let shelf = fixture.room.path().join("shelf");
    fs::copy(shelf.join("cupti.whl"), downloads.join("cupti.whl")).unwrap();
    let torch = fs::read(shelf.join("torch.whl")).unwrap();
    fs::write(downloads.join("torch.whl"), &torch[..torch.len() / 2]).unwrap();
    fixture.set_up().unwrap();
    assert_eq!(fixture.calls(), ["torch==2.11.0"]);
}

#[test]
fn a_wheel_of_the_right_size_with_one_wrong_byte_is_not_used_again() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.downloads()).unwrap();
    for file in ["cupti.whl", "torch.whl"] {
        let mut bytes = fs::read(fixture.room.path().join("shelf").join(file)).unwrap();
        bytes[50] ^= 1;
        fs::write(fixture.downloads().join(file), bytes).unwrap();
    }
    fixture.set_up().unwrap();
    assert_eq!(fixture.calls().len(), 2);
}

#[test]
fn with_all_wheels_from_before_no_python_is_needed() {
    let mut fixture = Fixture::new();
    fs::create_dir(fixture.downloads()).unwrap();
    for file in ["cupti.whl", "torch.whl"] {
        fs::copy(fixture.room.path().join("shelf").join(file), fixture.downloads().join(file)).unwrap();
    }
    fixture.machine.python = "/nonexistent/python3".into();
    fixture.set_up().unwrap();
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.downloads().join("partial/pip-unpack-1")).unwrap();
    fs::write(fixture.downloads().join("partial/pip-unpack-1/torch.whl"), "half").unwrap();
    fs::create_dir_all(fixture.room.path().join(".libtorch.partial-7/lib")).unwrap();
    fs::create_dir_all(fixture.room.path().join(".libtorch.old-7/lib")).unwrap();
    fixture.set_up().unwrap();
    assert_eq!(fixture.traces(), [".libtorch"]);
}

#[test]
fn a_wheel_with_another_checksum_is_refused_and_thrown_away() {
    let mut fixture = Fixture::new();
    fixture.python("echo 'something else' > \"$to/$file\"");
    insta::assert_snapshot!(fixture.failure().replace(&fixture.recipe.wheels[0].sha256, "EXPECTED"), @r"
    wrong checksum: cupti.whl is not the file that this project was tried with
      expected sha256 EXPECTED
      got      sha256 a1621be95040239ee14362c16e20510ddc20f527d772d823b2a1679b33f5cd74
      it was thrown away; type again:  cargo xtask setup
      if it happens again, pip takes it from elsewhere; see what redirects it:  ROOM/python3 -m pip config list
    ");
    assert!(!fixture.downloads().join("cupti.whl").exists());
    assert!(!fixture.downloads().join("partial").exists());
    assert!(!fixture.libtorch().exists());
}

#[test]
fn a_wheel_of_another_name_is_refused() {
    let mut fixture = Fixture::new();
    fixture.python("cp \"$shelf/$file\" \"$to/cupti-14.whl\"");
    insta::assert_snapshot!(fixture.failure(), @r"
    pip did not bring cupti.whl but cupti-14.whl
      see what redirects it:  ROOM/python3 -m pip config list
    ");
}

#[test]
fn a_failed_download_points_to_what_pip_said_and_keeps_what_is_whole() {
    let mut fixture = Fixture::new();
    fixture.python(
        "if [ $file = cupti.whl ]; then cp \"$shelf/$file\" \"$to\"; exit 0; fi
         echo half > \"$TMPDIR/torch.whl.part\"
         echo 'ERROR: no matching distribution' >&2; exit 1",
    );
    insta::assert_snapshot!(fixture.failure(), @r#"
    the download of torch==2.11.0 failed: "ROOM/python3 -m pip" ended with exit status 1, and says why above
      see that the package index can be reached (behind a proxy: set HTTPS_PROXY), then type the command again
      without a network: bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1
    "#);
    assert_eq!(fixture.calls().len(), 2);
    assert!(fixture.downloads().join("cupti.whl").exists());
    fixture.python("cp \"$shelf/$file\" \"$to\"");
    fixture.set_up().unwrap();
    assert_eq!(fixture.calls(), ["torch==2.11.0"]);
}

#[test]
fn too_little_disk_is_noticed_before_the_download() {
    let mut fixture = Fixture::new();
    fixture.machine.free_bytes = |_| Ok(100);
    assert!(fixture.failure().starts_with("not enough disk for libtorch: "));
    assert_eq!(fixture.calls(), [""; 0]);
}

#[test]
fn a_python_without_pip_and_an_old_one_are_told_apart() {
    let mut fixture = Fixture::new();
    let script =
        "if [ \"$1\" = -c ]; then echo 3.11; exit 0; fi; echo \"$0: No module named pip\" >&2; exit 1";
    fixture.machine.python = fixture.room.script("without-pip", script).into_os_string();
    insta::assert_snapshot!(fixture.failure(), @r#"
    python3 has no pip: "ROOM/without-pip -m pip" said: ROOM/without-pip: No module named pip
      it is needed once, to download libtorch
      install it:       apt-get install python3-pip           (Debian, Ubuntu)
                        dnf install python3-pip               (Fedora)
                        ROOM/without-pip -m ensurepip --user
      or name another:  PYTHON=/path/to/python3 cargo xtask setup
    "#);
    fixture.machine.python = fixture.room.script("old", "echo 3.8").into_os_string();
    insta::assert_snapshot!(fixture.failure(), @r#"
    python is too old: "ROOM/old" is 3.8, 3.9 or later is needed to download libtorch
      name another:  PYTHON=/path/to/python3 cargo xtask setup
    "#);
}

#[test]
fn a_compiler_that_finds_no_headers_is_no_compiler() {
    let mut fixture = Fixture::new();
    let body = "cat > /dev/null; echo \"<stdin>:1:10: fatal error: vector: No such file or directory\" >&2
                echo 'compilation terminated.' >&2; exit 1";
    let script = fixture.room.script("c++", body);
    fixture.machine.cxx = vec![script.display().to_string()];
    insta::assert_snapshot!(fixture.failure(), @r#"
    no working C++ compiler: "ROOM/c++" said: <stdin>:1:10: fatal error: vector: No such file or directory
      it is needed to build what lies between Rust and libtorch
      install it:       apt-get install g++                   (Debian, Ubuntu)
                        dnf install gcc-c++                   (Fedora)
                        xcode-select --install                (macOS)
      or name another:  CXX=/path/to/compiler cargo xtask setup
    "#);
    assert_eq!(fixture.calls(), [""; 0], "noticed before the download");
}

#[test]
fn a_wheel_that_lacks_what_the_recipe_names_is_the_recipes_mistake() {
    let mut fixture = Fixture::new();
    fixture.recipe.wheels[0].keep = vec!["nvidia/lib/libmoved.so".to_owned()];
    insta::assert_snapshot!(fixture.failure(), @r"
    ROOM/.libtorch.download/cupti.whl has no nvidia/lib/libmoved.so
      this is a mistake of the recipe in xtask/libtorch.toml; please report it
    ");
    assert_eq!(fixture.traces(), [".libtorch.download"], "nothing half made");
}

#[test]
fn a_stub_that_cannot_be_linked_repeats_the_linker() {
    let mut fixture = Fixture::new();
    fixture.recipe.makes_stub = true;
    let body =
        "case \"$*\" in *-shared*) echo 'ld: cannot find -l:libc10.so' >&2; exit 1;; esac; cat > /dev/null";
    fixture.machine.cc = vec![fixture.room.script("cc", body).display().to_string()];
    insta::assert_snapshot!(fixture.failure(), @r#"
    the C compiler could not link libtorch.so: "ROOM/cc" said
        ld: cannot find -l:libc10.so
      see that a linker is installed:  apt-get install g++   (Debian, Ubuntu)
    "#);
}

#[test]
fn a_second_run_waits_for_the_first_and_finds_its_work() {
    let fixture = Fixture::new();
    let held = lock(fixture.room.path()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fixture.set_up());
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!waiting.is_finished(), "waits while the lock is held");
        assert_eq!(fixture.calls(), [""; 0]);
        drop(held);
        waiting.join().unwrap().unwrap();
    });
    assert!(is_whole(&fixture.recipe, &fixture.libtorch()));
}

#[test]
fn the_users_choice_comes_first_and_pytorch_before_all() {
    let workspace = Workspace::at(Path::new("/some/checkout"));
    let choice =
        |pytorch, libtorch: Option<&str>| Choice::of(&workspace, pytorch, libtorch.map(PathBuf::from));
    assert_eq!(choice(false, None), Choice::Ours);
    assert_eq!(choice(false, Some("/some/checkout/.libtorch")), Choice::Ours);
    assert_eq!(choice(false, Some("/opt/libtorch")), Choice::Own(PathBuf::from("/opt/libtorch")));
    assert_eq!(choice(true, Some("/opt/libtorch")), Choice::PyTorch);
}

#[test]
fn a_libtorch_of_the_users_own_is_looked_at_and_left_alone() {
    let room = Room::new();
    let machine = Machine { os: "linux".to_owned(), ..Machine::this() };
    let own = room.path().join("own");
    let verify = || {
        let verified = verify_own(&own, &machine).map_err(|failure| failure.to_string());
        verified.map_err(|text| text.replace(room.path().to_str().unwrap(), "ROOM"))
    };
    insta::assert_snapshot!(verify().unwrap_err(), @r"
    LIBTORCH=ROOM/own cannot be used: there is no ROOM/own/include/torch/csrc/api/include/torch/torch.h
      point it to a whole libtorch 2.11.0, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup
    ");
    for file in [HEADER, "lib/libtorch.so", "lib/libtorch_cpu.so", "lib/libc10.so"] {
        fs::create_dir_all(own.join(file).parent().unwrap()).unwrap();
        fs::write(own.join(file), LIBRARY).unwrap();
    }
    assert_eq!(verify(), Ok(own.join("lib")), "a version that is not told is trusted");
    fs::write(own.join("version.py"), "__all__ = []\n__version__ = '2.10.0+cpu'\n").unwrap();
    insta::assert_snapshot!(verify().unwrap_err(), @r"
    LIBTORCH=ROOM/own cannot be used: it is version 2.10.0+cpu, and the crate tch needs 2.11.0
      point it to a whole libtorch 2.11.0, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup
    ");
    fs::write(own.join("version.py"), "__version__ = '2.11.0+cu130'\n").unwrap();
    assert_eq!(verify(), Ok(own.join("lib")));
    fs::write(own.join("build-version"), "2.11.0+cpu\n").unwrap();
    assert_eq!(verify(), Ok(own.join("lib")));
    fs::write(own.join("build-version"), "2.1.0\n").unwrap();
    assert!(verify().unwrap_err().contains("it is version 2.1.0"));
}

#[test]
fn a_relative_libtorch_is_refused() {
    insta::assert_snapshot!(verify_own(Path::new("libtorch"), &Machine::this()).unwrap_err(), @r"
    LIBTORCH=libtorch cannot be used: it must be an absolute path, since cargo builds in several folders
      point it to a whole libtorch 2.11.0, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup
    ");
}
