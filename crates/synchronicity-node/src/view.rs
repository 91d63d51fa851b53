//! The status document, put together from what the parts of the node say. The state's lock is held to copy, not to
//! render.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use synchronicity_consensus::{Handle, Standing};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Machine;
use synchronicity_core::round::{Phase, Round};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use crate::health::Health;
use crate::offences::Offences;
use crate::pages::{Present, RoundCopy};
use crate::presence::{Presence, Presences};
use crate::progress::Progress;
use crate::publisher::Published;
use crate::snapshot::Snapshots;
use crate::state::{Folded, State};
use crate::status::{ArtifactStatus, LogStatus, MemberStatus, ResultStatus, RoundStatus, Status};
use crate::webhooks::Webhooks;

/// Reads the node from all sides. Clones see the same node.
#[derive(Clone)]
pub struct View {
    parts: Arc<Parts>,
    described: Arc<Mutex<Option<Described>>>,
}

/// Rounds, and the height and number of proofs as of which they were described.
type Described = ((u64, usize), Arc<[RoundStatus]>);

/// What a view looks at.
pub struct Parts {
    /// The member's name.
    pub name: String,
    /// The folded state.
    pub state: State,
    /// The engine.
    pub chain: Handle,
    /// The builds of this node.
    pub progress: Progress,
    /// What other members tell of themselves.
    pub presences: Presences,
    /// The published checkpoint.
    pub published: Published,
    /// Complaints.
    pub health: Health,
    /// What other members did wrong.
    pub offences: Offences,
    /// How its webhooks do.
    pub webhooks: Webhooks,
    /// How this node misbehaves on purpose.
    pub misbehaves: Option<String>,
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Asking => "asking",
        Standing::Forgetful { .. } => "forgetful",
        Standing::Voting => "voting",
    }
}

impl View {
    /// A view of these parts.
    pub fn new(parts: Parts) -> View {
        View { parts: Arc::new(parts), described: Arc::default() }
    }

    /// The folded state.
    pub fn state(&self) -> &State {
        &self.parts.state
    }

    /// The published checkpoint.
    pub fn published(&self) -> Option<Arc<SignedNote>> {
        self.parts.published.borrow().clone()
    }

    /// States that the group has signed.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::start(self.state().clone(), self.parts.chain.clone(), self.follow_published())
    }

    /// The published checkpoint, and a sign when there is another.
    pub fn follow_published(&self) -> Published {
        self.parts.published.clone()
    }

    /// `ok`, or every complaint.
    pub fn health(&self) -> String {
        self.parts.health.text()
    }

    /// The latest entry below `size` in which a crate was reproduced.
    pub fn find(&self, name: &str, version: &str, size: u64) -> Option<u64> {
        self.state().lock().catalogue.find(name, version, size)
    }

    /// A request that the group was asked for.
    pub fn request(&self, id: &RequestId) -> Option<BuildRequest> {
        self.state().lock().machine.round(id).map(|round| round.request().clone())
    }

    /// What of the node's present pages show.
    pub fn present(&self) -> Present {
        let (parts, group) = (&self.parts, self.state().group());
        let heard = parts.chain.status().connected;
        let here =
            group.members().iter().filter(|member| member.name == parts.name || heard.contains(&member.consensus));
        let told = group.members().iter().enumerate().filter_map(|(place, member)| {
            let presence = if member.name == parts.name {
                Some(Presence::own(&parts.progress))
            } else {
                parts.presences.of(place)
            };
            Some((member.command, presence?))
        });
        Present {
            building: parts.progress.list(),
            told: told.collect(),
            connected: here.map(|member| member.command).collect(),
            health: self.health(),
        }
    }

    /// A copy of the latest round of a request: held is the state's lock for as long as it takes to copy.
    pub fn round_copy(&self, id: &RequestId) -> Option<RoundCopy> {
        let folded = self.state().lock();
        let round = folded.machine.round(id)?;
        let results = round.members().filter_map(|(builder, _)| Some((*builder, round.result(builder)?.clone())));
        Some(RoundCopy { request: round.request().clone(), number: round.number(), results: results.collect() })
    }

    /// The rounds, described once for each block and each proof, however many ask: a description holds the state's lock.
    fn rounds(&self, height: u64) -> Arc<[RoundStatus]> {
        // What was described before is whole, whoever panicked.
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let folded = self.state().lock();
        let now = (height, folded.proof_ms.len());
        match &*described {
            Some((then, rounds)) if *then == now => rounds.clone(),
            _ => {
                let rounds: Arc<[RoundStatus]> = rounds(self.state().group(), &folded).into();
                *described = Some((now, rounds.clone()));
                rounds
            }
        }
    }

    /// The status document of this moment.
    pub fn status(&self) -> Status {
        let parts = &self.parts;
        let (note, chain) = (self.published(), parts.chain.status());
        let persisted = parts.state.persisted();
        let rounds = self.rounds(persisted.height);
        let published: Option<Checkpoint> = note.as_ref().and_then(|note| note.text.parse().ok());
        let published_size = published.map_or(0, |published| published.size);
        let lines = note.iter().flat_map(|note| &note.signatures).skip(1);
        let group: &Group = parts.state.group();
        Status {
            node: parts.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            group: group.id().to_string(),
            origin: group.origin().to_owned(),
            height: persisted.height,
            time_ms: persisted.time_ms,
            view: chain.view,
            clock_skew_ms: chain.clock_skew_ms,
            peers: chain.connected.len(),
            caught_up: chain.caught_up,
            standing: standing(chain.standing).to_owned(),
            log: LogStatus {
                size: persisted.log_size,
                root: persisted.log_root.to_string(),
                published_size,
                cosigners: lines.map(|line| line.name.clone()).collect(),
            },
            rounds: rounds.to_vec(),
            building: parts.progress.list(),
            health: self.health(),
            webhooks: parts.webhooks.list(published_size),
            offences: parts.offences.list(),
            misbehaves: parts.misbehaves.clone(),
        }
    }
}

