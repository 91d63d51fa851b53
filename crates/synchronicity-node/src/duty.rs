//! The task that does what this builder owes: it asks the core again after every change and now and then, and acts.
//!
//! Order of things at each point of no return: the journal is on disk before the command or signature that depends on
//! it leaves this task. Nothing is remembered here that the next start would miss.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use synchronicity_consensus::{Handle, Standing};
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::duties::{self, Duty};
use synchronicity_core::journal::Sealed;
use synchronicity_core::machine::Machine;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::note::{NoteSignature, Signer};
use synchronicity_verify::result::BuildResult;
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;

use crate::builds::{Builds, Done};
use crate::changes;
use crate::cosign::Statement;
use crate::health::{Health, Topic};
use crate::journal::{Disagreement, PersistedJournal};
use crate::keys::Seed;
use crate::misbehave::{self, Misbehaviour};
use crate::outbox::{Errand, Outbox};
use crate::recosign::{self, Schedule};
use crate::state::State;

/// How often duties are recomputed without any change: retries and clocks need it.
const TICK: Duration = Duration::from_millis(500);

/// What the task works with.
pub struct Attendant {
    /// The folded state.
    pub state: State,
    /// What must not be forgotten.
    pub journal: PersistedJournal,
    /// The engine.
    pub chain: Handle,
    /// Signs commands.
    pub command: CommandKey,
    /// Cosigns checkpoints.
    pub cosigner: Signer,
    /// The builds of this node.
    pub builds: Builds,
    /// Commands on their way.
    pub outbox: Outbox,
    /// Takes this builder's cosignatures.
    pub cosigned: mpsc::Sender<(Statement, NoteSignature)>,
    /// Complaints.
    pub health: Health,
    /// How this node misbehaves on purpose.
    pub misbehaviour: Option<Misbehaviour>,
    /// When an unchanged log is signed again.
    pub schedule: Schedule,
    /// The statement whose cosignature this process handed on last, and the time in that, in seconds.
    pub told: Option<(Statement, u64)>,
    /// The cosigned statement that was compared with the state last. Logs only grow, so once is enough.
    pub compared: Option<Statement>,
}

impl Attendant {
    /// Runs until `rest` changes, and then ends the running build. `done` brings finished builds, `submissions` the
    /// operator's commands.
    pub async fn run(
        mut self,
        mut done: mpsc::Receiver<Done>,
        mut submissions: mpsc::Receiver<Command>,
        mut rest: watch::Receiver<bool>,
    ) {
        let mut changes = self.state.changes();
        loop {
            self.attend();
            tokio::select! {
                // Only an error means that the state is gone; its holder is this task, so there is none.
                _ = changes.changed() => {}
                Some(finished) = done.recv() => self.finished(finished),
                Some(command) = submissions.recv() => self.submit(command),
                () = tokio::time::sleep(TICK) => {}
                _ = rest.wait_for(|rest| *rest) => break,
            }
        }
        // Room for the last message of the build that is ended now.
        drop(done);
        block_in_place(|| self.builds.stop());
    }

    fn me(&self) -> BuilderId {
        self.command.id()
    }

    fn submit(&mut self, command: Command) {
        let errand = match command.action() {
            Action::Submit { request, round, .. } => Errand::Submit(request.id(), *round),
            Action::Propose { membership } => {
                // Of two that wait, the later is meant; one that is ordered is replaced by the machine.
                self.outbox.keep(|errand| !matches!(errand, Errand::Propose(_)));
                Errand::Propose(membership.digest())
            }
            Action::Approve { membership } => Errand::Approve(*membership),
            // These are duties, and come of themselves.
            Action::Commit { .. } | Action::Reveal { .. } => return,
        };
        self.outbox.add(errand, command.clone(), Instant::now());
    }

    /// Whether the state is the one that this builder has cosigned, as far as it reaches.
    fn is_consistent(&mut self) -> bool {
        let cosigned = self.journal.get().cosigned();
        if cosigned == self.compared {
            return true;
        }
        match self.journal.agrees(&self.state) {
            Ok(reached) => {
                if reached {
                    self.compared = cosigned;
                }
                true
            }
            Err(Disagreement::Contradiction(contradiction)) => {
                self.health.complain(Topic::Contradiction, contradiction.to_string());
                block_in_place(|| self.builds.stop());
                false
            }
            Err(unreadable) => {
                self.health.complain(Topic::Publish, format!("{unreadable}; it is tried again"));
                false
            }
        }
    }

    fn attend(&mut self) {
        // Whoever may have forgotten what it signed signs nothing, be it a vote, a command or a cosignature.
        if self.chain.status().standing != Standing::Voting {
            return;
        }
        if !self.is_consistent() {
            return;
        }
        let (over, owed, open) = {
            let folded = self.state.lock();
            // What is not on disk yet may be acted on by nobody; the next change comes when it is.
            if folded.machine.executed().height != self.state.persisted().height {
                return;
            }
            let open: BTreeSet<RequestId> = folded.machine.open_rounds().map(|(id, _)| *id).collect();
            let over = self.journal.prune(&folded.machine);
            (over, duties::duties(&folded.machine, self.journal.get(), self.me()), open)
        };
        if !over.is_empty() {
            block_in_place(|| self.journal.forget(&over));
        }
        let (mut builds, mut due) = (Vec::new(), Vec::new());
        let misbehaviour = self.misbehaviour;
        for duty in owed.into_iter().filter(|duty| misbehave::does(misbehaviour, duty)) {
            match duty {
                Duty::Build { request, round } => builds.push((request, round)),
                Duty::Commit { request, round, commitment } => {
                    due.push((Errand::Commit(request, round), Action::Commit { request, round, commitment }));
                }
                Duty::Reveal { request, round, result, nonce } => {
                    due.push((Errand::Reveal(request, round), Action::Reveal { request, round, result, nonce }));
                }
                Duty::Cosign { size, root } => self.cosign((size, root)),
            }
        }
        self.cosign_again();
        self.builds.attend(&builds, &open, &self.state);
        let errands = due.iter().map(|(errand, _)| *errand).collect();
        self.send(due);
        self.hand_over(&errands);
    }

