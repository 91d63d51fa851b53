use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::policy::{Policy, Witness};

use super::difference::difference;
use super::record::sha256_of_any;
use super::*;

/// The policy of a group: any `needed` of the builders with these numbers.
fn single(needed: usize, builders: &[u8]) -> Single {
    let key = |name: &str, kind, seed: &str| {
        let signer = Signer::from_seed(name, kind, &Digest::of(seed.as_bytes()).0).unwrap();
        signer.verifier_key().clone()
    };
    let witness = |number: &u8| {
        let key = key(&format!("example/{number}"), KeyKind::Cosigner, &format!("cosigner {number}"));
        Witness { name: format!("builder-{number}"), key, url: None }
    };
    let log = key("example", KeyKind::Log, "log");
    let policy = Policy::any_of(log, None, builders.iter().map(witness).collect(), needed).unwrap();
    let text = format!("# with a comment, and '''quotes'''\n{policy}");
    Single { text, policy, group: None, from: "policy.txt".into(), added_s: 7 }
}

#[test]
fn a_name_is_short_and_plain_and_never_a_path() {
    for good in ["a", "7", "default", "devnet-1a2b", "a_b", &"a".repeat(64)] {
        assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
    }
    for bad in ["", "-a", "_", ".", "..", "a.txt", "a/b", "A", "ä", "a b", "a\n", "\x1b[2J", &"a".repeat(65)] {
        let error = bad.parse::<Name>().unwrap_err().to_string();
        assert!(!error.contains(['\x1b', '\n']), "{error:?}");
    }
    let of = |origin| Name::of_origin(origin).map(|name| name.to_string());
    assert_eq!(of("synchronicity.example/devnet-1A2B").as_deref(), Some("devnet-1a2b"));
    assert_eq!(of("log.example").as_deref(), Some("log-example"));
    assert_eq!((of("example/"), of("example/.x")), (None, None));
}

#[test]
fn what_a_group_would_weaken_is_named() {
    let old = single(3, &[0, 1, 2, 3]);
    let weaker = |needed, builders: &[u8]| difference(&old, &single(needed, builders)).weaker;
    assert!(weaker(2, &[0, 1, 2, 3]) && weaker(3, &[0, 1, 2]) && weaker(2, &[0, 1, 2, 3, 4]));
    assert!(!weaker(4, &[0, 1, 2, 3]) && !weaker(3, &[0, 1, 2, 3, 4]) && !weaker(3, &[0, 1, 2, 4]));
    let lines = difference(&old, &single(2, &[0, 1, 2, 4])).lines;
    assert!(lines[0].starts_with("no longer a builder: builder-3 (example/3+"), "{lines:?}");
    assert!(lines[1].starts_with("new builder: builder-4 (example/4+"), "{lines:?}");
    assert_eq!(lines[2], "signers needed: 3 of 4 builders -> 2 of 4 builders");
}

#[test]
fn a_combination_has_a_hash_of_its_members_in_any_order_and_of_their_number() {
    let (one, two) = (Digest([1; 32]), Digest([2; 32]));
    let text = format!("any 2\n{one}\n{two}\n");
    assert_eq!(sha256_of_any(2, [two, one]), Digest::of(text.as_bytes()), "as `sha256sum` prints it");
    assert_ne!(sha256_of_any(1, [one, two]), sha256_of_any(2, [one, two]));
}

#[test]
fn a_combination_has_several_groups_each_once() {
    let any = |needed, names: &[&str]| Any::new(needed, names.iter().map(|name| name.parse().unwrap()).collect());
    assert!(any(1, &["a", "b"]).is_ok() && any(2, &["a", "b"]).is_ok());
    for (needed, names) in [(0, &["a", "b"][..]), (3, &["a", "b"]), (1, &["a"]), (1, &[]), (2, &["a", "b", "a"])] {
        assert!(any(needed, names).is_err(), "{needed} {names:?}");
    }
    assert!(any(2, &["a"; 17]).is_err());
}

proptest! {
    #[test]
    fn what_is_kept_is_read_back_and_a_policy_changed_by_hand_is_seen(
        needed in 1..5_usize, from in ".{0,30}", added_s in 0..u64::from(u32::MAX), other in 1..5_usize,
    ) {
        let kept = Kept::Single(Box::new(Single { from, added_s, ..single(needed, &[0, 1, 2, 3]) }));
        let text = kept.to_text();
        prop_assert_eq!(Kept::parse(&text), Ok(kept));
        prop_assume!(other != needed);
        let changed = text.replace(&format!("group builders {needed} "), &format!("group builders {other} "));
        prop_assert!(changed != text && Kept::parse(&changed).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_of_policies_panic(text in ".{0,200}") {
        let _ = Kept::parse(&text);
    }

    #[test]
    fn nothing_changes_between_equals_and_of_two_that_differ_at_most_one_is_weaker_in_number(
        one in 1..5_usize, other in 1..5_usize,
    ) {
        let (one, other) = (single(one, &[0, 1, 2, 3]), single(other, &[0, 1, 2, 3]));
        prop_assert_eq!(difference(&one, &one).lines.len(), 0);
        prop_assert!(!(difference(&one, &other).weaker && difference(&other, &one).weaker));
        prop_assert_eq!(difference(&one, &other).lines.is_empty(), one.is_same(&other));
    }
}
