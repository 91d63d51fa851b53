//! Members that are killed and started again upon what their disk kept.

use std::time::Duration;

use synchronicity_consensus::Stopped;
use synchronicity_consensus::simulation::{Road, resume, run, run_and_lose_power};

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, assert_ordered_once, start_all, submit};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_killed_member_catches_up_from_its_disk_and_never_votes_twice() {
    with_seed(21, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (mut handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..24 {
                let victim = number % 4;
                let others: Vec<usize> = (0..4).filter(|place| *place != victim).collect();
                // At another moment of the view each time: before, between and after its votes.
                world.sleep(Duration::from_millis(7 * number as u64)).await;
                let commands = submit(&company, &handles, &others, number);
                world.sleep(Duration::from_millis(11 * number as u64)).await;
                world.kill(victim);
                world.sleep(Duration::from_millis(500 * (number as u64 % 3))).await;
                handles[victim] = world.start(victim, ledgers[victim].clone()).await;
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "kill {number}");
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_member_with_an_empty_state_executes_its_chain_again_from_the_first_block() {
    with_seed(22, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (mut handles, mut ledgers) = start_all(&mut world, &company).await;
            for number in 0..10 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
            }
            world.kill(0);
            world.kill(1);
            ledgers[0] = Ledger::new(&company.group);
            ledgers[1] = ledgers[1].restored_to(3);
            handles[0] = world.start(0, ledgers[0].clone()).await;
            handles[1] = world.start(1, ledgers[1].clone()).await;
            let after = submit(&company, &handles, &[2, 3], 10);
            assert!(world.until(MINUTE, || all_have(&ledgers, &after)).await);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
        });
    });
}

#[test]
fn a_member_whose_chain_was_lost_but_not_its_state_refuses_to_vote() {
    with_seed(25, |seed| {
        let company = Company::of(4);
        let before = run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..8 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
            }
            // Further than a state may be ahead of its chain after a crash.
            assert!(world.until(MINUTE * 10, || ledgers[0].height() >= 80).await);
            ledgers
        });
        // The same state upon another world's disk, which is empty.
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let handle = world.start(0, before.value[0].clone()).await;
            let Stopped::Failed(reason) = handle.stopped().await else { panic!("it must refuse") };
            assert!(reason.contains("must not vote"), "{reason}");
            assert_eq!(world.votes(), 0);
        });
    });
}

#[test]
fn a_power_cut_of_the_whole_group_loses_nothing_that_was_final() {
    with_seed(23, |seed| {
        let company = Company::of(4);
        let (first, disk) = run_and_lose_power(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..8 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
            }
            submit(&company, &handles, &[0, 1, 2, 3], 8);
            world.sleep(Duration::from_millis(45)).await;
            ledgers
        });
        let ledgers = first.value;
        let before: Vec<_> = ledgers.iter().map(Ledger::ordered).collect();
        resume(disk, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let mut handles = Vec::new();
            for (place, ledger) in ledgers.iter().enumerate() {
                handles.push(world.start(place, ledger.clone()).await);
            }
            let after = submit(&company, &handles, &[0, 1, 2, 3], 9);
            assert!(world.until(MINUTE, || all_have(&ledgers, &after)).await, "it did not go on");
            world.sleep(HEARTBEAT * 2).await;
            for (ledger, before) in ledgers.iter().zip(&before) {
                assert!(ledger.ordered().starts_with(before));
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

/// Without jitter, so that one moment between two votes is the same for everybody.
const EVEN: Road = Road { latency: Duration::from_millis(50), jitter: Duration::ZERO, loss_percent: 0 };

/// The first two members hear everything, the others nothing from some moment on until views have passed. At some of
/// these moments all have notarized a block, and two alone know that it is final.
#[test]
fn members_that_slept_through_a_finalization_are_told_of_it_and_the_group_goes_on() {
    let mut apart = 0;
    for moment_ms in [110, 130, 150, 170] {
        with_seed(26, |seed| {
            let company = Company::of(4);
            run(seed, cast(&company), async |mut world| {
                world.connect_all(EVEN).await;
                let (handles, ledgers) = start_all(&mut world, &company).await;
                let first = submit(&company, &handles, &[0, 1, 2, 3], 0);
                assert!(world.until(MINUTE, || all_have(&ledgers, &first)).await);
                world.sleep(Duration::from_secs(1)).await;
                let before = ledgers[0].height();
                submit(&company, &handles, &[0], 1);
                world.sleep(Duration::from_millis(moment_ms)).await;
                for (from, to) in [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 2)] {
                    world.cut_one_way(from, to).await;
                }
                world.sleep(Duration::from_secs(30)).await;
                let heights: Vec<u64> = ledgers.iter().map(Ledger::height).collect();
                apart += usize::from(heights[0] > before && heights[1] > before && heights[2..] == [before; 2]);
                world.connect_all(EVEN).await;
                let after = submit(&company, &handles, &[0, 1, 2, 3], 2);
                assert!(world.until(MINUTE * 2, || all_have(&ledgers, &after)).await, "{moment_ms} ms: {heights:?}");
                assert_same_order(&ledgers.iter().collect::<Vec<_>>());
                assert_eq!(world.contradictions(), []);
            });
        });
    }
    assert!(apart > 0, "no moment leaves a block final for two members only");
}
