//! `attest`, and nodes that send something else than their builder signs: each is refused with the reason, and nothing of
//! it is written.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use synchronicity::attest::dsse::{ENVELOPE_BYTES_MAX, Envelope};
use synchronicity::attest::evidence::Evidence;
use synchronicity::attest::key::AttestationKey;
use synchronicity::attest::link::{SignedLink, link};
use synchronicity::attest::provenance::provenance;
use synchronicity::attest::summary::summary;
use synchronicity_core::command::CommandKey;
use synchronicity_core::group::Group;
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::entry::Entry;

use crate::groups::{self, seed};
use crate::logs::Party;
use crate::program::{Ran, run};
use crate::sample::{self, INDEX};
use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("attest::what_builders_sign_is_checked_and_kept", good),
        Trial::test("attest::what_is_not_signed_by_a_builder_that_agreed_is_refused", other_keys),
        Trial::test("attest::what_the_entry_does_not_determine_is_refused_whoever_signed_it", other_statements),
        Trial::test("attest::truncated_and_endless_answers_are_refused", truncated_and_endless),
        Trial::test("attest::the_file_of_another_group_is_refused", other_group),
        Trial::test("attest::beside_a_false_node_the_good_one_still_counts_and_the_code_tells", beside_a_good_one),
    ]
}

const FORMATS: [&str; 3] = ["provenance", "summary", "link"];
/// The builders by their keys: 0 to 2 agree, 3 got something else.
const DISSENTER: u8 = 3;

/// The sample's builders with keys that are known here.
pub(crate) fn group() -> Group {
    groups::group(&Party::sample(), 3, 4)
}

/// An entry of that group, in which all but the dissenter built `content`.
fn entry(group: &Group, content: &str) -> Entry {
    let agreed = || Some(sample::built(content));
    let mut entry = sample::entry(3, &[agreed(), agreed(), agreed(), Some(sample::built("something else"))]);
    entry.group = group.id();
    let request = entry.request.id();
    for record in &mut entry.members {
        let index = record.name.bytes().last().unwrap() - b'0';
        record.builder = CommandKey::from_seed(seed("command", index)).id();
        let opening = record.opening.as_ref().unwrap();
        record.commitment = Some(commitment(&request, &record.builder, &opening.result, &opening.nonce));
    }
    entry.members.sort_by_key(|record| record.builder);
    entry
}

/// What the builder `of` would sign about `entry` in this format, signed with the key of `by`.
fn signed(group: &Group, entry: &Entry, format: &str, of: u8, by: &AttestationKey) -> Vec<u8> {
    let evidence = Evidence::new(entry, group).unwrap();
    let json = match format {
        "provenance" => {
            let builder = CommandKey::from_seed(seed("command", of)).id();
            Envelope::sign(provenance(&evidence, &builder).unwrap(), by).to_json()
        }
        "summary" => Envelope::sign(summary(&evidence), by).to_json(),
        _ => SignedLink::sign(link(&evidence), by).to_json(),
    };
    json.into_bytes()
}

fn key(index: u8) -> AttestationKey {
    AttestationKey::from_seed(&seed("attestation", index))
}

/// A client with the proof and its policy.
struct Scene {
    dir: tempfile::TempDir,
    group: Group,
    entry: Entry,
}

impl Scene {
    fn set() -> Self {
        let (dir, group) = (tempfile::tempdir().unwrap(), group());
        let entry = entry(&group, "the binary");
        fs::write(dir.path().join("proof"), sample::proof(entry.to_bytes(), &[0, 1, 2, 3]).to_string()).unwrap();
        fs::write(dir.path().join("policy"), sample::policy(3).to_string()).unwrap();
        Self { dir, group, entry }
    }

    /// What the builder `index` signs.
    fn right(&self, format: &str, index: u8) -> Vec<u8> {
        signed(&self.group, &self.entry, format, index, &key(index))
    }

