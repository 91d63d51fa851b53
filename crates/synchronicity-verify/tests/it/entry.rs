use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, EntryError, Verdict, tally};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::sample::{built, entry, reproduced};

#[test]
fn verdicts_follow_from_the_openings() {
    let (a, b) = (Some(built("a")), Some(built("b")));
    let failed = Some(BuildResult::Failed(Failure::Network));
    let verdict = |results: [&Option<BuildResult>; 4]| entry(3, &results.map(Clone::clone)).verdict;
    assert_eq!(verdict([&a, &a, &a, &a]), Verdict::Reproduced);
    assert_eq!(verdict([&a, &a, &a, &b]), Verdict::Reproduced);
    assert_eq!(verdict([&a, &None, &a, &a]), Verdict::Reproduced);
    assert_eq!(verdict([&a, &a, &b, &b]), Verdict::Diverged);
    assert_eq!(verdict([&a, &a, &b, &None]), Verdict::Diverged);
    assert_eq!(verdict([&failed, &failed, &failed, &a]), Verdict::Unbuildable);
    assert_eq!(verdict([&a, &a, &None, &None]), Verdict::Inconclusive);
    assert_eq!(verdict([&None, &None, &None, &None]), Verdict::Inconclusive);
}

#[test]
fn dissenters_and_silent_members_are_named() {
    let entry = entry(2, &[Some(built("a")), Some(built("b")), Some(built("a"))]);
    assert_eq!((entry.agreeing().count(), entry.dissenting().count(), entry.silent().count()), (2, 1, 0));
    assert!(entry.dissenting().next().unwrap().name.ends_with("builder-1"));
    let entry = self::entry(3, &[Some(built("a")), Some(built("b")), None, Some(built("b"))]);
    assert_eq!((entry.agreeing().count(), entry.dissenting().count(), entry.silent().count()), (0, 3, 1));
    assert!(entry.silent().next().unwrap().name.ends_with("builder-2"));
}

#[test]
fn a_tie_or_a_threshold_of_zero_agrees_on_nothing() {
    let builder = |number| BuilderId([number; 32]);
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let tied = tally(1, &[(builder(1), a), (builder(2), b)]);
    assert_eq!((tied.agreed, tied.largest, tied.reveals), (None, 1, 2));
    assert_eq!(tally(0, &[]).agreed, None);
    assert_eq!(tally(0, &[(builder(1), a)]).agreed, None);
}

#[test]
fn a_builder_that_reveals_twice_counts_once() {
    let (one, two) = (BuilderId([1; 32]), BuilderId([2; 32]));
    let a = Digest::of(b"a");
    let counted = tally(3, &[(one, a), (one, a), (two, a)]);
    assert_eq!((counted.reveals, counted.largest, counted.agreed), (2, 2, None));
}

#[test]
fn a_commitment_copied_from_another_builder_opens_for_nobody() {
    let mut entry = reproduced();
    entry.members[1].commitment = entry.members[0].commitment;
    entry.members[1].opening = entry.members[0].opening;
    assert_eq!(entry.check(), Err(EntryError::Opening(entry.members[1].builder)));
}

#[test]
fn a_commitment_is_bound_to_each_of_its_parts() {
    let entry = reproduced();
    let (request, member) = (entry.request.id(), &entry.members[0]);
    let opening = member.opening.unwrap();
    let sealed = commitment(&request, &member.builder, &opening.result, &opening.nonce);
    assert_eq!(Some(sealed), member.commitment);
    let mut other = entry.request.clone();
    other.limits.jobs += 1;
    assert_ne!(sealed, commitment(&other.id(), &member.builder, &opening.result, &opening.nonce));
    assert_ne!(sealed, commitment(&request, &entry.members[1].builder, &opening.result, &opening.nonce));
    assert_ne!(sealed, commitment(&request, &member.builder, &Digest::of(b""), &opening.nonce));
    assert_ne!(sealed, commitment(&request, &member.builder, &opening.result, &[0; 32]));
}

#[test]
fn entries_that_contradict_themselves_are_refused() {
    let refused = |change: fn(&mut Entry), expected: fn(&EntryError) -> bool| {
        let mut entry = reproduced();
        change(&mut entry);
        let error = entry.check().unwrap_err();
        assert!(expected(&error), "{error}");
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), Err(error));
    };
    refused(|entry| entry.schema = 0, |error| matches!(error, EntryError::Schema(0)));
    refused(|entry| entry.request.limits.jobs = 0, |error| matches!(error, EntryError::Request(_)));
    let long = |entry: &mut Entry| entry.request.rustflags = vec!["x".repeat(17_000)];
    refused(long, |error| matches!(error, EntryError::Request(_)));
    refused(|entry| entry.members.clear(), |error| matches!(error, EntryError::Members));
    refused(|entry| entry.members.swap(0, 1), |error| matches!(error, EntryError::Members));
    refused(|entry| entry.members[1] = entry.members[0].clone(), |error| matches!(error, EntryError::Members));
    refused(|entry| entry.members[0].name = "a b".to_owned(), |error| matches!(error, EntryError::MemberName { .. }));
    refused(|entry| entry.threshold = 0, |error| matches!(error, EntryError::Threshold { .. }));
    refused(|entry| entry.threshold = 2, |error| matches!(error, EntryError::Threshold { .. }));
    refused(|entry| entry.threshold = 5, |error| matches!(error, EntryError::Threshold { .. }));
    refused(|entry| entry.members[0].commitment = None, |error| matches!(error, EntryError::Opening(_)));
    refused(|entry| entry.members[0].attestation = None, |error| matches!(error, EntryError::Attestation(_)));
    refused(|entry| entry.agreed = None, |error| matches!(error, EntryError::Agreed));
    refused(|entry| entry.agreed = Some(built("another")), |error| matches!(error, EntryError::Agreed));
    refused(|entry| entry.verdict = Verdict::Unbuildable, |error| matches!(error, EntryError::Verdict { .. }));
}
