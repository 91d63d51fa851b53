//! Step 1, submit: from what the operator names to a signed command. Pinning uses the network and this node's own
//! toolchain; the group sees only the result.

use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::machine::Machine;
use synchronicity_core::round::Phase;
use synchronicity_rebuild::bench::Bench;
use synchronicity_rebuild::recipe::{PinError, Pinned};
use synchronicity_rebuild::registry::ArchiveError;
use synchronicity_rebuild::release::ResolveError;
use synchronicity_rebuild::spec::{Spec, SpecError};
use synchronicity_verify::identity::RequestId;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};

use crate::exit;
use crate::operator::Submitted;
use crate::state::State;
use crate::workbench::{self, BenchPinError, Readiness, Workbench};

/// How many submissions are pinned at a time: each holds an unpacked source on disk.
const PINNING_MAX: usize = 2;

/// How long the operator's command waits for its request to be ordered.
const ORDERED_MAX: Duration = Duration::from_secs(10);

/// Takes submissions of this node's operator. Clones share everything.
#[derive(Clone)]
pub struct Submissions {
    state: State,
    key: CommandKey,
    workbench: Workbench,
    outbox: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
}

/// Why nothing was submitted.
#[derive(Debug, Error, Diagnostic)]
pub enum SubmitError {
    /// The operator's text names nothing.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is nothing to build with, and so no toolchain or environment to pin.
    #[error("this node cannot pin a build, because it has no sandbox: {0}")]
    #[diagnostic(help("`synchronicity-node doctor` says what is missing"))]
    NoSandbox(String),
    /// The crate cannot be pinned.
    #[error(transparent)]
    Pin(#[from] BenchPinError),
    /// The group would not take it.
    #[error("the group does not take this request now: {0}")]
    Refused(String),
    /// The node ends, or has no room on its disk.
    #[error("the node takes nothing now: it is stopping, or its disk is full")]
    #[diagnostic(help("`synchronicity-node status` says which"))]
    Stopping,
}

impl SubmitError {
    /// The exit code of the command that asked.
    pub fn exit_code(&self) -> u8 {
        match self {
            SubmitError::Spec(_) => exit::USAGE,
            SubmitError::NoSandbox(_) | SubmitError::Refused(_) | SubmitError::Stopping => exit::TRY_LATER,
            SubmitError::Pin(BenchPinError::Pin(error)) => match error {
                PinError::Resolve(ResolveError::Download(_) | ResolveError::BadIndex { .. }) => exit::TRY_LATER,
                PinError::Archive(ArchiveError::WrongChecksum { .. }) => exit::INTERNAL,
                PinError::Archive(_) | PinError::ResolveLock(_) => exit::TRY_LATER,
                PinError::Disk { .. } => exit::INTERNAL,
                _ => exit::USAGE,
            },
            SubmitError::Pin(BenchPinError::Packages(_)) => exit::TRY_LATER,
            SubmitError::Pin(BenchPinError::Cargo(_) | BenchPinError::Depot(_)) => exit::INTERNAL,
        }
    }
}

impl Submissions {
    /// Takes submissions, signs them with `key` and hands them to `outbox`.
    pub fn new(state: State, key: CommandKey, workbench: Workbench, outbox: mpsc::Sender<Command>) -> Submissions {
        Submissions { state, key, workbench, outbox, room: Arc::new(Semaphore::new(PINNING_MAX)) }
    }

    /// Pins what `spec` names, puts it on its way, and waits up to 10 s for the group to order it. Asking for what the group was asked before changes nothing.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was submitted then.
    pub async fn submit(&self, spec: &str) -> Result<Submitted, SubmitError> {
        let spec: Spec = spec.parse()?;
        let bench = self.bench().await?;
        let _room = self.room.acquire().await.map_err(|_| SubmitError::Stopping)?;
        let group = self.state.group().clone();
        let pinned = tokio::task::spawn_blocking(move || workbench::pin(&bench, &spec, &group));
        let Pinned { request, lock, .. } = pinned.await.map_err(|_| SubmitError::Stopping)??;
        let (id, purl) = (request.id(), request.source.purl());
        let Some(round) = self.state.lock().machine.next_round(&id) else {
            return Ok(standing(&self.state.lock().machine, &id, purl));
        };
        let command = Command::sign(&self.key, self.state.group(), Action::Submit { request, lock, round });
        let command = command.map_err(|error| SubmitError::Refused(error.to_string()))?;
        let screened = self.state.lock().machine.screen(&command);
        screened.map_err(|rejection| SubmitError::Refused(rejection.to_string()))?;
        self.outbox.send(command).await.map_err(|_| SubmitError::Stopping)?;
        tracing::info!(request = %id, round, purl, "submitted");
        let state = if self.ordered(&id, round).await { "ordered" } else { "handed-over" };
        let request = id.to_string();
        Ok(Submitted { request, round, purl, state: state.to_owned(), verdict: None, index: None })
    }

    /// Waits a while for the round to be on disk here, and says whether it is. Until then the command is in memory only,
    /// and a restart of this node may forget it.
    async fn ordered(&self, request: &RequestId, round: u32) -> bool {
        let mut changes = self.state.changes();
        let shown = changes.wait_for(|persisted| {
            let folded = self.state.lock();
            let there = folded.machine.round(request).is_some_and(|latest| latest.number() >= round);
            there && persisted.height >= folded.machine.executed().height
        });
        tokio::time::timeout(ORDERED_MAX, shown).await.is_ok_and(|shown| shown.is_ok())
    }

    async fn bench(&self) -> Result<Arc<Bench>, SubmitError> {
        let mut workbench = self.workbench.clone();
        let decided = workbench.wait_for(|readiness| !matches!(readiness, Readiness::Preparing)).await;
        match &*decided.map_err(|_| SubmitError::Stopping)? {
            Readiness::Ready(bench) => Ok(bench.clone()),
            Readiness::Failed(reason) => Err(SubmitError::NoSandbox(reason.clone())),
            Readiness::Preparing => Err(SubmitError::Stopping),
        }
    }
}

/// What to say of a request that the group has already.
fn standing(machine: &Machine, id: &RequestId, purl: String) -> Submitted {
    let round = machine.round(id);
    let (state, verdict, index) = match round.map(|round| round.phase()) {
        Some(Phase::Concluded { index, verdict }) => ("concluded", Some(verdict.as_str().to_owned()), Some(index)),
        _ => ("open", None, None),
    };
    Submitted {
        request: id.to_string(),
        round: round.map_or(0, |round| round.number()),
        purl,
        state: state.to_owned(),
        verdict,
        index,
    }
}