/// Concluded rounds in the order of the log, then open ones in the order of their deadlines.
fn rounds(group: &Group, folded: &Folded) -> Vec<RoundStatus> {
    let machine: &Machine = &folded.machine;
    let concluded = folded.catalogue.latest().filter_map(|id| Some((id, machine.round(id)?)));
    let mut picked: Vec<(&RequestId, &Round)> = concluded.filter(|(_, round)| !round.is_open()).collect();
    // A request that ended inconclusive and was repeated stands in the log twice, with one latest round.
    picked.sort_by_key(|(id, round)| (index_of(round), **id));
    picked.dedup_by_key(|(id, _)| **id);
    let mut open: Vec<(&RequestId, &Round)> = machine.open_rounds().collect();
    open.sort_by_key(|(id, round)| (deadline_of(round), **id));
    picked.extend(open);
    picked.iter().map(|(id, round)| describe(group, id, round, &folded.proof_ms)).collect()
}

fn describe(group: &Group, id: &RequestId, round: &Round, proof_ms: &BTreeMap<u64, u64>) -> RoundStatus {
    // Of an earlier epoch, perhaps: then some are members no more.
    let members = round.members().map(|(builder, done)| MemberStatus {
        name: group.member(builder).map_or_else(|| builder.to_string(), |member| member.name.clone()),
        builder: builder.to_string(),
        committed: done.commitment().is_some(),
        revealed: done.opening().is_some(),
        result: round.result(builder).map(result),
    });
    let mut members: Vec<MemberStatus> = members.collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let index = index_of(round);
    RoundStatus {
        request: id.to_string(),
        round: round.number(),
        purl: round.request().source.purl(),
        phase: match round.phase() {
            Phase::Committing { .. } => "committing",
            Phase::Revealing { .. } => "revealing",
            Phase::Concluded { .. } => "concluded",
        }
        .to_owned(),
        deadline_ms: deadline_of(round),
        verdict: match round.phase() {
            Phase::Concluded { verdict, .. } => Some(verdict.as_str().to_owned()),
            _ => None,
        },
        index,
        members,
        proof_ms: index.and_then(|index| proof_ms.get(&index).copied()),
    }
}

fn index_of(round: &Round) -> Option<u64> {
    match round.phase() {
        Phase::Concluded { index, .. } => Some(index),
        _ => None,
    }
}

fn deadline_of(round: &Round) -> Option<u64> {
    match round.phase() {
        Phase::Committing { deadline_ms } | Phase::Revealing { deadline_ms } => Some(deadline_ms),
        Phase::Concluded { .. } => None,
    }
}

/// A result as the status document shows it.
pub fn result(result: &BuildResult) -> ResultStatus {
    match result {
        BuildResult::Failed(failure) => ResultStatus::Failure(failure.as_str().to_owned()),
        BuildResult::Built(artifacts) => {
            let artifact = |artifact: &synchronicity_verify::result::Artifact| ArtifactStatus {
                name: artifact.name.to_string(),
                size: artifact.size,
                sha256: artifact.sha256.to_string(),
            };
            ResultStatus::Artifacts(artifacts.iter().map(artifact).collect())
        }
    }
}
