//! The groups that this node has been in, one for each epoch that it knows of: what was signed in an epoch names the group of
//! that epoch, and means nothing in the present one.

use std::sync::Arc;

use synchronicity_core::group::{Group, Member};
use synchronicity_verify::digest::Digest;

/// The group in force, and those of the epochs that have ended, as far as their files are here. Clones share them.
#[derive(Clone, Debug)]
pub struct Groups(Arc<[Group]>);

impl Groups {
    /// `earlier` is in the order of the epochs.
    pub fn new(mut earlier: Vec<Group>, present: Group) -> Groups {
        earlier.retain(|group| group.id() != present.id());
        earlier.push(present);
        Groups(earlier.into())
    }

    /// The one with this identity.
    pub fn of(&self, id: &Digest) -> Option<&Group> {
        self.0.iter().find(|group| group.id() == *id)
    }

    /// How many epochs lie between that of the group with this identity and the first one here; `None` for another group's.
    pub fn place(&self, id: &Digest) -> Option<usize> {
        self.0.iter().position(|group| group.id() == *id)
    }

    /// What the holder of a consensus key is called: by the group of this identity, or else by the latest one that lists the
    /// key; a stranger by the key.
    pub fn name(&self, key: &Digest, id: Option<&Digest>) -> String {
        let named = id.and_then(|id| self.of(id)).into_iter();
        let holder = |group: &'_ Group| listed(group, key).map(|member| member.name.clone());
        named.chain(self.0.iter().rev()).find_map(holder).unwrap_or_else(|| key.to_string())
    }
}

fn listed<'a>(group: &'a Group, key: &Digest) -> Option<&'a Member> {
    group.members().iter().find(|member| member.consensus == key.0)
}
