//! The journal of a node: nothing in it is lost, replaced or taken back, whatever happens in between.

use std::sync::Arc;

use proptest::prelude::*;
use synchronicity_core::journal::Sealed;
use synchronicity_core::machine::Machine;
use synchronicity_node::journal::PersistedJournal;
use synchronicity_node::store::Store;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::world::{World, request};

#[derive(Clone, Debug)]
enum Step {
    /// Request, round, nonce byte: the same request and round may come with another nonce.
    Seal(u64, u32, u8),
    /// Size, byte of the root: the same size may come with another root.
    Cosign(u64, u8),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3u64, 0..2u32, 0..2u8).prop_map(|(request, round, nonce)| Step::Seal(request, round, nonce)),
        (1..6u64, 0..2u8).prop_map(|(size, root)| Step::Cosign(size, root)),
        Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_recorded_stays_and_what_contradicts_it_is_refused(steps in steps()) {
        let world = World::of(4);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let machine = Machine::new(world.group.clone());
        let open = || {
            let store = Arc::new(Store::open(&path, &world.group).unwrap());
            PersistedJournal::load(store, &machine).unwrap()
        };
        let mut journal = open();
        for step in steps {
            let before = journal.get().clone();
            match step {
                Step::Seal(number, round, nonce) => {
                    let id = request(number).id();
                    let sealed = Sealed { result: BuildResult::Failed(Failure::Compile), nonce: [nonce; 32] };
                    let free = before.sealed(&id, round).is_none_or(|kept| *kept == sealed);
                    prop_assert_eq!(journal.seal(id, round, sealed).is_ok(), free);
                }
                Step::Cosign(size, root) => {
                    let root = Digest([root; 32]);
                    let free = before.cosigned().is_none_or(|(signed, kept)| {
                        size > signed || (size == signed && root == kept)
                    });
                    prop_assert_eq!(journal.cosign(size, root).is_ok(), free);
                    if !free {
                        prop_assert_eq!(journal.get(), &before);
                    }
                }
                Step::Restart => {
                    drop(journal);
                    journal = open();
                    prop_assert_eq!(journal.get(), &before);
                }
            }
        }
    }
}

#[test]
fn a_seal_is_forgotten_in_memory_and_on_disk_once_its_round_is_concluded() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    let store = Arc::new(Store::open(&path, &world.group).unwrap());
    let mut machine = Machine::new(world.group.clone());
    machine.apply(&world.submission(1, 7)).unwrap();
    let mut journal = PersistedJournal::load(store.clone(), &machine).unwrap();
    let id = request(7).id();
    let sealed = Sealed { result: BuildResult::Failed(Failure::Compile), nonce: [7; 32] };
    journal.seal(id, 0, sealed.clone()).unwrap();
    assert!(journal.prune(&machine).is_empty());
    machine.apply(&world.deadline(2)).unwrap();
    let over = journal.prune(&machine);
    assert_eq!(over, [(id, 0)]);
    assert_eq!(journal.get().sealed(&id, 0), None);
    assert_eq!(store.journal().unwrap().sealed(&id, 0), Some(&sealed));
    journal.forget(&over);
    assert_eq!(store.journal().unwrap().sealed(&id, 0), None);
}
