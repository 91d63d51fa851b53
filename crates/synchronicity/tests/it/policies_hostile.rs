//! `trust` where a server lies, a policy would ask for less, processes meet, and one is killed.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::groups::group;
use crate::logs::{Log, Party};
use crate::policies::{hash, listed, node, trust};
use crate::program::run;
use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("policies::what_a_hostile_server_sends_is_no_policy", hostile),
        Trial::test("policies::a_policy_that_asks_for_less_takes_no_place_by_itself", weaker),
        Trial::test("policies::a_policy_is_replaced_only_by_its_hash_and_it_is_told_what_changes", replaced),
        Trial::test("policies::processes_that_add_at_the_same_time_lose_nothing", at_once),
        Trial::test("policies::a_process_that_is_killed_leaves_a_policy_whole_or_not_there", killed),
        Trial::test("policies::what_was_altered_on_disk_is_not_used", damaged),
    ]
}

/// The policy and the group file that a server sends, in one way or another.
type Sends = fn(policy: &str, group: &str) -> (Answer, Answer);

fn endless() -> Answer {
    Answer::Flood(head(200, "Content-Type: text/plain"), b"# a comment without end\n".repeat(1000))
}

fn hostile() -> Outcome {
    let dir = tempfile::tempdir()?;
    let good = group(&Party::sample(), 3, 4);
    let cases: [(&str, i32, &str, Sends); 12] = [
        ("nothing", 2, "there is no policy at", |_, _| (Answer::Status(404), Answer::Status(404))),
        ("trouble", 75, "status 500", |_, _| (Answer::Status(500), Answer::Status(500))),
        ("garbage", 40, "is no policy", |_, _| (Answer::Whole(b"\x7fELF".to_vec()), Answer::Status(404))),
        ("escapes", 40, "is no policy", |policy, _| {
            (Answer::Whole(format!("{policy}# \x1b[2J\n").into_bytes()), Answer::Status(404))
        }),
        ("cut off", 40, "cut off", |policy, _| {
            (Answer::Whole(policy.trim_end().as_bytes().to_vec()), Answer::Status(404))
        }),
        ("broken off", 75, "cannot reach", |policy, _| {
            let mut raw = head(200, "Content-Length: 9000");
            raw.extend_from_slice(policy.as_bytes());
            (Answer::Raw(raw), Answer::Status(404))
        }),
        ("endless", 40, "larger than 131072 bytes", |_, _| (endless(), Answer::Status(404))),
        ("said to be huge", 40, "larger than 131072 bytes", |_, _| {
            (Answer::Raw(head(200, "Content-Length: 99999999999")), Answer::Status(404))
        }),
        ("elsewhere", 75, "redirect", |_, _| {
            (Answer::Raw(head(302, "Location: http://127.0.0.1:1/policy")), Answer::Status(404))
        }),
        ("no group", 40, "is no group file", |policy, _| {
            (Answer::Whole(policy.as_bytes().to_vec()), Answer::Whole(b"members = 4".to_vec()))
        }),
        ("endless group", 40, "larger than 1048576 bytes", |policy, _| {
            (Answer::Whole(policy.as_bytes().to_vec()), endless())
        }),
        ("a group of more", 40, "builder-3 is a member of the group, and counts for nothing", |policy, group| {
            let fewer = policy.replace(" builder-3\n", "\n");
            (Answer::Whole(fewer.into_bytes()), Answer::Whole(group.as_bytes().to_vec()))
        }),
    ];
    for (what, code, told, sends) in cases {
        let (policy, file) = (good.policy_text(None)?, good.to_text());
        let server = Server::start(move |path| {
            let (policy, group) = sends(&policy, &file);
            if path == "/policy" { policy } else { group }
        });
        let ran = trust(dir.path(), &["add", &server.address, "--pin", &hash(&good)]).expect(code);
        assert!(ran.err.contains(told) && !ran.err.contains('\x1b'), "{what}: {}", ran.err);
        assert!(ran.out.is_empty() && !dir.path().join(".policies").exists(), "{what}: {}", ran.out);
    }
    // The file of another group, and another policy than the one that was told of.
    let (other, policy) = (group(&Party::named("other"), 3, 4), good.policy_text(None)?);
    let mixed = Server::start(move |path| match path {
        "/policy" => Answer::Whole(policy.clone().into_bytes()),
        _ => Answer::Whole(other.to_text().into_bytes()),
    });
    assert!(trust(dir.path(), &["add", &mixed.address]).expect(40).err.contains("contradict each other"));
    let other = node(&group(&Party::named("other"), 3, 4));
    assert!(
        trust(dir.path(), &["add", &other.address, "--pin", &hash(&good)])
            .expect(40)
            .err
            .contains("the policy has the hash")
    );
    trust(dir.path(), &["add", "http://127.0.0.1:1", "--pin", &hash(&good)]).expect(75);
    trust(dir.path(), &["add", "ftp://127.0.0.1", "--pin", &hash(&good)]).expect(2);
    assert!(listed(dir.path()).is_empty());
    Ok(())
}

