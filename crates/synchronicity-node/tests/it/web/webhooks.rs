//! Webhooks, against real HTTP servers: what comes, signed how, how often, and what an outage or a kill does.

mod receiver;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use synchronicity_node::folder::Folder;
use synchronicity_node::health::{Health, Topic};
use synchronicity_node::log_reader::LogReader;
use synchronicity_node::webhooks::choices::{self, WebhookChoice};
use synchronicity_node::webhooks::event::Sources;
use synchronicity_node::webhooks::{Pace, Webhooks};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::SignedNote;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::receiver::{Answer, SECRET, Server};
use super::stage::{Stage, built};
use crate::nodes::{Nodes, PATIENCE};
use crate::world::{free_port, request};

const PACE: Pace = Pace {
    attempt: Duration::from_millis(700),
    again: Duration::from_millis(20),
    again_max: Duration::from_millis(80),
    look: Duration::from_millis(20),
    health_gap: Duration::from_millis(50),
};

/// A played group, its published size, and what a node's webhooks need.
struct Scene {
    stage: Stage,
    dir: tempfile::TempDir,
    published: watch::Sender<Option<Arc<SignedNote>>>,
    health: Health,
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        write_secret(dir.path());
        Scene { stage: Stage::of(1), dir, published: watch::channel(None).0, health: Health::default() }
    }

    /// Concludes requests up to a size of the log, without publishing them.
    fn grow(&mut self, from: u64, to: u64) {
        (from..to).for_each(|number| self.stage.conclude(&request(number), &[built("hexyl", b"x")]));
    }

    fn publish(&self, size: u64) {
        let text = Checkpoint { origin: "example.org/test".to_owned(), size, root: Digest([0; 32]) }.to_string();
        self.published.send_replace(Some(Arc::new(SignedNote { text, signatures: Vec::new() })));
    }

    /// A process, as far as webhooks go: when it is dropped, nothing of it goes on, or is tidied up.
    fn process(&self, hooks: &[(&str, &str)]) -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let choice = |(name, url): &(&str, &str)| choice(name, url);
        let hooks = choices::hooks(&hooks.iter().map(choice).collect::<Vec<_>>(), self.dir.path()).unwrap();
        let sources = Sources {
            origin: "example.org/test".into(),
            node: "builder-00".into(),
            url: "https://node.example".into(),
            chronicle: self.stage.shown(),
            published: self.published.subscribe(),
            reader: LogReader::new(self.dir.path()),
            health: self.health.clone(),
        };
        let (stop, stopping) = watch::channel(false);
        let folder = Folder::at(self.dir.path());
        let entered = runtime.enter();
        let webhooks = Webhooks::start(hooks, (&folder, &sources), PACE, &stopping).unwrap();
        drop(entered);
        Process { runtime: Some(runtime), webhooks, _stop: stop }
    }

    fn cursor(&self, name: &str) -> u64 {
        fs::read_to_string(self.dir.path().join("webhooks").join(name)).unwrap().trim().parse().unwrap()
    }
}

