//! What a builder owes, in every situation in which it may find itself.

use synchronicity_core::duties::{Duty, duties};
use synchronicity_core::journal::{Journal, Sealed};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::result::BuildResult;

use crate::stage::{Stage, built, commit, nonce, request, submit};

fn seal(builder: BuilderId, result: &BuildResult) -> Sealed {
    Sealed { result: result.clone(), nonce: nonce(builder) }
}

#[test]
fn a_builder_owes_a_build_then_a_commitment_then_a_reveal_then_a_cosignature() {
    let mut stage = Stage::of(2);
    let me = stage.builder(0);
    let mut journal = Journal::new();
    assert_eq!(duties(&stage.machine, &journal, me), vec![]);

    let id = stage.open(&request("a"));
    assert_eq!(duties(&stage.machine, &journal, me), vec![Duty::Build { request: id, round: 0 }]);

    let sealed = seal(me, &built("x"));
    let commitment = sealed.commitment(&id, &me);
    journal.seal(id, 0, sealed.clone()).unwrap();
    assert_eq!(duties(&stage.machine, &journal, me), vec![Duty::Commit { request: id, round: 0, commitment }]);

    stage.commit(0, id, &built("x")).unwrap();
    assert_eq!(duties(&stage.machine, &journal, me), vec![], "others may still commit");

    stage.commit(1, id, &built("x")).unwrap();
    let reveal = Duty::Reveal { request: id, round: 0, result: sealed.result, nonce: sealed.nonce };
    assert_eq!(duties(&stage.machine, &journal, me), vec![reveal]);

    stage.reveal(0, id, &built("x")).unwrap();
    assert_eq!(duties(&stage.machine, &journal, me), vec![]);
    stage.reveal(1, id, &built("x")).unwrap();
    let (size, root) = (stage.machine.log().size(), stage.machine.log().root());
    assert_eq!(duties(&stage.machine, &journal, me), vec![Duty::Cosign { size, root }]);
    journal.cosign(size, root).unwrap();
    assert_eq!(duties(&stage.machine, &journal, me), vec![]);
}

#[test]
fn a_builder_that_missed_the_commitments_owes_nothing_more_in_that_round() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    stage.commit(1, id, &built("x")).unwrap();
    stage.pass_deadline(id);
    let mut journal = Journal::new();
    assert_eq!(duties(&stage.machine, &journal, stage.builder(0)), vec![]);
    journal.seal(id, 0, seal(stage.builder(0), &built("x"))).unwrap();
    assert_eq!(duties(&stage.machine, &journal, stage.builder(0)), vec![]);
}

#[test]
fn a_builder_that_lost_its_journal_neither_seals_again_nor_opens_wrongly() {
    let mut stage = Stage::of(2);
    let id = stage.open(&request("a"));
    stage.commit(0, id, &built("x")).unwrap();
    let me = stage.builder(0);
    assert_eq!(duties(&stage.machine, &Journal::new(), me), vec![]);
    stage.commit(1, id, &built("x")).unwrap();
    assert_eq!(duties(&stage.machine, &Journal::new(), me), vec![]);

    let mut anew = Journal::new();
    anew.seal(id, 0, Sealed { result: built("x"), nonce: [9; 32] }).unwrap();
    assert_eq!(duties(&stage.machine, &anew, me), vec![]);
}

#[test]
fn the_nearest_deadline_comes_first() {
    let mut stage = Stage::of(2);
    let names = ["d", "a", "c", "b", "e"];
    for name in names {
        stage.act(0, submit(&request(name), 0)).unwrap();
    }
    let owed = duties(&stage.machine, &Journal::new(), stage.builder(1));
    let expected: Vec<Duty> = names.iter().map(|name| Duty::Build { request: request(name).id(), round: 0 }).collect();
    assert_eq!(owed, expected);
}

#[test]
fn a_stranger_owes_nothing() {
    let mut stage = Stage::of(2);
    stage.open(&request("a"));
    assert_eq!(duties(&stage.machine, &Journal::new(), BuilderId([1; 32])), vec![]);
}

#[test]
fn another_round_of_a_request_is_built_and_sealed_anew() {
    let mut stage = Stage::of(2);
    let wanted = request("a");
    let id = stage.open(&wanted);
    let me = stage.builder(0);
    let mut journal = Journal::new();
    journal.seal(id, 0, seal(me, &built("x"))).unwrap();
    stage.act(0, commit(me, id, 0, &built("x"))).unwrap();
    stage.pass_deadline(id);
    stage.pass_deadline(id);
    stage.act(0, submit(&wanted, 1)).unwrap();
    let owed = duties(&stage.machine, &journal, me);
    assert_eq!(owed.first(), Some(&Duty::Build { request: id, round: 1 }));
}
