//! `prove`, against nodes that are servers of these tests: an honest one, and others.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, NoteSignature, SignedNote};

use crate::program::{Ran, run, sample};
use crate::sample::{self as group, ORIGIN};
use crate::server::{Answer as Served, Server};

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("prove::a_good_proof_is_verified_kept_and_told", good),
        Trial::test("prove::a_proof_that_does_not_hold_is_never_written", damaged),
        Trial::test("prove::a_node_that_answers_with_another_crates_proof_is_caught", other_crate),
        Trial::test("prove::a_proof_of_a_lower_version_is_refused_and_not_kept", lower_version),
        Trial::test("prove::a_node_without_the_proof_is_no_evidence", absent),
        Trial::test("prove::a_node_that_is_not_there_is_for_later", unreachable),
        Trial::test("prove::an_endless_answer_is_refused", endless),
        Trial::test("prove::the_line_of_an_outside_witness_comes_from_the_checkpoint_beside_it", outside_witness),
        Trial::test("prove::a_crate_without_an_exact_version_is_a_usage_error", usage),
    ]
}

/// A node that serves `proof` at `path` and nothing else; returns its address.
fn node(path: &'static str, proof: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut line) = (String::new(), String::new());
            reader.read_line(&mut request).unwrap();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let (status, body) =
                if request.starts_with(&format!("GET {path} ")) { (200, &proof[..]) } else { (404, &[][..]) };
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            // A client that has read enough hangs up.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    address
}

fn prove(dir: &Path, node: &str, more: &[&str]) -> Ran {
    let policy = sample().1.display().to_string();
    run(dir, [&["prove", "hexyl@0.17.0", "--node", node, "--policy", &policy], more].concat())
}

const PATH: &str = "/proof/hexyl/0.17.0";

fn good() -> Answer {
    let (proof, policy) = sample();
    let node = node(PATH, proof.clone());
    let dir = tempfile::tempdir()?;
    let ran = prove(dir.path(), &format!("{node}/"), &[]).expect(0);
    assert!(ran.out.starts_with("reproduced: hexyl 0.17.0\n"), "{}", ran.out);
    assert!(ran.out.ends_with("  kept as                  hexyl-0.17.0.tlog-proof\n"), "{}", ran.out);
    assert_eq!(fs::read(dir.path().join("hexyl-0.17.0.tlog-proof"))?, proof);
    run(dir.path(), ["verify", "hexyl-0.17.0.tlog-proof", "--policy", policy.to_str().unwrap()]).expect(0);
    let told = prove(dir.path(), &node, &["--out", "named", "--json"]).expect(0).json();
    assert_eq!((told["proof"].as_str(), told["evidence"].as_bool()), (Some("named"), Some(true)));
    assert_eq!(fs::read(dir.path().join("named"))?, proof);
    Ok(())
}

