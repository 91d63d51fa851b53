use std::collections::BTreeSet;

use synchronicity_core::command::Command;
use synchronicity_core::rejection::Rejection;

use super::*;
use crate::company::Company;

const BYTES: usize = 500;

fn offer(mempool: &mut Mempool, company: &Company, place: usize, number: usize) -> Offer {
    mempool.offer(Signed::new(company.submission(place, number)), BYTES, 0)
}

fn authors(commands: &[Arc<Signed>]) -> Vec<BuilderId> {
    commands.iter().map(|command| command.author()).collect()
}

#[test]
fn a_command_waits_once() {
    let (company, mut mempool) = (Company::of(4), Mempool::default());
    assert_eq!(offer(&mut mempool, &company, 0, 0), Offer::Accepted);
    assert_eq!(offer(&mut mempool, &company, 0, 0), Offer::Known);
    assert_eq!(mempool.len(), 1);
}

#[test]
fn an_author_fills_its_own_quota_only_in_number_and_in_bytes() {
    let (company, mut mempool) = (Company::of(4), Mempool::default());
    for number in 0..AUTHOR_COMMANDS_MAX {
        assert_eq!(offer(&mut mempool, &company, 0, number), Offer::Accepted);
    }
    assert_eq!(offer(&mut mempool, &company, 0, AUTHOR_COMMANDS_MAX), Offer::Full);
    assert_eq!(offer(&mut mempool, &company, 1, 0), Offer::Accepted);
    let large = Signed::new(company.submission(2, 0));
    assert_eq!(mempool.offer(large.clone(), AUTHOR_BYTES_MAX + 1, 0), Offer::Full);
    assert_eq!(mempool.offer(large, AUTHOR_BYTES_MAX, 0), Offer::Accepted);
}

#[test]
fn a_block_takes_from_each_author_in_turn_and_stays_within_its_limits() {
    let (company, mut mempool) = (Company::of(4), Mempool::default());
    for number in 0..AUTHOR_COMMANDS_MAX {
        offer(&mut mempool, &company, 0, number);
    }
    for number in 0..3 {
        offer(&mut mempool, &company, 1, number);
    }
    let picked = mempool.select(0, |_| true);
    assert_eq!(picked.len(), BLOCK_AUTHOR_COMMANDS_MAX + 3);
    let second = company.keys[1].id();
    assert_eq!(authors(&picked[..6]).iter().filter(|author| **author == second).count(), 3);
    let starters: BTreeSet<BuilderId> = (0..2).map(|turn| mempool.select(turn, |_| true)[0].author()).collect();
    assert_eq!(starters.len(), 2, "one author is always first");

    let mut large = Mempool::default();
    for number in 0..4 {
        large.offer(Signed::new(company.submission(0, number)), BLOCK_PAYLOAD_BYTES_MAX / 3, 0);
    }
    assert_eq!(large.select(0, |_| true).len(), 2);
}

#[test]
fn what_was_ordered_or_will_never_be_taken_is_forgotten_and_what_is_early_is_kept_for_a_while() {
    let (company, mut mempool) = (Company::of(4), Mempool::default());
    let [ordered, refused, early] = [0, 1, 2].map(|number| company.submission(0, number));
    for command in [&ordered, &refused, &early] {
        mempool.offer(Signed::new(command.clone()), BYTES, 10);
    }
    let screen = |command: &Command| {
        if command.id() == refused.id() {
            return Err(Rejection::RoundOver);
        }
        Err(Rejection::TooEarly)
    };
    mempool.settle(11, &[Signed::new(ordered.clone())], screen);
    let waiting: Vec<_> = mempool.of(&early.author()).map(|command| command.id()).collect();
    assert_eq!(waiting, [early.id()]);
    mempool.settle(10 + EARLY_BLOCKS_MAX, &[], screen);
    assert_eq!(mempool.len(), 0);
    assert_eq!(offer(&mut mempool, &company, 0, 0), Offer::Accepted);
}

#[test]
fn of_many_waiting_commands_the_ordered_go_at_once_and_the_refused_before_long() {
    let (company, mut mempool) = (Company::of(4), Mempool::default());
    let commands: Vec<_> = (0..SCREENED_AT_ONCE_MAX + 2).map(|number| company.submission(0, number)).collect();
    for command in &commands {
        mempool.offer(Signed::new(command.clone()), BYTES, 0);
    }
    let refused = |_: &Command| Err(Rejection::RoundOver);
    mempool.settle(SCREENING_BLOCKS + 1, &[Signed::new(commands[0].clone())], refused);
    assert_eq!(mempool.len(), SCREENED_AT_ONCE_MAX + 1);
    assert!(mempool.of(&commands[0].author()).all(|command| command.id() != commands[0].id()));
    mempool.settle(2 * SCREENING_BLOCKS, &[], refused);
    assert_eq!(mempool.len(), 0);
}
