//! What comes is shown by its size and speed, in one line that moves on a terminal, and of which nothing stays. Elsewhere
//! each step has a line at most.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::digest::Digest;

use crate::audit::lock;
use crate::bench::{fixture, with_bench};
use crate::logs::file_at;
use crate::look_up::log;
use crate::program::{run, run_with};
use crate::server::{Answer, Server};
use crate::store::program;
use crate::terminal::{missing, sent};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let name = "progress::a_log_that_comes_slowly_moves_by_size_and_speed_and_leaves_no_line";
    vec![Trial::test(name, slow_log).with_ignored_flag(missing())]
}

/// What begins the line anew, which is then the only one.
const ANEW: &str = "\r\x1b[K";

/// Each text of the line that moves, in order. What the program was asked for stands after the last of them.
#[track_caller]
fn moved(sent: &str) -> Vec<String> {
    let mut texts: Vec<_> = sent.split(ANEW).map(str::to_owned).collect();
    texts.pop();
    for text in &texts {
        assert!(text.chars().count() < 80 && !text.contains(['\n', '\r', '\x1b']), "{text:?} in {sent:?}");
    }
    texts
}

/// What a terminal shows in the end: here a line is written, and begun anew.
fn screen(sent: &str) -> String {
    let lines = sent.replace("\r\n", "\n");
    let shown = lines.split('\n').map(|line| line.rsplit(ANEW).next().unwrap());
    shown.collect::<Vec<_>>().join("\n")
}

/// `12.3 MB, 4.5 MB/s`, and not nothing.
fn has_rate(text: &str) -> bool {
    let number = |word: &str| word.parse::<f64>().is_ok();
    let words: Vec<_> = text.split(' ').rev().take(4).collect();
    matches!(words[..], ["MB/s", speed, "MB,", size] if number(speed) && number(size))
}

fn slow_log() -> Outcome {
    let log = log(900);
    let (dir, folder) = (log.dir.path(), log.path());
    let node = Server::start(move |path| {
        if path.starts_with("/tile/entries/") {
            sleep(Duration::from_millis(150));
        }
        file_at(&folder, path)
    });
    fs::write(dir.join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    for (number, asked) in ["verify crate-0", "audit", "gate crate-0"].into_iter().enumerate() {
        // A copy of its own each time: all of the log comes.
        let words = |copy: &str| format!("{asked} --policy policy --node {} --cache {number}{copy}", node.address);
        let on_terminal = |more: &str| sent(dir, 50, &(words(more) + " --no-pager " + more), &[("NO_COLOR", "1")]);
        let piped = run(dir, words("-").split(' ')).expect(0);
        assert_eq!(piped.err, "", "{asked}");
        let shown = on_terminal("");
        let texts = moved(&shown);
        assert!(texts.iter().all(|text| text.contains(" of 901 entries hold, ") && has_rate(text)), "{texts:?}");
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 4, "{texts:?}");
        assert_eq!(screen(&shown), piped.out);
        assert_eq!(on_terminal("-q"), "");
    }
    Ok(())
}

/// A registry with the one dependency of the fixture `library-without-lock`, for as long as Cargo on a bench believes
/// that it is the registry.
struct Registry {
    homes: [PathBuf; 2],
    _server: Server,
}

impl Registry {
    fn on(bench: &str, archive: &[u8]) -> Self {
        let checksum = Digest::of(archive);
        let (address, archive) = (Arc::new(OnceLock::<String>::new()), archive.to_vec());
        let own = Arc::clone(&address);
        let server = Server::start(move |path| {
            let dl = own.get().unwrap();
            Answer::Whole(match path {
                "/config.json" => format!(r#"{{"dl":"{dl}/dl"}}"#).into_bytes(),
                "/it/oa/itoa" => format!(
                    r#"{{"name":"itoa","vers":"1.9.9","deps":[],"cksum":"{checksum}","features":{{}},"yanked":false}}"#
                )
                .into_bytes(),
                "/dl/itoa/1.9.9/download" => archive.clone(),
                _ => return Answer::Status(404),
            })
        });
        address.set(server.address.clone()).unwrap();
        let homes = ["cargo-home", "depot/cargo-home"].map(|home| Path::new(bench).join("homes").join(home));
        for home in &homes {
            fs::create_dir_all(home).unwrap();
            let source = format!("registry = \"sparse+{}/\"", server.address);
            let text = format!("[source.crates-io]\nreplace-with = \"here\"\n[source.here]\n{source}\n");
            fs::write(home.join("config.toml"), text).unwrap();
        }
        Self { homes, _server: server }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for home in &self.homes {
            let _ = fs::remove_file(home.join("config.toml"));
            for part in ["cache", "index", "src"] {
                let folders = fs::read_dir(home.join("registry").join(part)).into_iter().flatten().flatten();
                let ours = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("127.0.0.1-"));
                ours.for_each(|folder| drop(fs::remove_dir_all(folder.path())));
            }
        }
    }
}

