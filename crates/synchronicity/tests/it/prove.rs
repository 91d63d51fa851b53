//! `prove`, against nodes that are servers of these tests: an honest one, and others.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::program::{Ran, run, sample};

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("prove::a_good_proof_is_verified_kept_and_told", good),
        Trial::test("prove::a_proof_that_does_not_hold_is_never_written", damaged),
        Trial::test("prove::a_node_that_answers_with_another_crates_proof_is_caught", other_crate),
        Trial::test("prove::a_node_without_the_proof_is_no_evidence", absent),
        Trial::test("prove::a_node_that_is_not_there_is_for_later", unreachable),
        Trial::test("prove::an_endless_answer_is_refused", endless),
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
