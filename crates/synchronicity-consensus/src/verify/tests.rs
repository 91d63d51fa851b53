use commonware_consensus::marshal::ancestry::from_iter;
use commonware_runtime::{Runner, Spawner, Supervisor, deterministic};
use futures::future::join;
use std::sync::Arc;
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;

use super::*;
use crate::company::Company;
use crate::still::{SKEW, Still, advance, child, execute, executed, local, refuse, root};

const LEADER: Key = [1; 32];
const SKEW_MS: u64 = SKEW.as_millis() as u64;

/// What a member thinks of a block after a while: a verdict, or nothing yet.
async fn verdict(
    context: &deterministic::Context,
    local: &Arc<Local<Still>>,
    chain: &[Digested<Block>],
    patience: Duration,
) -> Option<bool> {
    let (local, chain) = (local.clone(), from_iter(chain.iter().rev().cloned()));
    let judging = context.child("verify").spawn(|clock| async move { verify(&clock, &local, LEADER, chain).await });
    context.timeout(patience, async move { judging.await.unwrap() }).await.ok()
}

fn with_member<F>(height: u64, test: impl FnOnce(deterministic::Context, Company, Arc<Local<Still>>) -> F)
where
    F: Future<Output = ()>,
{
    deterministic::Runner::seeded(0).start(|context| async move {
        context.sleep(Duration::from_secs(1_000_000)).await;
        let company = Company::of(4);
        let local = Arc::new(local(&context, &company, height));
        test(context, company, local).await;
    });
}

const SOON: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_block_upon_executed_state_is_voted_for() {
    with_member(5, async |context, company, local| {
        let now = unix_ms(context.current());
        let parent = root(5, now - 500, 4);
        let block = child(&parent, now, 5, &[company.submission(1, 0)]);
        assert_eq!(verdict(&context, &local, &[parent, block], SOON).await, Some(true));
        assert!(local.sightings.clock_skew_ms().is_some_and(|skew| (0..10).contains(&skew)));
    });
}

#[test]
fn block_time_that_stands_still_is_refused() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        let parent = root(5, now, 4);
        let block = child(&parent, now, 5, &[]);
        assert_eq!(verdict(&context, &local, &[parent, block], SOON).await, Some(false));
    });
}

#[test]
fn a_block_from_the_future_is_voted_for_when_its_time_has_come_near_enough() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        let parent = root(5, now, 4);
        let block = child(&parent, now + SKEW_MS + 60_000, 5, &[]);
        let chain = [parent, block];
        assert_eq!(verdict(&context, &local, &chain, Duration::from_secs(59)).await, None);
        assert_eq!(verdict(&context, &local, &chain, Duration::from_secs(2)).await, Some(true));
    });
}

#[test]
fn a_block_from_too_long_ago_is_never_voted_for_yet_not_called_invalid() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        let parent = root(5, now - SKEW_MS - 2000, 4);
        let block = child(&parent, now - SKEW_MS - 1000, 5, &[]);
        assert_eq!(verdict(&context, &local, &[parent, block], LONG).await, None);
        let skew = local.sightings.clock_skew_ms().unwrap().unsigned_abs();
        assert!((SKEW_MS + 1000..SKEW_MS + 1010).contains(&skew), "{skew} ms");
    });
}

#[test]
fn a_claim_about_a_block_that_is_not_executed_yet_is_waited_for_and_then_compared() {
    let as_claimed = executed(6);
    let (other, ms) = (Digest([99; 32]), as_claimed.time_ms + 1);
    for (state, expected) in [
        (as_claimed, true),
        (Executed { log_root: other, ..as_claimed }, false),
        (Executed { open: other, ..as_claimed }, false),
        (Executed { time_ms: ms, ..as_claimed }, false),
    ] {
        with_member(5, async |context, _, local| {
            let now = unix_ms(context.current());
            let parent = root(6, now - 500, 5);
            let block = child(&parent, now, 6, &[]);
            let chain = [parent, block];
            assert_eq!(verdict(&context, &local, &chain, Duration::from_secs(5)).await, None);
            advance(&local, state, &[]);
            assert_eq!(verdict(&context, &local, &chain, SOON).await, Some(expected));
        });
    }
}

