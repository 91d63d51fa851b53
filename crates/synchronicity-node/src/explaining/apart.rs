//! The comparison itself, in a process of its own under limits: it reads files that strangers' code made.
//!
//! The process is this same executable under a hidden argument. It gets one JSON line on its standard input, limits itself
//! before it opens a file, answers with one JSON document, and ends when its standard input closes, which the kernel does for
//! a node that died. (The signal for a parent's death comes already when the *thread* ends that started the process.)

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use synchronicity_explain::facts::Facts;
use synchronicity_explain::{Limits, explain, words};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::exchange::ARTIFACT_BYTES_MAX;

/// The argument under which the executable explains.
const ARGUMENT: &str = "__synchronicity-explain";

/// What the process may use: address space in bytes, processor time in seconds, open files. It may write no file.
const MEMORY_BYTES_MAX: u64 = 1536 << 20;
const CPU_SECONDS_MAX: u64 = 120;
const FILES_MAX: u64 = 64;

/// How long it may take by the clock, next to builds that have the processors first.
const TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Folder of this node's files.
    pub first: PathBuf,
    /// Folder of the others'.
    pub second: PathBuf,
    /// What is known of the builds.
    pub facts: Facts,
    /// How many artifacts are the same and not in the folders.
    pub same: usize,
    /// Artifacts that only this node has.
    pub only_first: Vec<String>,
    /// Artifacts that only the others have.
    pub only_second: Vec<String>,
    /// Artifacts that are not in the folders although they differ, and why.
    pub skipped: Vec<String>,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// For programs, as `synchronicity diff --json` prints it.
    pub explanation: Value,
    /// For people, as `synchronicity diff` prints it.
    pub words: String,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ApartError {
    /// No process, or a broken pipe.
    #[error("the comparison cannot be run: {0}")]
    Io(#[from] io::Error),
    /// It went beyond its time.
    #[error("the comparison took more than {} minutes", TIME_MAX.as_secs() / 60)]
    Time,
    /// It ended without an answer: at a limit, or by a defect.
    #[error("the comparison ended without an answer ({0}): at a limit of memory or time, perhaps")]
    Ended(String),
}

/// Takes this process over if it was started to explain, and does not return then. To be called before any thread exists.
pub fn main() {
    if std::env::args().nth(1).as_deref() != Some(ARGUMENT) {
        return;
    }
    let done = limit().and_then(|()| answer());
    if let Err(error) = &done {
        let _ = writeln!(io::stderr(), "cannot explain: {error}");
    }
    std::process::exit(i32::from(done.is_err()));
}

fn limit() -> io::Result<()> {
    nice(19)?;
    let all = [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, CPU_SECONDS_MAX),
        (Resource::Nofile, FILES_MAX),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in all {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn answer() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    thread::Builder::new().spawn(|| {
        // Ends when the node closes its side, or is gone.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(1);
    })?;
    let limits = Limits { file_bytes: ARTIFACT_BYTES_MAX, files: 256, ..Limits::default() };
    let mut explanation = explain(&order.first, &order.second, &order.facts, &limits)
        .map_err(|error| io::Error::other(error.to_string()))?;
    explanation.same += order.same;
    explanation.only_first.extend(order.only_first);
    explanation.only_second.extend(order.only_second);
    explanation.skipped.extend(order.skipped);
    let answer = Answer { words: words::in_words(&explanation), explanation: explanation.to_json() };
    serde_json::to_writer(io::stdout().lock(), &answer)?;
    io::stdout().flush()
}

/// Has `program`, which is this executable, explain.
///
/// # Errors
/// [`ApartError`].
pub async fn explain_apart(program: &Path, order: &Order) -> Result<Answer, ApartError> {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).env_clear().kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (Some(mut orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a process without pipes").into());
    };
    let mut line = serde_json::to_vec(order).map_err(io::Error::from)?;
    line.push(b'\n');
    let talk = async {
        orders.write_all(&line).await?;
        let mut told = Vec::new();
        answers.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut told).await?;
        let ended = child.wait().await?;
        // Not before: without its standard input the process ends.
        drop(orders);
        Ok::<_, io::Error>((told, ended))
    };
    let (told, ended) = tokio::time::timeout(TIME_MAX, talk).await.map_err(|_| ApartError::Time)??;
    let answer = serde_json::from_slice::<Answer>(&told).ok().filter(|_| ended.success());
    let mut answer = answer.ok_or_else(|| ApartError::Ended(ended.to_string()))?;
    // What a terminal would obey cannot be in there; if it is, the process was not what it should be.
    answer.words.retain(|letter| letter == '\n' || letter == ' ' || letter.is_ascii_graphic());
    Ok(answer)
}
