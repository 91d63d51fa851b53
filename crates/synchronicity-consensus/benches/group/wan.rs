//! The same engines on the deterministic runtime, in regions that are far apart. Time is simulated: what is told comes of
//! distances, of the protocol and of its limits, and neither of processors and disks nor of what a line carries in a second.

use std::collections::VecDeque;
use std::time::Duration;

use synchronicity_consensus::simulation::{Road, World, run};
use synchronicity_consensus::{Handle, SubmitError};
use synchronicity_core::command::{BATCH_COMMANDS_MAX, Command};
use synchronicity_verify::digest::Digest;

use crate::cast::cast;
use crate::company::Company;
use crate::engines::{commitment, commitments};
use crate::machine::Summary;
use crate::sink::Sink;

/// Between four regions, there and back; members are in each in turn.
const ROUND_TRIP_MS: [[u64; 4]; 4] = [[2, 50, 150, 300], [50, 2, 100, 250], [150, 100, 2, 200], [300, 250, 200, 2]];

/// How exactly times are told.
const TICK: Duration = Duration::from_millis(5);

/// Until all see each other and everything is on its way.
const RAMP: Duration = Duration::from_secs(8);

/// Nothing of what is submitted takes longer, or the run has failed.
const PATIENCE_MS: u64 = 120_000;

/// Submitted at a member to executed there, at 50 commands a second; and how many are ordered in a second when all members
/// submit as many as their engines take.
pub(crate) fn measure(size: u8, window: Duration) -> (Summary, f64) {
    let company = Company::of(size);
    let run = run(1, cast(&company), async |mut world| {
        for (from, to) in (0..world.size()).flat_map(|from| (0..world.size()).map(move |to| (from, to))) {
            if from != to {
                world.lay_one_way(from, to, road(from, to)).await;
            }
        }
        let (mut handles, mut sinks) = (Vec::new(), Vec::new());
        for place in 0..world.size() {
            let sink = Sink::new(&company.group, None);
            handles.push(world.start(place, sink.clone()).await);
            sinks.push(sink);
        }
        world.sleep(RAMP).await;
        let load = Load { company: &company, world: &world, handles: &handles, sinks: &sinks };
        (load.steadily(50, window).await, load.flat_out(window).await)
    });
    run.value
}

fn road(from: usize, to: usize) -> Road {
    let latency = Duration::from_millis(ROUND_TRIP_MS[from % 4][to % 4]) / 2;
    Road { latency, jitter: latency / 20, loss_percent: 0 }
}

struct Load<'a> {
    company: &'a Company,
    world: &'a World,
    handles: &'a [Handle],
    sinks: &'a [Sink],
}

impl Load<'_> {
    async fn steadily(&self, rate: u64, window: Duration) -> Summary {
        let begin = self.world.now_ms();
        let (mut sent, mut took, mut under_way) = (0, Vec::new(), Vec::<(usize, Digest, u64)>::new());
        loop {
            let now = self.world.now_ms();
            let elapsed = now - begin;
            let over = u128::from(elapsed) >= window.as_millis();
            while !over && sent < elapsed * rate / 1000 {
                let place = sent as usize % self.handles.len();
                let command = commitment(self.company, place, sent as usize);
                under_way.push((place, command.id(), now));
                self.handles[place].submit(command).unwrap();
                sent += 1;
            }
            under_way.retain(|(place, command, at)| {
                let done = self.sinks[*place].has(command);
                took.extend(done.then(|| Duration::from_millis(now - at)));
                !done
            });
            if over && under_way.is_empty() {
                return Summary::of(took);
            }
            assert!(elapsed < PATIENCE_MS, "{} commands were never executed", under_way.len());
            self.world.sleep(TICK).await;
        }
    }

    /// Ordered in a second of the second half of twice the window, when queues are full.
    async fn flat_out(&self, window: Duration) -> f64 {
        let mut number = 1_000_000;
        let mut fresh = |place| {
            number += BATCH_COMMANDS_MAX;
            VecDeque::from(commitments(self.company, place, number - BATCH_COMMANDS_MAX..number))
        };
        let mut next: Vec<VecDeque<Command>> = (0..self.handles.len()).map(&mut fresh).collect();
        let (begin, mut half) = (self.world.now_ms(), None);
        loop {
            for (place, handle) in self.handles.iter().enumerate() {
                while handle.submit(next[place][0].clone()).inspect_err(only_full).is_ok() {
                    next[place].pop_front();
                    if next[place].is_empty() {
                        next[place] = fresh(place);
                    }
                }
            }
            let elapsed = u128::from(self.world.now_ms() - begin);
            if elapsed >= window.as_millis() && half.is_none() {
                half = Some((elapsed, self.sinks[0].ordered()));
            }
            if let Some((at, ordered)) = half.filter(|_| elapsed >= 2 * window.as_millis()) {
                return (self.sinks[0].ordered() - ordered) as f64 / ((elapsed - at) as f64 / 1000.0);
            }
            self.world.sleep(TICK).await;
        }
    }
}

fn only_full(refused: &SubmitError) {
    assert!(matches!(refused, SubmitError::Full), "{refused}");
}
