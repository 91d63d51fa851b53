//! The clock, and how contenders take turns on it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Something whose cost is measured: `prepare` is not, `run` is.
pub(crate) trait Contender {
    fn prepare(&mut self) {}
    fn run(&mut self);
}

impl<F: FnMut()> Contender for F {
    fn run(&mut self) {
        self();
    }
}

/// Nanoseconds of each contender in each round.
pub(crate) struct Turns {
    rounds: Vec<Vec<f64>>,
}

/// Lets the contenders run once each round. Who begins changes, so that nobody always finds the caches warm.
pub(crate) fn take_turns(rounds: usize, contenders: &mut [&mut dyn Contender]) -> Turns {
    let all = contenders.len();
    let mut measured = Vec::new();
    // The first rounds fill caches and branch predictors, and do not count.
    let warm_up = rounds / 10 + 1;
    for round in 0..warm_up + rounds {
        let mut nanos = vec![0.0; all];
        for turn in 0..all {
            let who = (turn + round) % all;
            contenders[who].prepare();
            let start = cpu_time();
            contenders[who].run();
            nanos[who] = (cpu_time() - start).as_secs_f64() * 1e9;
        }
        if round >= warm_up {
            measured.push(nanos);
        }
    }
    Turns { rounds: measured }
}

impl Turns {
    /// Median cost of one of `calls` calls that a contender made each round, in nanoseconds.
    pub(crate) fn nanos(&self, contender: usize, calls: usize) -> f64 {
        median(self.rounds.iter().map(|nanos| nanos[contender]).collect()) / calls as f64
    }

    /// Median over the rounds of the first's cost by the second's. Both stood next to each other in time, so that a
    /// machine that slows down for a while changes it little.
    pub(crate) fn ratio(&self, first: usize, second: usize) -> f64 {
        median(self.rounds.iter().map(|nanos| nanos[first] / nanos[second]).collect())
    }
}

/// What this thread has used of a processor: time in which others run does not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
