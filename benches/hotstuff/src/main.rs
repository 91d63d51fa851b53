//! What a group of four replicas of `hotstuff_rs` does on this machine, under the load and with the rows of
//! `crates/synchronicity-consensus/benches/group`, which starts this when it is asked for `--peer`.
//!
//! The engine is as published, and is given what our own has: real sockets of loopback, a store on disk that is synced
//! whenever a block becomes final, signed commands of 176 bytes that every replica checks once and hands on to all
//! others, blocks of at most 4096 of them. It is spared what ours does beyond that: its links are not encrypted, and its
//! votes are not synced before they leave.
//!
//! ```text
//! cargo run --release --manifest-path benches/hotstuff/Cargo.toml -- 5 1000 FOLDER   # seconds, blocks to catch up, where
//! ```
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

mod application;
#[path = "../../../crates/synchronicity-consensus/benches/group/machine.rs"]
#[allow(dead_code, reason = "shared with the benchmark of our own engine, which uses all of it")]
mod machine;
mod pool;
mod quartet;
mod store;
mod wire;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use machine::{Summary, fsync, ms, processor_time, resident_mib, row};
use quartet::{ALL, Quartet};

/// Without a final block for so long, a measurement ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// What threads said when they panicked. The engine does not tell of it: the process would look alive.
static DEATHS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn main() {
    std::panic::set_hook(Box::new(|panic| {
        let told = panic.to_string().replace('\n', " ");
        eprintln!("{told}");
        DEATHS.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let (window, behind) = (Duration::from_secs(number(0).unwrap_or(20)), number(1).unwrap_or(10_000));
    let place = words.get(2).map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::Builder::new().prefix("hotstuff-").tempdir_in(place).unwrap();
    let sync = fsync(folder.path()).p50;

    let mut quartet = Quartet::start(folder.path());
    let begun = quartet.until(|quartet| ALL.iter().all(|place| quartet.height_of(*place) > 0));
    if begun.is_err() {
        tell("start", "not all four have a final block".to_owned(), begun);
    }
    idle(&quartet, window);
    finality(&quartet, window, sync);
    steady(&quartet, window);
    saturation(&quartet, window);
    one_dead(&mut quartet, window);
    catch_up(&mut quartet, behind);
    drop(folder);
    // Threads of the engine may hang, or have died; nobody waits for them.
    std::process::exit(0);
}

/// A row: what was found, how it ended if not well, and which threads died meanwhile.
fn tell(what: &str, found: String, ended: Result<(), String>) {
    let deaths = std::mem::take(&mut *DEATHS.lock().unwrap_or_else(PoisonError::into_inner));
    let died = deaths.into_iter().map(|death| format!("died: {death}"));
    let parts: Vec<String> = std::iter::once(found).chain(ended.err()).chain(died).collect();
    row(what, &parts.join("; "));
}

fn idle(quartet: &Quartet, window: Duration) {
    let (processor, height, begin) = (processor_time(), quartet.height(), Instant::now());
    std::thread::sleep(window);
    let share = 100.0 * (processor_time() - processor).as_secs_f64() / begin.elapsed().as_secs_f64() / 4.0;
    let found = format!("{share:.2} % of a core, {} blocks", quartet.height() - height);
    tell("idle, for each node", found, Ok(()));
}

fn finality(quartet: &Quartet, window: Duration, sync: Duration) {
    let begin = Instant::now();
    let sent = quartet.submit_steadily(&ALL, 50, window);
    let ended = quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    let fsyncs = found.p50.as_secs_f64() / sync.as_secs_f64();
    let (p50, p99, final_ones) = (ms(found.p50), ms(found.p99), quartet.latencies(begin).len());
    let found = format!("p50 {p50} ({fsyncs:.1} fsyncs), p99 {p99}, {final_ones} of {sent}");
    tell("finality, 50 a second", found, ended);
}

fn steady(quartet: &Quartet, window: Duration) {
    let (begin, ordered) = (Instant::now(), quartet.ordered());
    let sent = quartet.submit_steadily(&ALL, 2000, window);
    let rate = (quartet.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    let ended = quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    let (p50, p99, pause) = (ms(found.p50), ms(found.p99), ms(quartet.longest_pause(begin)));
    let found =
        format!("{sent} taken, {rate:.0} ordered a second, p50 {p50}, p99 {p99}, longest pause between blocks {pause}");
    tell("2,000 a second", found, ended);
}

fn saturation(quartet: &Quartet, window: Duration) {
    let (begin, ordered, resident) = (Instant::now(), quartet.ordered(), resident_mib());
    quartet.submit_flat_out(&ALL, window);
    let rate = (quartet.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    let ended = quartet.drain();
    let found = Summary::of(quartet.latencies(begin));
    let (p50, pause, after) = (ms(found.p50), ms(quartet.longest_pause(begin)), resident_mib());
    let found = format!(
        "{rate:.0} of {} bytes ordered a second, p50 {p50}, longest pause {pause}, resident {resident} MiB before, {after} \
         after",
        pool::COMMAND_BYTES
    );
    tell("saturation, each signed alone", found, ended);
}

fn one_dead(quartet: &mut Quartet, window: Duration) {
    quartet.kill(3);
    for when in ["one of four dead, at first", "one of four dead, afterwards"] {
        let (begin, height) = (Instant::now(), quartet.height());
        let sent = quartet.submit_steadily(&[0, 1, 2], 50, window);
        let ended = quartet.drain();
        let latencies = quartet.latencies(begin);
        let (count, blocks) = (latencies.len(), quartet.height() - height);
        let found = Summary::of(latencies);
        let (p50, p99, most) = (ms(found.p50), ms(found.p99), ms(found.most));
        let found = match count {
            0 => format!("0 of {sent} final, {blocks} blocks"),
            _ => format!("p50 {p50}, p99 {p99}, most {most}, {count} of {sent} final, {blocks} blocks"),
        };
        tell(when, found, ended);
    }
}

/// What the others made while one was dead. If they made nothing there is nothing to catch up with, and this tells only
/// whether the group goes on when the dead one is back.
fn catch_up(quartet: &mut Quartet, blocks: u64) {
    let (from, begin) = (quartet.height(), Instant::now());
    while quartet.height() < from + blocks && quartet.silence() < PATIENCE {
        quartet.submit_steadily(&[0, 1, 2], 400, Duration::from_secs(1));
    }
    let made = (quartet.height() - from) as f64 / begin.elapsed().as_secs_f64();
    let (own, goal) = (quartet.height_of(3), quartet.height());
    let begin = Instant::now();
    quartet.revive(3);
    let ended = quartet.until(|quartet| quartet.height_of(3) >= goal);
    let (took, behind) = (begin.elapsed().as_secs_f64(), goal.saturating_sub(own));
    let found = match &ended {
        _ if behind == 0 => "nothing to catch up with: without it the others made no block".to_owned(),
        Ok(()) => {
            let rate = behind as f64 / took;
            format!("{behind} blocks in {took:.1} s: {rate:.0} a second; they were made at {made:.0} a second")
        }
        Err(_) => format!("{} of {behind} blocks in {took:.1} s", quartet.height_of(3).saturating_sub(own)),
    };
    tell("catching up", found, ended);
    let height = quartet.height();
    quartet.submit_steadily(&[0, 1, 2], 50, Duration::from_secs(2));
    let ended = quartet.until(|quartet| quartet.height() > height + 10);
    tell("all four again", format!("{} blocks", quartet.height() - height), ended);
}
