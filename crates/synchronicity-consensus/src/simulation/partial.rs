//! Members that show themselves to a part of the group, or show different parts different things.

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::Recipients;
use commonware_p2p::simulated::{SplitForwarder, SplitOrigin, SplitRouter, SplitTarget};

/// Whom the first and the second sender of a split channel reach, whoever they want to reach.
pub(super) fn reaching(first: Vec<PublicKey>, second: Vec<PublicKey>) -> impl SplitForwarder<PublicKey> {
    move |origin: SplitOrigin, wanted: &Recipients<PublicKey>, _: &_| {
        let reached = match origin {
            SplitOrigin::Primary => &first,
            SplitOrigin::Secondary => &second,
        };
        let reached = reached.iter().filter(|key| match wanted {
            Recipients::All => true,
            Recipients::Some(keys) => keys.contains(key),
            Recipients::One(one) => one == *key,
        });
        Some(Recipients::Some(reached.cloned().collect()))
    }
}

/// What the members of `first` send goes to the first receiver of a split channel, everything else to the second.
pub(super) fn hearing(first: Vec<PublicKey>) -> impl SplitRouter<PublicKey> {
    move |(sender, _): &(PublicKey, _)| match first.contains(sender) {
        true => SplitTarget::Primary,
        false => SplitTarget::Secondary,
    }
}
