//! One-off commands of this same program, each in a process of its own: `init`, `group new`, `submit`, `verify`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::interrupt::{Interrupt, Interrupted};

/// A command and what came of it.
pub(super) struct Errand {
    /// As a person would type it.
    pub(super) line: String,
    pub(super) exit: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why an errand did not do what it was sent for.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum ErrandError {
    #[error("cannot run {}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("`{line}` failed:\n{stderr}")]
    Failed { line: String, exit: Option<i32>, stderr: String },
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Runs `program` with `arguments` to its end, or ends it when somebody asks devnet to end.
pub(super) fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    interrupt: &Interrupt,
) -> Result<Errand, ErrandError> {
    let start = |source| ErrandError::Start { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let process = command.spawn().map_err(start)?;
    let group = Pid::from_child(&process);
    let (finished, outcome) = sync_channel(1);
    // The thread only waits; it ends with the process.
    std::thread::spawn(move || finished.send(process.wait_with_output()));
    loop {
        match outcome.recv_timeout(Duration::from_millis(50)) {
            Ok(output) => return Ok(Errand::new(program, arguments, output.map_err(start)?)),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(interrupted) = interrupt.check() {
                    let _ = kill_process_group(group, Signal::TERM);
                    let _ = outcome.recv_timeout(Duration::from_secs(5));
                    let _ = kill_process_group(group, Signal::KILL);
                    return Err(interrupted.into());
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Err(start(io::Error::other("its waiting thread ended"))),
        }
    }
}

impl Errand {
    fn new<A: AsRef<OsStr>>(program: &Path, arguments: &[A], output: Output) -> Self {
        let words: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        Self {
            line: line(program, &words),
            exit: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The standard output of a command that had to succeed.
    pub(super) fn succeeded(self) -> Result<String, ErrandError> {
        match self.exit {
            Some(0) => Ok(self.stdout),
            exit => Err(ErrandError::Failed { line: self.line, exit, stderr: self.stderr }),
        }
    }
}

/// A command as a shell would take it: paths from the current folder where they lead into it, quotes where needed.
pub(super) fn line<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let short = |word: &OsStr| match Path::new(word).strip_prefix(&here) {
        Ok(inside) if !here.as_os_str().is_empty() => inside.to_string_lossy().into_owned(),
        _ => word.to_string_lossy().into_owned(),
    };
    let mut program_word = short(program.as_os_str());
    if program.is_absolute() && !program_word.contains('/') {
        // Without a slash a shell would look for it on PATH.
        program_word.insert_str(0, "./");
    }
    let words = arguments.iter().map(|word| short(word.as_ref()));
    std::iter::once(program_word).chain(words).map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_split_are_quoted() {
        let line = line(Path::new("/bin/verify"), &["it's", "a b", "", "x@1.0.0"]);
        assert_eq!(line, r"/bin/verify 'it'\''s' 'a b' '' x@1.0.0");
    }
}
