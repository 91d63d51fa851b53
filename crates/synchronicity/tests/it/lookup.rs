//! `lookup` and `bundle`: from nodes, from kept answers, from whole logs.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::bundle::head;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, SignedNote};
use synchronicity_verify::tile::encode_bundle;

use crate::logs::{Log, file_at};
use crate::program::{Ran, run};
use crate::sample;
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("lookup::a_node_answers_with_all_entries_and_learns_only_the_beginning_of_the_key", asked),
        Trial::test("lookup::what_is_not_there_is_no_evidence_at_a_size", absent),
        Trial::test("lookup::a_file_is_found_by_its_content", file),
        Trial::test("lookup::a_kept_answer_and_a_whole_log_say_the_same_and_ask_nobody", offline),
        Trial::test("lookup::filters_hide_entries_and_say_so", filters),
        Trial::test("lookup::a_false_answer_is_refused", false_answers),
        Trial::test("lookup::a_damaged_or_cut_off_bundle_is_never_kept", damaged_bundle),
        Trial::test(
            "lookup::a_bundle_takes_the_outside_witness_line_that_its_policy_wants_from_the_checkpoint",
            outside,
        ),
        Trial::test("lookup::a_log_that_forked_is_refused_also_from_a_bundle", forked),
        Trial::test("lookup::a_command_without_a_subject_or_a_place_is_a_usage_error", usage),
    ]
}

fn node(log: &Log) -> Server {
    let (folder, size) = (log.path(), log.entries.len());
    let whole = whole(log);
    let log = Log::of(log.entries.clone(), &[0, 1, 2, 3]);
    assert_eq!(log.entries.len(), size);
    Server::start(move |path| match path.strip_prefix("/lookup/") {
        Some(prefix) => Answer::Whole(log.answer(prefix)),
        None if path == "/bundle" => Answer::Whole(whole.clone()),
        None => file_at(&folder, path),
    })
}

fn whole(log: &Log) -> Vec<u8> {
    let note = SignedNote::parse(&fs::read(log.file("checkpoint")).unwrap()).unwrap();
    let entries: Vec<Vec<u8>> = log.entries.iter().map(|entry| entry.to_bytes()).collect();
    [head(&note), encode_bundle(entries.iter().map(Vec::as_slice)).unwrap()].concat()
}

fn lookup(log: &Log, arguments: &[&str]) -> Ran {
    run(log.dir.path(), [&["lookup", "--policy", "policy"], arguments].concat())
}

fn asked() -> Outcome {
    let log = Log::new(520);
    let node = node(&log);
    let ran = lookup(&log, &["crate-7@0.17.0", "--node", &node.address]).expect(0);
    assert!(ran.out.starts_with("crate-7 0.17.0: one entry, and no other\n  entry 7"), "{}", ran.out);
    assert!(ran.out.contains("at size 520") && ran.out.contains("vouched for by a quorum"), "{}", ran.out);
    let asked: Vec<_> = node.asked().into_iter().filter(|path| path.starts_with("/lookup")).collect();
    assert_eq!(asked.iter().map(|path| path.len()).collect::<Vec<_>>(), ["/lookup/f".len()], "{asked:?}");
    lookup(&log, &["crate-7@0.17.0", "--node", &node.address, "--reveal", "0"]).expect(0);
    assert_eq!(node.asked().last().unwrap(), "/lookup/");
    lookup(&log, &["crate-7@0.17.0", "--node", &node.address, "--reveal", "64"]).expect(0);
    assert_eq!(node.asked().last().unwrap().len(), "/lookup/".len() + 64);
    lookup(&log, &["crate-7@0.17.0", "--node", &node.address, "--reveal", "65"]).expect(2);
    Ok(())
}

