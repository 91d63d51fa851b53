//! What an audit costs: a lock file of 500 dependencies against a log of 2000 entries, each run a process of its own.
//!
//! ```text
//! cargo bench -p synchronicity --bench audit -- [DEPENDENCIES] [ENTRIES]
//! ```
//!
//! Cold: nothing on this machine, the log's files served on loopback. Warm: the copy of the log is there and the server
//! is asked whether it has grown. Offline: nobody is asked. Bundle: the whole log is replayed from one file. Beside
//! them, as peers in the same run, what `sha256sum` takes for 50 MB, where `verify` of such a file is measured, what `curl`,
//! `sha256sum` and `sync` take to fetch such a file, where `install` is, and what a program takes that does nothing, `true`.
//! Ends with 1 if a bound is broken.
#![allow(clippy::unwrap_used, reason = "a bench that cannot measure ends")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logs::Log;

#[path = "../tests/it/logs.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod logs;
#[path = "../tests/it/program.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod program;
#[path = "../../synchronicity-verify/tests/it/sample.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the verifier's tests, which use all of it")]
mod sample;
#[path = "../tests/it/server.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod server;
#[path = "../tests/it/store.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod store;

const RUNS: usize = 7;

fn main() -> std::process::ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let (dependencies, entries) = (numbers.next().unwrap_or(500), numbers.next().unwrap_or(2000));
    println!(
        "{dependencies} dependencies, a log of {entries} entries, median of {RUNS} runs, load before: {}\n",
        load()
    );
    let log = Log::new(entries);
    let dir = log.dir.path();
    fs::write(dir.join("Cargo.lock"), lock(dependencies)).unwrap();
    let node = log.serve();
    let online = ["audit", "--policy", "policy", "--node", &node.address];
    run(dir, &["bundle", "--policy", "policy", "--out", "whole", "--node", &node.address]);
    println!("| what | ms | bound, ms | peer, ms | ratio | bound |\n| --- | --- | --- | --- | --- | --- |");
    let mut broken = 0;
    let mut row = |what: &str, ours: Duration, bound: Option<f64>, peer: Option<(Duration, Option<f64>)>| {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let told = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        let ratio = peer.map(|(peer, _)| ms(ours) / ms(peer));
        let (peer, most) = peer.map_or((String::new(), None), |(peer, most)| (format!("{:.1}", ms(peer)), most));
        let ratio_told = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        println!("| {what} | {:.1} | {} | {peer} | {ratio_told} | {} |", ms(ours), told(bound), told(most));
        broken += u32::from(bound.is_some_and(|bound| ms(ours) > bound));
        broken += u32::from(most.zip(ratio).is_some_and(|(most, ratio)| ratio > most));
    };
    let peer = |program: &str, words: &[&str]| {
        median(|| (), || assert!(spawn(Command::new(program).args(words).current_dir(dir)).is_some()))
    };
    let start = median(|| (), || run(dir, &["--version"]));
    row("start of the program", start, Some(15.0), Some((peer("true", &[]), None)));
    let forget = || drop((fs::remove_dir_all(dir.join(".cache")), fs::remove_dir_all(dir.join(".state"))));
    row("audit, cold", median(forget, || run(dir, &online)), Some(3000.0), None);
    row("audit, warm", median(|| (), || run(dir, &online)), Some(1000.0), None);
    row("audit, offline", median(|| (), || run(dir, &["audit", "--policy", "policy", "--offline"])), None, None);
    let bundle = ["audit", "--policy", "policy", "--bundle", "whole"];
    row("audit, bundle", median(|| (), || run(dir, &bundle)), None, None);
    fs::write(dir.join("large"), vec![0; 50 << 20]).unwrap();
    let verify = median(|| (), || run(dir, &["verify", "large", "--policy", "policy", "--offline"]));
    row("verify of 50 MB, offline", verify, None, Some((peer("sha256sum", &["large"]), Some(1.2))));
    for (what, places) in [("install of 50 MB from one place", 1), ("from three places", 3)] {
        let (ours, by_hand) = installed(places);
        row(what, ours, None, Some((by_hand, Some(1.2))));
    }
    std::process::ExitCode::from(u8::from(broken > 0))
}

/// What it takes to install an executable that so many places serve on loopback, and to fetch and hash it by hand.
fn installed(places: usize) -> (Duration, Duration) {
    let content = store::program("tool", 50 << 20);
    let hash = synchronicity_verify::digest::Digest::of(&content).to_string();
    let log = store::store(&[("tool@1.0.0", &[("tool", content.clone())])]);
    let (dir, content) = (log.dir.path(), std::sync::Arc::new(content));
    let serve = |_| {
        let (folder, hash, content) = (log.path(), hash.clone(), content.clone());
        server::Server::start_in_parts(move |path, part| {
            if path.ends_with(&hash) {
                // From memory: what is measured is not this server.
                return server::part_of(&content, part);
            }
            logs::file_at(&folder, path)
        })
    };
    let servers: Vec<_> = (0..places).map(serve).collect();
    let mut words = vec!["install", "tool", "--policy", "policy", "--root", "root"];
    words.extend(servers.iter().flat_map(|server| ["--node", &server.address]));
    let forget = || drop(fs::remove_dir_all(dir.join("root")));
    let ours = median(forget, || run(dir, &words));
    let script =
        format!("curl -s -o fetched {}/artifacts/{hash} && sha256sum fetched && sync fetched", servers[0].address);
    let by_hand = median(
        || (),
        || assert_eq!(spawn(Command::new("sh").args(["-c", &script]).current_dir(dir)), Some(0), "wants curl"),
    );
    (ours, by_hand)
}

fn lock(dependencies: usize) -> String {
    let checksum = synchronicity_verify::digest::Digest::of(b"the archive");
    let package = |index| {
        format!(
            "[[package]]\nname = \"crate-{index}\"\nversion = \"0.17.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{checksum}\"\n\n"
        )
    };
    "version = 4\n\n".to_owned() + &(0..dependencies).map(package).collect::<String>()
}

/// Fails only where the program could not do its work: a file of zeros is nobody's build.
fn run(dir: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synchronicity"));
    command.args(arguments).current_dir(dir);
    command.env("SYNCHRONICITY_STATE", dir.join(".state")).env("SYNCHRONICITY_CACHE", dir.join(".cache"));
    command.env("SYNCHRONICITY_POLICIES", dir.join(".policies"));
    let code = spawn(&mut command);
    assert!(matches!(code, Some(0 | 41)), "{arguments:?} ends with {code:?}");
}

fn spawn(command: &mut Command) -> Option<i32> {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code()
}

fn median(before: impl Fn(), run: impl Fn()) -> Duration {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            before();
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").map_or("unknown".into(), |load| load.trim().to_owned())
}
