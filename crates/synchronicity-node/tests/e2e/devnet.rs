//! Runs `devnet --json` and reads its events.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_synchronicity-node");

/// A devnet that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

/// A devnet that runs.
pub(crate) struct Running {
    pub(crate) process: Child,
    stdout: BufReader<ChildStdout>,
    events: Vec<Value>,
}

/// One folder for all devnets: the second and every later run must be fast and safe.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("devnet")
}

/// What nodes share that a test starts itself. Not the cache of the devnets, whose tests look for everything left in theirs.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("nodes/cache")
}

/// The folder of a fixture crate.
pub(crate) fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../synchronicity-rebuild/fixtures");
    fixtures.join(name).to_string_lossy().into_owned()
}

/// Runs `devnet` with these words to its end.
pub(crate) fn run(words: &[&str]) -> Ended {
    let since = Instant::now();
    let ended = start(words).end();
    eprintln!("    devnet {}: exit {} after {:.1} s", words.join(" "), ended.code, since.elapsed().as_secs_f32());
    ended
}

/// Starts `devnet` with these words.
pub(crate) fn start(words: &[&str]) -> Running {
    start_in(&data(), words)
}

/// Starts `devnet` with these words and this folder.
pub(crate) fn start_in(data: &Path, words: &[&str]) -> Running {
    let mut command = Command::new(PROGRAM);
    command.args(["devnet", "--json", "--data"]).arg(data).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let stdout = BufReader::new(process.stdout.take().unwrap());
    Running { process, stdout, events: Vec::new() }
}

impl Running {
    /// Reads on until an event fits; fails if devnet ends before that.
    pub(crate) fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut stderr = String::new();
                self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("devnet ended before the event came: {:#?}\n{stderr}", self.events.last());
            }
            let event: Value = serde_json::from_str(&line).unwrap();
            self.events.push(event.clone());
            if fits(&event) {
                return event;
            }
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut events = self.events;
        // Errors are short: the pipe takes them while stdout is read to its end.
        events.extend(self.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()));
        let mut stderr = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        // Without a code it was a signal that ended it.
        let code = self.process.wait().unwrap().code().unwrap_or(-1);
        Ended { code, events, stderr }
    }
}

impl Ended {
    /// The first event of this kind.
    pub(crate) fn event(&self, kind: &str) -> &Value {
        self.find(kind).unwrap_or_else(|| panic!("no event {kind}; exit {}\n{}", self.code, self.stderr))
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Value> {
        self.events.iter().find(|event| event["event"] == kind)
    }

    /// The verdict of the first crate, after checking that it was reached at all.
    pub(crate) fn conclusion(&self) -> &Value {
        self.event("concluded")
    }

    /// The folder with the results of the first crate.
    pub(crate) fn results(&self) -> PathBuf {
        PathBuf::from(self.event("written")["folder"].as_str().unwrap())
    }
}

/// The strings of a JSON list.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}
