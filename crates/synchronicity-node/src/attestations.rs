//! What this node signs for the tools of others: statements about entries in which its builder agreed.
//!
//! Nothing is stored. A statement is a function of its entry, and Ed25519 gives one signature for it, so a statement that
//! was forgotten is the one that is made anew.

use std::sync::Arc;

use synchronicity::attest::dsse::{self, Envelope};
use synchronicity::attest::evidence::Evidence;
use synchronicity::attest::key::AttestationKey;
use synchronicity::attest::link::{SignedLink, link};
use synchronicity::attest::provenance::provenance;
use synchronicity::attest::summary::summary;
use synchronicity_core::group::Group;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::BuilderId;

/// Signs for one builder. Clones share the key.
#[derive(Clone, Debug)]
pub struct Attester {
    key: Arc<AttestationKey>,
    me: BuilderId,
    group: Arc<Group>,
}

/// A signed statement, ready to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// One line of JSON.
    pub json: String,
    /// Its media type.
    pub media_type: &'static str,
}

impl Attester {
    /// Signs with `key` as the member `me` of `group`.
    pub fn new(key: AttestationKey, me: BuilderId, group: Arc<Group>) -> Self {
        Self { key: Arc::new(key), me, group }
    }

    /// The `provenance`, `summary` or `link` of an entry; `None` for other words, and for entries in which this builder
    /// was not among those that agreed on artifacts.
    pub fn attest(&self, entry: &Entry, kind: &str) -> Option<Attestation> {
        let evidence = Evidence::new(entry, &self.group).ok()?;
        // Whoever saw something else, or nothing, vouches for nothing here: also not for what the others found.
        evidence.record(&self.me)?;
        let enveloped =
            |payload| Attestation { json: Envelope::sign(payload, &self.key).to_json(), media_type: dsse::MEDIA_TYPE };
        match kind {
            "provenance" => provenance(&evidence, &self.me).map(enveloped),
            "summary" => Some(enveloped(summary(&evidence))),
            "link" => Some(Attestation {
                json: SignedLink::sign(link(&evidence), &self.key).to_json(),
                media_type: "application/json",
            }),
            _ => None,
        }
    }
}
