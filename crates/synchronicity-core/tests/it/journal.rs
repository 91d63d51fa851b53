//! What a journal refuses.

use synchronicity_core::journal::{Journal, JournalError, Sealed};
use synchronicity_verify::digest::Digest;

use crate::stage::{Stage, built, request, submit};

#[test]
fn a_seal_is_never_replaced() {
    let mut journal = Journal::new();
    let id = request("a").id();
    let first = Sealed { result: built("x"), nonce: [1; 32] };
    journal.seal(id, 0, first.clone()).unwrap();
    journal.seal(id, 0, first.clone()).unwrap();
    for other in [Sealed { result: built("x"), nonce: [2; 32] }, Sealed { result: built("y"), nonce: [1; 32] }] {
        let refused = journal.seal(id, 0, other);
        assert_eq!(refused, Err(JournalError::AlreadySealed { request: id, round: 0 }));
    }
    assert_eq!(journal.sealed(&id, 0), Some(&first));
}

#[test]
fn a_smaller_log_or_another_root_of_the_same_size_is_never_cosigned() {
    let mut journal = Journal::new();
    let (root, other) = (Digest::of(b"root"), Digest::of(b"other"));
    journal.cosign(7, root).unwrap();
    journal.cosign(7, root).unwrap();
    assert_eq!(journal.cosign(7, other), Err(JournalError::OtherRoot { size: 7 }));
    assert_eq!(journal.cosign(6, root), Err(JournalError::SizeDecreases { cosigned: 7, offered: 6 }));
    assert_eq!(journal.cosigned(), Some((7, root)));
    journal.cosign(8, other).unwrap();
}

#[test]
fn seals_of_rounds_that_are_over_are_dropped_and_no_others() {
    let mut stage = Stage::of(2);
    let (over, open, unknown) = (request("over"), request("open"), request("unknown"));
    let mut journal = Journal::new();
    stage.open(&over);
    stage.pass_deadline(over.id());
    stage.act(0, submit(&open, 0)).unwrap();
    for id in [over.id(), open.id(), unknown.id()] {
        journal.seal(id, 0, Sealed { result: built("x"), nonce: [1; 32] }).unwrap();
    }
    assert_eq!(journal.prune(&stage.machine), vec![(over.id(), 0)]);
    assert_eq!(journal.seals().count(), 2);
}

#[test]
fn a_trace_of_a_seal_does_not_show_its_nonce() {
    let sealed = Sealed { result: built("x"), nonce: [0xab; 32] };
    assert!(!format!("{sealed:?}").contains("ab, ab") && !format!("{sealed:?}").contains("171"));
    assert!(!format!("{sealed:?}").contains("abababab"));
}
