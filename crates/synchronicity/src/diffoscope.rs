//! Debian's diffoscope, for whoever wants to see everything. It hands the files to dozens of other programs, and the files
//! are hostile: so it runs in the embedded sandbox, with a limit on time, memory, disk and output.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_rebuild::embedded::EmbeddedSandbox;
use synchronicity_rebuild::sandbox::{Finished, Identity, Job, Sandbox, SandboxError};
use synchronicity_verify::request::Limits;
use synchronicity_verify::result::Failure;

/// Where Debian puts it. A copy below `/usr/local` or in a user's home is not shown inside the sandbox.
const PROGRAM: &str = "/usr/bin/diffoscope";
/// The most of its report that is printed, in bytes.
const REPORT_BYTES_MAX: u64 = 4 << 20;
const LIMITS: Limits = Limits {
    memory_bytes: 2 << 30,
    time_seconds: 600,
    disk_bytes: 4 << 30,
    processes: 256,
    transcript_bytes: REPORT_BYTES_MAX,
    jobs: 1,
};

#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum DiffoscopeError {
    #[error("there is no {PROGRAM}")]
    #[diagnostic(help("on Debian or Ubuntu: apt install diffoscope-minimal"))]
    Missing,
    #[error(transparent)]
    #[diagnostic(help("diffoscope runs in the embedded sandbox only, because what it reads is hostile"))]
    Sandbox(SandboxError),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("diffoscope was stopped at a limit: {0}")]
    #[diagnostic(help("its report so far is above; compare smaller parts, or run it by hand without a limit"))]
    Stopped(Failure),
}

/// Prints diffoscope's report on the two.
pub(crate) fn show(first: &Path, second: &Path) -> Result<(), DiffoscopeError> {
    if !Path::new(PROGRAM).is_file() {
        return Err(DiffoscopeError::Missing);
    }
    let file = |path: &Path| {
        let path = path.to_owned();
        move |error| DiffoscopeError::File { path, error }
    };
    let folder = tempfile::Builder::new().prefix("diffoscope-").tempdir().map_err(file(Path::new("/tmp")))?;
    // Whoever it runs as inside must be able to read it.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(file(folder.path()))?;
    let below = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).map(|()| path.clone()).map_err(file(&path))
    };
    let source = below("source")?;
    for (name, from) in [("first", first), ("second", second)] {
        copy(from, &source.join(name)).map_err(file(from))?;
    }
    let command =
        [PROGRAM, "--no-progress", "--max-text-report-size", &REPORT_BYTES_MAX.to_string(), "first", "second"];
    let env = [("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("LC_ALL", "C.UTF-8")];
    let job = Job {
        source,
        cargo_home: below("no-cargo")?,
        rustup_home: below("no-rustup")?,
        scratch: below("scratch")?,
        target: below("target")?,
        command: command.map(str::to_owned).to_vec(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>(),
        limits: LIMITS,
        identity: Identity::default(),
    };
    let program = std::env::current_exe().map_err(file(Path::new("/proc/self/exe")))?;
    let mut printed = 0;
    let finished = EmbeddedSandbox::new(program).build(&job, &mut |line| {
        printed += line.len() as u64 + 1;
        verbatim!("{}", harmless(line));
        if printed > REPORT_BYTES_MAX { ControlFlow::Break(Failure::Transcript) } else { ControlFlow::Continue(()) }
    });
    match finished.map_err(DiffoscopeError::Sandbox)? {
        // It ends with 1 where the files differ.
        Finished::Succeeded | Finished::Failed => Ok(()),
        Finished::Stopped(failure) => Err(DiffoscopeError::Stopped(failure)),
    }
}

/// Its report quotes the files: no terminal may obey them.
fn harmless(line: &str) -> String {
    let plain = |letter: char| letter == '\t' || !letter.is_control() && !is_mark(letter);
    line.chars().map(|letter| if plain(letter) { letter } else { '\u{fffd}' }).collect()
}

/// Marks of writing direction, and letters without a width.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// Regular files and folders; links are left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::metadata(from)?.is_dir() {
        fs::copy(from, to)?;
        return fs::set_permissions(to, fs::Permissions::from_mode(0o644));
    }
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() || kind.is_file() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