fn absent() -> Outcome {
    let log = Log::new(5);
    let node = node(&log);
    let ran = lookup(&log, &["nothing@1.0.0", "--node", &node.address]).expect(41);
    assert!(ran.out.starts_with("nothing 1.0.0: no entry at size 5\n"), "{}", ran.out);
    assert!(ran.out.contains("no evidence against it"), "{}", ran.out);
    let told = lookup(&log, &["crate-1@0.17.1", "--json", "--node", &node.address]).expect(41).json();
    assert_eq!(
        (told["found"].as_u64(), told["log"]["size"].as_u64(), told["exit"].as_u64()),
        (Some(0), Some(5), Some(41))
    );
    // An entry without agreement is shown, and is no evidence either.
    let results = [Some(sample::built("one")), Some(sample::built("two")), Some(sample::built("three")), None];
    let log = Log::of(sample::history(&[("odd", results)]), &[0, 1, 2, 3]);
    let node = self::node(&log);
    let ran = lookup(&log, &["odd@0.17.0", "--node", &node.address]).expect(41);
    assert!(ran.out.contains("diverged: odd 0.17.0"), "{}", ran.out);
    Ok(())
}

fn file() -> Outcome {
    let log = Log::new(3);
    let node = node(&log);
    fs::write(log.dir.path().join("binary"), "the binary")?;
    let sha256 = Digest::of(b"the binary").to_string();
    for subject in [["--file", "binary"], ["--artifact", &sha256]] {
        let ran = lookup(&log, &[&subject[..], &["--node", &node.address]].concat()).expect(0);
        let words = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("3 entries, and no others"), "{}", ran.out);
    }
    lookup(&log, &["--file", "policy", "--node", &node.address]).expect(41);
    lookup(&log, &["--file", "absent", "--node", &node.address]).expect(2);
    Ok(())
}

fn offline() -> Outcome {
    let log = Log::new(300);
    let node = node(&log);
    let answer = |more: &[&str]| lookup(&log, &[&["crate-9@0.17.0", "--json"], more].concat()).expect(0).json();
    let online = answer(&["--node", &node.address, "--out", "answer"]);
    assert_eq!(online["entries"][0]["index"], 9);
    run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", &node.address]).expect(0);
    // A copy of the log's files has the same bytes.
    run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "copied", "--node", "log"]).expect(0);
    assert_eq!(fs::read(log.dir.path().join("whole"))?, fs::read(log.dir.path().join("copied"))?);
    let asked = node.asked().len();
    assert_eq!(answer(&["--answer", "answer"]), online);
    assert_eq!(answer(&["--bundle", "whole"]), online);
    assert_eq!(node.asked().len(), asked, "nobody hears of it");
    Ok(())
}

fn filters() -> Outcome {
    let log = Log::new(3);
    let node = node(&log);
    let args = |filter: &'static str, value: &'static str| {
        ["crate-1@0.17.0", "--node", &node.address, filter, value].map(str::to_owned)
    };
    let run = |filter, value| lookup(&log, &args(filter, value).iter().map(String::as_str).collect::<Vec<_>>());
    run("--toolchain", "1.95.0").expect(0);
    run("--target", "x86_64-unknown-linux-gnu").expect(0);
    let ran = run("--toolchain", "1.94.0").expect(41);
    assert!(ran.out.contains("one entry, and no other; 0 shown, 1 of another recipe"), "{}", ran.out);
    run("--target", "riscv64gc-unknown-linux-gnu").expect(41);
    Ok(())
}

fn false_answers() -> Outcome {
    let log = Log::new(6);
    let good = log.answer("");
    let write = |bytes: &[u8]| fs::write(log.dir.path().join("answer"), bytes).unwrap();
    let check = || lookup(&log, &["crate-2@0.17.0", "--answer", "answer"]);
    write(&good);
    check().expect(0);
    for at in (0..good.len()).step_by(997) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        write(&bad);
        assert!([40, 43].contains(&check().code), "byte {at}");
    }
    // An answer about something else.
    let digit = |name: &str| {
        let key = synchronicity_verify::map::MapKey::of_crate(&name.parse().unwrap(), &"0.17.0".parse().unwrap());
        key.0.to_string()
    };
    write(&log.answer(&digit("crate-3")));
    let ran = check().expect(40);
    assert!(ran.err.contains("the answer is about keys that begin with"), "{}", ran.err);
    log.publish(6, &[0, 1]);
    write(&log.answer(""));
    check().expect(43);
    let node = Server::start(|path| if path == "/lookup/" { Answer::Status(404) } else { Answer::Status(500) });
    lookup(&log, &["crate-2@0.17.0", "--node", &node.address, "--reveal", "0"]).expect(75);
    let node = Server::start(|_| Answer::Status(413));
    let ran = lookup(&log, &["crate-2@0.17.0", "--node", &node.address, "--reveal", "0"]).expect(2);
    assert!(ran.err.contains("--reveal 1"), "{}", ran.err);
    Ok(())
}