#[track_caller]
fn expect_nothing_written(dir: &Path) {
    let left: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn damaged() -> Answer {
    let (proof, _) = sample();
    for at in [0, 300, proof.len() - 20] {
        let mut damaged = proof.clone();
        damaged[at] ^= 1;
        let dir = tempfile::tempdir()?;
        let ran = prove(dir.path(), &node(PATH, damaged), &[]).expect(40);
        assert!(ran.err.contains("the evidence is invalid"), "{}", ran.err);
        expect_nothing_written(dir.path());
    }
    Ok(())
}

fn other_crate() -> Answer {
    let (proof, policy) = sample();
    let node = node("/proof/bat/0.26.1", proof);
    let dir = tempfile::tempdir()?;
    let arguments = ["prove", "bat@0.26.1", "--node", &node, "--policy", policy.to_str().unwrap()];
    let ran = run(dir.path(), arguments).expect(40);
    assert!(ran.err.contains("is about pkg:cargo/hexyl@0.17.0, not about bat@0.26.1"), "{}", ran.err);
    expect_nothing_written(dir.path());
    Ok(())
}

fn lower_version() -> Answer {
    let (proof, policy) = sample();
    let node = node("/proof/hexyl/0.18.0", proof);
    let dir = tempfile::tempdir()?;
    let arguments = ["prove", "hexyl@0.18.0", "--node", &node, "--policy", policy.to_str().unwrap()];
    let ran = run(dir.path(), arguments).expect(40);
    assert!(ran.err.contains("is about pkg:cargo/hexyl@0.17.0, not about hexyl@0.18.0"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    expect_nothing_written(dir.path());
    Ok(())
}

fn absent() -> Answer {
    let dir = tempfile::tempdir()?;
    let ran = prove(dir.path(), &node("/elsewhere", Vec::new()), &[]).expect(41);
    assert!(ran.err.contains("has no proof for hexyl 0.17.0"), "{}", ran.err);
    assert!(ran.err.contains("absence is no evidence against the crate"), "{}", ran.err);
    expect_nothing_written(dir.path());
    Ok(())
}

fn unreachable() -> Answer {
    let dir = tempfile::tempdir()?;
    let ran = prove(dir.path(), "http://127.0.0.1:1", &["--json"]).expect(75);
    assert!(ran.err.contains("cannot reach 127.0.0.1:1"), "{}", ran.err);
    assert_eq!(ran.json()["exit"], 75);
    Ok(())
}

fn endless() -> Answer {
    let dir = tempfile::tempdir()?;
    let ran = prove(dir.path(), &node(PATH, vec![b'x'; 2 << 20]), &[]).expect(40);
    assert!(ran.err.contains("is larger than"), "{}", ran.err);
    expect_nothing_written(dir.path());
    Ok(())
}

fn usage() -> Answer {
    let (_, policy) = sample();
    let dir = tempfile::tempdir()?;
    for (spec, words) in [
        ("hexyl", "does not say which version"),
        ("hexyl@1.2", "is not an exact version"),
        ("./hexyl", "does not say which version"),
        ("9lives@1.0.0", "not a crate name"),
    ] {
        let arguments = ["prove", spec, "--node", "http://127.0.0.1:1", "--policy", policy.to_str().unwrap()];
        let ran = run(dir.path(), arguments).expect(2);
        assert!(ran.err.contains(words), "{spec}: {}", ran.err);
    }
    Ok(())
}

/// A node whose checkpoint is `first` when it is asked for the first time, and then `later`.
fn node_with_checkpoint(proof: Vec<u8>, first: SignedNote, later: SignedNote) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |path| match path {
        PATH => Served::Whole(proof.clone()),
        "/checkpoint" => {
            let note = if asked.fetch_add(1, Ordering::Relaxed) == 0 { &first } else { &later };
            Served::Whole(note.to_string().into_bytes())
        }
        _ => Served::Status(404),
    })
}

fn outside_witness() -> Answer {
    let [witness, stranger] =
        ["outside.example/w", "stranger.example/w"].map(|name| group::signer(name, KeyKind::Cosigner, name));
    let dir = tempfile::tempdir()?;
    let policy = fs::read_to_string(sample().1)?.replace(
        "quorum builders",
        &format!("witness outside {}\ngroup both all builders outside\nquorum both", witness.verifier_key()),
    );
    fs::write(dir.path().join("policy"), policy)?;
    let proof = group::good_proof();
    let with = |more: &[NoteSignature]| {
        let signatures = proof.checkpoint.signatures.iter().chain(more).cloned().collect();
        SignedNote { text: proof.checkpoint.text.clone(), signatures }
    };
    let text = &proof.checkpoint.text;
    let good = cosign(&witness, text, group::TIME_S).unwrap();
    let mut bad = good.clone();
    bad.signature[70] ^= 1;
    let of_stranger = cosign(&stranger, text, group::TIME_S).unwrap();
    let moved = Checkpoint { origin: ORIGIN.to_owned(), size: 8, root: Digest::of(b"grown") }.to_string();
    let moved = group::signed(&moved, &[0, 1, 2, 3]);
    let both = with(&[of_stranger.clone(), good.clone()]);
    let asked = |server: &Server, code: i32| {
        run(dir.path(), ["prove", "hexyl@0.17.0", "--policy", "policy", "--node", &server.address]).expect(code)
    };
    for (first, later) in [(both.clone(), both.clone()), (moved.clone(), both.clone())] {
        asked(&node_with_checkpoint(proof.to_string().into_bytes(), first, later), 0);
        let kept = fs::read_to_string(dir.path().join("hexyl-0.17.0.tlog-proof"))?;
        // What is not named would make the file one that is refused.
        assert!(kept.contains(&good.to_string()) && !kept.contains("stranger"), "{kept}");
        run(dir.path(), ["verify", "hexyl-0.17.0.tlog-proof", "--policy", "policy"]).expect(0);
        fs::remove_file(dir.path().join("hexyl-0.17.0.tlog-proof"))?;
    }
    for note in [with(&[]), with(&[of_stranger]), with(&[bad]), moved] {
        let ran = asked(&node_with_checkpoint(proof.to_string().into_bytes(), note.clone(), note), 43);
        assert!(ran.err.contains("outside"), "{}", ran.err);
        assert!(!dir.path().join("hexyl-0.17.0.tlog-proof").exists());
    }
    Ok(())
}
