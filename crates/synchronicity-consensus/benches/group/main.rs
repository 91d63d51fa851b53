//! What a group of four engines does on this machine: real sockets of loopback, real files, an fsync for each block that
//! changes something, as a node has it. All four share the processors.
//!
//! ```text
//! cargo bench -p synchronicity-consensus --bench group             # some five minutes
//! cargo bench -p synchronicity-consensus --bench group -- 5 1000   # seconds of each measurement, blocks to catch up
//! … -- 5 1000 --peer                                               # and the same of another engine, beside ours
//! … -- 5 1000 --all                                                # that, and what the last two print
//! … -- 5 1000 --rates                                              # saturation and catching up only
//! … -- 5 --sizes                                                   # other sizes of a group instead
//! … -- --far                                                       # and the same in simulated regions, far apart
//! ```
//!
//! Never a time alone: the fsync of the same run stands beside it. What the figures mean is in `docs/benchmarks.md`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

#[path = "../../tests/it/cast.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod cast;
#[path = "../../tests/it/company.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod company;
mod engines;
mod machine;
mod peer;
mod sink;
mod sizes;
mod wan;

use std::path::Path;
use std::time::{Duration, Instant};

use engines::Engines;
use machine::{Summary, fsync, ms, processor_time, resident_mib, row};
use synchronicity_core::command::BATCH_COMMANDS_MAX;

/// The bounds that the project set itself, printed beside what was found.
fn bound(words: &str) -> String {
    format!("(aim: {words})")
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| words.iter().any(|word| word == flag);
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let window = Duration::from_secs(numbers.first().copied().unwrap_or(20));
    let behind = numbers.get(1).copied().unwrap_or(10_000);
    let folder = tempfile::Builder::new().prefix("group-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if asked("--sizes") {
        return sizes::print_here(folder.path(), window);
    }
    if asked("--far") {
        return sizes::print_far();
    }
    if asked("--rates") {
        return rates(folder.path(), window, behind);
    }
    let ours = ours(folder.path(), window, behind);
    let all = asked("--all");
    if all || asked("--peer") {
        peer::beside(&ours, &peer::run(folder.path(), window, behind));
    }
    if all {
        sizes::print_here(folder.path(), window);
        sizes::print_far();
    }
}

/// Everything about a group of four: each row's name, and what was found.
fn ours(folder: &Path, window: Duration, behind: u64) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut tell = |what, found: String| {
        row(what, &found);
        rows.push((what, found));
    };
    let sync = fsync(folder);
    tell("fsync of 4 KiB appended", format!("p50 {}, p99 {}", ms(sync.p50), ms(sync.p99)));
    let mut four = Engines::start(4, folder);
    tell("idle, for each node", idle(&four, window));
    tell("finality, 50 a second", finality(&four, window, sync.p50));
    tell("2,000 a second", steady(&four, window));
    tell("saturation, each signed alone", saturation(&four, 1, window));
    tell("saturation", saturation(&four, BATCH_COMMANDS_MAX, window));
    four.kill(3);
    tell("one of four dead, at first", one_dead(&four, window, "p99 under 3 s"));
    tell("one of four dead, afterwards", one_dead(&four, window, "p50 under 50 ms"));
    tell("catching up", catch_up(&mut four, behind));
    let sync = fsync(folder);
    tell("fsync again", format!("p50 {}, p99 {}", ms(sync.p50), ms(sync.p99)));
    four.stop();
    rows
}

/// What the processors bound and the waiting times do not.
fn rates(folder: &Path, window: Duration, behind: u64) {
    let mut four = Engines::start(4, folder);
    row("saturation, each signed alone", &saturation(&four, 1, window));
    row("saturation", &saturation(&four, BATCH_COMMANDS_MAX, window));
    four.kill(3);
    row("catching up", &catch_up(&mut four, behind));
    four.stop();
}

