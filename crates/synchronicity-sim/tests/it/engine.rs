//! The same members over the real engine: a few seeds, because each is minutes of simulated time.

use synchronicity_sim::engine::{Finished, Options, run};

/// Seeds in every run of the tests.
const SAMPLE: u64 = 4;

fn finished(seed: u64, options: &Options) -> Finished {
    run(seed, options).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn every_invariant_holds_over_the_real_engine_under_faults() {
    for seed in 0..SAMPLE {
        let finished = finished(seed, &Options::default());
        assert!(finished.entries > 0 && finished.published > 0, "seed {seed} tested nothing");
    }
}

#[test]
fn the_same_seed_gives_the_same_history_over_the_real_engine() {
    let options = Options { steps: 15, ..Options::default() };
    assert_eq!(finished(77, &options), finished(77, &options));
}
