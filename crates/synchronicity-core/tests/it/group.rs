//! What is a group, and what its file says.

use synchronicity_core::command::CommandKey;
use synchronicity_core::group::{Charter, EPOCH_MAX, Group, GroupError, GroupTextError, WINDOW_MS_MAX};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::policy::Policy;

use crate::stage::charter;

fn refused(change: impl FnOnce(&mut Charter)) -> GroupError {
    let mut written = charter(4, 3);
    change(&mut written);
    Group::new(written).unwrap_err()
}

#[test]
fn a_group_file_reads_back_as_the_same_group() {
    let group = Group::new(charter(7, 5)).unwrap();
    let read = Group::parse(&group.to_text()).unwrap();
    assert_eq!(read, group);
    assert_eq!(read.to_text(), group.to_text());
}

#[test]
fn the_identity_covers_everything_but_addresses_and_order() {
    let id = Group::new(charter(4, 3)).unwrap().id();
    let with = |change: &dyn Fn(&mut Charter)| {
        let mut written = charter(4, 3);
        change(&mut written);
        Group::new(written).unwrap().id()
    };
    assert_eq!(id, with(&|charter| charter.members[0].address = "192.0.2.1:1".into()));
    assert_eq!(id, with(&|charter| charter.members.reverse()));
    assert_ne!(id, with(&|charter| charter.epoch = 1));
    assert_ne!(id, with(&|charter| charter.threshold = 4));
    assert_ne!(id, with(&|charter| charter.commit_window_ms += 1));
    assert_ne!(id, with(&|charter| charter.reveal_window_ms += 1));
    assert_ne!(id, with(&|charter| charter.members[0].name = "zebra".into()));
    assert_ne!(id, with(&|charter| charter.members.truncate(3)));
    assert_ne!(id, with(&|charter| charter.members[0].attestation = CommandKey::from_seed([9; 32]).id().0));
}

#[test]
fn a_group_that_asks_for_no_walls_keeps_its_old_id_and_each_wall_changes_it() {
    let with = |walls: &[&str]| {
        let mut charter = charter(4, 3);
        charter.containment = walls.iter().map(|wall| (*wall).to_owned()).collect();
        Group::new(charter)
    };
    assert_eq!(with(&[]).unwrap().id(), id_of_old(&with(&[]).unwrap()));
    let both = with(&["seccomp", "cgroups"]).unwrap();
    assert_eq!(both.containment(), ["cgroups", "seccomp"]);
    assert_eq!(both.id(), with(&["cgroups", "seccomp"]).unwrap().id());
    assert_ne!(both.id(), with(&["seccomp"]).unwrap().id());
    assert_ne!(both.id(), with(&[]).unwrap().id());
    assert_eq!(Group::parse(&both.to_text()).unwrap(), both);
    assert!(!with(&[]).unwrap().to_text().contains("containment"), "older programs must read it");
    for walls in [&["seccomp", "seccomp"][..], &[""], &["Seccomp"], &["a b"], &[&"x".repeat(33)], &["x"; 17]] {
        assert_eq!(with(walls), Err(GroupError::Containment), "{walls:?}");
    }
}

/// The identity as it was defined before groups could ask for walls: seven items.
fn id_of_old(group: &Group) -> Digest {
    let mut bytes = Vec::new();
    let mut cbor = minicbor::Encoder::new(&mut bytes);
    cbor.array(7).unwrap().str(group.origin()).unwrap().u64(group.epoch()).unwrap();
    cbor.str(&group.log_key().to_string()).unwrap().u16(group.threshold()).unwrap();
    cbor.u64(group.commit_window_ms()).unwrap().u64(group.reveal_window_ms()).unwrap();
    cbor.array(group.members().len() as u64).unwrap();
    for member in group.members() {
        cbor.array(5).unwrap().str(&member.name).unwrap().bytes(&member.consensus).unwrap();
        cbor.bytes(&member.command.0).unwrap().str(&member.cosigner.to_string()).unwrap();
        cbor.bytes(&member.attestation).unwrap();
    }
    Digest::tagged("synchronicity/group/v1", &[&bytes])
}

#[test]
fn two_different_results_can_never_both_reach_the_threshold() {
    for (members, threshold) in [(4, 2), (5, 2), (2, 1), (4, 5), (1, 0)] {
        let error = Group::new(charter(members, threshold)).unwrap_err();
        assert_eq!(error, GroupError::Threshold { threshold, members: usize::from(members) });
    }
    for (members, threshold) in [(1, 1), (2, 2), (3, 2), (4, 3), (4, 4), (31, 16)] {
        assert!(Group::new(charter(members, threshold)).is_ok());
    }
}

#[test]
fn a_group_has_one_to_thirty_one_members() {
    assert_eq!(Group::new(charter(0, 1)), Err(GroupError::MemberCount(0)));
    assert_eq!(Group::new(charter(32, 17)), Err(GroupError::MemberCount(32)));
}