fn idle(four: &Engines, window: Duration) -> String {
    let (processor, disk, height) = (processor_time(), four.disk_bytes(), four.height());
    let begin = Instant::now();
    std::thread::sleep(window);
    let seconds = begin.elapsed().as_secs_f64();
    let share = 100.0 * (processor_time() - processor).as_secs_f64() / seconds / 4.0;
    // The last sections of what is kept for a while are removed as the chain goes on, so a day is an extrapolation.
    let day = (four.disk_bytes() as f64 - disk as f64) / 4.0 / seconds * 86_400.0 / 1e6;
    format!(
        "{share:.2} % of a core, {day:.0} MB a day before pruning, {} blocks {}",
        four.height() - height,
        bound("under 1 %, under 20 MB after pruning")
    )
}

/// Submitted at a node to executed and durable there.
fn finality(four: &Engines, window: Duration, sync: Duration) -> String {
    let begin = Instant::now();
    let sent = four.submit_steadily(four.all(), 50, window);
    four.drain();
    let found = Summary::of(four.latencies(begin));
    format!(
        "p50 {} ({:.1} fsyncs), p99 {}, of {sent} {}",
        ms(found.p50),
        found.p50.as_secs_f64() / sync.as_secs_f64(),
        ms(found.p99),
        bound("p50 under 20 ms")
    )
}

fn steady(four: &Engines, window: Duration) -> String {
    let (begin, ordered) = (Instant::now(), four.ordered());
    let sent = four.submit_steadily(four.all(), 2000, window);
    let rate = (four.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    four.drain();
    let found = Summary::of(four.latencies(begin));
    format!(
        "{} taken, {rate:.0} ordered a second, p50 {}, p99 {}, longest pause between blocks {} {}",
        sent,
        ms(found.p50),
        ms(found.p99),
        ms(four.longest_pause(begin)),
        bound("no second without a block")
    )
}

fn saturation(four: &Engines, signed_together: usize, window: Duration) -> String {
    let (begin, ordered, height, resident) = (Instant::now(), four.ordered(), four.height(), resident_mib());
    four.submit_flat_out(four.all(), signed_together, window);
    let ordered = (four.ordered() - ordered) as f64;
    let (rate, full) = (ordered / begin.elapsed().as_secs_f64(), ordered / (four.height() - height) as f64);
    four.drain();
    let found = Summary::of(four.latencies(begin));
    format!(
        "{rate:.0} of {} bytes ordered a second, {full:.0} in a block, p50 {}, longest pause {}, resident {resident} MiB before, {} after {}",
        four.command_bytes(signed_together),
        ms(found.p50),
        ms(four.longest_pause(begin)),
        resident_mib(),
        bound("20,000 a second, bounded memory")
    )
}

fn one_dead(four: &Engines, window: Duration, aim: &str) -> String {
    let begin = Instant::now();
    four.submit_steadily(0..3, 50, window);
    four.drain();
    let found = Summary::of(four.latencies(begin));
    format!("p50 {}, p99 {}, most {} {}", ms(found.p50), ms(found.p99), ms(found.most), bound(aim))
}

fn catch_up(four: &mut Engines, blocks: u64) -> String {
    let (from, begin) = (four.height(), Instant::now());
    while four.height() < from + blocks {
        four.submit_steadily(0..3, 400, Duration::from_secs(1));
    }
    let made = blocks as f64 / begin.elapsed().as_secs_f64();
    four.drain();
    let (own, goal) = (four.height_of(3), four.height());
    let begin = Instant::now();
    four.revive(3);
    let until = |height: u64| {
        while four.height_of(3) < height {
            std::thread::sleep(Duration::from_millis(5));
        }
        begin.elapsed().as_secs_f64()
    };
    let (first, took) = (until(own + 1), until(goal));
    format!(
        "{} blocks in {took:.1} s, the first after {first:.1} s: {:.0} a second; they were made at {made:.0} a second {}",
        goal - own,
        (goal - own) as f64 / took,
        bound("2,000 a second behind 10,000 blocks")
    )
}
