//! What the client's program costs to have: a build from clean, its size, and what is in its tree.
//!
//! ```text
//! cargo bench -p synchronicity --bench program
//! ```
//!
//! It builds the whole program in release mode in a folder of its own, which takes minutes. The time means something only on
//! a quiet machine: the load is printed beside it. Ends with 1 if a bound is broken.
#![allow(clippy::unwrap_used, reason = "a bench that cannot measure ends")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

const CLEAN_BUILD_S: f64 = 180.0;
const SIZE_BYTES: u64 = 12_000_000;

fn main() -> ExitCode {
    // `cargo test --benches` only sees that it compiles.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let target = tempfile::tempdir().unwrap();
    let cargo = || {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    };
    // What has to be downloaded is no part of a build.
    assert!(cargo().arg("fetch").status().unwrap().success());
    let processors = std::thread::available_parallelism().unwrap();
    println!("{processors} processors, load before: {}", load());
    let start = Instant::now();
    let built = cargo()
        .args(["build", "--quiet", "--release", "--locked", "-p", "synchronicity", "--bin", "synchronicity"])
        .arg("--target-dir")
        .arg(target.path())
        .status()
        .unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(built.success());
    let size = fs::metadata(target.path().join("release/synchronicity")).unwrap().len();
    let tree = cargo().args(["tree", "--locked", "-p", "synchronicity", "-e", "normal", "--prefix", "none"]).output();
    let tree = String::from_utf8(tree.unwrap().stdout).unwrap();
    let crates: std::collections::BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let engine =
        crates.iter().filter(|name| name.starts_with("commonware") || **name == "synchronicity-consensus").count();
    println!("\n| what | found | bound |\n| --- | --- | --- |");
    println!("| build from clean, s | {seconds:.0} | {CLEAN_BUILD_S:.0} |");
    println!("| size of the program, MB | {:.1} | {:.0} |", size as f64 / 1e6, SIZE_BYTES as f64 / 1e6);
    println!("| crates in its tree | {} | |", crates.len());
    println!("| of a consensus engine | {engine} | 0 |");
    ExitCode::from(u8::from(seconds > CLEAN_BUILD_S || size > SIZE_BYTES || engine > 0))
}

fn load() -> String {
    fs::read_to_string(Path::new("/proc/loadavg")).map_or("unknown".into(), |load| load.trim().to_owned())
}