    fn send(&mut self, due: Vec<(Errand, Action)>) {
        if let Err(error) = self.outbox.sign(due, &self.command, self.state.group(), Instant::now()) {
            self.health.complain(Topic::Engine, format!("cannot sign commands: {error}"));
        }
    }

    /// Gives the engine what is due, and forgets what the state shows to be done.
    fn hand_over(&mut self, errands: &BTreeSet<Errand>) {
        let (state, me) = (&self.state, self.command.id());
        // Who proposes approves, too, and that waits for the proposal.
        let proposing = self.outbox.proposing();
        self.outbox.keep(|errand| match errand {
            Errand::Submit(request, round) => state.lock().machine.next_round(request) == Some(*round),
            Errand::Propose(membership) => {
                let machine = &state.lock().machine;
                is_undecided(machine) && changes::proposal_of(machine, membership).is_none()
            }
            Errand::Approve(membership) => {
                let machine = &state.lock().machine;
                let proposed = changes::proposal_of(machine, membership).is_some() || proposing == Some(*membership);
                is_undecided(machine) && proposed && !changes::has_approved(machine, membership, &me)
            }
            other => errands.contains(other),
        });
        for (errand, command) in self.outbox.due(Instant::now()) {
            if let Err(error) = self.chain.submit(command) {
                tracing::debug!(?errand, %error, "a command was not taken; it is handed over again");
            }
        }
    }

    /// A build has ended: seal its result.
    fn finished(&mut self, done: Done) {
        let Some(result) = self.builds.finished(&done) else { return };
        let result = match self.misbehaviour {
            Some(Misbehaviour::Liar) => misbehave::lie(result, &self.me()),
            _ => result,
        };
        let (request, round) = done.key;
        match self.seal(request, round, result) {
            Ok(()) => tracing::info!(%request, round, "sealed"),
            Err(error) => {
                // The result is lost, and the duty to build stays: it is built again.
                self.health.complain(Topic::Journal, format!("a finished build could not be sealed: {error}"));
                self.builds.failed(done.key, "its result could not be sealed");
            }
        }
    }

    fn seal(&mut self, request: RequestId, round: u32, result: BuildResult) -> Result<(), miette::Report> {
        let nonce = *Seed::generate()?.expose();
        block_in_place(|| self.journal.seal(request, round, Sealed { result, nonce }))?;
        self.health.recover(Topic::Journal);
        Ok(())
    }

    fn cosign(&mut self, statement: Statement) {
        // First the journal, then the signature: it must never be possible to sign another root for this size.
        match block_in_place(|| self.journal.cosign(statement.0, statement.1)) {
            Ok(()) => self.health.recover(Topic::Journal),
            Err(error) => {
                let complaint = format!("the log of {} entries is not cosigned: {error}", statement.0);
                self.health.complain(Topic::Journal, complaint);
            }
        }
    }

    /// Hands on the cosignature that the journal allows: once at first, because after a restart the publisher has it no
    /// more, and then by the schedule. The statement is the persisted one each time: there is nothing new to persist.
    fn cosign_again(&mut self) {
        let Some(statement) = self.journal.get().cosigned() else { return };
        let now_s = recosign::now().as_secs();
        let is_due = match self.told {
            Some((told, signed_s)) if told == statement => {
                self.schedule.is_due(signed_s, now_s) && !self.is_clock_off()
            }
            _ => true,
        };
        let executed = self.state.persisted();
        if !is_due || (executed.log_size, executed.log_root) != statement {
            return;
        }
        let text = Checkpoint { origin: self.state.group().origin().to_owned(), size: statement.0, root: statement.1 };
        match cosignature::cosign(&self.cosigner, &text.to_string(), now_s) {
            Ok(line) => {
                // A full channel is emptied soon; the next tick tries again.
                if self.cosigned.try_send((statement, line)).is_ok() {
                    self.told = Some((statement, now_s));
                }
            }
            Err(error) => self.health.complain(Topic::Engine, format!("cannot cosign: {error}")),
        }
    }

    /// Whether this clock is one whose times the other members would refuse.
    fn is_clock_off(&self) -> bool {
        let skew_ms = self.chain.status().clock_skew_ms;
        skew_ms.is_some_and(|skew_ms| skew_ms.unsigned_abs() > self.schedule.skew_ms_max)
    }
}

/// Whether members may still be proposed and approved of in this epoch.
fn is_undecided(machine: &Machine) -> bool {
    machine.agreed().is_none() && machine.closed().is_none()
}
