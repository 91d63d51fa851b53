//! Changes of membership, from the operator's side: what is proposed, who has approved, and how to say so.

use std::time::Duration;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Machine;
use synchronicity_core::membership::Proposal;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::membership::{Member, Membership};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::state::State;

/// How long an operator's command waits for what it says to be ordered.
const ORDERED_MAX: Duration = Duration::from_secs(10);

/// Takes what the operator proposes and approves. Clones share everything.
#[derive(Clone)]
pub struct Changes {
    state: State,
    key: CommandKey,
    outbox: mpsc::Sender<Command>,
}

/// The epoch, and what is proposed in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochStatus {
    /// The group file of the epoch.
    pub group: String,
    /// How many members must approve.
    pub needed: usize,
    /// What members propose.
    pub proposals: Vec<ProposalStatus>,
    /// Rounds that the end of the epoch waits for.
    pub open_rounds: usize,
    /// Whether the epoch is over, and its last entry is being signed.
    pub over: bool,
}

/// One proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposalStatus {
    /// What members approve of, in hex.
    pub membership: String,
    /// Name of the member who proposes it.
    pub by: String,
    /// What would change, a line for each change.
    pub changes: Vec<String>,
    /// Names of the members who approved.
    pub approved: Vec<String>,
    /// Names of the members who did not.
    pub missing: Vec<String>,
    /// Whether enough have.
    pub agreed: bool,
}

/// Why nothing was said.
#[derive(Debug, Error, Diagnostic)]
pub enum ChangeError {
    /// Not a membership, or none that can follow.
    #[error("these members cannot follow: {0}")]
    NoSuccessor(String),
    /// The group would not take it.
    #[error("the group does not take this now: {0}")]
    #[diagnostic(help("`group show --dir DIR` says how far the epoch is, and what is proposed"))]
    Refused(String),
    /// The node ends.
    #[error("the node takes nothing now: it is stopping, or its disk is full")]
    #[diagnostic(help("`synchronicity-node status` says which"))]
    Stopping,
}

impl Changes {
    /// Signs with `key` and hands over to `outbox`.
    pub fn new(state: State, key: CommandKey, outbox: mpsc::Sender<Command>) -> Changes {
        Changes { state, key, outbox }
    }

    /// How far the epoch is.
    pub fn status(&self) -> EpochStatus {
        let folded = self.state.lock();
        let (machine, group) = (&folded.machine, self.state.group());
        EpochStatus {
            group: group.to_text(),
            needed: group.approvals_needed(),
            proposals: machine.proposals().map(|(by, proposal)| told(machine, by, proposal)).collect(),
            open_rounds: machine.open_rounds().count(),
            over: machine.closed().is_some(),
        }
    }

    /// Proposes these members and approves of them, and waits a while until the group has ordered both: whether it has.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing was said then.
    pub async fn propose(&self, bytes: &[u8]) -> Result<bool, ChangeError> {
        let membership = Membership::from_bytes(bytes).map_err(|error| ChangeError::NoSuccessor(error.to_string()))?;
        let followed = self.state.group().followed_by(&membership);
        followed.map_err(|error| ChangeError::NoSuccessor(error.to_string()))?;
        let digest = membership.digest();
        self.say(Action::Propose { membership }).await?;
        // It may be refused now, because nobody proposes it yet: the outbox waits.
        let approval = self.sign(Action::Approve { membership: digest })?;
        self.outbox.send(approval).await.map_err(|_| ChangeError::Stopping)?;
        Ok(self.ordered(digest).await)
    }

    /// Approves of what somebody proposes, and waits a while until the group has ordered that: whether it has.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing was said then.
    pub async fn approve(&self, membership: Digest) -> Result<bool, ChangeError> {
        self.say(Action::Approve { membership }).await?;
        Ok(self.ordered(membership).await)
    }

    fn sign(&self, action: Action) -> Result<Command, ChangeError> {
        let signed = Command::sign(&self.key, self.state.group(), action);
        signed.map_err(|error| ChangeError::Refused(error.to_string()))
    }

