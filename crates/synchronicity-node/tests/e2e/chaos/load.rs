//! What is asked of the group meanwhile, at all of its nodes at the same time, and what of it was acknowledged.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use synchronicity_node::operator::Submitted;

use crate::devnet::{PROGRAM, fixture};

/// Fixtures of which a few lines are compiled, and the verdict of each.
const FIXTURES: [(&str, &str); 12] = [
    ("plain-binary", "reproduced"),
    ("does-not-compile", "unbuildable"),
    ("library-without-lock", "reproduced"),
    ("embeds-random-number", "diverged"),
    ("forbids-warnings", "reproduced"),
    ("embeds-build-path", "reproduced"),
    ("needs-a-program", "unbuildable"),
    ("embeds-host-name", "reproduced"),
    ("embeds-random-number", "diverged"),
    ("embeds-home-folder", "reproduced"),
    ("embeds-job-count", "reproduced"),
    ("embeds-random-number", "diverged"),
];

/// Small libraries of crates.io: what comes before and after a number, and the numbers.
const CRATES: [(&str, &str, RangeInclusive<u32>); 21] = [
    ("itoa@1.0.", "", 0..=15),
    ("ryu@1.0.", "", 0..=18),
    ("fnv@1.0.", "", 0..=7),
    ("scopeguard@1.", ".0", 0..=2),
    ("unicode-xid@0.2.", "", 0..=6),
    ("cfg-if@0.1.", "", 2..=10),
    ("cfg-if@1.0.", "", 0..=4),
    ("hex@0.4.", "", 0..=3),
    ("either@1.", ".0", 0..=15),
    ("once_cell@1.", ".0", 2..=21),
    ("smallvec@1.", ".0", 0..=15),
    ("byteorder@1.", ".0", 0..=5),
    ("lazy_static@1.", ".0", 0..=5),
    ("log@0.4.", "", 0..=28),
    ("bitflags@2.", ".0", 0..=9),
    ("arrayvec@0.7.", "", 0..=6),
    ("percent-encoding@2.3.", "", 0..=1),
    ("unicode-ident@1.0.", "", 0..=22),
    ("pin-project-lite@0.2.", "", 0..=16),
    ("futures-core@0.3.", "", 0..=31),
    ("futures-io@0.3.", "", 0..=31),
];

/// A node that is stopped answers when it goes on, and not before.
const PATIENCE: Duration = Duration::from_secs(40);

/// Something to submit, and how it must end once nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) spec: String,
    pub(crate) verdict: &'static str,
}

/// A submission that a node has acknowledged: it said that the group has ordered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) wanted: Wanted,
    pub(crate) request: String,
    pub(crate) round: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Load {
    waiting: Mutex<VecDeque<Wanted>>,
    acknowledged: Mutex<Vec<Acknowledged>>,
    /// What no node takes: there is no such version, or it is too new for the compiler.
    refused: Mutex<Vec<String>>,
}

enum Answer {
    Acknowledged { request: String, round: u32 },
    Later,
    Never(String),
}

/// A few fixtures.
pub(crate) fn few() -> Vec<Wanted> {
    FIXTURES.map(|(name, verdict)| Wanted { spec: fixture(name), verdict }).to_vec()
}

/// Some 280 crates of crates.io.
pub(crate) fn many() -> impl Iterator<Item = Wanted> {
    CRATES.into_iter().flat_map(|(before, after, numbers)| {
        numbers.map(move |number| Wanted { spec: format!("{before}{number}{after}"), verdict: "reproduced" })
    })
}

impl Load {
    pub(crate) fn of(wanted: impl IntoIterator<Item = Wanted>) -> Self {
        Self { waiting: Mutex::new(wanted.into_iter().collect()), ..Self::default() }
    }

    /// Submits at the node in `home` until nothing is left that was not acknowledged there or elsewhere, or all is over.
    pub(crate) fn submit_all(&self, home: &Path, pause: Duration, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            let Some(wanted) = self.waiting.lock().unwrap().pop_front() else { return };
            match submit(home, &wanted.spec) {
                Answer::Acknowledged { request, round } => {
                    self.acknowledged.lock().unwrap().push(Acknowledged { wanted, request, round });
                }
                Answer::Later => self.waiting.lock().unwrap().push_back(wanted),
                Answer::Never(why) => self.refused.lock().unwrap().push(format!("{}: {why}", wanted.spec)),
            }
            std::thread::sleep(pause);
        }
    }

    /// Wants this as well, or once more.
    pub(crate) fn add(&self, wanted: Wanted) {
        self.waiting.lock().unwrap().push_back(wanted);
    }

    pub(crate) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap().clone()
    }
}

fn submit(home: &Path, spec: &str) -> Answer {
    let Some(output) = ask(home, spec) else { return Answer::Later };
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {
            let told: Submitted = serde_json::from_slice(&output.stdout).unwrap();
            // What is handed over is in one node's memory only, and nothing was promised.
            match told.state.as_str() {
                "handed-over" => Answer::Later,
                _ => Answer::Acknowledged { request: told.request, round: told.round },
            }
        }
        // The folder may be lost just now.
        Some(2) if !said.contains("is not the folder of a node") => Answer::Never(said.into_owned()),
        _ => Answer::Later,
    }
}

fn ask(home: &Path, spec: &str) -> Option<Output> {
    let mut command = Command::new(PROGRAM);
    command.args(["submit", spec, "--json", "--dir"]).arg(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while process.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            process.kill().unwrap();
            process.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(process.wait_with_output().unwrap())
}
