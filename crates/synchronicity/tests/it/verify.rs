//! `verify`: words, JSON and exit codes, and every published vector of a proof through the program.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::program::{Ran, of_the_verifier, run, sample};

type Answer = Result<(), Failed>;

/// The content that the sample's one artifact has.
const BINARY: &[u8] = b"the binary";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("verify::a_good_proof_is_told_in_words_that_keep_the_comparisons_apart", words),
        Trial::test("verify::a_file_is_compared_with_what_the_group_built", file),
        Trial::test("verify::json_says_what_the_words_say_also_when_it_fails", json),
        Trial::test("verify::a_proof_of_another_crate_or_another_version_is_refused_when_one_is_named", other_crate),
        Trial::test("verify::an_outcome_without_evidence_has_its_own_code_and_words", no_evidence),
        Trial::test("verify::every_published_vector_of_a_proof_gets_its_exit_code", vectors),
        Trial::test("verify::missing_files_and_bad_policies_are_usage_errors", usage),
        Trial::test("verify::completions_and_help_are_printed", help),
    ]
}

/// A folder with `proof`, `policy` and the artifact's `binary` in it.
fn folder(proof: &[u8], policy: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("proof"), proof).unwrap();
    fs::write(dir.path().join("policy"), policy).unwrap();
    fs::write(dir.path().join("binary"), BINARY).unwrap();
    dir
}

fn sample_folder() -> tempfile::TempDir {
    let (proof, policy) = sample();
    folder(&proof, &fs::read(policy).unwrap())
}

fn verify(dir: &Path, more: &[&str]) -> Ran {
    run(dir, [&["verify", "proof", "--policy", "policy"], more].concat())
}

fn words() -> Answer {
    let dir = sample_folder();
    let ran = verify(dir.path(), &[]).expect(0);
    assert_eq!(
        ran.out,
        "\
reproduced: hexyl 0.17.0
  source                   published on crates.io, sha256
    c8d18c54d108f4f0237eb4e1c4473cfd3dbd267afe97c2d967003bda0f546e08
  recipe                   rustc 1.95.0 for x86_64-unknown-linux-gnu,
                           executables, default features, lock as published,
                           image
    97e9d7a16021e6d07fbe28cce398f5847fc00c574991fbff65d95fd5e032d389
  builder against builder  4 of 4 got the same bytes; 3 are needed
                           agree: builder-0, builder-1, builder-2, builder-3
  artifact                 hexyl, 10 bytes
                           sha256
    c9798c8b717225ba988b01e15f41967cbab9a4974dc4ac448866bd06a0619259
  log                      entry 4 of synchronicity.example/sample, at size 7
  cosigned by              builder-0, builder-1, builder-2, builder-3; the
                           policy wants 3 of builder-0, builder-1, builder-2,
                           builder-3
  group against file       not compared: name a file to compare it
"
    );
    assert_eq!(ran.err, "", "nothing is said beside the answer");
    Ok(())
}

fn file() -> Answer {
    let dir = sample_folder();
    let same = verify(dir.path(), &["binary"]).expect(0);
    assert!(
        same.out.ends_with("group against file       binary is the artifact hexyl, byte for byte\n"),
        "{}",
        same.out
    );
    fs::write(dir.path().join("binary"), b"another binary")?;
    let other = verify(dir.path(), &["binary"]).expect(42);
    assert!(other.err.contains("binary is none of the artifacts that the group built"), "{}", other.err);
    assert!(other.err.contains("the evidence itself holds"), "{}", other.err);
    assert_eq!(other.out, "");
    Ok(())
}

fn json() -> Answer {
    let dir = sample_folder();
    let told = verify(dir.path(), &["binary", "--json"]).expect(0).json();
    assert_eq!(told["verdict"], "reproduced");
    assert_eq!(told["purl"], "pkg:cargo/hexyl@0.17.0");
    assert_eq!(told["agreeing"].as_array().unwrap().len(), 4);
    assert_eq!(told["artifacts"][0]["size"], 10);
    assert_eq!(told["file"]["artifact"], "hexyl");
    let told = verify(dir.path(), &["policy", "--json"]).expect(42).json();
    assert_eq!(told["exit"], 42);
    assert!(told["error"].as_str().unwrap().contains("none of the artifacts"));
    Ok(())
}

