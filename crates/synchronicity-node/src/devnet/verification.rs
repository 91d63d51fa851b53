//! Runs the offline verifier over what was written, in a process of its own that has nothing but the files.

use std::path::{Path, PathBuf};

use super::errand::{self, ErrandError};
use super::event::Event;
use super::interrupt::Interrupt;
use super::outcome::Written;
use super::view::View;
use crate::exit;

/// Verifies the proof, then each artifact against it, and shows what the verifier says. Returns the exit code that
/// counts: that of the first check which found something wrong.
pub(super) fn verify(
    written: &Written,
    program: &Path,
    interrupt: &Interrupt,
    view: &mut View,
) -> Result<u8, ErrandError> {
    let files = written.artifacts.iter().map(Some);
    let mut worst = exit::OK;
    for file in std::iter::once(None).chain(files) {
        let run = errand::run(program, &arguments(written, file), interrupt)?;
        // A verifier that was killed has verified nothing.
        let code = run.exit.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::INTERNAL);
        view.show(&Event::Verified { command: run.line, exit: run.exit, output: run.stdout + &run.stderr });
        if worst == exit::OK {
            worst = code;
        }
    }
    Ok(worst)
}

/// `verify PROOF [FILE] --policy POLICY`.
pub(super) fn arguments(written: &Written, file: Option<&PathBuf>) -> Vec<PathBuf> {
    let words = [Path::new("verify"), &written.proof].into_iter().map(Path::to_owned);
    words.chain(file.cloned()).chain([PathBuf::from("--policy"), written.policy.clone()]).collect()
}
