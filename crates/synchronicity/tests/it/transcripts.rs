//! Whole sessions as a person sees them, held against files: `SNAPSHOTS=overwrite` writes them anew.
//!
//! Every line is at most 80 columns wide, of ASCII, and without colour.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::audit::lock;
use crate::logs::{Log, Party};
use crate::look_up::log;
use crate::program::command;
use crate::store::{entries, keep, program, store};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("transcripts::installing_listing_and_removing", installing),
        Trial::test("transcripts::files_and_proofs_that_hold_and_that_do_not", verifying),
        Trial::test("transcripts::dependencies_and_the_gate", auditing),
        Trial::test("transcripts::whom_to_trust_and_what_is_set", trusting),
        Trial::test("transcripts::three_groups_of_which_two_must_agree", together),
        Trial::test("transcripts::copies_files_and_mistakes", looking),
        Trial::test("transcripts::help", help),
    ]
}

/// What a session said so far.
struct Session {
    dir: TempDir,
    said: String,
}

/// As long as the path of a session's folder, so that lines are folded where it stands as they would be.
const HOME: &str = "/home/sample";

impl Session {
    /// In a folder whose path has the same length everywhere.
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("s").rand_bytes(6).tempdir_in("/tmp").unwrap();
        assert_eq!(dir.path().as_os_str().len(), HOME.len());
        Self { dir, said: String::new() }
    }

    /// With this log in `NAME`, and its policy in `NAME.policy`.
    fn with(self, name: &str, log: Log) -> Self {
        let policy = format!("{name}.policy");
        fs::copy(log.policy(), self.path().join(policy)).unwrap();
        copy(&log.path(), &self.path().join(name));
        for file in ["crate-0", "crate-1"].into_iter().filter(|file| log.dir.path().join(file).exists()) {
            fs::copy(log.dir.path().join(file), self.path().join(file)).unwrap();
        }
        self
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// One command, and how it ended.
    fn run(&mut self, words: &str) -> &mut Self {
        let mut command = command(self.path());
        command.args(words.split(' ')).env("LC_ALL", "C").env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.env_remove("CARGO_HOME").env_remove("CARGO_INSTALL_ROOT");
        command.env_remove("XDG_STATE_HOME").env_remove("XDG_CACHE_HOME");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        for line in said.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
            assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
        }
        let code = output.status.code().unwrap();
        self.said += &format!("$ synchronicity {words}\n{said}[exit code {code}]\n\n");
        self
    }

    fn is(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(name);
        let said = ages_left_out(&self.said.replace(&self.path().display().to_string(), HOME));
        let expected = snapbox::Data::read_from(&path, None).raw();
        snapbox::Assert::new().action_env("SNAPSHOTS").eq(said.trim_end().to_owned() + "\n", expected);
    }
}

fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        let place = to.join(file.file_name().unwrap());
        if file.is_dir() { copy(&file, &place) } else { fs::copy(&file, place).map(drop).unwrap() }
    }
}

/// Every log is signed at one time, and grows older with every day: `71 d ago` is `.. ago`.
fn ages_left_out(text: &str) -> String {
    let mut told = String::new();
    for line in text.split_inclusive('\n') {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        for at in 2..words.len() {
            if words[at].starts_with("ago") && words[at - 2].parse::<u64>().is_ok() {
                words[at - 2] = "..".into();
                words[at - 1] = String::new();
            }
        }
        told += &words.join(" ").replace("..  ago", ".. ago");
    }
    told
}

fn installing() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 5000)), ("tool-side", program("side", 700))];
    let rounds = [tool("tool 1"), tool("tool 2")];
    let mut session = Session::new().with("log", store(&[("tool@1.0.0", &rounds[0]), ("tool@1.1.0", &rounds[1])]));
    let options = "--policy log.policy --node log --root root";
    session
        .run(&format!("install tool {options} --dry-run"))
        .run(&format!("install tool@1.0.0 {options}"))
        .run(&format!("upgrade {options}"))
        .run(&format!("install tool {options}"))
        .run(&format!("install tool@1.0.0 {options}"))
        .run(&format!("install absent {options}"))
        .run("list --root root")
        .run(&format!("verify --installed {options}"))
        .run("uninstall tool --root root --dry-run")
        .run("uninstall tool --root root")
        .run("list --root root");
    session.is("install.txt");
    Ok(())
}

