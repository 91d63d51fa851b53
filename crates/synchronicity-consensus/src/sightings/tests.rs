use std::time::UNIX_EPOCH;

use super::*;

const FRESH: Duration = Duration::from_secs(8);

fn sightings() -> Sightings {
    Sightings::new(FRESH, mpsc::channel(1).0)
}

#[test]
fn a_member_counts_as_connected_until_it_was_silent_for_too_long() {
    let sightings = sightings();
    let then = UNIX_EPOCH + Duration::from_secs(1000);
    for key in [[1; 32], [2; 32]] {
        sightings.heard(key, then);
    }
    assert_eq!(sightings.connected(&[1; 32], then + FRESH / 2), [[2; 32]]);
    assert!(sightings.connected(&[1; 32], then + FRESH).is_empty());
}

#[test]
fn one_leader_with_a_wrong_clock_does_not_make_ours_wrong() {
    let sightings = sightings();
    assert_eq!(sightings.clock_skew_ms(), None);
    let now = 1_700_000_000_000;
    for (leader, proposed) in [(1, now - 20), (2, now - 30), (3, now + 3_600_000)] {
        sightings.proposed([leader; 32], proposed, now);
    }
    assert_eq!(sightings.clock_skew_ms(), Some(20));
    sightings.proposed([3; 32], 0, u64::MAX);
    assert_eq!(sightings.clock_skew_ms(), Some(30));
}

#[test]
fn the_first_block_is_final_by_agreement_and_shows_nothing() {
    let sightings = sightings();
    sightings.finalized(0);
    assert_eq!(sightings.final_height(), None);
    sightings.finalized(3);
    sightings.finalized(2);
    assert_eq!(sightings.final_height(), Some(3));
}
