//! Members that all behave, over links that do or do not.

use std::time::Duration;

use synchronicity_consensus::Handle;
use synchronicity_consensus::simulation::{Road, World, run};
use synchronicity_core::command::Command;

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};

/// Starts every member upon an empty disk.
pub(crate) async fn start_all(world: &mut World, company: &Company) -> (Vec<Handle>, Vec<Ledger>) {
    let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
    for place in 0..world.size() {
        let ledger = Ledger::new(&company.group);
        handles.push(world.start(place, ledger.clone()).await);
        ledgers.push(ledger);
    }
    (handles, ledgers)
}

/// Submits one command at each of the given members and returns them.
pub(crate) fn submit(company: &Company, handles: &[Handle], places: &[usize], number: usize) -> Vec<Command> {
    let submit = |place: &usize| {
        let command = company.submission(*place, number);
        handles[*place].submit(command.clone()).unwrap();
        command
    };
    places.iter().map(submit).collect()
}

pub(crate) fn all_have(ledgers: &[Ledger], commands: &[Command]) -> bool {
    ledgers.iter().all(|ledger| commands.iter().all(|command| ledger.has(command)))
}

/// Whether no command was executed twice anywhere.
pub(crate) fn assert_ordered_once(ledgers: &[Ledger]) {
    for ledger in ledgers {
        let mut ordered = ledger.ordered();
        let total = ordered.len();
        ordered.sort();
        ordered.dedup();
        assert_eq!(ordered.len(), total, "a command was ordered twice");
    }
}

#[test]
fn four_nodes_order_the_same_commands() {
    with_seed(1, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..25 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(Duration::from_secs(30), || all_have(&ledgers, &commands)).await, "{number}");
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert!(handles.iter().all(|handle| handle.status().mempool == 0));
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn commands_under_one_signature_are_ordered_like_any_others() {
    with_seed(3, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            let batch = company.batch(1, 100..200);
            // Of each batch a part is ordered before the rest was handed in.
            for commands in [&batch[..50], &batch[50..]] {
                commands.iter().for_each(|command| handles[1].submit(command.clone()).unwrap());
                assert!(world.until(Duration::from_secs(30), || all_have(&ledgers, commands)).await);
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_command_is_final_within_a_few_trips_and_an_idle_group_makes_a_block_per_heartbeat() {
    with_seed(2, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            world.sleep(HEARTBEAT * 5).await;
            let begin = world.now_ms();
            let commands = submit(&company, &handles, &[2], 0);
            assert!(world.until(Duration::from_secs(5), || all_have(&ledgers, &commands)).await);
            let elapsed = world.now_ms() - begin;
            assert!(elapsed <= 250, "{elapsed} ms for a command over links of 20 ms");

            let (height, votes) = (ledgers[0].height(), world.votes());
            world.sleep(HEARTBEAT * 50).await;
            let blocks = ledgers[0].height() - height;
            assert!((45..=50).contains(&blocks), "{blocks} blocks in 50 heartbeats");
            let each = (world.votes() - votes) as u64 / blocks;
            assert!(each <= 24, "{each} votes for an empty block");
            assert!(handles.iter().all(|handle| handle.status().caught_up));
        });
    });
}

#[test]
fn lossy_links_delay_commands_but_lose_none() {
    with_seed(3, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let road = Road { latency: Duration::from_millis(50), jitter: Duration::from_millis(30), loss_percent: 10 };
            world.connect_all(road).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..10 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(Duration::from_secs(120), || all_have(&ledgers, &commands)).await, "{number}");
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn seven_nodes_order_the_same_commands() {
    with_seed(4, |seed| {
        let company = Company::of(7);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(Road { loss_percent: 2, ..ROAD }).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            for number in 0..5 {
                let commands = submit(&company, &handles, &[0, 1, 2, 3, 4, 5, 6], number);
                assert!(world.until(Duration::from_secs(60), || all_have(&ledgers, &commands)).await, "{number}");
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
        });
    });
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    with_seed(5, |seed| {
        let company = Company::of(4);
        let history = |seed| {
            run(seed, cast(&company), async |mut world| {
                world.connect_all(Road { loss_percent: 5, ..ROAD }).await;
                let (handles, ledgers) = start_all(&mut world, &company).await;
                let commands = submit(&company, &handles, &[0, 1, 2, 3], 0);
                assert!(world.until(Duration::from_secs(60), || all_have(&ledgers, &commands)).await);
                world.sleep(HEARTBEAT * 3).await;
                ledgers[0].ordered()
            })
        };
        let (first, again, other) = (history(seed), history(seed), history(seed.wrapping_add(1)));
        assert_eq!(first, again);
        assert_ne!(first.history, other.history);
    });
}
