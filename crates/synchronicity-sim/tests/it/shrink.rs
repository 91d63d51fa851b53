//! A failing run can be made short, written down and run again.

use synchronicity_sim::event::Event;
use synchronicity_sim::plant::Plant;
use synchronicity_sim::run::{Broken, Options, replay, run, shortened};
use synchronicity_sim::script::Course;
use synchronicity_sim::trace::{Trace, TraceError};

const BUG: Options = Options {
    members: None,
    steps: 300,
    course: Course::Usual,
    plant: Some(Plant::CosignsTwice),
    heed: Some("nothing_is_cosigned_twice"),
};

fn failing() -> Broken {
    (0..80).find_map(|seed| run(seed, &BUG).err()).expect("some seed shows the bug")
}

fn parsed(broken: &Broken) -> Trace {
    Trace::parse(&broken.trace.join("\n")).expect("a run writes a trace that can be read")
}

#[test]
fn a_trace_runs_again_to_the_same_end() {
    let finished = run(3, &Options { steps: 120, ..Options::default() }).unwrap();
    let trace = Trace::parse(&finished.trace.join("\n")).unwrap();
    let options = Options { members: Some(trace.members), ..Options::default() };
    assert_eq!(replay(trace.seed, &options, &trace.script).unwrap(), finished);
}

#[test]
fn a_failing_run_is_made_short_and_still_fails_from_its_trace() {
    let long = failing();
    let (events, violated) = (long.script.len(), long.violations[0].invariant);
    let short = shortened(long, &BUG);
    assert!(short.script.len() * 4 < events, "{} of {events} events are left", short.script.len());
    let trace = parsed(&short);
    let options = Options { members: Some(trace.members), ..BUG };
    assert_eq!(replay(trace.seed, &options, &trace.script).unwrap_err().violations[0].invariant, violated);
    // Nothing that is left can be left out.
    for at in 0..trace.script.len() {
        let without = [&trace.script[..at], &trace.script[at + 1..]].concat();
        assert!(replay(trace.seed, &options, &without).is_ok(), "{} does not matter", trace.script[at]);
    }
}

#[test]
fn a_panic_breaks_an_invariant_and_is_made_short_like_any_other() {
    let options = Options { steps: 300, plant: Some(Plant::Panics), ..Options::default() };
    let long = run(5, &options).unwrap_err();
    assert_eq!(long.violations[0].to_string(), "invariant_nothing_panics: a planted panic at block 12");
    let events = long.script.len();
    let short = shortened(long, &options);
    assert!(short.script.len() * 4 < events, "{} of {events} events are left", short.script.len());
    assert!(short.to_string().contains("seed 5"));
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let head = "seed 7: 4 members, threshold 3: honest honest honest honest";
    let parse = |lines: &str| Trace::parse(&format!("{head}\n{lines}"));
    assert_eq!(parse("00001 act 3 | height 0").unwrap().script, [Event::Act { member: 3 }]);
    for bad in ["00001 act 4 | height 0", "00001 dance 3 | height 0", "act", "00001 act -1 |"] {
        assert!(matches!(parse(bad), Err(TraceError::Line(2, _))), "{bad}");
    }
    for bad in ["", "seed x: 4 members", "hello"] {
        assert!(matches!(Trace::parse(bad), Err(TraceError::Head(_))), "{bad}");
    }
}
