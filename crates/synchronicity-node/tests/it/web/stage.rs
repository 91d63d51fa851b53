//! A group that is played block by block, and the routes over what it did.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::machine::Machine;
use synchronicity_node::artifact_store::ArtifactStore;
use synchronicity_node::chronicle::{At, Chronicle, Chronicler, Shown};
use synchronicity_node::http::web::WebSite;
use synchronicity_node::http::with_pages;
use synchronicity_node::pages::{Pages, Present, RoundCopy, Sources, SurveyFile};
use synchronicity_node::presence::Presence;
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult};
use synchronicity_web::model::Moment;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::world::{LOCK, World};

pub(super) struct Stage {
    pub(super) world: World,
    machine: Arc<Mutex<Machine>>,
    chronicler: Chronicler,
    shown: Shown,
    pub(super) store: ArtifactStore,
    explained: Arc<Mutex<Value>>,
    published: watch::Sender<Option<Arc<SignedNote>>>,
    /// What members tell of themselves.
    pub(super) told: BTreeMap<BuilderId, Presence>,
    /// The folder of a survey that is shown.
    pub(super) survey: Option<PathBuf>,
    height: u64,
    time_ms: u64,
}

/// 30 November 2026.
pub(super) const BEGIN_MS: u64 = 1_796_000_000_000;

impl Stage {
    pub(super) fn of(members: usize) -> Stage {
        let world = World::of(members);
        let machine = Arc::new(Mutex::new(Machine::new(world.group.clone())));
        let (chronicler, shown) = Chronicler::new(Chronicle::default());
        let store = ArtifactStore::over(Arc::new(InMemory::new()));
        let explained = Arc::default();
        Stage {
            world,
            machine,
            chronicler,
            shown,
            store,
            explained,
            published: watch::Sender::new(None),
            told: BTreeMap::new(),
            survey: None,
            height: 0,
            time_ms: BEGIN_MS,
        }
    }

    /// Orders commands of members in the next block, a second later.
    pub(super) fn block(&mut self, actions: Vec<(usize, Action)>) {
        self.later(1_000, actions);
    }

    pub(super) fn later(&mut self, ms: u64, actions: Vec<(usize, Action)>) {
        (self.height, self.time_ms) = (self.height + 1, self.time_ms + ms);
        let signed = actions
            .into_iter()
            .map(|(member, action)| Command::sign(&self.world.command_key(member), &self.world.group, action).unwrap());
        let block = OrderedBlock { height: self.height, time_ms: self.time_ms, commands: signed.collect() };
        let mut machine = self.machine.lock().unwrap();
        let applied = machine.apply(&block).unwrap();
        assert!(applied.rejected.is_empty(), "{:?}", applied.rejected);
        for logged in &applied.logged {
            let leaf = Leaf::from_bytes(&logged.entry).unwrap();
            self.chronicler.chronicle.logged(logged.index, &leaf, Some(&self.world.group));
        }
        let at = At { height: self.height, time: Moment(self.time_ms) };
        self.chronicler.chronicle.block(at, &machine);
        drop(machine);
        self.chronicler.show();
    }

    pub(super) fn submit(&mut self, request: &BuildRequest, round: u32) {
        self.block(vec![(0, Action::Submit { request: request.clone(), lock: LOCK.to_vec(), round })]);
    }

    /// Seals the results of members, in a block.
    pub(super) fn commit(&mut self, request: &BuildRequest, round: u32, results: &[(usize, BuildResult)]) {
        let id = request.id();
        let seal = |(member, result): &(usize, BuildResult)| {
            let author = self.world.command_key(*member).id();
            let commitment = commitment(&id, &author, &result.digest(), &NONCE);
            (*member, Action::Commit { request: id, round, commitment })
        };
        let sealed = results.iter().map(seal).collect();
        self.block(sealed);
    }

