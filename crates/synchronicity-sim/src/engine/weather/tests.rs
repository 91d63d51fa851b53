//! What the dice bring, and that it can be written down.

use std::collections::BTreeSet;

use super::*;

/// Seeds and random events in each, as in a run.
const SEEDS: u64 = 20;
const STEPS: usize = 60;

/// All that happens to groups of seven from these seeds.
fn drawn() -> Vec<Weather> {
    let mut drawn = Vec::new();
    for seed in 0..SEEDS {
        let (mut dice, mut running, mut down) = (Dice::new(seed), (0..7).collect::<Vec<usize>>(), Vec::new());
        for _ in 0..STEPS {
            let weather = next((&running, &down), &mut dice);
            let (from, to, moved) = match weather {
                Weather::Kill(member) => (&mut running, &mut down, member),
                Weather::Restart(member) => (&mut down, &mut running, member),
                _ => {
                    drawn.push(weather);
                    continue;
                }
            };
            from.retain(|member| *member != moved);
            to.push(moved);
            drawn.push(weather);
        }
    }
    drawn
}

#[test]
fn a_few_seeds_bring_every_kind_of_weather() {
    let texts: Vec<String> = drawn().iter().map(ToString::to_string).collect();
    let kinds: BTreeSet<&str> = texts.iter().filter_map(|text| text.split(' ').next()).collect();
    let expected = ["ask", "clock", "cut", "deaf", "disk", "disks", "kill", "muddle", "roads", "start"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    // Within a kind, the mildest and the worst.
    let worst =
        ["fail 2 keep", "syncs in 3000 ms", "ahead 86400000 ms", "ahead -86400000 ms", "loss 8 %", "muddle 30 %"];
    for part in worst.into_iter().chain(["fail 0 keep", "syncs in 0 ms", "ahead 0 ms", "loss 0 %", "muddle 0 %"]) {
        assert!(texts.iter().any(|text| text.contains(part)), "no seed has {part:?}");
    }
}

#[test]
fn weather_reads_back_as_it_was_written() {
    for weather in drawn() {
        assert_eq!(weather.to_string().parse(), Ok(weather));
    }
    for bad in ["", "kill", "kill x", "kill 1 2", "muddle 101 %", "dance 3", "clock 1 ahead 1.5 ms"] {
        assert!(bad.parse::<Weather>().is_err(), "{bad}");
    }
}
