//! A node on its own: what it refuses to start on, without changing anything.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use synchronicity_node::devnet::ports;
use synchronicity_verify::digest::Digest;
use tempfile::TempDir;

use crate::Test;
use crate::devnet::PROGRAM;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_node_started_twice_on_one_folder_is_refused", &[], twice),
        Test::new("a_port_in_use_is_a_clear_error", &[], port_in_use),
        Test::new("a_folder_of_another_group_is_refused", &[], another_group),
        Test::new("a_second_init_leaves_the_keys_as_they_are", &[], second_init),
    ]
}

/// A group of one on ports that were free a moment ago.
struct Alone {
    dir: TempDir,
    ports: [u16; 2],
}

/// Ended with the test, however the test ends.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// The file that it runs, as the system tells it.
    pub(crate) fn executable(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/exe", self.0.id())).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Process {
    /// Waits until it ends by itself, at most so long: the code that it ended with.
    pub(crate) fn ends(mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of a process that was waited for, the number may be another's by now.
        if let Ok(None) = self.0.try_wait() {
            // One that is stopped would not hear of it.
            for signal in [Signal::TERM, Signal::CONT] {
                let _ = kill_process(Pid::from_child(&self.0), signal);
            }
            let _ = self.0.wait();
        }
    }
}

impl Alone {
    fn found() -> Self {
        let ports = ports::free(2).unwrap().try_into().unwrap();
        let alone = Self { dir: tempfile::tempdir().unwrap(), ports };
        let [listen, http] = ports.map(|port| format!("127.0.0.1:{port}"));
        let node = alone.node();
        let node = node.to_str().unwrap();
        succeed(&["init", "--dir", node, "--name", "alone", "--listen", &listen, "--http", &http]);
        alone.found_group("first");
        alone
    }

    fn node(&self) -> PathBuf {
        self.dir.path().join("node")
    }

    /// Founds a group of this node and makes it the node's.
    fn found_group(&self, name: &str) {
        let out = self.dir.path().join(name);
        let member = self.node().join("member.toml");
        let (out_text, member) = (out.to_str().unwrap(), member.to_str().unwrap());
        let origin = format!("test.invalid/{name}");
        succeed(&["group", "new", "--origin", &origin, "--threshold", "1", "--out", out_text, "--member", member]);
        fs::copy(out.join("group.toml"), self.node().join("group.toml")).unwrap();
        fs::copy(out.join("log.key"), self.node().join("keys/log.key")).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--die-with-parent", "--sandbox", "embedded", "--dir"]).arg(self.node());
        command.stdin(Stdio::null());
        command
    }

    /// Starts the node and waits until it serves its status.
    fn start(&self) -> Process {
        let quiet = self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut process = Process(quiet);
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", self.ports[1])).is_err() {
            assert!(process.0.try_wait().unwrap().is_none() && Instant::now() < deadline, "the node does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        process
    }

    /// Starts the node, which must refuse to run and leave its folder as it was.
    fn refused(&self) -> String {
        let before = listing(&self.node());
        let output = self.command().output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "it ran");
        assert_eq!(listing(&self.node()), before, "{stderr}");
        stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    }
}

fn twice() {
    let alone = Alone::found();
    let first = alone.start();
    let stderr = alone.refused();
    assert!(stderr.contains("already running"), "{stderr}");
    drop(first);
    drop(alone.start());
}

fn port_in_use() {
    for which in 0..2 {
        let alone = Alone::found();
        // Run once, so that nothing of a first start is left to be made.
        drop(alone.start());
        let taken = TcpListener::bind(("127.0.0.1", alone.ports[which])).unwrap();
        let stderr = alone.refused();
        assert!(stderr.contains(&alone.ports[which].to_string()) && stderr.contains("in use"), "{stderr}");
        drop(taken);
        drop(alone.start());
    }
}

fn another_group() {
    let alone = Alone::found();
    drop(alone.start());
    alone.found_group("second");
    let stderr = alone.refused();
    assert!(stderr.contains("group"), "{stderr}");
}

fn second_init() {
    let alone = Alone::found();
    let keys = listing(&alone.node().join("keys"));
    let node = alone.node();
    let output = program(&[
        "init",
        "--dir",
        node.to_str().unwrap(),
        "--name",
        "alone",
        "--listen",
        "127.0.0.1:1",
        "--http",
        "127.0.0.1:2",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(listing(&alone.node().join("keys")), keys);
}

fn program(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn succeed(words: &[&str]) {
    succeed_by(Path::new(PROGRAM), words);
}

/// Runs a program to its good end, and gives what it prints.
pub(crate) fn succeed_by(program: &Path, words: &[&str]) -> String {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every file under `folder` with the hash of its content, sorted. Not what every start writes anew: the holder in the
/// lock file, the marks of an orderly end in the two databases, the bench that a running node prepares.
pub(crate) fn listing(folder: &Path) -> Vec<(PathBuf, Digest)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if ["node.lock", "state.redb", "chain", "operator.sock", "builds"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            files.extend(listing(&path));
        } else {
            let content = Digest::of(&fs::read(&path).unwrap());
            files.push((path, content));
        }
    }
    files.sort();
    files
}
