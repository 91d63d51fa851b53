//! Whole groups in one process: real engine, real sockets and files, real HTTP; only the builds are written down.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use synchronicity_node::config::Config;
use synchronicity_node::folder::Folder;
use synchronicity_node::misbehave::Misbehaviour;
use synchronicity_node::node::{self, BenchChoice, Choices, Ended};
use synchronicity_node::operator::{self, Answer, AskError, Request, Submitted};
use synchronicity_node::status::Status;
use synchronicity_rebuild::bench::Bench;
use synchronicity_rebuild::host_cargo::HostCargo;
use synchronicity_rebuild::scripted::Script;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{PROGRAM, World, free_port};

/// Far longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const FIXTURE: &str = "plain-binary";

/// A group whose nodes live in folders of one temporary folder.
pub(crate) struct Nodes {
    dir: tempfile::TempDir,
    pub(crate) world: World,
    pub(crate) http: Vec<u16>,
    addresses: Vec<String>,
    running: Vec<Option<(oneshot::Sender<()>, JoinHandle<Ended>)>>,
}

impl Nodes {
    pub(crate) fn found(members: usize) -> Nodes {
        Nodes::of(World::of(members))
    }

    pub(crate) fn of(world: World) -> Nodes {
        let nodes = Nodes::without_folders(world);
        for (member, port) in nodes.http.iter().enumerate() {
            nodes.world.settle(member, nodes.folder(member).root(), *port);
        }
        nodes
    }

    pub(crate) fn without_folders(world: World) -> Nodes {
        let (dir, running) = (tempfile::tempdir().unwrap(), world.keys.iter().map(|_| None).collect());
        let http = world.keys.iter().map(|_| free_port()).collect();
        let addresses = world.group.members().iter().map(|member| member.address.clone()).collect();
        Nodes { dir, world, http, addresses, running }
    }

    /// Changes what the operator of a member chose.
    pub(crate) fn configure(&self, member: usize, change: impl FnOnce(&mut Config)) {
        let path = self.folder(member).config();
        let mut config = Config::read(&path).unwrap();
        change(&mut config);
        config.write(&path).unwrap();
    }

    pub(crate) fn folder(&self, member: usize) -> Folder {
        Folder::at(self.dir.path().join(member.to_string()))
    }

    /// Makes the name of `other` one that `member` cannot look up: only `other` can connect the two.
    pub(crate) fn lose_address(&self, member: usize, other: usize) {
        let (path, address) = (self.folder(member).group(), &self.addresses[other]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(address));
        fs::write(path, text.replace(address, "nobody.invalid:4800")).unwrap();
    }

    pub(crate) fn start(&mut self, member: usize, misbehaviour: Option<Misbehaviour>) {
        self.start_with(member, misbehaviour, b"the same bytes everywhere");
    }

    /// Starts a member whose builds come to this content.
    pub(crate) fn start_with(&mut self, member: usize, misbehaviour: Option<Misbehaviour>, content: &[u8]) {
        self.start_scripted(member, misbehaviour, script(content));
    }

    pub(crate) fn start_scripted(&mut self, member: usize, misbehaviour: Option<Misbehaviour>, script: Script) {
        let folder = self.folder(member);
        let builds = folder.builds();
        let bench = BenchChoice::Opened(Box::new(move || Bench::scripted(&builds, script.clone())));
        let choices =
            Choices { dir: folder.root().to_owned(), misbehaviour, bench, program: PROGRAM.into(), vouched: false };
        let (stop, stopped) = oneshot::channel();
        let run = async move {
            let told = async {
                let _ = stopped.await;
            };
            match node::run(choices, told).await {
                Ok(ended) => ended,
                Err(stop) => panic!("the node ended: {:?}", stop.report),
            }
        };
        self.running[member] = Some((stop, tokio::spawn(run)));
    }

    pub(crate) async fn stop(&mut self, member: usize) {
        if let Some((stop, node)) = self.running[member].take() {
            let _ = stop.send(());
            node.await.unwrap();
        }
    }

    /// Waits until a member's node ends by itself, and says how.
    pub(crate) async fn ended(&mut self, member: usize) -> Ended {
        let (_stop, node) = self.running[member].take().unwrap();
        tokio::time::timeout(PATIENCE, node).await.expect("it runs on").unwrap()
    }

    pub(crate) async fn stop_all(&mut self) {
        for member in 0..self.running.len() {
            self.stop(member).await;
        }
    }

    /// Asks a member, as soon as it can be asked.
    pub(crate) async fn ask(&self, member: usize, request: Request) -> Answer {
        let since = Instant::now();
        loop {
            let (folder, request) = (self.folder(member), request.clone());
            let asked = tokio::task::spawn_blocking(move || operator::ask(folder.root(), &folder.socket(), &request));
            match asked.await.unwrap() {
                Ok(answer) => return answer,
                Err(AskError::NotRunning { .. }) => {
                    assert!(since.elapsed() < PATIENCE, "member {member} never started")
                }
                Err(error) => panic!("member {member}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn submit(&self, member: usize) -> Submitted {
        self.submit_fixture(member, FIXTURE).await
    }

    /// Any but [`FIXTURE`] has a verdict only where members were started with a script that knows it.
    pub(crate) async fn submit_fixture(&self, member: usize, name: &str) -> Submitted {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../synchronicity-rebuild/fixtures").join(name);
        let spec = fixture.canonicalize().unwrap().to_str().unwrap().to_owned();
        match self.ask(member, Request::Submit { spec }).await {
            Answer::Submitted(submitted) => submitted,
            other => panic!("not submitted: {other:?}"),
        }
    }

    pub(crate) async fn status(&self, member: usize) -> Status {
        match self.ask(member, Request::Status).await {
            Answer::Status(status) => *status,
            other => panic!("no status: {other:?}"),
        }
    }

    /// Waits until this member's status is as wished.
    pub(crate) async fn until(&self, member: usize, what: &str, wished: impl Fn(&Status) -> bool) -> Status {
        let since = Instant::now();
        loop {
            let status = self.status(member).await;
            if wished(&status) {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "waited too long for {what}: {status:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn published(&self, member: usize, size: u64) -> Status {
        self.until(member, "a published log", |status| status.log.published_size >= size).await
    }

    pub(crate) async fn get(&self, member: usize, path: &str) -> (u16, String, Vec<u8>) {
        let (port, path) = (self.http[member], path.to_owned());
        tokio::task::spawn_blocking(move || get(port, &path)).await.unwrap()
    }
}

pub(crate) fn script(content: &[u8]) -> Script {
    let mut script = Script::new();
    // Pinning reads the manifest with the host's own cargo, whose release the request must not fall short of.
    script.toolchain = HostCargo::find().unwrap().toolchain().unwrap();
    script.with("pkg:generic/synchronicity-fixture/plain-binary@0.1.0", FIXTURE, content)
}

/// Status code, head and body of a plain HTTP/1.1 request.
fn get(port: u16, path: &str) -> (u16, String, Vec<u8>) {
    raw(port, &format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"))
}

pub(crate) fn raw(port: u16, request: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer has a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, head, answer[end + 4..].to_vec())
}