    async fn say(&self, action: Action) -> Result<(), ChangeError> {
        let command = self.sign(action)?;
        let screened = self.state.lock().machine.screen(&command);
        screened.map_err(|rejection| ChangeError::Refused(rejection.to_string()))?;
        self.outbox.send(command).await.map_err(|_| ChangeError::Stopping)
    }

    /// Waits until this member's approval is on disk here, or the epoch is over by it.
    async fn ordered(&self, membership: Digest) -> bool {
        let (mut changes, me) = (self.state.changes(), self.key.id());
        let shown = changes.wait_for(|persisted| {
            let folded = self.state.lock();
            let machine = &folded.machine;
            let approved = has_approved(machine, &membership, &me) || machine.closed().is_some();
            approved && persisted.height >= machine.executed().height
        });
        tokio::time::timeout(ORDERED_MAX, shown).await.is_ok_and(|shown| shown.is_ok())
    }
}

/// Whether this member's approval of the membership is ordered.
pub fn has_approved(machine: &Machine, membership: &Digest, me: &BuilderId) -> bool {
    proposal_of(machine, membership).is_some_and(|proposal| proposal.approved_by().any(|member| member == me))
}

/// The proposal of this membership, if it is proposed.
pub fn proposal_of<'a>(machine: &'a Machine, membership: &Digest) -> Option<&'a Proposal> {
    machine.proposals().map(|(_, proposal)| proposal).find(|proposal| proposal.digest() == *membership)
}

fn told(machine: &Machine, by: &BuilderId, proposal: &Proposal) -> ProposalStatus {
    let group = machine.group();
    let name = |builder: &BuilderId| group.member(builder).map_or_else(|| builder.to_string(), |it| it.name.clone());
    let has = |builder: &BuilderId| proposal.approved_by().any(|member| member == builder);
    let names = |approved: bool| {
        let members = group.members().iter().filter(|member| has(&member.command) == approved);
        members.map(|member| member.name.clone()).collect::<Vec<_>>()
    };
    ProposalStatus {
        membership: proposal.digest().to_string(),
        by: name(by),
        changes: differences(group, proposal.membership()),
        approved: names(true),
        missing: names(false),
        agreed: machine.agreed().is_some_and(|agreed| agreed.digest() == proposal.digest()),
    }
}

/// What would be otherwise with these members, a line for each change.
pub fn differences(group: &Group, next: &Membership) -> Vec<String> {
    let mut lines = Vec::new();
    if next.threshold != group.threshold() {
        lines.push(format!("threshold  {} instead of {}", next.threshold, group.threshold()));
    }
    let present = group.membership();
    let (before, after) = (&present.members, &next.members);
    for member in after {
        match before.iter().find(|other| other.name == member.name) {
            None => lines.push(format!("add        {} at {}, builder {}", member.name, member.address, member.builder)),
            Some(old) => lines.extend(changed(old, member)),
        }
    }
    let removed = before.iter().filter(|old| after.iter().all(|member| member.name != old.name));
    lines.extend(removed.map(|old| format!("remove     {}, builder {}", old.name, old.builder)));
    let (quorum, all) = (next.quorum(), after.len());
    lines.push(format!(
        "then       {all} members, {} build, {} must agree, {quorum} must cosign",
        next.building(),
        next.threshold
    ));
    lines
}

fn changed(old: &Member, new: &Member) -> Vec<String> {
    let mut lines = Vec::new();
    let keys = |member: &Member| (member.consensus, member.builder, member.cosigner.clone(), member.attestation);
    if keys(old) != keys(new) {
        lines.push(format!(
            "keys       {} has other ones, builder {} instead of {}",
            new.name, new.builder, old.builder
        ));
    }
    if old.address != new.address {
        lines.push(format!("address    {} is at {} instead of {}", new.name, new.address, old.address));
    }
    match (old.absent, new.absent) {
        (false, true) => lines.push(format!("absent     {} builds nothing", new.name)),
        (true, false) => lines.push(format!("present    {} builds again", new.name)),
        _ => {}
    }
    lines
}