fn weaker() -> Outcome {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let party = Party::sample();
    let good = group(&party, 3, 4);
    trust(dir, &["add", &node(&good).address, "--pin", &hash(&good)]).expect(0);
    let kept = fs::read(dir.join(".policies/sample.toml"))?;
    let refused = |arguments: &[&str], told: &[&str]| {
        let ran = trust(dir, &[&["add"], arguments].concat()).expect(2);
        assert!(told.iter().all(|told| ran.err.contains(told)), "{told:?}: {}", ran.err);
        assert_eq!(fs::read(dir.join(".policies/sample.toml")).unwrap(), kept, "{told:?}");
        assert_eq!(listed(dir), ["sample"]);
    };
    let less = "it would ask for less than what is trusted";
    // A node of the group, with a policy and a group file that fit each other.
    let fewer = group(&party, 2, 3);
    let told = ["no longer a builder: builder-3", "signers needed: 3 of 4 builders -> 2 of 3 builders", less];
    refused(&[&node(&fewer).address, "--pin", &hash(&fewer)], &told);
    refused(&[&node(&fewer).address, "--pin", &hash(&fewer), "--name", "another"], &told);
    let files = [
        (party.policy(2, 4).to_string(), &["signers needed: 3 of 4 builders -> 2 of 4 builders", less][..]),
        (party.policy(3, 3).to_string(), &["signers needed: 3 of 4 builders -> 3 of 3 builders", less]),
        (party.policy(4, 4).to_string(), &["signers needed: 3 of 4 builders -> 4 of 4 builders"]),
        (format!("log {}\nquorum none\n", party.log_signer().verifier_key()), &["-> 0 of 0 builders", less]),
        // Another log that calls itself the same, and the same log under another name.
        (format!("log {}\nquorum none\n", impostor(&party.origin)), &["log: ", less]),
    ];
    for (policy, told) in files {
        fs::write(dir.join("policy.txt"), policy)?;
        refused(&["policy.txt", "--yes"], told);
        refused(&["policy.txt", "--yes", "--name", "another"], told);
    }
    // The same policy beside a group file with another threshold for equal bytes.
    let text = good.to_text().replace("threshold = 3", "threshold = 4");
    fs::write(dir.join("group.toml"), text)?;
    fs::write(dir.join("policy.txt"), party.policy(3, 4).to_string())?;
    refused(&["policy.txt", "--group", "group.toml", "--yes"], &["threshold: 3 of 4 members", "-> 4 of 4 members"]);
    Ok(())
}

fn impostor(origin: &str) -> String {
    let signer = crate::sample::signer(origin, synchronicity_verify::note::KeyKind::Log, "mallory");
    signer.verifier_key().to_string()
}

