//! One run of the program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run left: exit code, standard output, standard error (lines joined, since errors wrap with the terminal).
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }
}

/// Runs `synchronicity` with `arguments` in the folder `dir`.
pub(crate) fn run<A: AsRef<OsStr>>(dir: &Path, arguments: impl IntoIterator<Item = A>) -> Ran {
    run_with(dir, arguments, &[])
}

/// The same, with these variables set.
pub(crate) fn run_with<A: AsRef<OsStr>>(
    dir: &Path,
    arguments: impl IntoIterator<Item = A>,
    variables: &[(&str, &Path)],
) -> Ran {
    let output = command(dir).args(arguments).envs(variables.iter().copied()).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8");
    let words = text(&output.stderr).replace('│', " ");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: words.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The program in the folder `dir`, with nothing of whoever runs the tests: all that it keeps is in the folder.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synchronicity"));
    command.current_dir(dir);
    for name in ["POLICY", "POLICY_SHA256", "NODE", "CONFIG", "USER_CONFIG", "MIRROR", "SANDBOX", "DIR"] {
        command.env_remove(format!("SYNCHRONICITY_{name}"));
    }
    command
        .env_remove("PAGER")
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .env("XDG_CONFIG_HOME", dir.join(".config"))
        .env("SYNCHRONICITY_STATE", dir.join(".state"))
        .env("SYNCHRONICITY_CACHE", dir.join(".cache"))
        .env("SYNCHRONICITY_POLICIES", dir.join(".policies"));
    command
}

/// A file of the verifier's crate: its examples and vectors are the same for every implementation.
pub(crate) fn of_the_verifier(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../synchronicity-verify").join(path)
}

/// A good proof of hexyl 0.17.0, and the policy for it.
pub(crate) fn sample() -> (Vec<u8>, PathBuf) {
    let proof = std::fs::read(of_the_verifier("examples/sample.tlog-proof")).expect("the sample proof");
    (proof, of_the_verifier("examples/sample.policy"))
}
