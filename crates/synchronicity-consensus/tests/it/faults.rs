//! Members that are cut off or dead.

use std::time::Duration;

use synchronicity_consensus::Handle;
use synchronicity_consensus::simulation::{World, run};

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, assert_ordered_once, start_all, submit};

const MINUTE: Duration = Duration::from_secs(60);

/// All members over good roads, after each has had a command ordered.
async fn working(world: &mut World, company: &Company) -> (Vec<Handle>, Vec<Ledger>) {
    world.connect_all(ROAD).await;
    let (handles, ledgers) = start_all(world, company).await;
    let first = submit(company, &handles, &[0, 1, 2, 3], 0);
    assert!(world.until(MINUTE, || all_have(&ledgers, &first)).await);
    (handles, ledgers)
}

#[test]
fn a_member_that_was_cut_off_catches_up_when_the_partition_heals() {
    with_seed(11, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (handles, ledgers) = working(&mut world, &company).await;

            world.cut(&[3], &[0, 1, 2]).await;
            let height = ledgers[3].height();
            let lonely = submit(&company, &handles, &[3], 1);
            for number in 2..12 {
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers[..3], &commands)).await, "{number}");
            }
            assert!(ledgers[3].height() <= height + 2, "it executed blocks that nobody could send it");
            assert!(!ledgers[0].has(&lonely[0]));
            assert!(handles[3].status().connected.is_empty());

            world.connect_all(ROAD).await;
            let after = submit(&company, &handles, &[0, 1, 2], 12);
            let all = || all_have(&ledgers, &after) && all_have(&ledgers, &lonely);
            assert!(world.until(MINUTE, all).await, "it did not catch up");
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn with_two_of_four_down_the_group_halts_and_goes_on_when_one_returns() {
    with_seed(12, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, ledgers) = working(&mut world, &company).await;

            world.kill(2);
            world.kill(3);
            world.sleep(HEARTBEAT).await;
            let height = ledgers[0].height();
            let waiting = submit(&company, &handles, &[0, 1], 1);
            world.sleep(MINUTE * 5).await;
            assert!(ledgers[0].height() <= height + 1, "blocks were final without a quorum");
            assert!(!ledgers[0].has(&waiting[0]));

            handles[2] = world.start(2, ledgers[2].clone()).await;
            assert!(world.until(MINUTE, || all_have(&ledgers[..3], &waiting)).await, "it did not go on");
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_dead_leader_costs_its_turn_at_first_and_nothing_once_it_is_known_to_be_dead() {
    with_seed(13, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            world.sleep(HEARTBEAT * 3).await;
            world.kill(1);
            world.sleep(MINUTE).await;
            let mut worst = 0;
            for number in 0..40 {
                let begin = world.now_ms();
                let commands = submit(&company, &handles, &[0, 2, 3], number);
                let living = [ledgers[0].clone(), ledgers[2].clone(), ledgers[3].clone()];
                assert!(world.until(MINUTE, || all_have(&living, &commands)).await, "{number}");
                worst = worst.max(world.now_ms() - begin);
            }
            assert!(worst < 1000, "{worst} ms: a leader that is known to be dead is still waited for");
        });
    });
}

#[test]
fn a_member_whose_disk_takes_seconds_delays_the_group_only_while_it_leads_and_never_votes_twice() {
    with_seed(15, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, ledgers) = working(&mut world, &company).await;

            world.slow_disk(3, Duration::from_secs(3));
            let begin = world.now_ms();
            for number in 1..9 {
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers[..3], &commands)).await, "{number}");
            }
            assert!(world.now_ms() - begin < 60_000, "three good disks wait for the slow one all the time");
            assert!(world.now_ms() - begin > 3_000, "the slow disk is as fast as the others");

            // Whatever it had not synced is not there when it is killed.
            world.kill(3);
            handles[3] = world.start(3, ledgers[3].clone()).await;
            world.slow_disk(3, Duration::ZERO);
            let after = submit(&company, &handles, &[0, 1, 2, 3], 9);
            assert!(world.until(MINUTE, || all_have(&ledgers, &after)).await, "it did not catch up");
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_long_stall_costs_no_more_afterwards_than_a_short_one() {
    for minutes in [1, 60] {
        with_seed(16, |seed| {
            let company = Company::of(4);
            run(seed, cast(&company), async |mut world| {
                let (handles, ledgers) = working(&mut world, &company).await;

                world.cut(&[0, 1], &[2, 3]).await;
                let waiting = submit(&company, &handles, &[0, 1, 2, 3], 1);
                world.sleep(MINUTE * minutes).await;
                assert!(!ledgers[0].has(&waiting[0]), "two members made a quorum");

                world.connect_all(ROAD).await;
                let begin = world.now_ms();
                assert!(world.until(MINUTE * 60, || all_have(&ledgers, &waiting)).await, "it did not go on");
                let took = world.now_ms() - begin;
                assert!(took < 15_000, "{took} ms until the group went on after {minutes} minutes");
                assert_eq!(world.contradictions(), []);
            });
        });
    }
}

#[test]
fn a_node_that_is_busy_while_the_group_goes_on_is_handed_every_block_afterwards() {
    with_seed(17, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (handles, ledgers) = working(&mut world, &company).await;

            ledgers[3].set_busy(true);
            let height = ledgers[3].height();
            for number in 1..60 {
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers[..3], &commands)).await, "{number}");
            }
            let behind = ledgers[0].height() - height;
            // More than an engine hands over before the first of them is acknowledged, and than may wait for the node.
            assert!(behind > 48 && ledgers[3].height() <= height + 1, "only {behind} blocks behind");

            ledgers[3].set_busy(false);
            let after = submit(&company, &handles, &[0, 1, 2, 3], 60);
            assert!(world.until(MINUTE, || all_have(&ledgers, &after)).await, "it did not catch up");
            let heights: Vec<u64> = ledgers[3].blocks().iter().map(|block| block.height).collect();
            assert!(heights.iter().copied().eq(1..=heights.len() as u64), "a block is missing: {heights:?}");
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
        });
    });
}
