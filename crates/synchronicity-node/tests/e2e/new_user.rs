//! The README, tried by somebody who has nothing but a running group: trust, install, verify, audit, gate, rebuild; then
//! the same with the network cut, where it is said to work offline.
//!
//! One small crate by default. For others, as the five of the issue that asked for it:
//!
//! ```text
//! SYNCHRONICITY_CRATES="is_ci@1.2.0 rustfilt@0.2.1 hexyl@0.17.0 hyperfine@1.19.0 b3sum@1.5.4" \
//!     ./test -p synchronicity-node --test e2e somebody_new
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::Test;
use crate::devnet::{Running, data, start};
use crate::machine::Need::{Embedded, Registry};
use crate::verifier::client;

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new(
        "somebody_new_does_what_the_readme_says_and_goes_on_without_a_network",
        &[Embedded, Registry],
        readme,
    )]
}

const CRATES: &str = "is_ci@1.2.0";

/// Exit codes that docs/client.md promises.
const USAGE: i32 = 2;
const INVALID: i32 = 40;
const MISMATCH: i32 = 42;
const TRY_LATER: i32 = 75;

/// Somebody with a home of their own, who knows the address of a node.
struct Somebody {
    home: tempfile::TempDir,
    node: String,
}

impl Somebody {
    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// What the client says, run where there is a network, or in a network of its own that leads nowhere.
    #[track_caller]
    fn runs(&self, online: bool, code: i32, words: &[&str]) -> String {
        let mut command = if online {
            Command::new(client())
        } else {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--net"]).arg(client());
            command
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SYNCHRONICITY_")) {
            command.env_remove(name);
        }
        for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CARGO_INSTALL_ROOT"] {
            command.env_remove(name);
        }
        // A home of their own, with the compiler of this machine.
        let rustup = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
        let rustup = rustup.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustup")));
        command.envs(rustup.map(|rustup| ("RUSTUP_HOME", rustup)));
        command.env("HOME", self.home.path()).env("CARGO_HOME", self.path(".cargo"));
        let output = command.args(words).current_dir(self.path("project")).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?} (network: {online}):\n{said}{err}");
        said
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.runs(true, 0, &[words, &["--json"]].concat())).unwrap()
    }
}

/// A group that runs until this is dropped.
struct Group(Option<Running>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(devnet) = self.0.take() {
            devnet.signal(Signal::INT);
            devnet.end();
        }
    }
}

fn readme() {
    let crates = std::env::var("SYNCHRONICITY_CRATES").unwrap_or_else(|_| CRATES.to_owned());
    let crates: Vec<&str> = crates.split_whitespace().collect();
    let mut devnet = start(&[&crates[..], &["--sandbox", "embedded", "--keep"]].concat());
    let started = devnet.until(|event| event["event"] == "started");
    devnet.until(|event| event["event"] == "next");
    let group = Group(Some(devnet));
    let node = started["nodes"][0]["http"].as_str().unwrap().to_owned();
    let somebody = Somebody { home: tempfile::tempdir().unwrap(), node };
    fs::create_dir(somebody.path("project")).unwrap();
    trusts(&somebody);
    let bins = installs(&somebody, &crates);
    verifies(&somebody, &crates, &bins);
    guards_a_project(&somebody, &crates, &bins);
    does_what_the_readme_says(&somebody, crates[0]);
    rebuilds(&somebody, &crates, &bins);
    drop(group);
    goes_on_alone(&somebody, &crates, &bins);
}

/// The hash is one that a member told; here it stands in the group's own folder.
fn trusts(somebody: &Somebody) {
    somebody.runs(true, USAGE, &["trust", "add", &somebody.node]);
    somebody.runs(true, INVALID, &["trust", "add", &somebody.node, "--pin", &"0".repeat(64)]);
    let offered = somebody.json(&["trust", "add", &somebody.node, "--dry-run"]);
    assert!(somebody.runs(true, 0, &["trust", "list"]).starts_with("no policy is trusted yet"));
    somebody.runs(true, 0, &["trust", "add", &somebody.node, "--pin", offered["sha256"].as_str().unwrap()]);
}

