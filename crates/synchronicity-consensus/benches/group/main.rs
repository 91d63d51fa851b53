//! What a group of four engines does on this machine: real sockets of loopback, real files, an fsync for each block that
//! changes something, as a node has it. All four share the processors.
//!
//! ```text
//! cargo bench -p synchronicity-consensus --bench group             # some five minutes
//! cargo bench -p synchronicity-consensus --bench group -- 5 1000   # seconds of each measurement, blocks to catch up
//! ```
//!
//! Never a time alone: the fsync of the same run stands beside it. What the figures mean is in `docs/benchmarks.md`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

#[path = "../../tests/it/company.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod company;
mod machine;
mod quartet;
mod sink;

use std::time::{Duration, Instant};

use synchronicity_core::command::BATCH_COMMANDS_MAX;

use machine::{Summary, fsync, processor_time, resident_mib};
use quartet::{ALL, Quartet};

/// The bounds that the project set itself, printed beside what was found.
fn bound(words: &str) -> String {
    format!("(aim: {words})")
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let window = Duration::from_secs(numbers.first().copied().unwrap_or(20));
    let behind = numbers.get(1).copied().unwrap_or(10_000);
    let folder = tempfile::Builder::new().prefix("group-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let sync = fsync(folder.path());
    println!("fsync of 4 KiB appended      p50 {}, p99 {}", ms(sync.p50), ms(sync.p99));

    let mut quartet = Quartet::start(folder.path());
    idle(&quartet, window);
    finality(&quartet, window, sync.p50);
    steady(&quartet, window);
    for signed_together in [1, BATCH_COMMANDS_MAX] {
        saturation(&quartet, signed_together, window);
    }
    one_dead(&mut quartet, window);
    catch_up(&mut quartet, behind);
    let sync = fsync(folder.path());
    println!("fsync again                  p50 {}, p99 {}", ms(sync.p50), ms(sync.p99));
    quartet.stop();
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn idle(quartet: &Quartet, window: Duration) {
    let (processor, disk, height) = (processor_time(), quartet.disk_bytes(), quartet.height());
    let begin = Instant::now();
    std::thread::sleep(window);
    let seconds = begin.elapsed().as_secs_f64();
    let share = 100.0 * (processor_time() - processor).as_secs_f64() / seconds / 4.0;
    // The last sections of what is kept for a while are removed as the chain goes on, so a day is an extrapolation.
    let day = (quartet.disk_bytes() as f64 - disk as f64) / 4.0 / seconds * 86_400.0 / 1e6;
    println!(
        "idle, for each node          {share:.2} % of a core, {day:.0} MB a day before pruning, {} blocks {}",
        quartet.height() - height,
        bound("under 1 %, under 20 MB after pruning")
    );
}

/// Submitted at a node to executed and durable there.
fn finality(quartet: &Quartet, window: Duration, sync: Duration) {
    let begin = Instant::now();
    let sent = quartet.submit_steadily(&ALL, 50, window);
    quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    println!(
        "finality, 50 a second        p50 {} ({:.1} fsyncs), p99 {}, of {sent} {}",
        ms(found.p50),
        found.p50.as_secs_f64() / sync.as_secs_f64(),
        ms(found.p99),
        bound("p50 under 20 ms")
    );
}

fn steady(quartet: &Quartet, window: Duration) {
    let (begin, ordered) = (Instant::now(), quartet.ordered());
    let sent = quartet.submit_steadily(&ALL, 2000, window);
    let rate = (quartet.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    println!(
        "2,000 a second               {} taken, {rate:.0} ordered a second, p50 {}, p99 {}, longest pause between blocks {} {}",
        sent,
        ms(found.p50),
        ms(found.p99),
        ms(quartet.longest_pause(begin)),
        bound("no second without a block")
    );
}

fn saturation(quartet: &Quartet, signed_together: usize, window: Duration) {
    let (begin, ordered, resident) = (Instant::now(), quartet.ordered(), resident_mib());
    quartet.submit_flat_out(&ALL, signed_together, window);
    let rate = (quartet.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    println!(
        "saturation, {signed_together:2} a signature   {rate:.0} ordered a second, {} bytes each, p50 {}, longest pause {}, resident {resident} MiB before, {} after {}",
        quartet.command_bytes(signed_together),
        ms(found.p50),
        ms(quartet.longest_pause(begin)),
        resident_mib(),
        bound("20,000 a second, bounded memory")
    );
}

fn one_dead(quartet: &mut Quartet, window: Duration) {
    quartet.kill(3);
    let alive = [0, 1, 2];
    for (when, aim) in [("at first", "p99 under 3 s"), ("afterwards", "p50 under 50 ms")] {
        let begin = Instant::now();
        quartet.submit_steadily(&alive, 50, window);
        quartet.drain();
        let found = Summary::of(quartet.latencies(begin));
        let (p50, p99, most) = (ms(found.p50), ms(found.p99), ms(found.most));
        println!("one of four dead, {when:10} p50 {p50}, p99 {p99}, most {most} {}", bound(aim));
    }
}

fn catch_up(quartet: &mut Quartet, blocks: u64) {
    let (from, begin) = (quartet.height(), Instant::now());
    while quartet.height() < from + blocks {
        quartet.submit_steadily(&[0, 1, 2], 400, Duration::from_secs(1));
    }
    let made = blocks as f64 / begin.elapsed().as_secs_f64();
    quartet.drain();
    let (own, goal) = (quartet.height_of(3), quartet.height());
    let begin = Instant::now();
    quartet.revive(3);
    while quartet.height_of(3) < goal {
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begin.elapsed().as_secs_f64();
    println!(
        "catching up                  {} blocks in {took:.1} s: {:.0} a second; they were made at {made:.0} a second {}",
        goal - own,
        (goal - own) as f64 / took,
        bound("2,000 a second behind 10,000 blocks")
    );
}
