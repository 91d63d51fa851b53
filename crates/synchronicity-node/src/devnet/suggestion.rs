//! What to try after a run: commands that work as they are printed.

use std::ffi::OsStr;
use std::path::Path;

use super::args::Args;
use super::children::Children;
use super::errand::line;
use super::event::{Event, Suggestion};
use super::outcome::Written;
use super::verification;

/// Suggestions for the written results and, if the group is `kept` running, for the group.
pub(super) fn after<'a>(
    written: impl Iterator<Item = &'a Written>,
    args: &Args,
    program: &Path,
    children: &Children,
) -> Event {
    let mut commands = Vec::new();
    let mut suggest = |why: &str, command: String| commands.push(Suggestion { command, why: why.to_owned() });
    for written in written {
        match written.artifacts.first() {
            Some(artifact) => {
                let check = line(program, &verification::arguments(written, Some(artifact)));
                suggest("verify again, offline: nothing but these three files is read", check);
            }
            None => {
                suggest("read the log entry again, offline", line(program, &verification::arguments(written, None)))
            }
        }
        if let Some(transcript) = written.transcripts.first() {
            suggest("see what the build printed", line(Path::new("less"), &[transcript]));
        }
    }
    if args.keep {
        let node = &children.nodes[0];
        let dir = ["--dir".as_ref(), node.folder.as_path()];
        let command = |name: &str, rest: &[&str]| {
            let words = [name].into_iter().map(Path::new).chain(dir).chain(rest.iter().map(Path::new));
            line(program, &words.collect::<Vec<_>>())
        };
        suggest("have the group rebuild another crate", command("submit", &["fnv@1.0.7"]));
        suggest("see how it goes", command("requests", &[]));
        suggest("look at the log", command("log", &[]));
        suggest("what anybody can read", format!("curl -s http://{}/checkpoint", node.http));
    } else {
        let asked = args.crates[0].as_ref();
        let again = |more: &[&'static str]| {
            let words = ["devnet".as_ref(), asked, "--data".as_ref(), args.data.as_os_str()];
            line(program, &words.into_iter().chain(more.iter().map(OsStr::new)).collect::<Vec<_>>())
        };
        suggest("a builder that lies is outvoted and named", again(&["--liar", "1"]));
        suggest("keep the group running and use it", again(&["--keep"]));
    }
    Event::Next { commands, kept: args.keep }
}