/// The commands of the README's chapter for users, as they stand there, but for the crate, the address and the home.
fn does_what_the_readme_says(somebody: &Somebody, spec: &str) {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let chapter = readme.split("\n## As a user\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = chapter.lines().filter_map(|line| line.strip_prefix("    synchronicity "));
    let (name, _) = spec.split_once('@').unwrap();
    let (bench, home) = (bench(), somebody.path(".cargo/bin").join(name).display().to_string());
    // No address but the policy's.
    fs::write(somebody.path("project/synchronicity.toml"), "").unwrap();
    let mut done = Vec::new();
    for line in lines {
        let line = line.split('#').next().unwrap().replace("hexyl@0.17.0", spec).replace("~/.cargo/bin/hexyl", &home);
        let line = line.replace("hexyl", name).replace("http://127.0.0.1:24290", &somebody.node);
        let mut words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            // Nobody is there to be asked; it was added with its hash.
            "trust" => words.push("--dry-run"),
            "rebuild" => words.extend(["--sandbox", "embedded", "--dir", &bench]),
            _ => {}
        }
        somebody.runs(true, 0, &words);
        done.push(words[0].to_owned());
    }
    let told = ["trust", "install", "verify", "verify", "audit", "gate", "rebuild"];
    assert_eq!(done, told, "the README has other commands");
}

/// Where the client builds: in the sandbox whose toolchain the other tests have fetched.
fn bench() -> String {
    data().join("client").display().to_string()
}

/// Each crate, and where its executables are.
fn installs(somebody: &Somebody, crates: &[&str]) -> Vec<PathBuf> {
    let mut bins = Vec::new();
    for spec in crates {
        let (name, _) = spec.split_once('@').unwrap();
        let told = somebody.json(&["install", name, "--node", &somebody.node]);
        let done = &told["crates"][0];
        assert_eq!((&done["action"], &done["evidence"]["verdict"]), (&"installed".into(), &"reproduced".into()));
        let path = PathBuf::from(done["executables"][0]["path"].as_str().unwrap());
        assert!(path.starts_with(somebody.path(".cargo/bin")), "{told}");
        bins.push(path);
    }
    let listed =
        Command::new(env!("CARGO")).args(["install", "--list", "--root"]).arg(somebody.path(".cargo")).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    for spec in crates {
        assert!(listed.contains(&spec.replace('@', " v")), "cargo does not know {spec}: {listed}");
    }
    bins
}

fn verifies(somebody: &Somebody, crates: &[&str], bins: &[PathBuf]) {
    let at = ["--node", somebody.node.as_str(), "--out"];
    somebody.runs(true, 0, &[&["bundle"], &at[..], &["../log.bundle"]].concat());
    somebody.runs(true, 0, &[&["prove", crates[0]], &at[..], &["../proof.tlog-proof"]].concat());
    for bin in bins {
        let told = somebody.json(&["verify", bin.to_str().unwrap(), "--node", &somebody.node]);
        assert_eq!(told["files"][0]["evidence"]["agreeing"].as_array().unwrap().len(), 4, "{told:#}");
    }
    let said = somebody.runs(true, 0, &["verify", "--installed", "--node", &somebody.node]);
    let all = format!("{0} of {0} executables are what a group built", bins.len());
    assert!(said.contains(&all), "{said}");
    // One bit is enough.
    let mut altered = fs::read(&bins[0]).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(somebody.path("altered"), altered).unwrap();
    somebody.runs(true, 41, &["verify", somebody.path("altered").to_str().unwrap(), "--node", &somebody.node]);
}

