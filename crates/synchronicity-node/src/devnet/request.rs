//! The requests of this run, from `submit` to verified files.

use std::path::Path;
use std::time::{Duration, Instant};

use synchronicity_core::group::Group;

use super::children::Children;
use super::conclusion;
use super::errand;
use super::event::{Event, Phase};
use super::explanation;
use super::folder::Folder;
use super::interrupt::Interrupt;
use super::outcome::{Evidence, OutcomeError, Written};
use super::stop::DevnetError;
use super::verification;
use super::view::View;
use super::wanted::Wanted;
use super::watch::{Seen, Watch};
use crate::exit;
use crate::operator::Submitted;

/// How long trouble of this machine may last before it ends the run: nodes try again by themselves.
const TROUBLE_MAX: Duration = Duration::from_secs(60);
/// How long a verdict waits for the proofs of all nodes, so that the time told is a median of all. A node that was
/// killed meanwhile has its proof, but no longer the time.
const SLOW_NODES: Duration = Duration::from_secs(3);
/// Name of the file with what a node says about why builders differ.
const EXPLANATION: &str = "explanation.json";
/// How long a verdict may be without any proof.
const PROOF_MAX: Duration = Duration::from_secs(60);

/// All requests, in the order of the command line; never empty.
pub(super) struct Requests(Vec<Request>);

struct Request {
    wanted: Wanted,
    /// Hexadecimal.
    id: String,
    /// Since when nobody builds and somebody cannot.
    trouble_since: Option<Instant>,
    concluded_since: Option<Instant>,
    written: Option<Written>,
    diverged: bool,
}

impl Requests {
    /// Submits everything through the first node.
    pub(super) fn submit(
        wanted: Vec<Wanted>,
        program: &Path,
        children: &Children,
        interrupt: &Interrupt,
        view: &mut View,
    ) -> Result<Self, DevnetError> {
        let operator = children.nodes[0].folder.as_os_str();
        let mut all = Vec::new();
        for wanted in wanted {
            let words = ["submit".as_ref(), "--json".as_ref(), "--dir".as_ref(), operator, wanted.spec.as_ref()];
            let answer = errand::run(program, &words, interrupt)?.succeeded()?;
            let Submitted { request: id, .. } =
                serde_json::from_str(&answer).map_err(|_| DevnetError::Submit { answer: answer.clone() })?;
            view.show(&Event::Submitted { name_version: wanted.name_version.clone(), request: id.clone() });
            all.push(Request {
                wanted,
                id,
                trouble_since: None,
                concluded_since: None,
                written: None,
                diverged: false,
            });
        }
        Ok(Self(all))
    }

    /// The request that `--crash` goes by.
    pub(super) fn first(&self) -> &str {
        &self.0[0].id
    }

    pub(super) fn all_concluded(&self) -> bool {
        self.0.iter().all(|request| request.written.is_some())
    }

    /// Shows how far every builder is, and gives up when this machine cannot build.
    pub(super) fn follow(&mut self, seen: &Seen, children: &Children, view: &mut View) -> Result<(), DevnetError> {
        self.0.iter_mut().filter(|request| request.written.is_none()).try_for_each(|request| {
            let phases: Vec<(&str, Phase)> = (children.nodes.iter().enumerate())
                .map(|(index, node)| (node.name.as_str(), seen.phase(index, &node.name, &request.id)))
                .collect();
            for (builder, phase) in &phases {
                view.show(&Event::Phase {
                    name_version: request.wanted.name_version.clone(),
                    request: request.id.clone(),
                    builder: (*builder).to_owned(),
                    phase: phase.clone(),
                });
            }
            request.judge_trouble(&phases)
        })
    }

