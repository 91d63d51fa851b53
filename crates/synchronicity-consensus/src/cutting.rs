//! Notes whom the engine cuts off, which it tells nobody but its trace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use commonware_actor::Feedback;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{BlockedSubscription, Blocker};

use crate::network::CUT_OFF;
use crate::offence::Conduct;
use crate::sightings::{Key, Sightings, key_of};

/// Cuts members off, and notes it. Clones share what they have noted.
#[derive(Clone)]
pub(crate) struct Cutter<B> {
    links: B,
    sightings: Arc<Sightings>,
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    noted: Arc<Mutex<BTreeMap<Key, SystemTime>>>,
}

impl<B> Cutter<B> {
    pub(crate) fn new(
        links: B,
        sightings: Arc<Sightings>,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        Self { links, sightings, now: Arc::new(now), noted: Arc::default() }
    }

    /// Whether this cut is a new one. The engine asks for it with every bad message that came before the link was closed, and
    /// what is noted for each of them would crowd out what happens once.
    fn is_new(&self, member: Key) -> bool {
        let now = (self.now)();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |since: &SystemTime| now.duration_since(*since).is_ok_and(|since| since < CUT_OFF);
        if noted.get(&member).is_some_and(lasts) {
            return false;
        }
        noted.insert(member, now);
        true
    }
}

impl<B: Blocker<PublicKey = PublicKey>> Blocker for Cutter<B> {
    type PublicKey = PublicKey;

    fn block(&mut self, peer: PublicKey) -> Feedback {
        let member = key_of(&peer);
        if self.is_new(member) {
            self.sightings.offended(member, Conduct::CutOff);
        }
        self.links.block(peer)
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        self.links.blocked()
    }
}

#[cfg(test)]
mod tests;
