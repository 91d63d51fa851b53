//! Blocks that a node which is behind executes together.

use std::sync::{Arc, Mutex};

use synchronicity_consensus::Executor;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_node::catalogue::Catalogue;
use synchronicity_node::chronicle::{Chronicle, Chronicler};
use synchronicity_node::durable::Synced;
use synchronicity_node::fold::{Fold, FoldThread};
use synchronicity_node::folder::Folder;
use synchronicity_node::health::Health;
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::state::State;
use synchronicity_node::store::{OpenError, Store};

use crate::world::World;

fn fold(world: &World, folder: &Folder) -> (Fold, FoldThread) {
    let store = Arc::new(Store::open(&folder.state(), &world.group).unwrap());
    let log = PublishedLog::open(&folder.log(), Synced).unwrap();
    let machine = store.fold(Machine::new(world.group.clone()), |_| Ok::<_, OpenError>(())).unwrap();
    let state = State::new(machine, Catalogue::default(), log.tip().clone());
    let (chronicler, _) = Chronicler::new(Chronicle::default());
    Fold::start(state, store, (Arc::new(Mutex::new(log)), chronicler), Health::default())
}

/// Three requests that nobody answers, each with the block that ends it: the state after each block, by the machine alone.
fn history(world: &World) -> Vec<(OrderedBlock, Executed)> {
    let mut machine = Machine::new(world.group.clone());
    let window = world.group.commit_window_ms();
    let blocks = (1..=3).flat_map(|number| {
        let begin = (1 + window) * number;
        let submission = OrderedBlock { time_ms: begin, ..world.submission(2 * number - 1, number) };
        [submission, OrderedBlock { time_ms: begin + window, ..world.empty(2 * number) }]
    });
    blocks
        .map(|block| {
            machine.apply(&block).unwrap();
            (block, machine.executed())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_come_together_give_the_same_states_as_one_after_another_and_are_there_after_a_restart() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let folder = Folder::at(dir.path());
    let (blocks, states): (Vec<_>, Vec<_>) = history(&world).into_iter().unzip();
    assert_eq!(states.last().unwrap().log_size, 3);

    let (running, thread) = fold(&world, &folder);
    assert_eq!(running.execute_run(blocks[..4].to_vec()).await.unwrap(), states[..4]);
    assert_eq!(running.executed(), states[3]);
    thread.end().await;
    drop(running);

    let (running, thread) = fold(&world, &folder);
    assert_eq!(running.executed(), states[3]);
    thread.end().await;
}
