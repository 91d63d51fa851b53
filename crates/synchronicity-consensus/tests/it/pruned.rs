//! Chains of which the beginning is not kept, and members that begin with a state that others have signed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

use synchronicity_consensus::simulation::{World, run};
use synchronicity_consensus::{Certified, CertifiedError, Handle, Standing, WantedStates};
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, start_all, submit};

const MINUTE: Duration = Duration::from_secs(60);
const KEPT: NonZeroU64 = NonZeroU64::new(16).unwrap();

/// What is open at a node.
fn wanted_now(ledger: &Ledger) -> WantedStates {
    WantedStates { open: BTreeSet::from([ledger.executed_now().open]), since_ms: 0 }
}

/// The state of a node, and the block with its certificate that says so.
async fn snapshot(world: &World, company: &Company, handle: &Handle, ledger: &Ledger) -> (Ledger, Certified) {
    // The next block claims the state after the last command.
    world.sleep(HEARTBEAT * 2).await;
    // Nothing is ordered meanwhile, so what is open stays as it is.
    let open = ledger.open_state();
    let certified = handle.certified(wanted_now(ledger)).await.unwrap();
    let certified = Certified::from_bytes(&certified.to_bytes(), &company.group).unwrap();
    let claimed = certified.claimed(&Executed::NOTHING);
    (Ledger::resumed(&company.group, &ledger.entries(), &claimed, &open), certified)
}

/// Starts members that keep few blocks, and has a command of each ordered.
async fn start_at_work(world: &mut World, company: &Company) -> (Vec<Handle>, Vec<Ledger>) {
    world.keep_blocks(KEPT);
    world.connect_all(ROAD).await;
    let (handles, ledgers) = start_all(world, company).await;
    let commands = submit(company, &handles, &[0, 1, 2, 3], 0);
    assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await);
    (handles, ledgers)
}

async fn more_blocks(world: &World, ledger: &Ledger, blocks: u64) {
    let enough = ledger.height() + blocks;
    assert!(world.until(MINUTE * 60, || ledger.height() >= enough).await);
}

#[test]
fn a_member_that_was_away_for_longer_than_blocks_are_kept_goes_on_from_a_signed_state_and_no_other_way() {
    with_seed(71, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, mut ledgers) = start_at_work(&mut world, &company).await;
            world.kill(3);
            // Blocks of the last 256 views are kept besides, up to 256 more: these go together, too.
            more_blocks(&world, &ledgers[0], 560).await;

            let stuck = ledgers[3].height();
            handles[3] = world.start(3, ledgers[3].clone()).await;
            world.sleep(HEARTBEAT * 20).await;
            assert_eq!(ledgers[3].height(), stuck, "the others have kept more than they are to");
            world.kill(3);

            let (state, floor) = snapshot(&world, &company, &handles[1], &ledgers[1]).await;
            ledgers[3] = state;
            handles[3] = world.start_from(3, "", ledgers[3].clone(), floor.clone()).await;
            // With another member away its votes are needed.
            world.kill(0);
            let after = submit(&company, &handles, &[1, 3], 1);
            assert!(world.until(MINUTE * 2, || all_have(&ledgers[1..], &after)).await, "it does not take part");
            // And once more with the same floor, which is behind it by now.
            more_blocks(&world, &ledgers[1], 2 * KEPT.get()).await;
            world.kill(3);
            handles[3] = world.start_from(3, "", ledgers[3].clone(), floor).await;
            let last = submit(&company, &handles, &[1, 3], 2);
            assert!(world.until(MINUTE * 2, || all_have(&ledgers[1..], &last)).await, "it does not go on");
            let first = ledgers[3].blocks()[0].height;
            assert!(ledgers[1].blocks()[first as usize - 1..].starts_with(&ledgers[3].blocks()));
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_member_that_lost_its_folder_begins_with_a_signed_state_and_does_not_contradict_itself() {
    with_seed(72, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            let (mut handles, mut ledgers) = start_at_work(&mut world, &company).await;
            more_blocks(&world, &ledgers[0], 2 * KEPT.get()).await;
            for number in 1..6 {
                // At another moment of a view each time.
                world.sleep(Duration::from_millis(7 * number as u64)).await;
                let (state, floor) = snapshot(&world, &company, &handles[1], &ledgers[1]).await;
                world.kill(3);
                ledgers[3] = state;
                handles[3] = world.start_from(3, &format!("again-{number}-"), ledgers[3].clone(), floor).await;
                let votes = || handles[3].status().standing == Standing::Voting;
                assert!(world.until(MINUTE * 2, votes).await, "{:?}", handles[3].status());
                let after = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE * 2, || all_have(&ledgers, &after)).await, "{number}");
            }
            assert_same_order(&ledgers[..3].iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

/// Has every block hold commands, from one number on up to another, and says what was open meanwhile at a node.
async fn keep_busy(
    world: &World,
    company: &Company,
    handles: &[Handle],
    numbers: Range<usize>,
    ledger: &Ledger,
) -> BTreeMap<Digest, Vec<u8>> {
    let mut states = BTreeMap::new();
    for number in numbers {
        submit(company, handles, &[0, 1, 2], number);
        for _ in 0..60 {
            world.sleep(Duration::from_millis(1)).await;
            states.insert(ledger.executed_now().open, ledger.open_state());
        }
    }
    states
}

#[test]
fn a_group_that_is_never_at_rest_has_a_signed_state_too_and_a_member_begins_with_it_meanwhile() {
    with_seed(75, |seed| {
        let company = Company::of(4);
        let (bytes, alone) = run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (mut handles, mut ledgers) = start_all(&mut world, &company).await;
            keep_busy(&world, &company, &handles, 0..4, &ledgers[1]).await;
            let states = keep_busy(&world, &company, &handles, 4..12, &ledgers[1]).await;
            let wanted = WantedStates { open: states.keys().copied().collect(), since_ms: 0 };
            let bytes = handles[1].certified(wanted).await.expect("a signed state").to_bytes();
            let certified = Certified::from_bytes(&bytes, &company.group).unwrap();
            let claimed = certified.claimed(&Executed::NOTHING);
            let entries = ledgers[1].entries();
            world.kill(3);
            ledgers[3] = Ledger::resumed(&company.group, &entries, &claimed, &states[&claimed.open]);
            handles[3] = world.start_from(3, "again-", ledgers[3].clone(), certified).await;
            keep_busy(&world, &company, &handles, 12..24, &ledgers[1]).await;
            let votes = || handles[3].status().standing == Standing::Voting;
            assert!(world.until(MINUTE, votes).await, "{:?}", handles[3].status());
            // With another member away its votes are needed.
            world.kill(0);
            let after = submit(&company, &handles, &[1, 2, 3], 24);
            assert!(world.until(MINUTE, || all_have(&ledgers[1..], &after)).await, "it does not take part");
            assert_same_order(&[&ledgers[1], &ledgers[2]]);
            let first = ledgers[3].blocks()[0].height;
            assert_eq!(first, claimed.height + 1);
            assert!(ledgers[1].blocks()[first as usize - 1..].starts_with(&ledgers[3].blocks()));
            assert_eq!(world.contradictions(), []);

            world.sleep(HEARTBEAT * 3).await;
            let at_rest = handles[1].certified(wanted_now(&ledgers[1])).await.expect("a signed state");
            (bytes, at_rest.to_bytes())
        })
        .value;
        let group = &company.group;
        let read = |bytes: &[u8]| Certified::from_bytes(bytes, group);
        assert_eq!(Certified::from_own_disk(&bytes, group), Ok(read(&bytes).unwrap()));
        assert!(read(&alone).is_ok());
        let is_cut_between = |at: &usize| matches!(read(&bytes[..*at]), Err(CertifiedError::NotBefore { .. }));
        let cuts: Vec<usize> = (0..bytes.len()).filter(is_cut_between).collect();
        assert_eq!(cuts.len(), 1, "one block claimed the state before it");
        let (begin, claiming) = bytes.split_at(cuts[0]);
        // The other way round, or one block that is final without the one that the claim is about, in either order, twice, or with a
        // third.
        for other in [[claiming, begin], [&bytes, &alone], [&alone, &bytes], [&alone, &alone]] {
            assert!(read(&other.concat()).is_err());
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at} is bound by nothing");
            assert!(read(&bytes[..at]).is_err(), "cut after {at} bytes");
        }
    });
}