#[test]
fn a_claim_about_a_state_that_the_node_has_and_its_member_has_not_noted_yet_is_waited_for() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        let parent = root(6, now - 500, 5);
        let chain = [parent.clone(), child(&parent, now, 6, &[])];
        execute(&local, executed(6));
        let noted = async {
            context.sleep(SOON).await;
            local.executed(&executed(6), &[]);
        };
        let (verdict, ()) = join(verdict(&context, &local, &chain, 2 * SOON), noted).await;
        assert_eq!(verdict, Some(true));
    });
}

#[test]
fn a_claim_must_lie_between_the_parents_claim_and_the_parent() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        for (claimed_by_parent, claimed) in [(4, 3), (4, 6)] {
            let parent = root(5, now - 500, claimed_by_parent);
            let block = child(&parent, now, claimed, &[]);
            assert_eq!(verdict(&context, &local, &[parent, block], SOON).await, Some(false));
        }
    });
}

#[test]
fn a_state_from_before_the_restart_is_believed_only_if_the_parent_claims_it_too() {
    with_member(5, async |context, _, local| {
        let now = unix_ms(context.current());
        let parent = root(6, now - 500, 3);
        let same = child(&parent, now, 3, &[]);
        assert_eq!(verdict(&context, &local, &[parent.clone(), same], SOON).await, Some(true));
        let between = child(&parent, now, 4, &[]);
        assert_eq!(verdict(&context, &local, &[parent, between], Duration::from_secs(5)).await, None);
    });
}

#[test]
fn a_command_of_an_ancestor_is_not_ordered_again() {
    with_member(5, async |context, company, local| {
        let now = unix_ms(context.current());
        let command = company.submission(1, 0);
        let grandparent = root(5, now - 500, 4);
        let parent = child(&grandparent, now - 400, 5, std::slice::from_ref(&command));
        let block = child(&parent, now, 5, &[command]);
        assert_eq!(verdict(&context, &local, &[grandparent, parent, block], SOON).await, Some(false));
    });
}

#[test]
fn a_command_that_the_claimed_state_does_not_take_is_refused_but_at_a_later_state_nobody_can_tell() {
    with_member(5, async |context, company, local| {
        let now = unix_ms(context.current());
        let command = company.submission(1, 0);
        refuse(&local, &command);
        let parent = root(6, now - 500, 4);
        let block = child(&parent, now, 5, &[command]);
        let chain = [parent, block];
        assert_eq!(verdict(&context, &local, &chain, SOON).await, None);
        assert_eq!(verdict(&context, &local, &chain, SETTLING * 2).await, Some(false));
        advance(&local, executed(6), &[]);
        assert_eq!(verdict(&context, &local, &chain, SOON).await, Some(true));
    });
}

#[test]
fn a_block_full_of_commands_that_count_for_nothing_is_not_voted_for_at_a_later_state_either() {
    with_member(5, async |context, company, local| {
        let now = unix_ms(context.current());
        let commands: Vec<_> = (0..200).map(|number| company.submission(1, number)).collect();
        assert!(commands.iter().map(|c| c.to_bytes().len()).sum::<usize>() > REFUSED_BYTES_MAX);
        let parent = root(6, now - 500, 4);
        let chain = [parent.clone(), child(&parent, now, 5, &commands)];
        advance(&local, executed(6), &[]);
        assert_eq!(verdict(&context, &local, &chain, SOON).await, Some(true));
        commands.iter().for_each(|command| refuse(&local, command));
        assert_eq!(verdict(&context, &local, &chain, LONG).await, None);
    });
}

#[test]
fn a_command_that_a_state_takes_which_is_about_to_be_durable_is_not_held_against_the_leader() {
    with_member(5, async |context, company, local| {
        let now = unix_ms(context.current());
        let command = company.submission(1, 0);
        refuse(&local, &command);
        let parent = root(6, now - 500, 4);
        let chain = [parent.clone(), child(&parent, now, 5, &[command])];
        let (clock, later) = (context.child("disk"), local.clone());
        context.child("fold").spawn(move |_| async move {
            clock.sleep(SETTLING / 2).await;
            advance(&later, executed(6), &[]);
        });
        assert_eq!(verdict(&context, &local, &chain, SETTLING * 2).await, Some(true));
    });
}
