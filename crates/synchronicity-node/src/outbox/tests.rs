use synchronicity_core::command::{Action, CommandKey};
use synchronicity_core::group::{Charter, Group};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};

use super::*;
use crate::keys::{Keys, Seed};

const REQUEST: RequestId = RequestId(Digest([1; 32]));

fn member() -> (CommandKey, Group) {
    let seed = || Seed::generate().unwrap();
    let (log_key, keys) = (seed(), Keys { consensus: seed(), command: seed(), cosigner: seed(), attestation: seed() });
    let log = Signer::from_seed("example.org/test", KeyKind::Log, log_key.expose()).unwrap();
    let charter = Charter {
        origin: "example.org/test".to_owned(),
        epoch: 0,
        log_key: log.verifier_key().clone(),
        threshold: 1,
        commit_window_ms: 1,
        reveal_window_ms: 1,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: vec![keys.member("alder", "192.0.2.7:4800").unwrap()],
    };
    (CommandKey::from_seed(*keys.command.expose()), Group::new(charter).unwrap())
}

fn commitment(request: RequestId) -> Action {
    Action::Commit { request, round: 0, commitment: Digest([2; 32]) }
}

fn command() -> Command {
    let (key, group) = member();
    Command::sign(&key, &group, commitment(REQUEST)).unwrap()
}

#[test]
fn what_falls_due_at_the_same_time_is_under_one_signature_and_what_is_on_its_way_is_not_signed_again() {
    let (mut outbox, start, (key, group)) = (Outbox::default(), Instant::now(), member());
    let due = |bytes: &[u8]| -> Vec<_> {
        let requests = bytes.iter().map(|byte| RequestId(Digest([*byte; 32])));
        requests.map(|request| (Errand::Commit(request, 0), commitment(request))).collect()
    };
    outbox.sign(due(&[1]), &key, &group, start).unwrap();
    outbox.sign(due(&[1, 2, 3]), &key, &group, start).unwrap();
    let signatures: Vec<_> = outbox.due(start).iter().map(|(_, command)| command.signature()).collect();
    let [first, second, third] = signatures[..] else { panic!("{} commands", signatures.len()) };
    assert!(first != second && second == third);
}

#[test]
fn a_command_is_handed_over_at_once_and_again_with_growing_pauses() {
    let (mut outbox, start) = (Outbox::default(), Instant::now());
    outbox.add(Errand::Commit(REQUEST, 0), command(), start);
    let handed: Vec<u64> =
        (0..100).filter(|second| !outbox.due(start + Duration::from_secs(*second)).is_empty()).collect();
    assert_eq!(handed, [0, 2, 6, 14, 30, 60, 90]);
}

#[test]
fn an_errand_that_is_done_is_handed_over_no_more() {
    let (mut outbox, start) = (Outbox::default(), Instant::now());
    outbox.add(Errand::Commit(REQUEST, 0), command(), start);
    outbox.keep(|errand| matches!(errand, Errand::Reveal(..)));
    assert!(outbox.due(start).is_empty() && !outbox.has(&Errand::Commit(REQUEST, 0)));
}

#[test]
fn there_is_one_command_for_each_errand() {
    let (mut outbox, start) = (Outbox::default(), Instant::now());
    let first = command();
    outbox.add(Errand::Commit(REQUEST, 0), first.clone(), start);
    outbox.add(Errand::Commit(REQUEST, 0), command(), start);
    assert_eq!(outbox.due(start), vec![(Errand::Commit(REQUEST, 0), first)]);
}