    pub(super) fn reveal(&mut self, request: &BuildRequest, round: u32, results: &[(usize, BuildResult)]) {
        let reveal = |(member, result): &(usize, BuildResult)| {
            let (request, result) = (request.id(), result.clone());
            (*member, Action::Reveal { request, round, result, nonce: NONCE })
        };
        self.block(results.iter().map(reveal).collect());
    }

    /// A round from its submission to its verdict, in which all members reveal.
    pub(super) fn conclude(&mut self, request: &BuildRequest, results: &[BuildResult]) {
        let results: Vec<(usize, BuildResult)> = results.iter().cloned().enumerate().collect();
        self.submit(request, 0);
        self.commit(request, 0, &results);
        self.reveal(request, 0, &results);
    }

    /// Keeps what the first member's build of a request printed.
    pub(super) async fn print(&self, request: &BuildRequest, text: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let failed = BuildResult::Failed(synchronicity_verify::result::Failure::Compile);
        self.store.keep(&request.id(), &failed, None, file.path()).await.unwrap();
    }

    /// Why builders differ, whatever the request.
    pub(super) fn explain(&self, told: Value) {
        *self.explained.lock().unwrap() = told;
    }

    /// Puts a checkpoint in the place of the one before.
    pub(super) fn publish(&self, checkpoint: SignedNote) {
        self.published.send_replace(Some(Arc::new(checkpoint)));
    }

    /// The same words for all that an explanation has of others.
    pub(super) fn explain_in(&self, words: &str) {
        let difference = json!({
            "section": words, "first": words, "second": words, "cause": words, "certainty": words, "why": words,
            "crate": words, "suggestion": words, "symbol": words, "line": words, "member": words,
        });
        self.explain(json!({
            "state": "explained", "advice": words, "words": words, "reason": words,
            "first": { "builder": words }, "second": { "builders": [words] },
            "explanation": { "artifacts": [{ "name": words, "differences": [difference] }] },
        }));
    }

    /// What is shown, as it changes.
    pub(super) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    pub(super) fn routes(&self) -> Router {
        let (machine, explained) = (self.machine.clone(), self.explained.clone());
        let group = Arc::new(self.world.group.clone());
        let present = Present {
            connected: group.members().iter().map(|it| it.command).collect(),
            told: self.told.clone(),
            ..healthy()
        };
        let pages = Pages::new(Sources {
            name: group.members()[0].name.clone(),
            url: "https://node.example".to_owned(),
            policy: group.policy_text(Some("https://node.example")).unwrap().into(),
            group,
            chronicle: self.shown.clone(),
            published: self.published.subscribe(),
            present: Arc::new(move || present.clone()),
            round: Arc::new(move |id| {
                let machine = machine.lock().unwrap();
                let round = machine.round(id)?;
                let results = round.members().filter_map(|(who, _)| Some((*who, round.result(who)?.clone())));
                Some(RoundCopy { request: round.request().clone(), number: round.number(), results: results.collect() })
            }),
            explained: Arc::new(move |_| Some(explained.lock().unwrap().clone())),
            survey: SurveyFile::open(self.survey.as_deref()),
        });
        with_pages(Router::new(), WebSite::new(pages, self.store.clone()))
    }
}

fn healthy() -> Present {
    Present { health: "ok".to_owned(), ..Present::default() }
}

const NONCE: [u8; 32] = [7; 32];

/// A result with one artifact of this name and content.
pub(super) fn built(name: &str, content: &[u8]) -> BuildResult {
    let name = name.to_owned().try_into().unwrap();
    let artifact = Artifact { name, size: content.len() as u64, sha256: Digest::of(content) };
    BuildResult::Built(Artifacts::new(vec![artifact]).unwrap())
}

pub(super) async fn ask(routes: &Router, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

pub(super) async fn body(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 8 << 20).await.unwrap().to_vec()).unwrap()
}

pub(super) async fn page(routes: &Router, path: &str) -> (StatusCode, String) {
    let response = ask(routes, path, &[]).await;
    (response.status(), body(response).await)
}

pub(super) async fn json(routes: &Router, path: &str) -> (StatusCode, Value) {
    let (code, text) = page(routes, path).await;
    (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}")))
}