#[test]
fn windows_and_epochs_have_limits() {
    let zero = refused(|charter| charter.commit_window_ms = 0);
    assert_eq!(zero, GroupError::Window { which: "commit window", ms: 0 });
    let long = refused(|charter| charter.reveal_window_ms = WINDOW_MS_MAX + 1);
    assert_eq!(long, GroupError::Window { which: "reveal window", ms: WINDOW_MS_MAX + 1 });
    assert_eq!(refused(|charter| charter.epoch = EPOCH_MAX + 1), GroupError::Epoch(EPOCH_MAX + 1));
}

#[test]
fn one_key_signs_one_kind_of_statement_for_one_member() {
    let twice = refused(|charter| charter.members[1].command = charter.members[0].command);
    assert!(matches!(twice, GroupError::SharedKey { which: "command", .. }), "{twice}");
    let both = refused(|charter| charter.members[0].consensus = charter.members[0].command.0);
    assert!(matches!(both, GroupError::SharedKey { which: "command", .. }), "{both}");
    let attests = refused(|charter| charter.members[2].attestation = charter.members[2].command.0);
    assert!(matches!(attests, GroupError::SharedKey { which: "attestation", .. }), "{attests}");
    let weak = refused(|charter| charter.members[0].consensus = [0; 32]);
    assert!(matches!(weak, GroupError::Key { which: "consensus", .. }), "{weak}");
}

#[test]
fn names_are_unique_and_fit_a_policy_file() {
    let same = refused(|charter| charter.members[1].name = charter.members[0].name.clone());
    assert_eq!(same, GroupError::SameName("builder-00".into()));
    for name in ["", "has space", "Upper", "none", "builders", "line\nbreak"] {
        let bad = refused(|charter| charter.members[0].name = name.into());
        assert_eq!(bad, GroupError::MemberName(name.into()));
    }
    let key_name = refused(|charter| {
        let name = charter.members[0].cosigner.name().to_owned();
        let other = Signer::from_seed(&name, KeyKind::Cosigner, &[7; 32]).unwrap();
        charter.members[1].cosigner = other.verifier_key().clone();
    });
    assert!(matches!(key_name, GroupError::SameName(_)), "{key_name}");
}

#[test]
fn keys_are_of_the_kind_that_their_place_asks_for() {
    let log = refused(|charter| charter.origin = "another.example/log".into());
    assert!(matches!(log, GroupError::LogKey { .. }), "{log}");
    let cosigner = refused(|charter| {
        let other = Signer::from_seed("some.example/key", KeyKind::Log, &[7; 32]).unwrap();
        charter.members[0].cosigner = other.verifier_key().clone();
    });
    assert_eq!(cosigner, GroupError::CosignerKind("builder-00".into()));
}

#[test]
fn an_address_has_a_host_and_a_port() {
    for address in ["", "host", ":80", "host:", "host:70000"] {
        let bad = refused(|charter| charter.members[0].address = address.into());
        assert!(matches!(bad, GroupError::Address { .. }), "{address}");
    }
}

#[test]
fn a_group_file_with_an_unknown_or_missing_field_is_refused() {
    let text = Group::new(charter(4, 3)).unwrap().to_text();
    let unknown = format!("quorum = 1\n{text}");
    assert!(matches!(Group::parse(&unknown), Err(GroupTextError::Toml(_))));
    let missing = text.replacen("threshold = 3\n", "", 1);
    assert!(matches!(Group::parse(&missing), Err(GroupTextError::Toml(_))));
    let broken = text.replacen("command = \"", "command = \"x", 1);
    assert!(matches!(Group::parse(&broken), Err(GroupTextError::Key { field: "command", .. })));
}

#[test]
fn a_checkpoint_needs_a_quorum_in_which_two_quorums_share_an_honest_member() {
    let quorum = |members: u8| Group::new(charter(members, u16::from(members) / 2 + 1)).unwrap().quorum();
    let expected = [(1, 1), (2, 2), (3, 2), (4, 3), (7, 5), (10, 7), (16, 11), (22, 15), (31, 21)];
    for (members, needed) in expected {
        assert_eq!(quorum(members), needed, "{members} members");
    }
}

#[test]
fn fewer_members_than_must_agree_on_a_result_cannot_publish_that_they_did() {
    let group = Group::new(charter(4, 4)).unwrap();
    assert_eq!((group.quorum(), group.ordering_quorum()), (4, 3));
    assert!(group.policy_text(None).unwrap().contains("\ngroup builders 4 builder-00 "));
}

#[test]
fn the_policy_names_the_log_every_member_and_the_quorum() {
    let group = Group::new(charter(4, 3)).unwrap();
    let text = group.policy_text(Some("https://log.example/")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], format!("log {} https://log.example/", group.log_key()));
    for (line, member) in lines[1..5].iter().zip(group.members()) {
        assert_eq!(*line, format!("witness {} {}", member.name, member.cosigner));
    }
    assert_eq!(lines[5], "group builders 3 builder-00 builder-01 builder-02 builder-03");
    assert_eq!(lines[6], "quorum builders");
    assert_eq!(Policy::parse(text.as_bytes()).unwrap(), group.policy(Some("https://log.example/")).unwrap());
    assert!(group.policy_text(Some("two words")).is_err());
}
