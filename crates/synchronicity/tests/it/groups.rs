//! Group files of the parties whose logs these tests make.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use synchronicity_core::command::CommandKey;
use synchronicity_core::group::{Charter, Group, Member};
use synchronicity_verify::digest::Digest;

use crate::logs::Party;

/// The secret of a builder's key, of the kind that `what` says. Every party's are the same.
pub(crate) fn seed(what: &str, index: u8) -> [u8; 32] {
    Digest::of(format!("{what} {index}").as_bytes()).0
}

/// The first `members` builders of the party, `threshold` of whom must agree, with keys that are known here.
pub(crate) fn group(party: &Party, threshold: u16, members: u8) -> Group {
    let member = |index: u8| Member {
        name: format!("builder-{index}"),
        consensus: CommandKey::from_seed(seed("consensus", index)).id().0,
        command: CommandKey::from_seed(seed("command", index)).id(),
        cosigner: party.cosigner(index.into()).verifier_key().clone(),
        attestation: CommandKey::from_seed(seed("attestation", index)).id().0,
        address: "192.0.2.1:4800".to_owned(),
        absent: false,
    };
    Group::new(Charter {
        origin: party.origin.clone(),
        epoch: 0,
        log_key: party.log_signer().verifier_key().clone(),
        threshold,
        commit_window_ms: 1000,
        reveal_window_ms: 1000,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: (0..members).map(member).collect(),
    })
    .unwrap()
}
