//! Proofs per second over HTTP: `cargo bench -p synchronicity-node --bench serve`.
//!
//! Debian's `wrk` asks this node's own server and router, in a process of their own, for proofs of random entries of a log
//! of 2^20 entries, and Debian's `nginx` for random tiles of the same folder, in turns, so that other load on the machine
//! hits both alike. The log is made once under `target/`. Ends with status 1 if of all rounds the median is below 10,000
//! proofs a second or below a third of nginx's rate, or if memory grows.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod load;
mod made;
mod resident;

use std::fmt;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use synchronicity_node::http::log::{self, LogSite};
use synchronicity_node::http::public;
use synchronicity_node::log_reader::LogReader;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::SignedNote;
use tokio::sync::watch;

const SIZE: u64 = 1 << 20;
const RATE_MIN: f64 = 10_000.0;
const RATIO_MIN: f64 = 1.0 / 3.0;
/// What all rounds may add to memory after the first run.
const GROWTH_MAX: u64 = 8 << 20;
const WARM: Duration = Duration::from_secs(10);
const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/bench-log-2-20");
    // In its own process, so that its memory is its own.
    if std::env::args().any(|arg| arg == "--serve") {
        answer(&folder.canonicalize().unwrap());
        return ExitCode::SUCCESS;
    }
    if !load::is_there("wrk") || !load::is_there("nginx") {
        eprintln!("this benchmark needs wrk and nginx: apt-get install wrk nginx-light");
        return ExitCode::FAILURE;
    }
    made::log(&folder, SIZE, entry);
    let folder = folder.canonicalize().unwrap();

    let node = load::Server::start();
    let address = node.address.as_str();
    let wrk = |address: &str, script: &str, time: Duration| load::wrk(address, script, &[&SIZE.to_string()], time);
    let (mut nginx, peer, _dir) = nginx(&folder);
    let idle = resident::bytes(node.process());
    wrk(address, "proofs.lua", WARM);
    wrk(address, "tiles.lua", WARM);
    wrk(&peer, "tiles.lua", WARM);
    let warm = resident::bytes(node.process());
    let turns: Vec<[f64; 3]> = (0..ROUNDS)
        .map(|_| {
            let proofs = wrk(address, "proofs.lua", TURN);
            [proofs, wrk(&peer, "tiles.lua", TURN), wrk(address, "tiles.lua", TURN)]
        })
        .collect();
    let after = resident::bytes(node.process());
    node.stop();
    // Killed outright, it would leave its workers behind.
    rustix::process::kill_process(rustix::process::Pid::from_child(&nginx), rustix::process::Signal::TERM).unwrap();
    nginx.wait().unwrap();

    let of = |what: fn(&[f64; 3]) -> f64| Spread::of(turns.iter().map(what).collect());
    let (proofs, ratio) = (of(|turn| turn[0]), of(|turn| turn[0] / turn[1]));
    println!("a log of {SIZE} entries, 60 connections from one address, {ROUNDS} rounds of {} s each", TURN.as_secs());
    println!("                             median    least     most");
    println!("proofs, this node:        {proofs:.0} a second (at least {RATE_MIN})");
    println!("hash tiles, this node:    {:.0} a second", of(|turn| turn[2]));
    println!("hash tiles, nginx:        {:.0} a second", of(|turn| turn[1]));
    println!("proofs to nginx's tiles:  {ratio:.2} (at least {RATIO_MIN:.2})");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("resident memory: {:.1} MiB idle, {:.1} MiB warm, {:.1} MiB after", mib(idle), mib(warm), mib(after));
    let good = proofs.median >= RATE_MIN && ratio.median >= RATIO_MIN && after <= warm + GROWTH_MAX;
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came out in each round.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut rounds: Vec<f64>) -> Spread {
        rounds.sort_by(f64::total_cmp);
        Spread { median: rounds[rounds.len() / 2], least: rounds[0], most: rounds[rounds.len() - 1] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, least, most } = self;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:9.digits$}{least:9.digits$}{most:9.digits$}")
    }
}

/// About as long as the entry of four builders, and about as compressible.
fn entry(index: u64) -> Vec<u8> {
    let digests = (0..14_u8).flat_map(|part| Digest::tagged("bench", &[&index.to_be_bytes(), &[part]]).0);
    digests.chain(b"x86_64-unknown-linux-gnu CARGO_INCREMENTAL SOURCE_DATE_EPOCH ".repeat(9)).collect()
}

/// Serves until standard input ends.
fn answer(folder: &Path) {
    let note = SignedNote::parse(&fs::read(folder.join("checkpoint")).unwrap()).unwrap();
    let (_note, published) = watch::channel(Some(Arc::new(note)));
    let site = LogSite::new(LogReader::new(folder), published, Arc::new(|_, _, _| None), Arc::new(|_| None));
    load::serve(public(log::router(site)), async {});
}

fn nginx(folder: &Path) -> (Child, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let user = if rustix::process::getuid().is_root() { "user root;\n" } else { "" };
    let (root, temp) = (folder.display(), dir.path().display());
    let text = format!(
        "{user}worker_processes 2;\npid {temp}/pid;\nerror_log {temp}/error;\nevents {{ worker_connections 512; }}\nhttp {{\n\
         access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         open_file_cache max=8192; default_type application/octet-stream;\n\
         client_body_temp_path {temp}/body; proxy_temp_path {temp}/proxy; fastcgi_temp_path {temp}/fastcgi;\n\
         uwsgi_temp_path {temp}/uwsgi; scgi_temp_path {temp}/scgi;\n\
         server {{ listen {address} backlog=511; root {root}; }}\n}}\n"
    );
    let conf = dir.path().join("nginx.conf");
    fs::write(&conf, text).unwrap();
    let child = Command::new("nginx")
        .args(["-e", "stderr", "-p"])
        .arg(dir.path())
        .arg("-c")
        .arg(&conf)
        .args(["-g", "daemon off; master_process on;"])
        .spawn()
        .unwrap();
    let up = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        std::net::TcpStream::connect(&address).is_ok()
    });
    assert!(up, "nginx did not start");
    (child, address, dir)
}