fn other_crate() -> Answer {
    let dir = sample_folder();
    for accepted in ["hexyl@0.17.0", "hexyl"] {
        verify(dir.path(), &["--crate", accepted]).expect(0);
    }
    // That of a lower version, too.
    for refused in ["hexyl@0.16.0", "hexyl@0.18.0", "bat@0.17.0"] {
        let ran = verify(dir.path(), &["--crate", refused]).expect(40);
        assert!(ran.err.contains(&format!("is about pkg:cargo/hexyl@0.17.0, not about {refused}")), "{}", ran.err);
    }
    Ok(())
}

fn no_evidence() -> Answer {
    for (vector, words) in [
        ("proof_diverged", &["diverged: ", "no 3 of 4 got the same", "got another result: ", "nothing to compare"][..]),
        ("proof_unbuildable", &["unbuildable: ", "could not build it, "]),
        ("proof_inconclusive", &["inconclusive: ", "revealed nothing: "]),
    ] {
        let ran = run_vector(vector).1.expect(41);
        for part in words {
            assert!(ran.out.contains(part), "{vector} lacks {part:?}:\n{}", ran.out);
        }
        assert!(!ran.out.contains("byte for byte"));
    }
    Ok(())
}

fn vectors() -> Answer {
    let mut count = 0;
    for entry in fs::read_dir(of_the_verifier("vectors"))? {
        let name = entry?.file_name().into_string().unwrap();
        if !name.starts_with("proof_") {
            continue;
        }
        let (expect, ran) = run_vector(&name);
        let code = match expect.as_str() {
            "verified" => 0,
            "invalid" => 40,
            "no-evidence" => 41,
            "mismatch" => 42,
            "below-threshold" => 43,
            other => panic!("{name} expects {other}"),
        };
        assert_eq!(ran.code, code, "{name}: {} {}", ran.out, ran.err);
        assert_eq!(ran.out.is_empty(), !matches!(code, 0 | 41), "{name}: an answer is for proofs that hold");
        count += 1;
    }
    assert!(count > 40, "only {count} vectors found");
    Ok(())
}

/// What a vector expects, and what the program says. The format is described beside the vectors.
fn run_vector(name: &str) -> (String, Ran) {
    let bytes = fs::read(of_the_verifier("vectors").join(name)).unwrap();
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let field = |field: &str| head.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
    let policy_bytes: usize = field("policy-bytes").unwrap().parse().unwrap();
    let (policy, proof) = bytes[end + 2..].split_at(policy_bytes);
    let dir = folder(proof, policy);
    // The one file that a vector expects to be found is the sample's.
    let found = field("expect") == Some("verified");
    let file = field("file").map(|_| if found { "binary" } else { "policy" });
    (field("expect").unwrap().to_owned(), verify(dir.path(), file.as_slice()))
}

fn usage() -> Answer {
    let dir = sample_folder();
    let ran = verify(dir.path(), &["absent"]).expect(2);
    assert!(ran.err.contains("cannot read absent"), "{}", ran.err);
    let ran = run(dir.path(), ["verify", "proof", "--policy", "binary"]).expect(2);
    assert!(ran.err.contains("binary is no policy") && ran.err.contains("get it from whom you trust"), "{}", ran.err);
    run(dir.path(), ["verify", "proof", "--policy", "absent"]).expect(2);
    run(dir.path(), ["verify", "proof"]).expect(2);
    run(dir.path(), ["verify", "proof", "--policy", "policy", "--no-such-flag"]).expect(2);
    let ran = run(dir.path(), ["verify", "/dev/zero", "--policy", "policy"]).expect(2);
    assert!(ran.err.contains("so it is no proof"), "{}", ran.err);
    Ok(())
}

fn help() -> Answer {
    let dir = tempfile::tempdir()?;
    let ran = run(dir.path(), ["--help"]).expect(0);
    for code in ["40", "41", "42", "43", "75"] {
        assert!(ran.out.contains(&format!("\n  {code}  ")), "help lacks exit code {code}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(dir.path(), ["completions", shell]).expect(0).out.contains("synchronicity"));
    }
    Ok(())
}