struct Process {
    runtime: Option<Runtime>,
    webhooks: Webhooks,
    _stop: watch::Sender<bool>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn write_secret(folder: &Path) {
    let path = folder.join("secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn choice(name: &str, url: &str) -> WebhookChoice {
    WebhookChoice { name: name.into(), url: url.into(), secret_file: "secret".into(), allow_http: false }
}

#[test]
fn an_event_is_told_again_until_it_is_taken_under_one_id_and_no_redirect_is_followed() {
    let server = Server::start(0, |count| match count {
        0 => Answer::Status(503),
        1 => Answer::Redirect,
        2 => Answer::Silence,
        3 => Answer::Flood,
        _ => Answer::Status(204),
    });
    let mut scene = Scene::new();
    let process = scene.process(&[("a", &server.url)]);
    scene.grow(0, 2);
    assert!(server.is_quiet(), "what is not published cannot be proved yet");
    scene.publish(1);
    let tries: Vec<_> = (0..4).map(|_| server.next()).collect();
    for one in &tries {
        assert_eq!((one.path.as_str(), one.id(), &one.body), ("/hook", tries[0].id(), &tries[0].body));
        let (event, now) = (one.event(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert!(now - one.header("webhook-timestamp").parse::<u64>().unwrap() < 60);
        let entry = &event["data"]["entry"];
        assert_eq!((&event["type"], &event["data"]["log"]), (&"log.entry".into(), &"example.org/test".into()));
        assert_eq!(
            (&entry["name"], &entry["index"], &entry["verdict"]),
            (&"hexyl".into(), &0.into(), &"reproduced".into())
        );
        assert_eq!(event["data"]["proof"], "https://node.example/proof/index/0");
        assert!(event["timestamp"].as_str().unwrap().starts_with("2026-11-3"), "{event}");
    }
    // An answer that begins well is one, however long it goes on.
    assert!(server.is_quiet());
    scene.publish(2);
    let next = server.next();
    assert_eq!(next.event()["data"]["entry"]["index"], 1);
    assert_ne!(next.id(), tries[0].id());
    assert!(server.is_quiet());
    let told = &process.webhooks.list(2)[0];
    assert_eq!((told.next, told.waiting, told.delivered, told.failures, told.failing), (2, 0, 2, 3, false));
    assert_eq!(scene.cursor("a"), 2);
}

#[test]
fn neither_an_outage_nor_a_kill_loses_an_entry_and_what_is_told_twice_has_the_same_id() {
    let (port, mut scene) = (free_port(), Scene::new());
    let url = format!("http://127.0.0.1:{port}/hook");
    scene.grow(0, 3);
    scene.publish(3);
    // Nobody listens from the first moment on.
    let process = scene.process(&[("a", &url)]);
    scene.grow(3, 10);
    scene.publish(7);
    while process.webhooks.list(7)[0].failures < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(process.webhooks.list(7)[0].waiting, 4);
    drop(process);
    // It takes three, and the node is killed while the fourth is on its way.
    let server = Server::start(port, |count| if count == 3 { Answer::Silence } else { Answer::Status(200) });
    let process = scene.process(&[("a", &url)]);
    let before: Vec<_> = (0..4).map(|_| server.next()).collect();
    drop(process);
    assert!(scene.cursor("a") <= 6, "what was not taken must stand before the cursor");
    scene.publish(10);
    let _process = scene.process(&[("a", &url)]);
    let mut after = Vec::new();
    while after.last().is_none_or(|index| *index < 9) {
        let came = server.next();
        let index = came.event()["data"]["entry"]["index"].as_u64().unwrap();
        if let Some(told) = before.iter().find(|told| told.id() == came.id()) {
            assert_eq!(told.body, came.body);
        }
        after.push(index);
    }
    let told: Vec<u64> = before.iter().map(|came| came.event()["data"]["entry"]["index"].as_u64().unwrap()).collect();
    assert_eq!(told, [3, 4, 5, 6], "it begins with what came after it was configured");
    assert!(after[0] <= 6 && after.windows(2).all(|pair| pair[1] == pair[0] + 1), "{after:?}");
    assert!(server.is_quiet());
}

#[test]
fn a_webhook_that_never_answers_keeps_no_other_waiting() {
    let (silent, good) = (Server::start(0, |_| Answer::Silence), Server::start(0, |_| Answer::Status(200)));
    let mut scene = Scene::new();
    let process = scene.process(&[("silent", &silent.url), ("good", &good.url)]);
    scene.grow(0, 40);
    scene.publish(40);
    let indices: Vec<_> = (0..40).map(|_| good.next().event()["data"]["entry"]["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..40).collect::<Vec<_>>());
    let names: Vec<String> = process.webhooks.list(40).into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["good", "silent"]);
    assert_eq!(process.webhooks.list(40)[1].waiting, 40);
    assert_eq!(silent.next().event()["data"]["entry"]["index"], 0);
}

#[test]
fn what_keeps_a_node_from_its_part_is_told_and_its_end_too() {
    // Somebody who takes entries alone gets them all the same.
    let picky = Server::start(0, |count| Answer::Status(if count == 0 { 400 } else { 200 }));
    let mut scene = Scene::new();
    scene.health.complain(Topic::Members, "only 2 of 4 members are reachable");
    let _process = scene.process(&[("a", &picky.url)]);
    assert_eq!(picky.next().event()["type"], "node.health");
    let again = picky.next().event();
    assert_eq!((&again["data"]["well"], &again["data"]["node"]), (&false.into(), &"builder-00".into()));
    assert_eq!(again["data"]["health"], "only 2 of 4 members are reachable");
    scene.grow(0, 1);
    scene.publish(1);
    assert_eq!(picky.next().event()["type"], "log.entry");
    scene.health.recover(Topic::Members);
    assert_eq!(picky.next().event()["data"]["well"], true);
    assert!(picky.is_quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_tells_its_webhooks_and_goes_on_where_it_was_after_a_restart() {
    let (silent, good) = (Server::start(0, |_| Answer::Silence), Server::start(0, |_| Answer::Status(200)));
    let mut nodes = Nodes::found(1);
    write_secret(nodes.folder(0).root());
    nodes.configure(0, |config| config.webhook = vec![choice("silent", &silent.url), choice("good", &good.url)]);
    nodes.start(0, None);
    let submitted = nodes.submit(0).await;
    // Publishing waits for neither.
    nodes.published(0, 1).await;
    let good = Arc::new(std::sync::Mutex::new(good));
    let next = |good: Arc<std::sync::Mutex<Server>>| tokio::task::spawn_blocking(move || good.lock().unwrap().next());
    let came = next(good.clone()).await.unwrap();
    let event = came.event();
    assert_eq!(event["data"]["entry"]["request"], submitted.request.as_str());
    let proof = event["data"]["proof"].as_str().unwrap().rsplit_once(&nodes.http[0].to_string()).unwrap().1.to_owned();
    assert_eq!(nodes.get(0, &proof).await.0, 200, "what is told can be proved at once");
    let since = std::time::Instant::now();
    while nodes.status(0).await.webhooks[0].delivered < 1 {
        assert!(since.elapsed() < PATIENCE);
    }
    let (_, _, status) = nodes.get(0, "/status").await;
    let status = String::from_utf8(status).unwrap();
    assert!(status.contains("\"webhooks\"") && !status.contains(&silent.url), "addresses stay here: {status}");
    nodes.stop(0).await;
    let cursor = nodes.folder(0).webhooks().join("good");
    assert_eq!(fs::read_to_string(&cursor).unwrap(), "1\n");
    nodes.start(0, None);
    nodes.published(0, 1).await;
    assert!(tokio::task::block_in_place(|| good.lock().unwrap().is_quiet()), "nothing is told twice without need");
    nodes.stop(0).await;
    // As a kill between the answer and the write leaves it.
    fs::write(&cursor, "0\n").unwrap();
    nodes.start(0, None);
    let again = next(good.clone()).await.unwrap();
    assert_eq!((again.id(), &again.body), (came.id(), &came.body));
    nodes.stop_all().await;
}
