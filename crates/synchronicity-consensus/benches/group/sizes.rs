//! Groups of other sizes: on this machine, and with their members far apart.

use std::path::Path;
use std::time::{Duration, Instant};
use synchronicity_core::command::BATCH_COMMANDS_MAX;

use crate::engines::Engines;
use crate::machine::{Summary, fsync, ms};
use crate::wan;

/// The largest is the largest that a group may be.
const SIZES: [u8; 4] = [4, 7, 16, 31];

/// Simulated seconds are dear: in a large group every command costs a check of its signature for each member.
const SIMULATED: Duration = Duration::from_secs(2);

/// Over loopback, all in this process.
pub(crate) fn print_here(folder: &Path, window: Duration) {
    let sync = fsync(folder);
    println!("fsync of 4 KiB appended: p50 {}, p99 {}", ms(sync.p50), ms(sync.p99));
    head();
    for size in SIZES {
        let (latency, rate) = here(usize::from(size), &folder.join(size.to_string()), window);
        tell(size, "this machine", latency, rate);
    }
}

/// The same seed gives the same figures, however busy this machine is.
pub(crate) fn print_far() {
    head();
    for size in SIZES {
        let (latency, rate) = wan::measure(size, SIMULATED);
        tell(size, "simulated, regions 50 to 300 ms apart", latency, rate);
    }
}

fn here(size: usize, folder: &Path, window: Duration) -> (Summary, f64) {
    std::fs::create_dir(folder).unwrap();
    let engines = Engines::start(size, folder);
    let begin = Instant::now();
    engines.submit_steadily(engines.all(), 50, window);
    engines.drain();
    let latency = Summary::of(engines.latencies(begin));
    let (begin, ordered) = (Instant::now(), engines.ordered());
    engines.submit_flat_out(engines.all(), BATCH_COMMANDS_MAX, window);
    let rate = (engines.ordered() - ordered) as f64 / begin.elapsed().as_secs_f64();
    engines.stop();
    (latency, rate)
}

fn head() {
    line("members", "where", ["p50", "p99", "commands a second"].map(str::to_owned));
}

fn tell(size: u8, place: &str, latency: Summary, rate: f64) {
    line(&size.to_string(), place, [ms(latency.p50), ms(latency.p99), format!("{rate:.0}")]);
}

fn line(size: &str, place: &str, [p50, p99, rate]: [String; 3]) {
    println!("{size:8} {place:38} {p50:>11} {p99:>11} {rate:>18}");
}
