//! A group that changes its members: the old engine ends where the new one begins.

use std::time::Duration;

use synchronicity_consensus::SubmitError;
use synchronicity_consensus::simulation::{Road, run};
use synchronicity_core::command::{Action, Command};
use synchronicity_core::rejection::Rejection;
use synchronicity_core::resume::Resuming;
use synchronicity_verify::membership::Membership;

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, start_all, submit};

const MINUTE: Duration = Duration::from_secs(60);

/// Four members, of whom the first leaves and whom a fifth joins.
fn next_of(company: &Company) -> Company {
    let five = Company::of(5);
    let mut membership = five.group.membership();
    membership.members.remove(0);
    let group = company.group.followed_by(&membership).unwrap();
    Company { group, keys: five.keys.into_iter().skip(1).collect() }
}

/// The members of `next`, as they are proposed in the epoch before.
fn membership_of(next: &Company) -> Membership {
    Membership { epoch: next.group.epoch(), ..next.group.membership() }
}

/// The group closes its epoch; what each member's node then is.
fn close(seed: u64, company: &Company, next: &Company) -> Vec<Ledger> {
    let membership = membership_of(next);
    let digest = membership.digest();
    let ended = run(seed, cast(company), async |mut world| {
        world.connect_all(ROAD).await;
        let (handles, ledgers) = start_all(&mut world, company).await;
        let sign = |place: usize, action| Command::sign(&company.keys[place], &company.group, action).unwrap();
        let propose = sign(0, Action::Propose { membership: membership.clone() });
        handles[0].submit(propose.clone()).unwrap();
        assert!(world.until(MINUTE, || all_have(&ledgers, std::slice::from_ref(&propose))).await);
        for place in [0, 1, 3] {
            handles[place].submit(sign(place, Action::Approve { membership: digest })).unwrap();
        }
        assert!(world.until(MINUTE, || ledgers.iter().all(Ledger::is_closed)).await);
        let last = ledgers[0].height();
        // The engine goes on until it is ended, and nothing of that is executed.
        world.sleep(HEARTBEAT * 10).await;
        assert_eq!(ledgers.iter().map(Ledger::height).collect::<Vec<_>>(), [last; 4]);
        let late = handles[1].submit(company.submission(1, 1));
        assert_eq!(late, Err(SubmitError::Rejected(Rejection::EpochOver)));
        assert!(handles.iter().all(|handle| handle.ended().is_none()));
        ledgers
    });
    assert_same_order(&ended.value.iter().collect::<Vec<_>>());
    ended.value
}

#[test]
fn the_members_of_the_next_epoch_go_on_from_the_last_block_of_the_one_before() {
    with_seed(51, |seed| {
        let company = Company::of(4);
        let next = next_of(&company);
        let before = close(seed, &company, &next);
        let last = before[0].height();
        // Three who stay, and a newcomer who has read nothing but the log.
        let mut resuming = Resuming::new();
        before[1].entries().iter().for_each(|entry| _ = resuming.append(entry).unwrap());
        let newcomer = Ledger::of(resuming.finish(next.group.clone()).unwrap());
        let stay = before[1..].iter().map(Ledger::in_next_epoch);
        let ledgers: Vec<Ledger> = stay.chain([newcomer]).collect();
        run(seed, cast(&next), async |mut world| {
            world.connect_all(ROAD).await;
            let mut handles = Vec::new();
            for (place, ledger) in ledgers.iter().enumerate() {
                handles.push(world.start(place, ledger.clone()).await);
            }
            let of_the_old_group = company.submission(1, 7);
            assert_eq!(
                handles[0].submit(of_the_old_group.clone()),
                Err(SubmitError::Rejected(Rejection::OtherGroup)),
                "signed for the epoch before"
            );
            for number in 0..5 {
                let commands = submit(&next, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE * 2, || all_have(&ledgers, &commands)).await, "{number}");
            }
            assert!(ledgers.iter().all(|ledger| ledger.blocks()[0].height == last + 1));
            assert!(handles[0].status().height > last);
            // Killed and started again within the epoch, upon the chain that began with it.
            world.kill(3);
            handles[3] = world.start(3, ledgers[3].clone()).await;
            let commands = submit(&next, &handles, &[0, 3], 5);
            assert!(world.until(MINUTE * 2, || all_have(&ledgers, &commands)).await);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

/// Links that lose messages, and a member that dies around the last block of the epoch.
#[test]
fn a_member_that_dies_at_the_boundary_comes_to_the_same_end_and_never_votes_twice() {
    for moment_ms in [20, 60, 110, 160, 230] {
        with_seed(52, |seed| {
            let company = Company::of(4);
            let membership = membership_of(&next_of(&company));
            let digest = membership.digest();
            run(seed, cast(&company), async |mut world| {
                world.connect_all(Road { loss_percent: 5, ..ROAD }).await;
                let (handles, ledgers) = start_all(&mut world, &company).await;
                let sign = |place: usize, action| Command::sign(&company.keys[place], &company.group, action).unwrap();
                let propose = sign(1, Action::Propose { membership: membership.clone() });
                handles[1].submit(propose.clone()).unwrap();
                assert!(world.until(MINUTE * 2, || all_have(&ledgers, std::slice::from_ref(&propose))).await);
                for place in [0, 1, 3] {
                    handles[place].submit(sign(place, Action::Approve { membership: digest })).unwrap();
                }
                world.sleep(Duration::from_millis(moment_ms)).await;
                world.kill(2);
                world.sleep(Duration::from_secs(5)).await;
                world.start(2, ledgers[2].clone()).await;
                let closed = world.until(MINUTE * 5, || ledgers.iter().all(Ledger::is_closed)).await;
                assert!(closed, "killed after {moment_ms} ms");
                let heights: Vec<u64> = ledgers.iter().map(Ledger::height).collect();
                assert_eq!(heights, [heights[0]; 4]);
                assert_same_order(&ledgers.iter().collect::<Vec<_>>());
                assert_eq!(world.contradictions(), []);
            });
        });
    }
}
