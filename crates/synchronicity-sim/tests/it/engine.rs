//! The same members over the real engine: a few seeds, because each is minutes of simulated time.

use synchronicity_sim::engine::{Finished, Options, Script, group, replay, run};
use synchronicity_sim::trace::TraceError;

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
fn the_same_seed_gives_the_same_history_over_the_real_engine_and_so_does_its_trace() {
    let options = Options { members: Some(4), steps: 15, ..Options::default() };
    let first = finished(77, &options);
    let script = Script::parse(&first.trace.join("\n")).unwrap();
    assert_eq!((script.seed, script.members, script.steps.len()), (77, 4, 17));
    assert_eq!(replay(77, &options, &script.steps).unwrap(), first);
}

/// `starve` has as many gone as the group bears and one more, whatever engines are hostile.
#[test]
fn nothing_is_final_with_one_more_gone_than_the_group_bears_beside_as_many_hostile_engines() {
    for (members, hostile) in [(4, 1), (7, 2)] {
        let options = Options { members: Some(members), steps: 6, ..Options::default() };
        let is_full = |seed: &u64| group(*seed, &options).matches('/').count() == hostile;
        let seed = (0..).find(is_full).unwrap();
        let trace = finished(seed, &options).trace;
        let starving = trace.iter().position(|line| line.contains("* starve")).unwrap();
        let killed = trace[starving..].iter().take_while(|line| !line.contains(" start ")).collect::<Vec<_>>();
        let killed = killed.iter().filter(|line| line.contains(" kill ")).count();
        assert_eq!(killed, hostile + 1, "{members} members");
    }
}

#[test]
fn what_is_no_trace_of_the_engine_is_refused_with_its_line() {
    let head = "engine seed 7: 4 members, threshold 3: honest honest honest honest";
    let parse = |lines: &str| Script::parse(&format!("{head}\n{lines}"));
    assert_eq!(parse("00001 * kill 3, then 20 ms | height 0\n00002 crash 3 | height 0").unwrap().steps.len(), 1);
    for bad in ["00001 * kill 4, then 20 ms | height 0", "00001 * kill 3 | height 0", "00001 * dance | height 0"] {
        assert!(matches!(parse(bad), Err(TraceError::Line(2, _))), "{bad}");
    }
    assert!(matches!(Script::parse("seed 7: 4 members, threshold 3"), Err(TraceError::Head(_))));
}