    /// Writes out every request whose proof has come to lie on the nodes' disks.
    pub(super) fn conclude(
        &mut self,
        seen: &Seen,
        group: &Group,
        watch: &Watch,
        children: &Children,
        folder: &Folder,
        view: &mut View,
    ) -> Result<(), DevnetError> {
        for request in self.0.iter_mut().filter(|request| request.written.is_none()) {
            let Some(index) = request.proved(seen) else { continue };
            let name_version = &request.wanted.name_version;
            let Some(evidence) = Evidence::gather(index, name_version, group, watch, children)? else {
                request.give_up_without_proof(index)?;
                continue;
            };
            let conclusion = conclusion::describe(&evidence.verified, name_version, group, seen);
            request.diverged = conclusion.verdict == "diverged";
            view.show(&Event::Concluded(Box::new(conclusion)));
            let written = evidence.write(folder.results(name_version)?, name_version, group, watch, children)?;
            view.show(&written.told(name_version));
            request.written = Some(written);
        }
        Ok(())
    }

    /// Shows and writes why builders differ, as the nodes see it.
    pub(super) fn explain(
        &self,
        watch: &Watch,
        children: &Children,
        interrupt: &Interrupt,
        view: &mut View,
    ) -> Result<(), DevnetError> {
        for request in self.0.iter().filter(|request| request.diverged) {
            let Some(written) = &request.written else { continue };
            let about = (request.wanted.name_version.as_str(), request.id.as_str(), written.folder.join(EXPLANATION));
            view.show(&explanation::wait(about, watch, children, interrupt)?);
        }
        Ok(())
    }

    /// Verifies what was written, and gives the exit code of the run: the first thing that is wrong comes before
    /// "no evidence", and that before success.
    pub(super) fn verify(&self, program: &Path, interrupt: &Interrupt, view: &mut View) -> Result<u8, DevnetError> {
        let mut codes = Vec::new();
        for written in self.written() {
            codes.push(verification::verify(written, program, interrupt, view)?);
        }
        let wrong = codes.iter().find(|&&code| code != exit::OK && code != exit::NO_EVIDENCE);
        Ok(*wrong.or_else(|| codes.iter().max()).unwrap_or(&exit::INTERNAL))
    }

    /// What was written so far.
    pub(super) fn written(&self) -> impl Iterator<Item = &Written> {
        self.0.iter().filter_map(|request| request.written.as_ref())
    }
}

impl Request {
    fn judge_trouble(&mut self, phases: &[(&str, Phase)]) -> Result<(), DevnetError> {
        let told = |(builder, phase): &(&str, Phase)| match phase {
            Phase::Broken { reason } => Some(format!("{builder}: {reason}")),
            _ => None,
        };
        let reasons: Vec<String> = phases.iter().filter_map(told).collect();
        let others_done =
            phases.iter().all(|(_, phase)| matches!(phase, Phase::Broken { .. } | Phase::Committed | Phase::Revealed));
        if reasons.is_empty() || !others_done {
            self.trouble_since = None;
            return Ok(());
        }
        if self.trouble_since.get_or_insert_with(Instant::now).elapsed() < TROUBLE_MAX {
            return Ok(());
        }
        let name_version = self.wanted.name_version.clone();
        Err(DevnetError::CannotBuild { name_version, reasons: reasons.join("\n") })
    }

    /// The index of the entry, once its proof lies on the disks of all nodes that answer, or has had time to.
    fn proved(&mut self, seen: &Seen) -> Option<u64> {
        let latest = seen.rounds(&self.id).map(|round| round.round).max()?;
        let concluded = || seen.rounds(&self.id).filter(|round| round.round == latest && round.index.is_some());
        let index = concluded().find_map(|round| round.index)?;
        let waited = self.concluded_since.get_or_insert_with(Instant::now).elapsed();
        let proofs = concluded().filter(|round| round.proof_ms.is_some()).count();
        (proofs == seen.0.iter().flatten().count() || waited > SLOW_NODES).then_some(index)
    }

    fn give_up_without_proof(&self, index: u64) -> Result<(), OutcomeError> {
        match self.concluded_since {
            Some(since) if since.elapsed() > PROOF_MAX => {
                Err(OutcomeError::NoProof { name_version: self.wanted.name_version.clone(), index })
            }
            _ => Ok(()),
        }
    }
}
