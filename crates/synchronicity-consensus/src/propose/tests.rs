use std::sync::Arc;
use std::time::Duration;

use commonware_consensus::marshal::ancestry::from_iter;
use commonware_runtime::{Runner, Spawner, Supervisor, deterministic};

use super::*;
use crate::company::Company;
use crate::still::{HEARTBEAT, Still, advance, child, executed, local, root};

/// What a member at `height` proposes upon a chain, and after how many milliseconds.
fn proposal(
    height: u64,
    chain: impl FnOnce(u64) -> Vec<Digested<Block>>,
    meanwhile: impl AsyncFnOnce(&deterministic::Context, &Local<Still>),
) -> (Option<Block>, u64) {
    deterministic::Runner::seeded(0).start(|context| async move {
        context.sleep(Duration::from_secs(1_000_000)).await;
        let local = Arc::new(local(&context, &Company::of(4), height));
        let begin = unix_ms(context.current());
        let ancestry = from_iter(chain(begin).into_iter().rev());
        let leader = local.clone();
        let work = context.child("propose").spawn(move |clock| async move {
            let block = propose(&clock, &leader, ancestry).await;
            (block, unix_ms(clock.current()) - begin)
        });
        meanwhile(&context, &local).await;
        work.await.unwrap()
    })
}

#[test]
fn without_commands_an_empty_block_comes_with_the_heartbeat() {
    let (block, after_ms) = proposal(5, |now| vec![root(5, now - 500, 4)], async |_, _| {});
    let block = block.unwrap();
    assert_eq!((block.height, block.commands.len(), block.claim), (6, 0, Claim::from(&executed(5))));
    assert!(after_ms.abs_diff(HEARTBEAT.as_millis() as u64) < 50, "{after_ms} ms");
}

#[test]
fn a_command_is_proposed_as_soon_as_it_is_there() {
    let command = Company::of(4).submission(2, 0);
    let (block, after_ms) = proposal(
        5,
        |now| vec![root(5, now - 500, 4)],
        async |context, local| {
            context.sleep(Duration::from_millis(300)).await;
            local.take(Signed::new(command.clone())).unwrap();
        },
    );
    assert_eq!(block.unwrap().commands, [Signed::new(command)]);
    assert!((300..400).contains(&after_ms), "{after_ms} ms");
}

#[test]
fn a_command_that_an_unexecuted_ancestor_holds_is_left_out() {
    let command = Company::of(4).submission(2, 0);
    let chain = |now: u64| {
        let grandparent = root(5, now - 500, 4);
        let parent = child(&grandparent, now - 400, 5, std::slice::from_ref(&command));
        vec![grandparent, parent]
    };
    let (block, _) = proposal(5, chain, async |_, local| local.take(Signed::new(command.clone())).unwrap());
    assert_eq!(block.unwrap().commands, []);
}

#[test]
fn block_time_goes_on_even_if_the_leaders_clock_is_behind() {
    let mut parents_ms = 0;
    let chain = |now: u64| {
        parents_ms = now + 5000;
        vec![root(5, parents_ms, 4)]
    };
    let (block, _) = proposal(5, chain, async |_, _| {});
    assert_eq!(block.unwrap().time_ms, parents_ms + 1);
}

#[test]
fn a_member_that_is_catching_up_leaves_its_view_to_the_next_leader() {
    deterministic::Runner::seeded(0).start(|context| async move {
        let local = local(&context, &Company::of(4), 5);
        local.sightings.finalized(50);
        let block = propose(&context, &local, from_iter([root(50, 1, 49)])).await;
        assert_eq!(block, None);
    });
}

#[test]
fn a_leader_waits_until_it_has_executed_what_the_parent_claims() {
    let (block, after_ms) = proposal(
        4,
        |now| vec![root(5, now - 500, 5)],
        async |context, local| {
            context.sleep(Duration::from_millis(700)).await;
            advance(local, executed(5), &[]);
        },
    );
    assert_eq!(block.unwrap().claim, Claim::from(&executed(5)));
    assert!(after_ms >= 700);
}

#[test]
fn a_leader_leaves_a_pause_between_its_blocks_however_many_commands_wait() {
    let company = Company::of(4);
    let (_, after_ms) = proposal(
        5,
        |now| vec![root(5, now - 500, 4)],
        async |context, local| {
            local.proposes(context.current());
            local.take(Signed::new(company.submission(2, 0))).unwrap();
        },
    );
    assert!((40..80).contains(&after_ms), "{after_ms} ms");
}