/// A crate that is larger than all that it needs.
fn itoa() -> Result<Vec<u8>, Failed> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("itoa-1.9.9");
    fs::create_dir_all(root.join("src"))?;
    fs::write(root.join("Cargo.toml"), "[package]\nname = \"itoa\"\nversion = \"1.9.9\"\nedition = \"2021\"\n")?;
    let code = "pub struct Buffer;\nimpl Buffer {\n    pub fn new() -> Self { Self }\n    \
                pub fn format(&mut self, _: u64) -> &str { \"\" }\n}\n";
    fs::write(root.join("src/lib.rs"), code)?;
    fs::write(root.join("filler"), program("itoa", 1_500_000))?;
    let packed = dir.path().join("itoa.crate");
    let tar = Command::new("tar").arg("-czf").arg(&packed).arg("-C").arg(dir.path()).arg("itoa-1.9.9").status()?;
    assert!(tar.success());
    Ok(fs::read(packed)?)
}

/// A trial of `rebuild`, where this machine can build.
pub(crate) fn fetching() -> Outcome {
    let archive = itoa()?;
    with_bench(|bench| {
        let place = format!("--sandbox embedded --dir {bench}");
        let words = format!("rebuild {} {place}", fixture("library-without-lock"));
        let direct = ["NO_PROXY", "no_proxy"].map(|name| (name, "127.0.0.1"));
        let on_terminal = |words: &str| sent(Path::new("/"), 50, words, &[&direct[..], &[("NO_COLOR", "1")]].concat());
        let registry = Registry::on(bench, &archive);
        let variables = direct.map(|(name, value)| (name, Path::new(value)));
        // What is sealed off knows nothing of this registry, and so it does not build: here it matters only what was fetched.
        let piped = run_with(Path::new("/"), words.split(' '), &variables).expect(75);
        let step = "fetching library-without-lock 0.1.0";
        assert_eq!((piped.err.matches(step).count(), piped.err.contains("MB")), (1, false), "{}", piped.err);
        drop(registry);

        // Another server, and so another registry to Cargo: what it has is fetched anew.
        let registry = Registry::on(bench, &archive);
        let shown = on_terminal(&words);
        let texts = moved(&shown);
        let came = |text: &&String| text.starts_with(&format!("{step}: 1.5 MB, ")) && has_rate(text);
        assert!(texts.iter().any(|text| came(&text)), "{texts:?}");
        let screen = screen(&shown);
        assert!(screen.trim_start().starts_with("\u{d7} this machine could not do the build"), "{screen}");
        assert!(!screen.contains("building") && !screen.contains("MB/s"), "{screen}");
        drop(registry);

        let _registry = Registry::on(bench, &archive);
        let quiet = on_terminal(&format!("{words} -q"));
        assert!(quiet.trim_start().starts_with('\u{d7}') && !quiet.contains(ANEW), "{quiet}");
    });
    // What is fetched to pin a crate, too; of the real registry, which is the only one that this program asks for crates.
    with_bench(|bench| {
        let words = format!("recipe is_ci@1.2.0 --sandbox embedded --dir {bench} --no-pager");
        let shown = sent(Path::new("/"), 200, &words, &[("NO_COLOR", "1")]);
        let texts = moved(&shown);
        assert!(texts.iter().any(|text| text.starts_with("pinning is_ci@1.2.0: ") && has_rate(text)), "{texts:?}");
        assert!(screen(&shown).starts_with("recipe of is_ci 1.2.0\n"), "{shown}");
    });
    Ok(())
}
