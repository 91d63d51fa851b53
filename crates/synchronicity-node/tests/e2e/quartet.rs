//! Four nodes of one group, founded by the program's own commands, each with what its test does to its machine.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use synchronicity_node::devnet::ports;

use crate::devnet::{PROGRAM, cache, fixture};
use crate::node::{Process, succeed_by};

/// The node to which the machine's trouble happens: the last one.
pub(crate) const TROUBLED: usize = 3;

/// Seconds that builders get. A round waits as long for the one in trouble; the others compile at the same time.
const COMMIT_WINDOW: &str = "35";

/// A status document comes within this time, or the node does not answer.
const ANSWERS: Duration = Duration::from_secs(5);

pub(crate) struct Quartet {
    nodes: [Option<Process>; 4],
    places: [Place; 4],
    /// Of which each node is a process.
    programs: [PathBuf; 4],
    root: PathBuf,
}

/// Where a node lives, as far as the network goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) host: String,
    /// For the other nodes, and for everybody.
    pub(crate) ports: [u16; 2],
    /// What a program's command line begins with to be run there.
    pub(crate) within: Vec<String>,
}

impl Quartet {
    /// Founds a group in `root`; any three of its four members are enough for everything.
    pub(crate) fn found(root: &Path) -> Self {
        Self::found_to_build_for(root, COMMIT_WINDOW)
    }

    /// The same, where builders get so many seconds.
    pub(crate) fn found_to_build_for(root: &Path, commit_window: &str) -> Self {
        Self::found_by(Path::new(PROGRAM), root, commit_window)
    }

    /// The same, by another program than this one, of which all nodes are.
    pub(crate) fn found_by(program: &Path, root: &Path, commit_window: &str) -> Self {
        let ports = ports::free(8).unwrap();
        let place = |index: usize| Place {
            host: "127.0.0.1".to_owned(),
            ports: [ports[2 * index], ports[2 * index + 1]],
            within: Vec::new(),
        };
        Self::founded(program, root, [0, 1, 2, 3].map(place), commit_window)
    }

    /// The same with nodes that live elsewhere.
    pub(crate) fn found_at(root: &Path, places: [Place; 4]) -> Self {
        Self::founded(Path::new(PROGRAM), root, places, COMMIT_WINDOW)
    }

    fn founded(program: &Path, root: &Path, places: [Place; 4], commit_window: &str) -> Self {
        let programs = [(); 4].map(|()| program.to_owned());
        let quartet = Self { nodes: Default::default(), places, programs, root: root.to_owned() };
        let charter = quartet.root.join("charter");
        let mut words: Vec<String> = ["group", "new", "--origin", "test.invalid/quartet", "--threshold", "3"]
            .into_iter()
            .chain(["--commit-window", commit_window, "--reveal-window", "20", "--out", charter.to_str().unwrap()])
            .map(str::to_owned)
            .collect();
        words.push("--member".to_owned());
        for index in 0..4 {
            let home = quartet.home(index);
            let Place { host, ports, .. } = &quartet.places[index];
            let [listen, http] = ports.map(|port| format!("{host}:{port}"));
            let name = name(index);
            let home_text = home.to_str().unwrap();
            succeed_by(program, &["init", "--dir", home_text, "--name", &name, "--listen", &listen, "--http", &http]);
            words.push(home.join("member.toml").to_str().unwrap().to_owned());
        }
        succeed_by(program, &words.iter().map(String::as_str).collect::<Vec<_>>());
        for index in 0..4 {
            fs::copy(charter.join("group.toml"), quartet.home(index).join("group.toml")).unwrap();
            fs::copy(charter.join("log.key"), quartet.home(index).join("keys/log.key")).unwrap();
        }
        quartet
    }

    /// Starts all nodes, the last one with `environment` as well, and waits until they see each other.
    pub(crate) fn start(&mut self, environment: &[(&str, &str)]) {
        for index in 0..4 {
            let environment = if index == TROUBLED { environment } else { &[] };
            self.launch(index, environment, &[]);
        }
        for index in 0..4 {
            self.until(index, "sees the others", Duration::from_secs(40), |status| status["peers"] == 3);
        }
    }

    /// SIGKILL to the last node, and to nothing that it started.
    pub(crate) fn kill(&mut self) {
        self.kill_at(TROUBLED);
    }