#[test]
fn members_that_were_down_together_go_on_with_what_is_left_of_their_chains() {
    with_seed(73, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.keep_blocks(KEPT);
            world.connect_all(ROAD).await;
            let (mut handles, ledgers) = start_all(&mut world, &company).await;
            more_blocks(&world, &ledgers[0], 2 * KEPT.get()).await;
            world.kill(2);
            // Less than is kept.
            world.sleep(HEARTBEAT * (KEPT.get() as u32 / 2)).await;
            for number in 0..3 {
                (0..4).for_each(|place| world.kill(place));
                for place in 0..4 {
                    handles[place] = world.start(place, ledgers[place].clone()).await;
                }
                let commands = submit(&company, &handles, &[0, 1, 2, 3], number);
                assert!(world.until(MINUTE * 2, || all_have(&ledgers, &commands)).await, "{number}");
                more_blocks(&world, &ledgers[0], 2 * KEPT.get()).await;
            }
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            assert_eq!(world.contradictions(), []);
        });
    });
}

#[test]
fn a_certificate_of_another_group_or_block_and_bytes_that_were_changed_are_refused() {
    with_seed(74, |seed| {
        let company = Company::of(4);
        let bytes = run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (handles, ledgers) = start_all(&mut world, &company).await;
            world.sleep(HEARTBEAT * 3).await;
            assert_eq!(handles[0].certified(WantedStates::default()).await, None);
            handles[0].certified(wanted_now(&ledgers[0])).await.unwrap().to_bytes()
        })
        .value;
        let group = &company.group;
        let certified = Certified::from_bytes(&bytes, group).unwrap();
        assert_eq!(Certified::from_own_disk(&bytes, group), Ok(certified));
        assert!(Certified::from_bytes(&bytes, &Company::of(5).group).is_err());
        // The same members in their next epoch.
        let mut later = group.membership();
        later.threshold = 4;
        let later = group.followed_by(&later).unwrap();
        assert_eq!(Certified::from_bytes(&bytes, &later), Err(CertifiedError::NotSigned));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Certified::from_bytes(&changed, group).is_err(), "byte {at} is bound by nothing");
            assert!(Certified::from_bytes(&bytes[..at], group).is_err(), "cut after {at} bytes");
        }
    });
}
