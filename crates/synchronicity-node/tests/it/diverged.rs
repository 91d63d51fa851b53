//! Builders that diverge hand each other their artifacts and say why, whoever of them is missing or lies.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use synchronicity_explain::facts::Facts;
use synchronicity_node::durable::{Disk, Synced};
use synchronicity_node::explaining::apart::Order;
use synchronicity_node::misbehave::Misbehaviour;
use synchronicity_node::operator::{Answer, Request};
use synchronicity_node::store::{Every, Position, Progress, Snapshot, Store};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::proof::Proof;

use crate::nodes::{Nodes, PATIENCE};

/// What a build leaves that embeds its time: large enough for several pieces.
fn artifact(second: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    bytes.extend(format!("\0built at {second} by nobody\0").bytes());
    bytes
}

const SECONDS: [u64; 4] = [1_795_000_011, 1_795_000_222, 1_795_003_333, 1_795_000_444];

async fn explained(nodes: &Nodes, member: usize, request: &str, state: &str) -> Value {
    let since = Instant::now();
    loop {
        let (code, _, told) = nodes.get(member, &format!("/explanations/{request}")).await;
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let is_tried = told["attempts"].as_u64().is_none_or(|attempts| attempts > 0);
        if code == 200 && told["state"] == state && is_tried {
            return told;
        }
        assert!(since.elapsed() < PATIENCE, "member {member} says: {code} {told:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn builders_that_diverge_exchange_artifacts_and_each_explains_the_difference_durably() {
    let mut nodes = Nodes::found(4);
    (0..4).for_each(|member| nodes.start_with(member, None, &artifact(SECONDS[member])));
    let submitted = nodes.submit(0).await;
    for member in 0..4 {
        let told = explained(&nodes, member, &submitted.request, "explained").await;
        let difference = &told["explanation"]["artifacts"][0];
        assert_eq!((&difference["name"], &told["explanation"]["artifacts"][1]), (&"plain-binary".into(), &Value::Null));
        assert_eq!(difference["differences"][0]["cause"], "build-time", "{told:#}");
        assert!(told["words"].as_str().unwrap().contains("plain-binary differs"), "{told:#}");
        assert!(told["advice"].as_str().unwrap().contains("never evidence"));
        assert_eq!(told["first"]["builder"], format!("builder-{member:02}").as_str());
        assert_eq!(told["second"]["files_of"], told["second"]["builders"]);
    }
    let Answer::Explained(Some(told)) = nodes.ask(1, Request::Explain { request: submitted.request.clone() }).await
    else {
        panic!("the operator is told nothing")
    };
    assert_eq!(told["state"], "explained");
    // It is kept, and what was fetched for it is not.
    let file = nodes.folder(2).explanations().join(format!("{}-0.json", submitted.request));
    let before = fs::read(&file).unwrap();
    nodes.stop_all().await;
    assert!(!nodes.folder(2).explaining().exists());
    // A crash before it was written: the same round is owed again, out of the state alone.
    fs::remove_file(nodes.folder(1).explanations().join(format!("{}-0.json", submitted.request))).unwrap();
    // Nor does a damaged one count as made.
    let damaged = nodes.folder(3).explanations().join(format!("{}-0.json", submitted.request));
    fs::write(damaged, b"{\"state\": \"expl").unwrap();
    (0..4).for_each(|member| nodes.start_with(member, None, &artifact(SECONDS[member])));
    explained(&nodes, 1, &submitted.request, "explained").await;
    explained(&nodes, 3, &submitted.request, "explained").await;
    explained(&nodes, 2, &submitted.request, "explained").await;
    assert_eq!(fs::read(&file).unwrap(), before);
    nodes.stop_all().await;
}

/// Leaves a member's database without the blocks so far: a snapshot is in their place.
fn prune(nodes: &Nodes, member: usize) {
    let every = Every { blocks: 0, bytes: 0 };
    let store = Store::open(&nodes.folder(member).state(), &nodes.world.group).unwrap().with_snapshots(every);
    let machine = store.machine(&nodes.world.group).unwrap();
    let executed = machine.executed();
    let position = Position { height: executed.height, time_ms: executed.time_ms };
    // Blocks go when a later snapshot is written.
    for _ in 0..2 {
        store.record(&Progress::to(position, &[]), || Snapshot::of(&machine), || executed.log_size).unwrap();
    }
    assert_eq!(store.begins_at().unwrap().unwrap().executed, executed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_diverging_builders_revealed_is_told_and_explained_after_the_blocks_that_say_so_are_gone() {
    let mut nodes = Nodes::found(4);
    (0..4).for_each(|member| nodes.start_with(member, None, &artifact(SECONDS[member])));
    let submitted = nodes.submit(0).await;
    for member in 0..4 {
        explained(&nodes, member, &submitted.request, "explained").await;
    }
    nodes.published(1, 1).await;
    let path = format!("/api/v1/requests/{}", submitted.request);
    let shown = async |nodes: &Nodes| -> Value { serde_json::from_slice(&nodes.get(1, &path).await.2).unwrap() };
    let before = shown(&nodes).await;
    assert_eq!(before["matrix"][0]["cells"].as_array().unwrap().iter().filter(|cell| cell.is_object()).count(), 4);
    assert_eq!(before["explanation"]["state"], "explained", "{before:#}");
    let causes: Value = serde_json::from_slice(&nodes.get(1, "/api/v1/trends").await.2).unwrap();
    nodes.stop_all().await;
    prune(&nodes, 1);
    (0..4).for_each(|member| nodes.start_with(member, None, &artifact(SECONDS[member])));
    nodes.published(1, 1).await;
    let after = shown(&nodes).await;
    for field in ["matrix", "builders", "explanation", "recipe", "verdict"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(serde_json::from_slice::<Value>(&nodes.get(1, "/api/v1/trends").await.2).unwrap(), causes);
    assert_eq!(causes["causes"][0]["name"], "build-time", "{causes:#}");
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_peer_that_hands_over_other_bytes_than_it_revealed_is_refused_and_named() {
    let mut nodes = Nodes::found(4);
    // Two camps of two, so that each member has the other camp's two to ask.
    let contents = [artifact(SECONDS[0]), artifact(SECONDS[1])];
    (0..4).for_each(|member| nodes.start_with(member, None, &contents[member / 2]));
    let submitted = nodes.submit(0).await;
    nodes.published(0, 1).await;
    explained(&nodes, 0, &submitted.request, "explained").await;
    nodes.stop_all().await;
    // The other camp's first member has other bytes of the same length under the hash; its second has none at all.
    let hash = Digest::of(&contents[1]).to_string();
    let file = nodes.folder(2).artifacts().join(&hash);
    assert_eq!(fs::read(&file).unwrap(), contents[1]);
    Synced.write(&file, &artifact(SECONDS[3])).unwrap();
    fs::remove_file(nodes.folder(3).artifacts().join(&hash)).unwrap();
    fs::remove_dir_all(nodes.folder(0).explanations()).unwrap();
    (0..4).for_each(|member| nodes.start_with(member, None, &contents[member / 2]));
    let told = explained(&nodes, 0, &submitted.request, "pending").await;
    let since = Instant::now();
    let mut reason = told["reason"].as_str().unwrap().to_owned();
    // The others may not be there yet at the first attempts.
    while !(reason.contains("builder-02 gave other bytes") && reason.contains("builder-03 does not have")) {
        assert!(since.elapsed() < PATIENCE, "{reason}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let told = explained(&nodes, 0, &submitted.request, "pending").await;
        reason = told["reason"].as_str().unwrap().to_owned();
    }
    assert!(!nodes.folder(0).explanations().exists(), "nothing false may be kept");
    // One honest giver is enough.
    Synced.write(&nodes.folder(3).artifacts().join(&hash), &contents[1]).unwrap();
    let told = explained(&nodes, 0, &submitted.request, "explained").await;
    assert_eq!(told["second"]["files_of"], serde_json::json!(["builder-03"]));
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_camp_that_gives_nothing_keeps_nobody_from_comparing_with_another() {
    let mut nodes = Nodes::found(4);
    // The largest other camp of the first two are the last two.
    let contents = [0, 1, 2, 2].map(|camp| artifact(SECONDS[camp]));
    (0..4).for_each(|member| nodes.start_with(member, None, &contents[member]));
    let submitted = nodes.submit(0).await;
    let told = explained(&nodes, 0, &submitted.request, "explained").await;
    assert_eq!(told["second"]["builders"], serde_json::json!(["builder-02", "builder-03"]));
    nodes.stop_all().await;
    let hash = Digest::of(&contents[2]).to_string();
    (2..4).for_each(|member| fs::remove_file(nodes.folder(member).artifacts().join(&hash)).unwrap());
    fs::remove_dir_all(nodes.folder(0).explanations()).unwrap();
    (0..4).for_each(|member| nodes.start_with(member, None, &contents[member]));
    let told = explained(&nodes, 0, &submitted.request, "explained").await;
    assert_eq!(told["second"]["builders"], serde_json::json!(["builder-01"]));
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_liars_of_four_end_diverged_because_each_lies_differently() {
    let mut nodes = Nodes::found(4);
    (0..2).for_each(|member| nodes.start(member, None));
    (2..4).for_each(|member| nodes.start(member, Some(Misbehaviour::Liar)));
    nodes.submit(0).await;
    let status = nodes.published(1, 1).await;
    assert_eq!(status.rounds[0].verdict.as_deref(), Some("diverged"));
    assert_eq!(nodes.get(1, "/proof/plain-binary/0.1.0").await.0, 404);
    assert_eq!(nodes.get(1, "/proof/index/0").await.0, 200);
    assert!(status.rounds[0].proof_ms.is_some());
    let file = nodes.folder(1).proofs().join("index-0.tlog-proof");
    assert_eq!(Proof::parse(&fs::read(file).unwrap()).unwrap().index, 0);
    nodes.stop_all().await;
}

#[test]
fn a_comparison_ends_when_nobody_holds_its_standard_input_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    for (side, step) in [(&first, 7), (&second, 11)] {
        fs::create_dir(side).unwrap();
        // More than can be compared before the end of the input is seen.
        let bytes: Vec<u8> =
            (0..4_000_000_u32).flat_map(|place| (place.wrapping_mul(step) >> 3).to_le_bytes()).collect();
        fs::write(side.join("tool"), bytes).unwrap();
    }
    let (facts, none) = (Facts::default(), Vec::new);
    let order = Order { first, second, facts, same: 0, only_first: none(), only_second: none(), skipped: none() };
    let mut comparison = Command::new(env!("CARGO_BIN_EXE_synchronicity-node"));
    comparison.arg("__synchronicity-explain").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut comparison = comparison.spawn().unwrap();
    let mut orders = comparison.stdin.take().unwrap();
    writeln!(orders, "{}", serde_json::to_string(&order).unwrap()).unwrap();
    drop(orders);
    let done = comparison.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stdout.len()), (Some(1), 0));
}
