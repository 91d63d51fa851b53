//! Members that break the rules.

use std::time::Duration;

use synchronicity_consensus::simulation::run;
use synchronicity_consensus::{AUTHOR_COMMANDS_MAX, Conduct, Handle, Offence, SubmitError};
use synchronicity_verify::equivocation;

use crate::cast::{HEARTBEAT, ROAD, cast, with_seed};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};
use crate::order::{all_have, assert_ordered_once, submit};

const MINUTE: Duration = Duration::from_secs(60);

/// What a node was told of `hostile`, and of nobody else.
fn offences(handle: &Handle, hostile: [u8; 32]) -> Vec<Conduct> {
    let mut told = handle.offences().unwrap();
    let mut offences = Vec::new();
    while let Ok(Offence { member, conduct }) = told.try_recv() {
        assert_eq!(member, hostile, "an honest member is accused");
        offences.push(conduct);
    }
    offences
}

#[test]
fn a_member_that_votes_for_everything_and_its_opposite_splits_nobody_and_is_noticed() {
    with_seed(31, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            world.start_double_voter(3).await;
            let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
            for place in 0..3 {
                ledgers.push(Ledger::new(&company.group));
                handles.push(world.start(place, ledgers[place].clone()).await);
            }
            for number in 0..10 {
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
            }
            assert_ordered_once(&ledgers);
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            let contradictions = world.contradictions();
            assert!(!contradictions.is_empty());
            assert!(contradictions.windows(2).all(|pair| pair[0].signer == pair[1].signer));
            let hostile = company.group.members()[3].consensus;
            let (mut noticed, mut cut) = (0, 0);
            for conduct in handles.iter().flat_map(|handle| offences(handle, hostile)) {
                if conduct == Conduct::CutOff {
                    cut += 1;
                    continue;
                }
                let Conduct::Equivocation(proof) = conduct else { panic!("no proof: {conduct:?}") };
                let read = equivocation::verify(proof.to_string().as_bytes()).unwrap();
                assert_eq!((read.member(), read.occasion().group), (&hostile, company.group.id()));
                noticed += 1;
            }
            assert!(noticed > 0 && cut > 0, "{noticed} have a proof, and {cut} have cut it off");
        });
    });
}

#[test]
fn a_block_that_claims_a_root_which_its_blocks_do_not_give_is_not_voted_for() {
    with_seed(32, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
            for place in 0..4 {
                let ledger = Ledger::new(&company.group);
                let ledger = if place == 3 { ledger.lying_from(2) } else { ledger };
                handles.push(world.start(place, ledger.clone()).await);
                ledgers.push(ledger);
            }
            for number in 0..10 {
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers[..3], &commands)).await, "{number}");
            }
            // The liar leads every fourth view, so its own command is in its own blocks first; they all come to nothing,
            // and an honest leader orders it.
            let own = submit(&company, &handles, &[3], 10);
            assert!(world.until(MINUTE, || all_have(&ledgers[..3], &own)).await);
            assert_same_order(&ledgers[..3].iter().collect::<Vec<_>>());
            for handle in &handles[..3] {
                let offences = offences(handle, company.group.members()[3].consensus);
                assert!(offences.iter().any(|conduct| matches!(conduct, Conduct::FalseProposal(_))), "{offences:?}");
            }
        });
    });
}

#[test]
fn with_two_members_whose_state_differs_the_group_halts_rather_than_certify_it() {
    with_seed(33, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let mut ledgers = Vec::new();
            for place in 0..4 {
                let ledger = Ledger::new(&company.group);
                let ledger = if place < 2 { ledger.lying_from(3) } else { ledger };
                world.start(place, ledger.clone()).await;
                ledgers.push(ledger);
            }
            assert!(world.until(MINUTE, || ledgers.iter().any(|ledger| ledger.height() >= 3)).await);
            world.sleep(MINUTE * 5).await;
            let highest = ledgers.iter().map(Ledger::height).max().unwrap();
            assert!(highest <= 5, "block {highest} is final, and no quorum executed the same state before it");
        });
    });
}

#[test]
fn garbage_on_the_channel_of_commands_fills_nothing_and_delays_nobody() {
    with_seed(34, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
            for place in 0..3 {
                ledgers.push(Ledger::new(&company.group));
                handles.push(world.start(place, ledgers[place].clone()).await);
            }
            world.sleep(HEARTBEAT).await;
            let flip = |mut bytes: Vec<u8>, at: usize| {
                let at = at % bytes.len();
                bytes[at] ^= 1;
                bytes
            };
            let mut garbage: Vec<Vec<u8>> = (0..2000)
                .map(|n| match n % 4 {
                    0 => vec![n as u8; n % 700],
                    1 => flip(company.submission(3, n).to_bytes(), n),
                    2 => company.submission(0, n).to_bytes(),
                    _ => vec![0xa5; 100_000],
                })
                .collect();
            garbage.push(vec![0; 500_000]);
            world.flood_with_commands(3, garbage).await;
            assert!(handles.iter().all(|handle| handle.status().mempool == 0), "garbage waits to be ordered");
            for number in 0..5 {
                let begin = world.now_ms();
                let commands = submit(&company, &handles, &[0, 1, 2], number);
                assert!(world.until(MINUTE, || all_have(&ledgers, &commands)).await, "{number}");
                assert!(world.now_ms() - begin < 15_000, "the flood delays honest members");
            }
            assert_same_order(&ledgers.iter().collect::<Vec<_>>());
            for handle in &handles {
                assert!(offences(handle, company.group.members()[3].consensus).contains(&Conduct::Garbage));
            }
        });
    });
}

#[test]
fn one_author_can_fill_its_own_quota_of_the_mempool_and_no_more() {
    with_seed(35, |seed| {
        let company = Company::of(4);
        run(seed, cast(&company), async |mut world| {
            world.connect_all(ROAD).await;
            // Without a quorum nothing is ordered, so everything waits.
            let (mut handles, mut ledgers) = (Vec::new(), Vec::new());
            for place in 0..2 {
                ledgers.push(Ledger::new(&company.group));
                handles.push(world.start(place, ledgers[place].clone()).await);
            }
            let flood = (0..2 * AUTHOR_COMMANDS_MAX).map(|n| company.submission(3, n).to_bytes());
            world.flood_with_commands(3, flood.collect()).await;
            world.sleep(HEARTBEAT).await;
            let waiting = |handles: &[Handle]| -> Vec<usize> { handles.iter().map(|h| h.status().mempool).collect() };
            assert_eq!(waiting(&handles), [AUTHOR_COMMANDS_MAX; 2]);
            let foreign = handles[0].submit(company.submission(3, 0));
            assert!(matches!(foreign, Err(SubmitError::AnotherAuthor(_))));
            let own = submit(&company, &handles, &[0], 0);
            world.sleep(HEARTBEAT).await;
            assert_eq!(waiting(&handles), [AUTHOR_COMMANDS_MAX + 1; 2]);

            ledgers.push(Ledger::new(&company.group));
            world.start(2, ledgers[2].clone()).await;
            assert!(world.until(MINUTE, || all_have(&ledgers, &own)).await, "the flood keeps another author out");
        });
    });
}