fn damaged_bundle() -> Outcome {
    let log = Log::new(4);
    let good = whole(&log);
    let bundle = |bytes: Vec<u8>| {
        let node = Server::start(move |_| Answer::Whole(bytes.clone()));
        run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", &node.address])
    };
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    for bad in [flipped, good[..good.len() - 1].to_vec(), [&good[..], b"x"].concat(), b"no bundle".to_vec(), Vec::new()]
    {
        bundle(bad).expect(40);
        assert!(!log.dir.path().join("whole").exists());
    }
    let left: Vec<_> = fs::read_dir(log.dir.path())?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but the log and the policy: {left:?}");
    bundle(good).expect(0);
    run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "x", "--node", "http://127.0.0.1:1"]).expect(75);
    Ok(())
}

fn outside() -> Outcome {
    let log = Log::new(300);
    let [witness, stranger] =
        ["outside.example/w", "stranger.example/w"].map(|name| sample::signer(name, KeyKind::Cosigner, name));
    let policy = fs::read_to_string(log.policy())?.replace(
        "quorum builders",
        &format!("witness outside {}\ngroup both all builders outside\nquorum both", witness.verifier_key()),
    );
    fs::write(log.policy(), policy)?;
    // As a node has it: lines of builders alone.
    let node = node(&log);
    let asked = || run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", &node.address]);
    let ran = asked().expect(43);
    assert!(ran.err.contains("outside") && !log.dir.path().join("whole").exists(), "{}", ran.err);
    let mut note = SignedNote::parse(&fs::read(log.file("checkpoint"))?)?;
    for signer in [&stranger, &witness] {
        note.signatures.push(cosign(signer, &note.text, sample::TIME_S).unwrap());
    }
    fs::write(log.file("checkpoint"), note.to_string())?;
    asked().expect(0);
    lookup(&log, &["crate-7@0.17.0", "--bundle", "whole"]).expect(0);
    Ok(())
}

fn forked() -> Outcome {
    let log = Log::new(9);
    let crates: Vec<String> = (0..20).map(|index| format!("crate-{index}")).collect();
    let results =
        |index: usize| [0, 1, 2, 3].map(|_| Some(sample::built(if index < 3 { "the binary" } else { "another" })));
    let crates: Vec<_> = crates.iter().enumerate().map(|(index, name)| (name.as_str(), results(index))).collect();
    let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    lookup(&log, &["crate-1@0.17.0", "--node", &node(&log).address]).expect(0);
    fs::write(log.dir.path().join("theirs"), whole(&liar))?;
    let ran = lookup(&log, &["crate-1@0.17.0", "--bundle", "theirs"]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    let ran = lookup(&log, &["crate-1@0.17.0", "--node", &node(&liar).address]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    Ok(())
}

fn usage() -> Outcome {
    let log = Log::new(1);
    for bad in [
        &["--node", "http://127.0.0.1:1"][..],
        &["crate-0@0.17.0"],
        &["crate-0", "--node", "http://127.0.0.1:1"],
        &["crate-0@0.17.0", "--artifact", "00", "--node", "http://127.0.0.1:1"],
        &["crate-0@0.17.0", "--node", "folder"],
        &["crate-0@0.17.0", "--bundle", "absent"],
        &["crate-0@0.17.0", "--answer", "a", "--bundle", "b"],
    ] {
        lookup(&log, bad).expect(2);
    }
    Ok(())
}