fn replaced() -> Outcome {
    let log = Log::new(4);
    let dir = log.dir.path();
    let (old, new) = (group(&log.party, 3, 4), group(&log.party, 2, 3));
    trust(dir, &["add", &node(&old).address, "--pin", &hash(&old)]).expect(0);
    log.publish(4, &[0, 1]);
    let look_up = || run(dir, ["lookup", "crate-1@0.17.0", "--bundle", "whole", "--policy", "sample"]);
    run(dir, ["bundle", "--node", "log", "--out", "whole", "--policy", "sample"]).expect(43);
    let place = node(&new).address;
    trust(dir, &["replace", "sample", &place]).expect(2);
    trust(dir, &["replace", "sample", &place, "--pin", &hash(&old)]).expect(40);
    trust(dir, &["replace", "absent", &place, "--pin", &hash(&new)]).expect(2);
    assert!(trust(dir, &["show", "sample"]).expect(0).out.contains(&hash(&old)));
    let told = trust(dir, &["replace", "sample", &place, "--pin", &hash(&new)]).expect(0).out;
    for line in ["no longer a builder: builder-3", "3 of 4 builders -> 2 of 3 builders", "it would ask for less"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(trust(dir, &["show", "sample"]).expect(0).out.contains(&hash(&new)));
    run(dir, ["bundle", "--node", "log", "--out", "whole", "--policy", "sample"]).expect(0);
    look_up().expect(0);
    // Back, and once more: not even a quiet run says nothing of it.
    trust(dir, &["replace", "sample", &node(&old).address, "--pin", &hash(&old), "-q"]).expect(0);
    let told = trust(dir, &["replace", "sample", &place, "--pin", &hash(&new), "-q"]).expect(0);
    assert_eq!((told.out.as_str(), told.err.as_str()), ("", "sample: it asks for less than what was trusted"));
    let told = trust(dir, &["replace", "sample", &place, "--pin", &hash(&new), "--json"]).expect(0).json();
    assert_eq!((&told["changes"], &told["weaker"]), (&serde_json::json!([]), &false.into()));
    // Not by the policy of a log that is trusted under another name.
    let other = group(&Party::named("other"), 3, 4);
    trust(dir, &["add", &node(&other).address, "--pin", &hash(&other)]).expect(0);
    trust(dir, &["replace", "sample", &node(&other).address, "--pin", &hash(&other)]).expect(2);
    Ok(())
}

fn add_file(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synchronicity"));
    command.args(["trust", "add", "--yes"]).args(arguments).current_dir(dir);
    command.env("SYNCHRONICITY_POLICIES", dir.join(".policies")).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn at_once() -> Outcome {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let names: Vec<String> = (0..8).map(|index| format!("party-{index}")).collect();
    for name in &names {
        fs::write(dir.join(format!("{name}.txt")), Party::named(name).policy(3, 4).to_string())?;
    }
    // Each of its own log, under its own name.
    let added = names.iter().map(|name| add_file(dir, &[&format!("{name}.txt")]).spawn());
    for mut child in added.collect::<Result<Vec<_>, _>>()? {
        assert!(child.wait()?.success());
    }
    assert_eq!(listed(dir), names);
    // All of one log, and each another policy: one is trusted, and no other takes its place.
    for name in &names {
        trust(dir, &["remove", name]).expect(0);
    }
    let party = Party::named("one");
    for threshold in 1..=4 {
        fs::write(dir.join(format!("{threshold}.txt")), party.policy(threshold, 4).to_string())?;
    }
    let added = (1..=4).map(|threshold| add_file(dir, &[&format!("{threshold}.txt")]).spawn());
    let ended = added.collect::<Result<Vec<_>, _>>()?.into_iter().map(|mut child| child.wait());
    let codes: Vec<_> = ended.map(|ended| ended.unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(2)).count(), 3, "{codes:?}");
    let won = codes.iter().position(|code| *code == Some(0)).unwrap() + 1;
    assert_eq!(trust(dir, &["show", "one", "--json"]).expect(0).json()["signers_min"], won);
    Ok(())
}

fn killed() -> Outcome {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let (old, new) = (Party::named("one").policy(3, 4), Party::named("one").policy(4, 4));
    fs::write(dir.join("old.txt"), old.to_string())?;
    fs::write(dir.join("new.txt"), new.to_string())?;
    trust(dir, &["add", "old.txt", "--yes"]).expect(0);
    let (mut seen_old, mut seen_new) = (0, 0);
    for round in 0..60_u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synchronicity"));
        let pin = new.sha256().to_string();
        command.args(["trust", "replace", "one", "new.txt", "--pin", &pin]).current_dir(dir);
        command.env("SYNCHRONICITY_POLICIES", dir.join(".policies")).stdout(Stdio::null());
        let mut child = command.spawn()?;
        std::thread::sleep(Duration::from_micros(400 * round));
        child.kill()?;
        child.wait()?;
        let kept = trust(dir, &["show", "one", "--json"]).expect(0).json()["sha256"].as_str().unwrap().to_owned();
        if kept == old.sha256().to_string() {
            seen_old += 1;
        } else {
            assert_eq!(kept, pin);
            seen_new += 1;
            let pin = old.sha256().to_string();
            trust(dir, &["replace", "one", "old.txt", "--pin", &pin]).expect(0);
        }
        assert_eq!(listed(dir), ["one"], "what a killed process left is no policy");
    }
    assert!(seen_old > 0, "{seen_old} rounds were killed before, {seen_new} after");
    Ok(())
}

fn damaged() -> Outcome {
    let log = Log::new(3);
    let dir = log.dir.path();
    trust(dir, &["add", "policy", "--yes"]).expect(0);
    let path = dir.join(".policies/sample.toml");
    let good = fs::read_to_string(&path)?;
    let verify = || run(dir, ["lookup", "crate-1@0.17.0", "--node", "http://127.0.0.1:1"]);
    verify().expect(75);
    for bad in [
        good.replace("group builders 3", "group builders 2"),
        good.replace("sha256 = \"", "sha256 = \"0"),
        good.replace("from = ", "form = "),
        good[..good.len() / 2].to_owned(),
        String::new(),
        "any = 2\nof = [\"sample\"]\n".to_owned(),
        "any = 2\nof = [\"sample\", \"../x\"]\n".to_owned(),
    ] {
        fs::write(&path, &bad)?;
        let ran = verify().expect(1);
        assert!(ran.err.contains("is not as `synchronicity trust` writes it"), "{bad}: {}", ran.err);
        trust(dir, &["list"]).expect(1);
    }
    fs::File::create(&path)?.set_len(1 << 34)?;
    verify().expect(1);
    fs::remove_file(&path)?;
    // Nor is what is no file waited for.
    assert!(Command::new("mkfifo").arg(&path).status()?.success());
    verify().expect(1);
    fs::remove_file(&path)?;
    std::os::unix::fs::symlink("nowhere", &path)?;
    verify().expect(1);
    Ok(())
}