    /// SIGKILL to node `index`.
    pub(crate) fn kill_at(&mut self, index: usize) {
        self.nodes[index].take().unwrap().kill();
    }

    /// Ends all nodes in good order: what they have written is at rest then.
    pub(crate) fn stop(&mut self) {
        self.nodes = Default::default();
    }

    /// Sends node `index` a signal.
    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        self.nodes[index].as_ref().unwrap().signal(signal);
    }

    /// Starts the last node again, after [`Quartet::kill`].
    pub(crate) fn restart(&mut self) {
        self.launch(TROUBLED, &[], &[]);
    }

    /// Starts node `index`, with this in its environment and these words to `run`.
    pub(crate) fn launch(&mut self, index: usize, environment: &[(&str, &str)], words: &[&str]) {
        let trace = OpenOptions::new().create(true).append(true).open(self.trace(index)).unwrap();
        let program = self.programs[index].to_str().unwrap();
        let within: Vec<&str> = self.places[index].within.iter().map(String::as_str).chain([program]).collect();
        let mut command = Command::new(within[0]);
        command.args(&within[1..]);
        command.args(["run", "--die-with-parent", "--sandbox", "embedded", "--dir"]).arg(self.home(index));
        command.arg("--shared").arg(cache()).args(words);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(trace);
        self.nodes[index] = Some(Process::of(command.spawn().unwrap()));
    }

    /// Ends node `index` in good order.
    pub(crate) fn end_at(&mut self, index: usize) {
        self.nodes[index] = None;
    }

    /// Starts node `index` as a process of another program, after [`Quartet::end_at`].
    pub(crate) fn launch_as(&mut self, index: usize, program: &Path) {
        self.programs[index] = program.to_owned();
        self.launch(index, &[], &[]);
    }

    /// Has the program of node `index` do something with that node's folder, and gives what it prints.
    pub(crate) fn tell(&self, index: usize, words: &[&str]) -> String {
        let home = self.home(index);
        succeed_by(&self.programs[index], &[words, &["--dir", home.to_str().unwrap()]].concat())
    }

    /// Has the group rebuild the smallest fixture, through the first node.
    pub(crate) fn submit(&self) {
        self.submit_crate(&fixture("plain-binary"));
    }

    /// Has the group rebuild `spec`, through the first node.
    pub(crate) fn submit_crate(&self, spec: &str) {
        self.tell(0, &["submit", spec]);
    }

    /// Waits until node `index` has the fixture's verdict, and checks that the three without trouble have revealed.
    pub(crate) fn concludes(&self, index: usize) -> Value {
        let status = self.until(index, "has a verdict", Duration::from_secs(120), |status| {
            status["rounds"][0]["phase"] == "concluded" && status["log"]["published_size"] == 1
        });
        let round = &status["rounds"][0];
        assert_eq!(round["verdict"], "reproduced", "{round}");
        let members = round["members"].as_array().unwrap();
        for healthy in 0..TROUBLED {
            let member = members.iter().find(|member| member["name"] == name(healthy)).unwrap();
            assert_eq!(member["revealed"], true, "{round}");
        }
        status
    }

    /// Waits until the status document of node `index` fits.
    pub(crate) fn until(&self, index: usize, what: &str, patience: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.status(index);
            if let Some(status) = status.as_ref().filter(|status| fits(status)) {
                return status.clone();
            }
            if Instant::now() > deadline {
                let trace = fs::read_to_string(self.trace(index)).unwrap();
                panic!("not in time: {} {what}: {status:#?}\n{trace}", name(index));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// `/status` of node `index`; `None` while it does not answer.
    pub(crate) fn status(&self, index: usize) -> Option<Value> {
        let url = format!("{}/status", self.url(index));
        let asked = ureq::get(&url).config().timeout_global(Some(ANSWERS)).build();
        let text = asked.call().ok()?.body_mut().read_to_string().ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Where node `index` serves its log.
    pub(crate) fn url(&self, index: usize) -> String {
        let Place { host, ports, .. } = &self.places[index];
        format!("http://{host}:{}", ports[1])
    }

    /// The folder of node `index`.
    pub(crate) fn home(&self, index: usize) -> PathBuf {
        self.root.join(name(index))
    }

    pub(crate) fn trace(&self, index: usize) -> PathBuf {
        self.root.join(name(index)).with_extension("trace")
    }
}

pub(crate) fn name(index: usize) -> String {
    format!("builder-{}", index + 1)
}
