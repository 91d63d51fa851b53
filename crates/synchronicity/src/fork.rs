//! What a fork proof shows, in words and in JSON.

use serde_json::{Value, json};
use synchronicity_verify::fork::VerifiedFork;
use synchronicity_verify::policy::Policy;

use crate::report::short;

/// The first line of a fork proof, by which it is told from a proof of an entry.
pub(crate) const FIRST_LINE: &[u8] = b"synchronicity/fork@v1\n";

/// One sentence for each side, and who signed both.
pub(crate) fn in_words(fork: &VerifiedFork, policy: &Policy) -> String {
    let origin = policy.log().name();
    let names = |names: &mut dyn Iterator<Item = &String>| {
        let names: Vec<_> = names.map(|name| short(name, origin)).collect();
        names.join(", ")
    };
    let mut words = format!("{origin} was signed in two ways that contradict each other");
    for side in &fork.sides {
        let signers = names(&mut side.signers.iter().map(|signer| &signer.name));
        let weight = if side.quorum { "a quorum" } else { "less than a quorum" };
        words += &format!("; of size {} with root {} by {signers}, {weight}", side.size, side.root);
    }
    match fork.both.is_empty() {
        true => words + "; nobody signed both",
        false => words + "; both by " + &names(&mut fork.both.iter()),
    }
}

/// The same for programs.
pub(crate) fn as_json(fork: &VerifiedFork) -> Value {
    let side = |side: &synchronicity_verify::fork::Side| {
        json!({
            "size": side.size,
            "root": side.root.to_string(),
            "quorum": side.quorum,
            "signers": crate::report::cosigners_json(&side.signers),
        })
    };
    json!({ "fork": { "sides": fork.sides.iter().map(side).collect::<Vec<_>>(), "both": fork.both } })
}