fn verifying() -> Outcome {
    let log = log(2);
    let proof = log.proof(0, log.entries.len());
    let mut session = Session::new().with("log", log);
    fs::write(session.path().join("crate-0-0.17.0.proof"), &proof)?;
    let mut damaged = proof;
    let at = damaged.len() / 2;
    damaged[at] ^= 4;
    fs::write(session.path().join("damaged.tlog-proof"), damaged)?;
    fs::write(session.path().join("nobodys"), "\x7fELF\0")?;
    let policy = "--policy log.policy";
    session
        .run(&format!("verify crate-0 crate-1 {policy} --node log"))
        .run(&format!("verify nobodys {policy} --node log"))
        .run(&format!("verify nobodys --crate crate-0@0.17.0 {policy} --node log"))
        .run(&format!("verify crate-1 --crate crate-0@0.17.0 {policy} --offline"))
        .run(&format!("verify crate-0-0.17.0.proof crate-0 {policy}"))
        .run(&format!("verify crate-0-0.17.0.proof crate-1 {policy}"))
        .run(&format!("verify damaged.tlog-proof {policy}"))
        .run(&format!("verify crate-0 {policy} --node log --max-age 1h"))
        .run(&format!("verify crate-0 {policy} --node http://127.0.0.1:1 --cache none"))
        .run(&format!("lookup crate-0@0.17.0 {policy} --node http://127.0.0.1:1"))
        .run(&format!("bundle {policy} --node log --out log.bundle"))
        .run(&format!("lookup crate-0@0.17.0 {policy} --bundle log.bundle"))
        .run("verify crate-0");
    session.is("verify.txt");
    Ok(())
}

fn auditing() -> Outcome {
    let mut session = Session::new().with("log", log(2));
    let crates = [("crate-0", "the archive"), ("crate-1", "another archive"), ("odd", "the archive"), ("absent", "x")];
    fs::write(session.path().join("Cargo.lock"), lock(&crates))?;
    session
        .run("audit --policy log.policy --node log")
        .run("audit --policy log.policy --offline --all")
        .run("gate crate-0=crate-0@0.17.0 --policy log.policy --offline");
    session.is("audit.txt");
    Ok(())
}

fn trusting() -> Outcome {
    let mut session = Session::new().with("log", log(1));
    fs::write(session.path().join("synchronicity.toml"), "max-age = \"7d\"\n[levels]\nabsent = \"deny\"\n")?;
    session
        .run("verify crate-0 --node log")
        .run("trust add log.policy")
        .run("trust add log.policy --dry-run")
        .run("trust add log.policy --yes --name alder")
        .run("trust list")
        .run("trust show alder")
        .run("verify crate-0 --node log")
        .run("config show --origin");
    session.is("trust.txt");
    Ok(())
}

fn together() -> Outcome {
    let mut session = Session::new();
    for (name, tool) in [("alder", "tool 1"), ("birch", "tool 1"), ("cedar", "tool 1 of cedar")] {
        let executables = [("tool", program(tool, 3000))];
        let rounds = [("tool@1.0.0", &executables[..])];
        let log = Log::by(Party::named(name), entries(&rounds), &[0, 1, 2, 3]);
        keep(&log, &rounds);
        session = session.with(name, log);
        session.run(&format!("-q trust add {name}.policy --yes"));
    }
    let nodes = "--node alder --node birch --node cedar";
    session
        .run("trust combine two --any 2 alder birch cedar")
        .run("trust combine three --any 3 alder birch cedar")
        .run(&format!("install tool --policy two --root root {nodes}"))
        .run(&format!("install tool --policy three --root other {nodes}"))
        .run(&format!("verify root/bin/tool --policy two {nodes}"));
    session.is("groups.txt");
    Ok(())
}

fn looking() -> Outcome {
    let mut session = Session::new().with("log", log(2));
    session
        .run("fsck log --policy log.policy")
        .run("diff crate-0 crate-0")
        .run("diff crate-0 crate-1")
        .run("diff crate-0 nowhere")
        .run("verify nowhere.tlog-proof --policy log.policy")
        .run("verify crate-0 --node ftp://log.example/a/place/that/nobody/can/ask/for/a/log")
        .run("verify crate-0 --policy log.policy --max-age 1")
        .run("trust forget --policy log.policy");
    session.is("look.txt");
    Ok(())
}

fn help() -> Outcome {
    let mut session = Session::new();
    session.run("--help").run("install --help").run("config show --help").run("instal tool");
    session.is("help.txt");
    Ok(())
}
