//! `--or-build`: what no group rebuilt is built here, under the recipe of groups, and installed as what it is: one build
//! on one machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use synchronicity_rebuild::recipe::Options;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, BuildResult};

use super::choose::NoChoice;
use super::place;
use super::present::{Present, State};
use super::told::{Action, Done};
use super::{Part, Session, Wanted};
use crate::cli::Place;
use crate::exit::{self, Stop};
use crate::progress::Progress;
use crate::workshop::{Workshop, WorkshopError};

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

impl Session<'_> {
    /// Builds and installs. What may not be installed over what is there is found out after the build: only then are the
    /// names of its executables known.
    pub(super) fn build(&self, wanted: &Wanted, sandbox: &Place) -> Result<Done, Stop> {
        self.progress.say(&format!("there is no evidence for {wanted}: building it here"));
        let workshop = Workshop::open(sandbox, Progress::new())?;
        let spec = Spec::Crate { name: wanted.name.clone(), version: wanted.version.clone() };
        let options = Options { features: wanted.features.clone(), ..Options::default() };
        let pinned = workshop.pin_spec(&spec, &options)?;
        let what = pinned.request.source.purl();
        if !pinned.request.products.executable() {
            let no = NoChoice::Library { spec: wanted.to_string() };
            return Err(Stop::new(no.code(), no));
        }
        if self.how.dry_run {
            workshop.progress.end();
            return Ok(Done::by_build(Action::WouldBuild, None, &pinned.request, &[]));
        }
        let outcome = workshop.build(&pinned, None, "")?;
        workshop.progress.end();
        match &outcome.result {
            BuildResult::Built(artifacts) => {
                let built = outcome.artifacts_dir.as_deref().unwrap_or(Path::new("."));
                self.put_built(&pinned.request, artifacts.as_slice(), built)
            }
            BuildResult::Failed(failure) => {
                let error = WorkshopError::Failed { what, failure: *failure, transcript: outcome.transcript.clone() };
                Err(Stop::new(exit::INTERNAL, error))
            }
        }
    }

    fn put_built(&self, request: &BuildRequest, artifacts: &[Artifact], folder: &Path) -> Result<Done, Stop> {
        let present = Present::of_build(request, artifacts);
        let done = |action, before| Ok(Done::by_build(action, before, request, artifacts));
        let state = present.state(&self.root, &self.root.lock(&self.progress)?, self.how.force)?;
        if state == State::Installed {
            return done(Action::Already, None);
        }
        self.root.prepare()?;
        let staged = artifacts.iter().map(|artifact| self.copied(artifact, folder)).collect::<Result<Vec<_>, _>>()?;
        let before = self.put(&present)?;
        drop(staged);
        done(Action::Built, before)
    }

    /// Copies an executable from the folder of the build to where what is fetched lies.
    fn copied(&self, artifact: &Artifact, folder: &Path) -> Result<Part, Stop> {
        let (name, sha256) = (artifact.name.as_str(), artifact.sha256.to_string());
        let (from, to) = (folder.join(name), self.root.staged(name, &sha256));
        let copy = || {
            let mut part = Part::open(&to, artifact.size)?;
            part.restart()?;
            let (mut file, mut piece) = (File::open(&from)?, vec![0; PIECE]);
            while part.length() <= artifact.size {
                match file.read(&mut piece)? {
                    0 => break,
                    count => part.append(&piece[..count])?,
                }
            }
            if !part.is(artifact) {
                return Err(io::Error::other("it is not what the build left any more"));
            }
            part.settle().map(|()| part)
        };
        copy().map_err(|error| place::trouble(&from, error))
    }
}
