use synchronicity_core::group::{Charter, Member};
use synchronicity_verify::note::{KeyKind, Signer};

use super::*;

fn group(members: u8) -> Group {
    let signer = |name: &str, kind, seed: u8| Signer::from_seed(name, kind, &[seed; 32]).unwrap();
    let member = |number: u8| Member {
        name: format!("builder-{number}"),
        consensus: ed25519_dalek::SigningKey::from_bytes(&[number; 32]).verifying_key().to_bytes(),
        command: synchronicity_core::command::CommandKey::from_seed([100 + number; 32]).id(),
        cosigner: signer(&format!("builder-{number}"), KeyKind::Cosigner, 200 + number).verifier_key().clone(),
        attestation: synchronicity_core::command::CommandKey::from_seed([150 + number; 32]).id().0,
        address: format!("builder-{number}.invalid:4800"),
        absent: false,
    };
    Group::new(Charter {
        origin: "example.org/test".to_owned(),
        epoch: 0,
        log_key: signer("example.org/test", KeyKind::Log, 99).verifier_key().clone(),
        // More than must be up for blocks: what is signed is another matter than what is ordered.
        threshold: u16::from(members),
        commit_window_ms: 600_000,
        reveal_window_ms: 5_000,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: (1..=members).map(member).collect(),
    })
    .unwrap()
}

fn status(connected: &[[u8; 32]]) -> ChainStatus {
    ChainStatus {
        height: 0,
        view: 0,
        time_ms: 0,
        connected: connected.to_vec(),
        mempool: 0,
        clock_skew_ms: None,
        standing: Standing::Voting,
        left_behind: false,
        caught_up: false,
    }
}

#[test]
fn as_many_members_as_order_blocks_are_enough() {
    let group = group(4);
    let keys: Vec<[u8; 32]> = group.members().iter().map(|member| member.consensus).collect();
    assert_eq!(members(&status(&keys[..2]), &group, &[]), None);
    let complaint = members(&status(&keys[..1]), &group, &[]).unwrap();
    assert!(complaint.starts_with("only 2 of 4 members are reachable, 3 are needed"), "{complaint}");
}

#[test]
fn a_member_without_an_address_is_named_until_it_connects() {
    let group = group(4);
    let keys: Vec<[u8; 32]> = group.members().iter().map(|member| member.consensus).collect();
    let unresolved = [Unresolved { key: keys[3], problem: "builder-4 = \"nowhere\" is no address".to_owned() }];
    let complaint = members(&status(&keys[1..3]), &group, &unresolved).unwrap();
    assert!(complaint.starts_with("builder-4"), "{complaint}");
    assert_eq!(members(&status(&keys[1..4]), &group, &unresolved), None);
}

#[test]
fn a_node_that_cannot_catch_up_is_told_what_it_can_do() {
    assert_eq!(behind(&status(&[])), None);
    let complaint = behind(&ChainStatus { left_behind: true, ..status(&[]) }).unwrap();
    assert!(complaint.contains("group join"), "{complaint}");
}

#[test]
fn votes_that_were_forgotten_are_told_while_the_node_is_silent() {
    let silent = ChainStatus { standing: Standing::Forgetful { signed: 17 }, ..status(&[]) };
    let complaint = votes(&silent).unwrap();
    assert!(complaint.contains("view 17") && complaint.contains("signs nothing"), "{complaint}");
    for standing in [Standing::Asking, Standing::Voting] {
        assert_eq!(votes(&ChainStatus { standing, ..status(&[]) }), None);
    }
}
