//! The bench on which the program builds in these trials, one for all of them: making one copies a toolchain.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::program::{Ran, run};

/// A bench is for one program at a time, and so are these trials' runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The folder of one of the project's fixtures.
pub(crate) fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../synchronicity-rebuild/fixtures");
    fixtures.join(name).display().to_string()
}

/// Hands over the bench's folder, while no other trial uses it.
pub(crate) fn with_bench<T>(then: impl FnOnce(&str) -> T) -> T {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    then(&PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench").display().to_string())
}

/// Runs `command` for `spec` in the embedded sandbox.
pub(crate) fn on_bench(command: &str, spec: &str, more: &[&str]) -> Ran {
    with_bench(|bench| run(Path::new("/"), [&[command, spec, "--sandbox", "embedded", "--dir", bench], more].concat()))
}
