//! What keeps this node from doing its part, by topic, for its operator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a complaint is about. A topic has one complaint at a time; topics that come first are told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The state is not the one that this node has cosigned. There is no recovery from that.
    Contradiction,
    /// The consensus engine.
    Engine,
    /// Votes that this node has forgotten.
    Votes,
    /// Blocks that the other members may have no more.
    Behind,
    /// Room on the disk, for lack of which the engine is paused.
    Room,
    /// Writing ordered blocks to disk.
    Disk,
    /// Writing the journal to disk.
    Journal,
    /// The clock of this machine.
    Clock,
    /// Connections to other members.
    Members,
    /// The end of the group's epoch.
    Epoch,
    /// The sandbox as such.
    Sandbox,
    /// One build.
    Build,
    /// Publishing the log.
    Publish,
    /// Writing proof files.
    Proofs,
    /// Writing down what other members did wrong.
    Offences,
}

/// The complaints of a node. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Topic, String>>>);

impl Health {
    /// Records a complaint: what is wrong, and what the operator can do. Traces it when it is new.
    pub fn complain(&self, topic: Topic, what: impl Into<String>) {
        let what = what.into();
        let before = self.lock().insert(topic, what.clone());
        if before.as_ref() != Some(&what) {
            tracing::warn!(?topic, "{what}");
        }
    }

    /// Records that a topic gives no reason to complain any more.
    pub fn recover(&self, topic: Topic) {
        if self.lock().remove(&topic).is_some() {
            tracing::info!(?topic, "recovered");
        }
    }

    /// `ok`, or every complaint, the gravest first.
    pub fn text(&self) -> String {
        let complaints = self.lock();
        if complaints.is_empty() {
            return "ok".to_owned();
        }
        complaints.values().cloned().collect::<Vec<_>>().join("; ")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Topic, String>> {
        // A map of strings is whole at every point at which a thread can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_complaint_comes_first_and_recovery_removes_it() {
        let health = Health::default();
        assert_eq!(health.text(), "ok");
        health.complain(Topic::Build, "no compiler");
        health.complain(Topic::Disk, "full");
        assert_eq!(health.text(), "full; no compiler");
        health.recover(Topic::Disk);
        health.complain(Topic::Build, "no linker");
        assert_eq!(health.text(), "no linker");
        health.recover(Topic::Build);
        assert_eq!(health.text(), "ok");
    }
}
