//! Cargo of the host, kept on a short lead: it may read a manifest, resolve a lock and fetch archives. It never builds.
//!
//! It runs in the root folder and with an empty environment, so that no configuration of the user, of a folder above,
//! or of the crate (`.cargo/config.toml` can name programs to run) has a say.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use synchronicity_verify::request::Toolchain;

/// The most output of one run that is kept, in bytes: `cargo metadata` of a large crate prints a few hundred KiB.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// What of the caller's environment is passed on: how to reach the network, and nothing else.
const PASSED_ON: [&str; 12] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
];

/// One toolchain's own `cargo` and `rustc`: not rustup's proxies, which would obey files of other people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCargo {
    cargo: PathBuf,
    rustc: PathBuf,
}

/// Why Cargo of the host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// No toolchain where one was looked for.
    #[error(
        "no Rust toolchain found ({0}); install one from the Rust project or the distribution, so that `rustc` and `cargo` run"
    )]
    NoToolchain(String),
    /// The program could not be started.
    #[error("cannot run {}: {error}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// It took too long and was stopped.
    #[error("`cargo {command}` was stopped after {} s", limit.as_secs())]
    Time {
        /// Cargo's command.
        command: String,
        /// The time it had.
        limit: Duration,
    },
    /// It ended with an error.
    #[error("`cargo {command}` failed: {stderr}")]
    Failed {
        /// Cargo's command.
        command: String,
        /// What it printed to standard error, without the progress.
        stderr: String,
    },
}

/// One run: Cargo's arguments, its home, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) args: &'a [&'a OsStr],
    pub(crate) home: &'a Path,
    pub(crate) limit: Duration,
}

impl HostCargo {
    /// The toolchain that `rustc` on the PATH belongs to.
    pub fn find() -> Result<Self, CargoError> {
        let missing = |reason: &dyn std::fmt::Display| CargoError::NoToolchain(reason.to_string());
        let output = Command::new("rustc")
            .args(["--print", "sysroot"])
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(&error))?;
        if !output.status.success() {
            return Err(missing(&String::from_utf8_lossy(&output.stderr).trim()));
        }
        Self::in_sysroot(Path::new(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// The toolchain in the folder `sysroot`, as `rustc --print sysroot` names it.
    pub fn in_sysroot(sysroot: &Path) -> Result<Self, CargoError> {
        let program = |name: &str| sysroot.join("bin").join(name);
        let (cargo, rustc) = (program("cargo"), program("rustc"));
        for program in [&cargo, &rustc] {
            if !program.is_file() {
                return Err(CargoError::NoToolchain(format!("there is no {}", program.display())));
            }
        }
        Ok(Self { cargo, rustc })
    }

    /// Release, commit and host, as `rustc -vV` prints them.
    pub fn toolchain(&self) -> Result<Toolchain, CargoError> {
        let output = Command::new(&self.rustc)
            .arg("-vV")
            .current_dir("/")
            .output()
            .map_err(|error| CargoError::Start { program: self.rustc.clone(), error })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned).ok_or_else(|| {
                CargoError::NoToolchain(format!("{} -vV does not state its {name}", self.rustc.display()))
            })
        };
        Ok(Toolchain { release: field("release")?, commit: field("commit-hash")?, host: field("host")? })
    }

    /// Runs Cargo and returns its standard output.
    pub(crate) fn run(&self, run: Run<'_>) -> Result<Vec<u8>, CargoError> {
        self.run_while(run, &mut || {})
    }

    /// The same; `meanwhile` is called again and again until it ends.
    pub(crate) fn run_while(&self, run: Run<'_>, meanwhile: &mut dyn FnMut()) -> Result<Vec<u8>, CargoError> {
        let command = run.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let start = |error| CargoError::Start { program: self.cargo.clone(), error };
        let mut child = self.command(run).spawn().map_err(start)?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = wait(&mut child, run.limit, meanwhile).map_err(start)?;
        let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        match status {
            None => Err(CargoError::Time { command, limit: run.limit }),
            Some(status) if status.success() => Ok(stdout),
            Some(_) => Err(CargoError::Failed { command, stderr: readable(&stderr) }),
        }
    }

    fn command(&self, run: Run<'_>) -> Command {
        let mut command = Command::new(&self.cargo);
        command
            .args(run.args)
            .current_dir("/")
            .env_clear()
            .env("HOME", run.home)
            .env("CARGO_HOME", run.home)
            .env("RUSTC", &self.rustc)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_NET_RETRY", "4")
            .env("CARGO_HTTP_TIMEOUT", "30")
            // Versions that the pinned compiler cannot build are no use to anybody.
            .env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback")
            .envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Waits for the end, or kills at the limit and returns `None`.
fn wait(child: &mut Child, limit: Duration, meanwhile: &mut dyn FnMut()) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        meanwhile();
        thread::sleep(Duration::from_millis(15));
    }
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never stops the program; keeps the beginning.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            // A pipe that breaks ends the output; the exit status tells the rest.
            let _ = pipe.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut kept);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        kept
    })
}

/// The part of Cargo's standard error that says what is wrong, on few lines.
fn readable(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let from = text.find("error:").unwrap_or(0);
    let lines: Vec<_> = text[from..].lines().map(str::trim).filter(|line| !line.is_empty()).take(24).collect();
    lines.join("\n  ")
}
