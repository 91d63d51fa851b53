//! Where [`Sightings`] come from: what the voter reports, and the votes as they arrive.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use commonware_actor::Feedback;
use commonware_codec::DecodeExt;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Attributable};
use commonware_consensus::{Reporter, Viewable};
use commonware_cryptography::{ed25519, sha256};
use commonware_p2p::{Message, Receiver};
use commonware_runtime::Clock;
use synchronicity_verify::digest::Digest;

use crate::memory::{Certificate, Memory, Vote};
use crate::offence;
use crate::sightings::{Sightings, key_of};

/// Listens to what the voter reports.
#[derive(Clone)]
pub(crate) struct Watcher {
    sightings: Arc<Sightings>,
    memory: Arc<Memory>,
    group: Digest,
}

impl Watcher {
    pub(crate) fn new(sightings: Arc<Sightings>, memory: Arc<Memory>, group: Digest) -> Self {
        Self { sightings, memory, group }
    }

    fn contradicted(&self, activity: &Activity<Scheme, sha256::Digest>, evidence: &impl Attributable) {
        let Some(key) = self.memory.participants().get(usize::from(evidence.signer())) else { return };
        if let Some(conduct) = offence::of(activity, *key, self.group) {
            self.sightings.offended(*key, conduct);
        }
    }
}

impl Reporter for Watcher {
    type Activity = Activity<Scheme, sha256::Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        if let Some(certificate) = certificate(&activity) {
            self.memory.certified(certificate);
        }
        match &activity {
            // Certificates only: a single member could vote for any view.
            Activity::Notarization(certificate) => self.sightings.certified(certificate.view().get()),
            Activity::Nullification(certificate) => self.sightings.certified(certificate.view().get()),
            Activity::Finalization(certificate) => self.sightings.certified(certificate.view().get()),
            Activity::ConflictingNotarize(evidence) => self.contradicted(&activity, evidence),
            Activity::ConflictingFinalize(evidence) => self.contradicted(&activity, evidence),
            Activity::NullifyFinalize(evidence) => self.contradicted(&activity, evidence),
            Activity::Certification(_) | Activity::Notarize(_) | Activity::Nullify(_) | Activity::Finalize(_) => {}
        }
        Feedback::Ok
    }
}

/// The certificate that the voter reports, if it is one.
fn certificate(activity: &Activity<Scheme, sha256::Digest>) -> Option<Certificate> {
    match activity {
        Activity::Notarization(certificate) => Some(Certificate::Notarization(certificate.clone())),
        Activity::Nullification(certificate) => Some(Certificate::Nullification(certificate.clone())),
        Activity::Finalization(certificate) => Some(Certificate::Finalization(certificate.clone())),
        _ => None,
    }
}

/// Notes who speaks on a channel, and its votes. The voter does not report a vote that it has already, yet in a group that is halted
/// the same votes again and again are all that members hear of each other.
pub(crate) struct Listening<E, R> {
    inner: R,
    clock: E,
    sightings: Arc<Sightings>,
    memory: Arc<Memory>,
}

impl<E, R> Listening<E, R> {
    pub(crate) fn new(inner: R, clock: E, sightings: Arc<Sightings>, memory: Arc<Memory>) -> Self {
        Self { inner, clock, sightings, memory }
    }
}

impl<E, R: fmt::Debug> fmt::Debug for Listening<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.inner).finish()
    }
}

impl<E: Clock, R: Receiver<PublicKey = ed25519::PublicKey>> Receiver for Listening<E, R> {
    type Error = R::Error;
    type PublicKey = ed25519::PublicKey;

    async fn recv(&mut self) -> Result<Message<Self::PublicKey>, Self::Error> {
        let (sender, bytes) = self.inner.recv().await?;
        self.sightings.heard(key_of(&sender), self.clock.current());
        if let Ok(vote) = Vote::decode(bytes.clone()) {
            self.memory.voted(key_of(&sender), vote);
        }
        Ok((sender, bytes))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