    /// A node with the group's file, which answers as `answer` says when it is asked for a format.
    fn node(&self, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Server {
        let group = self.group.to_text();
        Server::start(move |path| match path.strip_prefix(&format!("/attestation/index/{INDEX}/")) {
            Some(format) => answer(format),
            None if path == "/group" => Answer::Whole(group.clone().into_bytes()),
            None => Answer::Status(404),
        })
    }

    /// A node that answers `format` with these bytes, and has nothing else.
    fn sends(&self, format: &'static str, bytes: Vec<u8>) -> Server {
        self.node(move |asked| if asked == format { Answer::Whole(bytes.clone()) } else { Answer::Status(404) })
    }

    fn attest(&self, nodes: &[&Server]) -> Ran {
        let words = ["attest", "proof", "--policy", "policy", "--out", "out", "--json", "--node"];
        run(self.dir.path(), words.into_iter().chain(nodes.iter().map(|node| node.address.as_str())))
    }

    /// The node is refused with `code` and these words, and nothing is written.
    #[track_caller]
    fn refused(&self, node: &Server, code: i32, words: &str) {
        let ran = self.attest(&[node]).expect(code);
        assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
        assert_eq!(ran.json()["exit"], code);
        let mut left: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["policy", "proof"]);
    }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn good() -> Outcome {
    let scene = Arc::new(Scene::set());
    let node = |index| {
        let (of, scene_of) = (index, scene.clone());
        scene.node(move |format| Answer::Whole(scene_of.right(format, of)))
    };
    let nodes = [node(0), node(1), node(2)];
    let told = scene.attest(&nodes.each_ref()).expect(0).json();
    assert_eq!((told["signers"].as_array().unwrap().len(), &told["trouble"]), (3, &Value::Array(vec![])), "{told}");
    // Three provenances, links and keys, and one summary of all.
    assert_eq!(files(&scene.dir.path().join("out")), 10);
    Ok(())
}

fn other_keys() -> Outcome {
    let scene = Scene::set();
    for format in FORMATS {
        let nobody = AttestationKey::from_seed(&seed("a stranger", 0));
        // Another key of the very member: it signs commands, and never statements.
        let command = AttestationKey::from_seed(&seed("command", 0));
        for by in [nobody, command, key(DISSENTER)] {
            let node = scene.sends(format, signed(&scene.group, &scene.entry, format, 0, &by));
            let words = if format == "link" { "has signed the link" } else { "no builder that agreed has signed it" };
            scene.refused(&node, 40, words);
        }
        // The key's name is right, and its signature is not.
        let mut spoiled: Value = serde_json::from_slice(&scene.right(format, 0))?;
        let sig = spoiled["signatures"][0]["sig"].as_str().unwrap().to_owned();
        let first = if sig.starts_with('A') || sig.starts_with('a') { "B" } else { "A" };
        spoiled["signatures"][0]["sig"] = format!("{}{}", first.to_lowercase(), &sig[1..]).into();
        scene.refused(&scene.sends(format, spoiled.to_string().into_bytes()), 40, "builder that agreed has signed");
    }
    Ok(())
}

fn other_statements() -> Outcome {
    let scene = Scene::set();
    let other = entry(&scene.group, "another binary");
    for (format, words) in [
        ("provenance", "builder-0 signed another provenance than the entry determines"),
        ("summary", "builder-0 signed another summary than the entry determines"),
        ("link", "no builder that agreed has signed the link that the entry determines"),
    ] {
        scene.refused(&scene.sends(format, signed(&scene.group, &other, format, 0, &key(0))), 40, words);
    }
    let of_another = signed(&scene.group, &scene.entry, "provenance", 1, &key(0));
    scene.refused(&scene.sends("provenance", of_another), 40, "signed another provenance");
    // Each statement is a good one, in the place of another.
    for (asked, sent) in [("provenance", "summary"), ("summary", "provenance")] {
        let words = format!("signed another {asked}");
        scene.refused(&scene.sends(asked, scene.right(sent, 0)), 40, &words);
    }
    scene.refused(&scene.sends("provenance", scene.right("link", 0)), 40, "no DSSE envelope");
    let two = Envelope::parse(&scene.right("summary", 0))?.merged(Envelope::parse(&scene.right("summary", 1))?);
    let two = scene.sends("summary", two.unwrap().to_json().into_bytes());
    scene.refused(&two, 40, "a node signs for its own builder only");
    Ok(())
}

fn truncated_and_endless() -> Outcome {
    let scene = Scene::set();
    for format in FORMATS {
        let right = scene.right(format, 0);
        for length in [0, 1, right.len() / 2, right.len() - 1] {
            let words = "is not what a builder signs for this entry";
            scene.refused(&scene.sends(format, right[..length].to_vec()), 40, words);
        }
        // The connection breaks off: that says nothing against the node.
        let mut cut = head(200, &format!("Content-Length: {}", right.len()));
        cut.extend_from_slice(&right[..right.len() / 2]);
        let node =
            scene.node(move |asked| if asked == format { Answer::Raw(cut.clone()) } else { Answer::Status(404) });
        scene.refused(&node, 75, "the answer broke off");
        // Beginning as it should, and never ending.
        let begin = [head(200, "Content-Type: application/json"), right].concat();
        let node = scene.node(move |asked| match asked == format {
            true => Answer::Flood(begin.clone(), vec![b' '; 4096]),
            false => Answer::Status(404),
        });
        scene.refused(&node, 40, "is larger than");
    }
    let padded = [scene.right("summary", 0), vec![b' '; ENVELOPE_BYTES_MAX]].concat();
    scene.refused(&scene.sends("summary", padded), 40, "is larger than");
    Ok(())
}

fn other_group() -> Outcome {
    let scene = Scene::set();
    let ours = scene.group.to_text();
    let other = ours.replace("threshold = 3", "threshold = 4");
    assert_ne!(other, ours);
    for (text, words) in [(other, "the group file of"), ("nonsense".to_owned(), "is not the file of the group")] {
        let node = Server::start(move |_| Answer::Whole(text.clone().into_bytes()));
        scene.refused(&node, 40, words);
    }
    let flood = Server::start(|_| Answer::Flood(head(200, "Content-Type: text/plain"), vec![b'#'; 4096]));
    scene.refused(&flood, 40, "is larger than");
    Ok(())
}

fn beside_a_good_one() -> Outcome {
    let scene = Arc::new(Scene::set());
    let of = scene.clone();
    let right = scene.node(move |format| Answer::Whole(of.right(format, 1)));
    let forged = scene.sends("summary", signed(&scene.group, &scene.entry, "summary", 0, &key(DISSENTER)));
    let told = scene.attest(&[&forged, &right]).expect(40).json();
    assert_eq!((told["signers"].as_array().unwrap().len(), &told["signers"][0]["name"]), (1, &"builder-1".into()));
    let out = scene.dir.path().join("out");
    let kept = Envelope::parse(&fs::read(out.join("hexyl-0.17.0.summary.json"))?)?;
    assert_eq!((files(&out), kept.signatures().len()), (4, 1), "only what builder-1 signed");
    Ok(())
}