/// A project that depends on the crates, with the lock file that cargo writes for it.
fn guards_a_project(somebody: &Somebody, crates: &[&str], bins: &[PathBuf]) {
    let project = somebody.path("project");
    let dependencies = crates.iter().map(|spec| spec.split_once('@').unwrap());
    let dependencies: String = dependencies.map(|(name, version)| format!("{name} = \"={version}\"\n")).collect();
    let manifest =
        format!("[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}");
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(project.join("src")).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    let locked = Command::new(env!("CARGO")).arg("generate-lockfile").current_dir(&project).output().unwrap();
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    let told = somebody.json(&["audit", "--node", &somebody.node]);
    let verdict = |name: &str| {
        let dependencies = told["dependencies"].as_array().unwrap();
        dependencies.iter().find(|it| it["name"] == name).map(|it| it["verdict"].clone()).unwrap_or_default()
    };
    for spec in crates {
        let (name, _) = spec.split_once('@').unwrap();
        assert_eq!(verdict(name), "reproduced", "{told:#}");
    }
    let settings = format!(
        "logs = [\"{}\"]\n[[file]]\npath = \"{}\"\ncrate = \"{}\"\n",
        somebody.node,
        bins[0].display(),
        crates[0]
    );
    fs::write(project.join("synchronicity.toml"), settings).unwrap();
    assert!(somebody.runs(true, 0, &["gate"]).ends_with("gate open\n"));
    let pinned = format!("../altered={}", crates[0]);
    fs::write(project.join("synchronicity.toml"), format!("logs = [\"{}\"]\n", somebody.node)).unwrap();
    assert!(somebody.runs(true, MISMATCH, &["gate", &pinned]).ends_with("gate closed: exit code 42\n"));
}

/// Each of them here, held against the group and the file.
fn rebuilds(somebody: &Somebody, crates: &[&str], bins: &[PathBuf]) {
    let bench = bench();
    let place = ["--sandbox", "embedded", "--dir", &bench, "--node", &somebody.node];
    for (spec, bin) in crates.iter().zip(bins) {
        let told = somebody.json(&[&["rebuild", spec, "--against", bin.to_str().unwrap()], &place[..]].concat());
        let three = ["group_and_file", "rebuild_and_group", "rebuild_and_file"].map(|what| told[what].clone());
        assert_eq!(three, ["same", "same", "same"].map(Value::from), "{told:#}");
    }
}

/// The group is gone, and so is the network.
fn goes_on_alone(somebody: &Somebody, crates: &[&str], bins: &[PathBuf]) {
    let cut = Command::new("unshare").args(["--map-root-user", "--net", "true"]).status();
    // Where no network can be taken away, the group's end has to do.
    let online = !cut.is_ok_and(|status| status.success());
    let bin = bins[0].to_str().unwrap();
    somebody.runs(online, 0, &["verify", bin, "--offline"]);
    somebody.runs(online, 0, &["verify", "--installed", "--offline"]);
    somebody.runs(online, 0, &["audit", "--offline"]);
    somebody.runs(online, 0, &["gate", "--offline", bin]);
    somebody.runs(online, 0, &["list"]);
    somebody.runs(online, 0, &["verify", "../proof.tlog-proof", bin]);
    somebody.runs(online, 0, &["audit", "--bundle", "../log.bundle"]);
    somebody.runs(online, 0, &["lookup", crates[0], "--bundle", "../log.bundle"]);
    somebody.runs(online, 0, &["diff", bin, bin]);
    somebody.runs(online, 0, &["upgrade", "--offline"]);
    // What needs somebody says so.
    somebody.runs(online, TRY_LATER, &["trust", "add", &somebody.node, "--name", "again"]);
    let elsewhere = somebody.path("elsewhere");
    let refused = ["install", Path::new(bin).file_name().unwrap().to_str().unwrap(), "--offline", "--root"];
    somebody.runs(online, TRY_LATER, &[&refused[..], &[elsewhere.to_str().unwrap()]].concat());
    assert!(!elsewhere.join("bin").join(refused[1]).exists());
    somebody.runs(online, 0, &["uninstall", crates[0].split('@').next().unwrap()]);
    assert!(!bins[0].exists());
}
