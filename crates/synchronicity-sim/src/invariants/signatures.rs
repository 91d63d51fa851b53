//! Cosignatures: one root for each size, and never back.

use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;

use super::require;
use crate::world::World;

/// The last cosignature of each member.
#[derive(Default)]
pub(super) struct Seen {
    signatures: usize,
    last: BTreeMap<usize, (u64, Digest)>,
}

/// An honest member never cosigns a smaller log than before, nor another root for the same size.
pub(super) fn invariant_nothing_is_cosigned_twice(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(cosigned) = world.cosigned.get(seen.signatures) {
        seen.signatures += 1;
        let (size, root) = (cosigned.size, cosigned.root);
        let before = seen.last.insert(cosigned.member, (size, root));
        let Some((old_size, old_root)) = before.filter(|_| world.nodes[cosigned.member].role.is_honest()) else {
            continue;
        };
        require(size >= old_size, || format!("member {} cosigned size {size} after {old_size}", cosigned.member))?;
        require(size > old_size || root == old_root, || {
            format!("member {} cosigned size {size} with two roots", cosigned.member)
        })?;
    }
    Ok(())
}
