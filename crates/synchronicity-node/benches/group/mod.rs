//! A group of four nodes, all on this machine, of which one is asked for pages as fast as it answers.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::load;

/// An idle group makes a block every two seconds, each of four members in turn: this member leads some five times.
const LOAD: Duration = Duration::from_secs(40);

/// Whether pages are answered fast enough without a view being given up.
pub(crate) fn under_load() -> bool {
    let mut devnet = Devnet::start();
    let nodes: Vec<String> = devnet.until("started")["nodes"].as_array().unwrap().iter().map(address).collect();
    devnet.until("next");
    let request = status(&nodes[0])["rounds"][0]["request"].as_str().unwrap().to_owned();
    let (ahead, height) = (views_ahead(&nodes[1]), status(&nodes[1])["height"].as_u64().unwrap());
    let rate = load::wrk(&nodes[0], "pages.lua", &[&request, "plain-binary"], LOAD);
    let given_up = views_ahead(&nodes[1]).saturating_sub(ahead);
    let blocks = status(&nodes[1])["height"].as_u64().unwrap() - height;
    println!(
        "{rate:.0} pages a second from one of four nodes (at least {}); the group ordered {blocks} blocks and gave up {given_up} views \
         (none)",
        crate::RATE_MIN
    );
    devnet.stop();
    rate >= crate::RATE_MIN && given_up == 0
}

fn address(node: &Value) -> String {
    node["http"].as_str().unwrap().trim_start_matches("http://").to_owned()
}

fn status(address: &str) -> Value {
    let mut answer = ureq::get(format!("http://{address}/status")).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// By how much the view is ahead of the height. A view that is under way counts as well, and hardly ever at each of many moments.
fn views_ahead(address: &str) -> u64 {
    let ahead = |_| {
        std::thread::sleep(Duration::from_millis(100));
        let status = status(address);
        status["view"].as_u64().unwrap().saturating_sub(status["height"].as_u64().unwrap())
    };
    (0..30).map(ahead).min().unwrap()
}

struct Devnet {
    process: Child,
    events: BufReader<ChildStdout>,
}

impl Devnet {
    fn start() -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../synchronicity-rebuild/fixtures/plain-binary");
        let mut process = Command::new(env!("CARGO_BIN_EXE_synchronicity-node"))
            .args(["devnet", "--keep", "--json", "--sandbox", "embedded", "--data"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("devnet"))
            .arg(fixture)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(process.stdout.take().unwrap());
        Self { process, events }
    }

    /// The next event of this kind.
    fn until(&mut self, kind: &str) -> Value {
        let mut events =
            self.events.by_ref().lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        events.find(|event| event["event"] == kind).expect("devnet ended early")
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        self.process.wait().unwrap();
    }
}
