//! What the pages of the benchmark show: verdicts, open rounds, and for each page something that makes it large.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::machine::{MAX_OPEN_ROUNDS_PER_AUTHOR, Machine};
use synchronicity_node::artifact_store::ArtifactStore;
use synchronicity_node::chronicle::{At, Chronicle, Shown};
use synchronicity_node::pages::{Present, RoundCopy, Sources, SurveyFile};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_SCHEMA, Entry, MemberRecord, Opening, Verdict};
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::request::{BuildRequest, Source};
use synchronicity_verify::result::{ARTIFACTS_MAX, Artifact, Artifacts, BuildResult, Failure};
use synchronicity_web::model::Moment;
use tokio::sync::watch;

use crate::VERDICTS;
use crate::world::{LOCK, World, request};

/// A crate to which the last tenth of the entries belongs, each on another version.
pub(crate) const MANY_VERSIONS: &str = "very-many-versions";

/// One of its versions.
pub(crate) const A_VERSION: &str = "0.95002.0";

/// When the last verdict was long ago.
const NOW_MS: u64 = 1_790_000_000_000;

/// Lines of a usual transcript.
const LINES: usize = 4_000;

/// A request that was reproduced, with one artifact.
pub(crate) fn usual() -> RequestId {
    asked(VERDICTS / 2 + 2).id()
}

/// A request of which each builder has as many artifacts as there can be, all of them different, and explained.
pub(crate) fn large() -> RequestId {
    asked(VERDICTS / 2).id()
}

pub(crate) fn chronicle(world: &World) -> Chronicle {
    let mut chronicle = Chronicle::default();
    for index in 0..VERDICTS {
        chronicle.logged(index, &Leaf::Build(entry(world, index)), Some(&world.group));
    }
    chronicle
}

/// As many rounds as can be open; one of them.
pub(crate) fn open_rounds(world: &World, chronicle: &mut Chronicle) -> RequestId {
    let mut machine = Machine::new(world.group.clone());
    let submit = |member: usize, number: usize| {
        let request = request((member * MAX_OPEN_ROUNDS_PER_AUTHOR + number) as u64 + 2 * VERDICTS);
        let action = Action::Submit { request, lock: LOCK.to_vec(), round: 0 };
        Command::sign(&world.command_key(member), &world.group, action).unwrap()
    };
    let commands = (0..world.keys.len()).flat_map(|member| (0..MAX_OPEN_ROUNDS_PER_AUTHOR).map(move |it| (member, it)));
    let commands = commands.map(|(member, number)| submit(member, number)).collect();
    let applied = machine.apply(&OrderedBlock { height: 1, time_ms: NOW_MS, commands }).unwrap();
    assert!(applied.rejected.is_empty(), "{:?}", applied.rejected);
    chronicle.block(At { height: 1, time: Moment(NOW_MS) }, &machine);
    request(2 * VERDICTS).id()
}

/// Keeps what the build of a request printed: for the large one, what takes most room on a page.
pub(crate) async fn print(store: &ArtifactStore, request: &RequestId) {
    let line = |number: usize| match *request == large() {
        true => format!("{}\n", "\x1b".repeat(400)),
        false => format!("   Compiling crate-{number} v0.{number}.0, which is line {number} of the transcript\n"),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), (1..=LINES).map(line).collect::<String>()).unwrap();
    store.keep(request, &BuildResult::Failed(Failure::Compile), None, file.path()).await.unwrap();
}

pub(crate) fn sources(world: &World, chronicle: Shown) -> Sources {
    let (_, published) = watch::channel(None);
    let builders: Vec<BuilderId> = world.group.members().iter().map(|member| member.command).collect();
    let survey = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey");
    Sources {
        name: "builder-00".to_owned(),
        url: "https://node.example".to_owned(),
        group: Arc::new(world.group.clone()),
        policy: world.group.policy_text(Some("https://node.example")).unwrap().into(),
        chronicle,
        published,
        present: Arc::new(|| Present { health: "ok".to_owned(), ..Present::default() }),
        round: Arc::new(move |id| Some(round(id, &builders))),
        explained: Arc::new(|_| Some(explained())),
        survey: SurveyFile::open(Some(&survey)),
    }
}

fn round(id: &RequestId, builders: &[BuilderId]) -> RoundCopy {
    let artifacts = if *id == large() { ARTIFACTS_MAX } else { 1 };
    let result = |(place, builder): (usize, &BuilderId)| {
        let content = if *id == large() { place } else { 0 };
        (*builder, built(artifacts, u8::try_from(content).unwrap()))
    };
    let results: BTreeMap<_, _> = builders.iter().enumerate().map(result).collect();
    RoundCopy { request: asked(VERDICTS / 2), number: 0, results }
}

/// As a node keeps it: more differences than a page shows.
fn explained() -> Value {
    let difference = json!({
        "section": ".rodata", "first": "2026-11-30T04:02:09Z", "second": "2026-11-30T04:02:11Z", "cause": "build-time",
        "certainty": "likely", "why": "both texts are times, some seconds apart", "crate": "embeds-build-time 0.1.0",
        "suggestion": "take the time from SOURCE_DATE_EPOCH, or leave it out",
    });
    json!({
        "state": "explained", "advice": "An explanation is advice and no evidence.", "words": "two texts differ\n".repeat(100),
        "first": { "builder": "builder-00" }, "second": { "builders": ["builder-01"] },
        "explanation": { "artifacts": [{ "name": "tool", "differences": vec![difference; 60] }] },
    })
}

fn built(artifacts: usize, content: u8) -> BuildResult {
    let artifact = |number: usize| {
        let name = format!("{}-{number:03}", "a-tool-with-a-long-name".repeat(2)).try_into().unwrap();
        Artifact { name, size: 7, sha256: Digest([content; 32]) }
    };
    BuildResult::Built(Artifacts::new((0..artifacts).map(artifact).collect()).unwrap())
}

/// What the entry at an index is about: one of 30,000 crates, or another version of one crate.
fn asked(index: u64) -> BuildRequest {
    let many = index >= VERDICTS / 10 * 9;
    let mut request = request(if many { index } else { index / 30_000 });
    if let Source::Registry { name, .. } = &mut request.source {
        let crate_name = if many { MANY_VERSIONS.to_owned() } else { format!("crate-{}", index * 7919 % 30_000) };
        *name = crate_name.parse().unwrap();
    }
    request
}

/// Of ten, one diverged, one does not build, and the others are reproduced.
fn entry(world: &World, index: u64) -> Entry {
    let (verdict, agreed) = match index % 10 {
        0 => (Verdict::Diverged, None),
        1 => (Verdict::Unbuildable, Some(BuildResult::Failed(Failure::Compile))),
        _ => (Verdict::Reproduced, Some(built(1, 0))),
    };
    let mut members: Vec<MemberRecord> = Vec::new();
    for (place, member) in world.group.members().iter().enumerate() {
        let own = || built(1, u8::try_from(place).unwrap());
        let result = agreed.clone().unwrap_or_else(own).digest();
        members.push(MemberRecord {
            builder: member.command,
            name: member.name.clone(),
            commitment: Some(result),
            opening: Some(Opening { nonce: [0; 32], result }),
            attestation: Some(result),
        });
    }
    members.sort_by_key(|member| member.builder);
    Entry {
        schema: ENTRY_SCHEMA,
        group: world.group.id(),
        epoch: 0,
        height: index,
        time_ms: 1_780_000_000_000 + index * 100_000,
        request: asked(index),
        round: 0,
        threshold: 3,
        verdict,
        agreed,
        members,
        map_root: Digest([0; 32]),
    }
}
