//! Four builders and what becomes of their results: agreed on, lied about, kept back, late.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use synchronicity_node::misbehave::Misbehaviour;
use synchronicity_node::operator::Submitted;
use synchronicity_node::status::{RoundStatus, Status};
use synchronicity_verify::bundle::BundleReader;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::lookup;
use synchronicity_verify::map::{MapKey, Prefix};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::verify::verify;

use crate::nodes::{Nodes, PATIENCE, raw};

fn only(status: &Status) -> &RoundStatus {
    assert_eq!(status.rounds.len(), 1, "{:#?}", status.rounds);
    &status.rounds[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_builders_agree_publish_and_serve_a_proof_that_verifies() {
    let mut nodes = Nodes::found(4);
    (0..4).for_each(|member| nodes.start(member, None));
    let submitted = nodes.submit(1).await;
    assert_eq!((submitted.state.as_str(), submitted.round), ("ordered", 0));
    for member in 0..4 {
        let status = nodes.published(member, 1).await;
        let round = only(&status);
        assert_eq!((round.verdict.as_deref(), round.index), (Some("reproduced"), Some(0)));
        assert!(round.members.iter().all(|member| member.committed && member.revealed));
        assert!(status.log.cosigners.len() >= 3, "{:?}", status.log);
        assert!(round.proof_ms.is_some());
    }
    let again = nodes.submit(2).await;
    assert_eq!((again.state.as_str(), again.verdict.as_deref()), ("concluded", Some("reproduced")));
    what_http_serves(&nodes, &submitted).await;
    nodes.stop_all().await;
}

/// Part of the test above: a group takes seconds to found, and this changes nothing in it.
async fn what_http_serves(nodes: &Nodes, submitted: &Submitted) {
    let (code, head, checkpoint) = nodes.get(0, "/checkpoint").await;
    assert!(code == 200 && head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    assert_eq!(checkpoint, fs::read(nodes.folder(0).log().join("checkpoint")).unwrap());
    let (code, head, tile) = nodes.get(0, "/tile/0/000.p/1").await;
    assert!(code == 200 && tile.len() == 32 && head.contains("application/octet-stream"), "{head}");
    let (_, _, policy) = nodes.get(3, "/policy").await;
    let policy = Policy::parse(&policy).unwrap();
    for path in ["/proof/index/0", "/proof/plain-binary/0.1.0"] {
        let (code, _, proof) = nodes.get(3, path).await;
        assert_eq!(code, 200, "{path}");
        let verified = verify(&proof, &policy, None).unwrap();
        assert_eq!((verified.index, verified.entry.verdict.as_str()), (0, "reproduced"));
    }
    what_lookups_say(nodes, &policy).await;
    let file = nodes.folder(2).proofs().join("fixture-plain-binary-0.1.0.tlog-proof");
    Proof::parse(&fs::read(file).unwrap()).unwrap();
    let artifact = nodes.status(0).await.rounds[0].members[0].result.clone();
    let Some(synchronicity_node::status::ResultStatus::Artifacts(artifacts)) = artifact else { panic!("no artifacts") };
    let (code, _, bytes) = nodes.get(0, &format!("/artifacts/{}", artifacts[0].sha256)).await;
    assert_eq!((code, bytes.as_slice()), (200, b"the same bytes everywhere".as_slice()));
    let (code, _, transcript) = nodes.get(0, &format!("/transcripts/{}/builder-00", submitted.request)).await;
    let transcript = dechunked(&transcript);
    assert!(code == 200 && String::from_utf8_lossy(&transcript).contains("Compiling"));
    let (code, head, request) = nodes.get(0, &format!("/request/{}", submitted.request)).await;
    let request: serde_json::Value = serde_json::from_slice(&request).unwrap();
    assert!(code == 200 && head.contains("application/json") && request["purl"] == submitted.purl.as_str());
    let link = request["transcript"].as_str().unwrap();
    assert_eq!(nodes.get(0, link).await.0, 200);
    assert_eq!(nodes.get(0, request["explanation"].as_str().unwrap()).await.0, 404, "nothing diverged");
    crate::artifacts::what_is_served_in_parts(nodes, &artifacts[0].sha256);
    let (_, _, health) = nodes.get(0, "/health").await;
    assert_eq!(health, b"ok\n");
    for path in [
        "/tile/0/0",
        "/tile/0/000.p/0",
        "/tile/0/../../../keys/log.key",
        "/artifacts/../keys/log.key",
        "/proof/none/1.0.0",
        "/proof/index/1",
        "/transcripts/x/builder-00",
        "/transcripts/x",
        "/explanations/x",
        "/checkpoint/x",
        "/tile/0/%2e%2e/%2e%2e/node.toml",
    ] {
        assert_eq!(nodes.get(0, path).await.0, 404, "{path}");
    }
    let post =
        raw(nodes.http[0], "POST /status HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(post.0, 405);
    let long = format!("GET /{} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", "x".repeat(64 * 1024));
    assert!(raw(nodes.http[0], &long).0 >= 400);
}

/// Every lookup is answered with all that the log says, or with nothing and a proof of that; so is the whole log.
async fn what_lookups_say(nodes: &Nodes, policy: &Policy) {
    let (built, absent) = (
        MapKey::of_purl("pkg:generic/synchronicity-fixture/plain-binary@0.1.0"),
        MapKey::of_purl("pkg:cargo/plain-binary@0.1.0"),
    );
    let artifact = MapKey::of_artifact(&Digest::of(b"the same bytes everywhere"));
    for (key, digits, found) in [(built, 64, 1), (built, 0, 1), (artifact, 3, 1), (absent, 64, 0), (absent, 1, 0)] {
        let (code, _, answer) = nodes.get(1, &format!("/lookup/{}", Prefix::of(&key, digits))).await;
        assert_eq!(code, 200, "{}", String::from_utf8_lossy(&answer));
        let answer = lookup::verify(&answer, policy, &key).unwrap();
        assert_eq!((answer.entries.len(), answer.checkpoint.checkpoint.size), (found, 1));
    }
    assert_eq!(nodes.get(1, "/lookup/ABC").await.0, 400);
    let (code, _, bytes) = nodes.get(2, "/bundle").await;
    let mut reader = BundleReader::new(policy);
    let mut verdicts = Vec::new();
    reader.feed(&dechunked(&bytes), |_, leaf| verdicts.push(leaf.into_build().unwrap().verdict.as_str())).unwrap();
    let whole = reader.finish().unwrap();
    assert_eq!((code, verdicts, whole.replay.map().indices(&built)), (200, vec!["reproduced"], &[0_u64][..]));
}

/// The content of an answer whose length was not known when it began (RFC 9112 §7.1).
fn dechunked(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = body.windows(2).position(|pair| pair == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        content.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_liar_of_four_is_named_and_does_not_spoil_the_verdict() {
    let mut nodes = Nodes::found(4);
    nodes.lose_address(0, 3);
    (0..3).for_each(|member| nodes.start(member, None));
    nodes.start(3, Some(Misbehaviour::Liar));
    nodes.submit(0).await;
    nodes.until(0, "the member without an address", |status| status.peers == 3).await;
    let status = nodes.published(0, 1).await;
    let round = only(&status);
    assert_eq!(round.verdict.as_deref(), Some("reproduced"));
    let results: BTreeMap<&str, _> =
        round.members.iter().map(|member| (member.name.as_str(), &member.result)).collect();
    assert_eq!(results["builder-00"], results["builder-02"]);
    assert_ne!(results["builder-00"], results["builder-03"]);
    assert!(nodes.status(3).await.misbehaves.is_some());
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_silent_builder_costs_the_reveal_window_and_is_listed_as_not_revealed() {
    let mut nodes = Nodes::found(4);
    (0..3).for_each(|member| nodes.start(member, None));
    nodes.start(3, Some(Misbehaviour::Silent));
    nodes.submit(0).await;
    let status = nodes.published(0, 1).await;
    let round = only(&status);
    assert_eq!(round.verdict.as_deref(), Some("reproduced"));
    let silent = round.members.iter().find(|member| member.name == "builder-03").unwrap();
    assert!(silent.committed && !silent.revealed && silent.result.is_none());
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_builder_that_was_away_catches_up_and_what_was_lost_is_written_again() {
    let mut nodes = Nodes::found(4);
    (0..3).for_each(|member| nodes.start(member, None));
    let submitted = nodes.submit(0).await;
    // Commitments of absent members are waited for until the window ends, so the late one still takes part.
    nodes
        .until(0, "three commitments", |status| {
            status
                .rounds
                .first()
                .is_some_and(|round| round.members.iter().filter(|member| member.committed).count() == 3)
        })
        .await;
    // A member that is late could copy what it finds, so nothing is served that is not revealed.
    let (transcript, hash) = (submitted.request.clone() + ".gz", Digest::of(b"the same bytes everywhere").to_string());
    let kept = [nodes.folder(0).transcripts().join(transcript), nodes.folder(0).artifacts().join(&hash)];
    let transcript = format!("/transcripts/{}/builder-00", submitted.request);
    let artifact = format!("/artifacts/{hash}");
    for (path, kept) in [&transcript, &artifact].into_iter().zip(kept) {
        let (code, _, reason) = nodes.get(0, path).await;
        assert!(kept.exists(), "{path} must be refused although it is there");
        assert!(code == 404 && String::from_utf8_lossy(&reason).contains("concluded"), "{path}: {code}");
    }
    nodes.start(3, None);
    nodes.published(0, 1).await;
    assert_eq!((nodes.get(0, &transcript).await.0, nodes.get(0, &artifact).await.0), (200, 200));
    for member in 1..4 {
        nodes.published(member, 1).await;
    }
    nodes.stop_all().await;
    let before: PathBuf = nodes.folder(2).log().join("checkpoint");
    let checkpoint = fs::read(&before).unwrap();
    // What a crash between checkpoint and proofs, or an operator, may have left undone.
    fs::remove_dir_all(nodes.folder(2).proofs()).unwrap();
    fs::remove_dir_all(nodes.folder(1).log()).unwrap();
    (0..4).for_each(|member| nodes.start(member, None));
    let status = nodes.until(2, "the group to go on", |status| status.height > 0 && status.peers == 3).await;
    assert_eq!(status.log.published_size, 1);
    assert!(fs::read(&before).unwrap().len() >= checkpoint.len());
    nodes.published(1, 1).await;
    assert_eq!(fs::read(nodes.folder(1).log().join("tile/0/000.p/1")).unwrap().len(), 32);
    // The checkpoint of before is served from the start on, while proof files are still looked for.
    let (since, proof) = (Instant::now(), nodes.folder(2).proofs().join("fixture-plain-binary-0.1.0.tlog-proof"));
    while !proof.exists() {
        assert!(since.elapsed() < PATIENCE, "the proof is not written again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    nodes.stop_all().await;
}
