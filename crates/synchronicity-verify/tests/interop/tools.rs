//! The tools of others: whether they are here, and how a check is asked of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a check is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `golang.org/x/mod/sumdb`, by `interop/go`.
    Go,
    /// tlog-scales, by `interop/python/scales.py`.
    Scales,
    /// aics-tlog, by `interop/python/aics.py`.
    Aics,
    /// pymerkle, by `interop/python/roots.py`.
    Pymerkle,
    /// Vectors, which are judged here.
    Vectors,
}

/// What a tool said.
pub(crate) enum Answer {
    /// What it counted.
    Holds(String),
    /// What does not hold.
    Refused(String),
}

/// Which tools this machine has.
pub(crate) struct Tools {
    missing: Vec<(&'static str, String)>,
    checker: OnceLock<Result<PathBuf, String>>,
}

impl Tools {
    /// Looks once for what `scripts/interop-tools.sh` installs.
    pub(crate) fn find() -> Self {
        let mut missing = vec![];
        if !Path::new(GO_LIBRARY).is_dir() || !succeeds(Command::new("go").arg("version")) {
            missing.push(("go", "Go with golang.org/x/mod is not here".to_owned()));
        }
        for (capability, packages) in [("python", "tlog_scales, pymerkle"), ("python-aics", "aics_tlog")] {
            if !succeeds(Command::new(python()).args(["-c", &format!("import {packages}")])) {
                missing.push((capability, format!("{packages} cannot be imported from the environment for tests")));
            }
        }
        if !crate::elsewhere::folder().is_dir() {
            missing.push(("vectors", "the vectors of transparency-dev/merkle are not here".to_owned()));
        }
        Self { missing, checker: OnceLock::new() }
    }

    /// Why checks by this tool are to be ignored, if they are. A tool that `SYNCHRONICITY_REQUIRE` names is not
    /// ignored, for whoever named it knows that it is here: the check runs, and fails.
    pub(crate) fn may_skip(&self, tool: Tool) -> Option<String> {
        let required = std::env::var("SYNCHRONICITY_REQUIRE").unwrap_or_default();
        let (capability, why) = self.missing.iter().find(|(capability, _)| *capability == tool.capability())?;
        let needed = required.split(',').any(|name| name.trim() == *capability);
        (!needed).then(|| format!("{why}; run scripts/interop-tools.sh"))
    }

    /// Runs one check on the log in `folder`.
    pub(crate) fn ask(&self, tool: Tool, check: &str, folder: &Path) -> Result<Answer, String> {
        let mut command = match tool {
            Tool::Go => {
                let mut checker = Command::new(self.checker.get_or_init(build_checker).clone()?);
                checker.arg(check);
                checker
            }
            Tool::Vectors => return Err("vectors answer nothing".to_owned()),
            Tool::Scales | Tool::Aics | Tool::Pymerkle => {
                let mut python = Command::new(python());
                python.arg("-B").arg(sources().join("python").join(tool.script()));
                if tool != Tool::Pymerkle {
                    python.arg(check);
                }
                python
            }
        };
        let output = command.arg(folder).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Answer::Holds(said(&output.stdout))),
            Some(1) => Ok(Answer::Refused(said(&output.stderr))),
            other => Err(format!("{tool:?} ended with {other:?}: {}", said(&output.stderr))),
        }
    }
}

impl Tool {
    fn capability(self) -> &'static str {
        match self {
            Tool::Go => "go",
            Tool::Scales | Tool::Pymerkle => "python",
            Tool::Aics => "python-aics",
            Tool::Vectors => "vectors",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Tool::Go | Tool::Vectors => unreachable!("not a Python program"),
            Tool::Scales => "scales.py",
            Tool::Aics => "aics.py",
            Tool::Pymerkle => "roots.py",
        }
    }
}

/// Where Debian puts Go libraries.
const GO_LIBRARY: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop")
}

/// The folder that `scripts/interop-tools.sh` fills, in the workspace's target folder.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop")
}

fn python() -> PathBuf {
    installed().join("python/bin/python3")
}

/// Compiles `interop/go` against Debian's library, with nothing downloaded.
fn build_checker() -> Result<PathBuf, String> {
    let checker = installed().join("go/checker");
    let files = std::fs::read_dir(sources().join("go")).map_err(|error| error.to_string())?;
    let mut command = Command::new("go");
    command.args(["build", "-o"]).arg(&checker).args(files.filter_map(|file| Some(file.ok()?.path())));
    command.envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOPROXY", "off"), ("GOFLAGS", "")]);
    command.env("GOCACHE", installed().join("go/cache"));
    let output = command.output().map_err(|error| format!("go could not be started: {error}"))?;
    if output.status.success() {
        Ok(checker)
    } else {
        Err(format!("interop/go does not compile: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
