//! What a node costs while nothing is asked of it.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::Test;
use crate::devnet::{fixture, start};
use crate::machine::Need::Embedded;

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new("an_idle_node_takes_little_of_the_machine", &[Embedded], idle)]
}

const WINDOW: Duration = Duration::from_secs(20);
/// Per cent of one core.
const CPU_MAX: f64 = 2.0;
const RESIDENT_BYTES_MAX: u64 = 200_000_000;

fn idle() {
    let mut devnet = start(&[&fixture("plain-binary"), "--sandbox", "embedded", "--keep"]);
    let started = devnet.until(|event| event["event"] == "started");
    devnet.until(|event| event["event"] == "next");
    // What the verdict left to do is done by then.
    std::thread::sleep(Duration::from_secs(5));
    let pids: Vec<u64> =
        started["nodes"].as_array().unwrap().iter().map(|node| node["pid"].as_u64().unwrap()).collect();
    let before: Vec<u64> = pids.iter().map(|pid| ticks(*pid)).collect();
    std::thread::sleep(WINDOW);
    for (pid, before) in pids.iter().zip(before) {
        let seconds = (ticks(*pid) - before) as f64 / ticks_per_second();
        let cpu = 100.0 * seconds / WINDOW.as_secs_f64();
        let resident = resident_bytes(*pid);
        eprintln!("    idle node {pid}: {cpu:.2} % of a core, {} MB", resident / 1_000_000);
        assert!(cpu < CPU_MAX, "{cpu:.2} % of a core");
        assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes");
    }
    devnet.signal(Signal::INT);
    assert_eq!(devnet.end().code, 0);
}

/// User and system time of a process so far: fields 14 and 15 of proc_pid_stat(5), counted after the name in brackets.
fn ticks(pid: u64) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn resident_bytes(pid: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}
