//! Members whose folder was lost or is an old one: others remember their votes, and they are silent until it is safe.

use std::time::Duration;

use synchronicity_consensus::simulation::{World, run};
use synchronicity_consensus::{Handle, Standing};

use crate::cast::{ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, submit};

const MINUTE: Duration = Duration::from_secs(60);

/// Everybody, the last member upon a disk called `old`, after `rounds` commands of each.
async fn working(world: &mut World, company: &Company, rounds: usize) -> (Vec<Handle>, Vec<Ledger>) {
    world.connect_all(ROAD).await;
    let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
    for place in 0..4 {
        let ledger = Ledger::new(&company.group);
        let disk = if place == 3 { "old-" } else { "" };
        handles.push(world.start_upon(place, disk, ledger.clone()).await);
        ledgers.push(ledger);
    }
    for number in 0..rounds {
        let commands = submit(company, &handles, &[0, 1, 2, 3], number);
        assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
    }
    (handles, ledgers)
}

/// Commands are ordered while the third member is dead, so the vote of the fourth is among those that order them.
async fn assert_votes(world: &mut World, company: &Company, handles: &mut [Handle], ledgers: &[Ledger], number: usize) {
    world.kill(2);
    let commands = submit(company, handles, &[0, 1, 3], number);
    let living = [ledgers[0].clone(), ledgers[1].clone(), ledgers[3].clone()];
    assert!(world.until(MINUTE, || all_have(&living, &commands)).await, "the member does not vote");
    handles[2] = world.start(2, ledgers[2].clone()).await;
    assert!(world.until(MINUTE, || all_have(ledgers, &commands)).await);
}

#[test]
fn a_member_that_lost_its_folder_and_one_upon_an_old_backup_vote_again_and_never_contradict_themselves() {
    with_seed(61, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, mut ledgers) = working(&mut world, &company, 5).await;
            let old = ledgers[3].clone();
            // Everything is lost.
            world.kill(3);
            ledgers[3] = Ledger::new(&company.group);
            handles[3] = world.start_upon(3, "new-", ledgers[3].clone()).await;
            assert!(world.until(MINUTE, || matches!(handles[3].status().standing, Standing::Forgetful { .. })).await);
            assert!(world.until(MINUTE, || handles[3].status().standing == Standing::Voting).await);
            assert_votes(&mut world, &company, &mut handles, &ledgers, 10).await;
            // An old backup comes back, of the state too.
            world.kill(3);
            ledgers[3] = old;
            handles[3] = world.start_upon(3, "old-", ledgers[3].clone()).await;
            assert!(world.until(MINUTE, || matches!(handles[3].status().standing, Standing::Forgetful { .. })).await);
            assert!(world.until(MINUTE, || handles[3].status().standing == Standing::Voting).await);
            assert_votes(&mut world, &company, &mut handles, &ledgers, 11).await;
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn the_others_remember_after_they_were_all_restarted_and_a_group_that_needs_the_forgetful_member_waits() {
    with_seed(62, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, mut ledgers) = working(&mut world, &company, 5).await;
            (0..4).for_each(|place| world.kill(place));
            for place in [0, 1] {
                handles[place] = world.start(place, ledgers[place].clone()).await;
            }
            ledgers[3] = Ledger::new(&company.group);
            handles[3] = world.start_upon(3, "new-", ledgers[3].clone()).await;
            world.sleep(MINUTE * 2).await;
            assert!(matches!(handles[3].status().standing, Standing::Forgetful { signed: 1.. }));
            assert_eq!(handles[0].status().standing, Standing::Voting);
            let waiting = submit(&company, &handles, &[0, 1], 5);
            world.sleep(MINUTE * 2).await;
            assert!(!ledgers[0].has(&waiting[0]), "two members and a forgetful one made a quorum");

            handles[2] = world.start(2, ledgers[2].clone()).await;
            assert!(world.until(MINUTE * 2, || all_have(&ledgers, &waiting)).await, "it did not go on");
            assert!(world.until(MINUTE, || handles[3].status().standing == Standing::Voting).await);
            assert_votes(&mut world, &company, &mut handles, &ledgers, 6).await;
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn members_that_may_not_vote_yet_see_each_other() {
    with_seed(65, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, ledgers) = working(&mut world, &company, 1).await;
            (0..4).for_each(|place| world.kill(place));
            for place in [0, 1] {
                handles[place] = world.start(place, ledgers[place].clone()).await;
            }
            world.sleep(MINUTE).await;
            for (place, other) in [(0, 1), (1, 0)] {
                let status = handles[place].status();
                assert_eq!(status.standing, Standing::Asking);
                assert_eq!(status.connected, [company.group.members()[other].consensus]);
            }
        });
    });
}

/// A member is killed at many moments and started upon an empty disk: its votes contradict each other at some of them if its operator
/// vouches for that disk, and at none otherwise.
#[test]
fn without_the_question_a_member_upon_another_disk_contradicts_itself() {
    let mut contradictions = [0, 0];
    for moment in 0..6u64 {
        for vouched in [false, true] {
            with_seed(64, |seed| {
                let company = Company::of(4);
                run(seed + moment, cast(&company), async |mut world| {
                    let (handles, ledgers) = working(&mut world, &company, 3).await;
                    // Nobody but those who must be is there, so the view in which the member died goes on.
                    world.kill(2);
                    submit(&company, &handles, &[0, 1], 3);
                    world.sleep(Duration::from_millis(25 * moment)).await;
                    world.kill(3);
                    let disk = format!("other-{vouched}-");
                    let ledger = Ledger::new(&company.group);
                    match vouched {
                        true => world.start_vouched(3, &disk, ledger).await,
                        false => world.start_upon(3, &disk, ledger).await,
                    };
                    world.sleep(MINUTE / 4).await;
                    world.start(2, ledgers[2].clone()).await;
                    world.sleep(MINUTE / 4).await;
                    contradictions[usize::from(vouched)] += world.contradictions().len();
                });
            });
        }
    }
    assert_eq!(contradictions[0], 0, "a member that asked contradicted itself");
    assert!(contradictions[1] > 0, "the moments show nothing: no vote contradicts another even without the question");
}
