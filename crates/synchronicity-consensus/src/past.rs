//! The states that this member has executed lately, so that it can judge what a proposal claims about one of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use synchronicity_core::machine::Executed;

use crate::block::Claim;

/// How many past states are remembered. A proposal claims a state a few blocks old at most.
const REMEMBERED: usize = 1024;

/// What this member knows about the state at a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recollection {
    /// Not executed yet, or not noted yet: whoever asks should wait.
    Ahead,
    /// Executed, with this outcome.
    Known(Claim),
    /// Executed so long ago, or before the last start, that the outcome is no longer at hand. Nothing may be concluded
    /// from it: neither that a claim is right nor that it is wrong.
    Forgotten,
}

/// Outcomes by height. It lives in memory only: after a restart it holds the one state that the node restored, and it
/// says `Forgotten` about anything older instead of guessing.
pub(crate) struct PastStates {
    by_height: Mutex<BTreeMap<u64, Claim>>,
}

impl PastStates {
    pub(crate) fn starting_from(executed: &Executed) -> Self {
        Self { by_height: Mutex::new(BTreeMap::from([(executed.height, Claim::from(executed))])) }
    }

    pub(crate) fn remember(&self, executed: &Executed) {
        let mut by_height = self.by_height.lock().unwrap_or_else(PoisonError::into_inner);
        by_height.insert(executed.height, Claim::from(executed));
        while by_height.len() > REMEMBERED {
            by_height.pop_first();
        }
    }

    pub(crate) fn recall(&self, height: u64) -> Recollection {
        let by_height = self.by_height.lock().unwrap_or_else(PoisonError::into_inner);
        if by_height.last_key_value().is_none_or(|(latest, _)| height > *latest) {
            return Recollection::Ahead;
        }
        by_height.get(&height).map_or(Recollection::Forgotten, |claim| Recollection::Known(*claim))
    }
}
