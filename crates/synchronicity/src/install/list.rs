//! `list`: what is installed, by whom, and whether it is still what was installed. No log is read for it.

use clap::Args;
use serde_json::{Value, json};

use super::RootFolder;
use super::place::Root;
use crate::exit::{self, Stop};
use crate::install_record::Installed;
use crate::printable::column;
use crate::progress::Progress;
use crate::read;

/// `list`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct List {
    #[command(flatten)]
    root: RootFolder,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const LONG_HELP: &str = "\
What `install` put there is held against what it recorded then:
  as installed  the executables are those of the entry that is named
  CHANGED       one of them is another file by now
  MISSING       one of them is not there
  built here    by --or-build, without evidence
  not looked up installed by cargo: `verify --installed` looks it up

Exit codes:
  0   nothing is changed or missing
  42  something is";

/// How a crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    AsInstalled,
    BuiltHere,
    Unknown,
    Changed,
    Missing,
}

/// The name and version of the document, which change together with `docs/schemas/list.schema.json`.
const SCHEMA: &str = "synchronicity/list@v1";

/// Lists, and gives the exit code.
pub(crate) fn list(args: &List) -> Result<u8, Stop> {
    let root = args.root.root()?;
    let installed = if read::is_there(&root.path) { root.lock(&Progress::new())?.installed()? } else { Vec::new() };
    let rows: Vec<_> = installed.iter().map(|installed| (installed, condition(&root, installed))).collect();
    let bad = rows.iter().any(|(_, condition)| matches!(condition, Condition::Changed | Condition::Missing));
    let code = if bad { exit::MISMATCH } else { exit::OK };
    if args.json {
        verbatim!("{}", as_json(&root, &rows, code));
    } else if rows.is_empty() {
        outln!("nothing is installed");
    } else {
        out!("{}", table(&rows));
    }
    Ok(code)
}

fn condition(root: &Root, installed: &Installed) -> Condition {
    if installed.bins.iter().any(|bin| !root.place(bin).is_file()) {
        return Condition::Missing;
    }
    let Some(ours) = &installed.ours else { return Condition::Unknown };
    let same = |bin: &String| {
        let recorded = ours.sha256.get(bin);
        read::digest(&root.place(bin))
            .is_ok_and(|found| recorded.is_some_and(|recorded| *recorded == found.to_string()))
    };
    match &ours.evidence {
        _ if !installed.bins.iter().all(same) => Condition::Changed,
        Some(_) => Condition::AsInstalled,
        None => Condition::BuiltHere,
    }
}

/// At most 80 columns wide.
fn table(rows: &[(&Installed, Condition)]) -> String {
    let line = |of: &str, word: &str, by: &str, executables: &str| {
        let line = format!("{} {} {} {}", column(of, 26), column(word, 13), column(by, 10), column(executables, 28));
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line("CRATE", "CONDITION", "BY", "EXECUTABLES");
    for (installed, condition) in rows {
        let of = format!("{} {}", installed.name, installed.version);
        text += &line(&of, condition.words(), &by(installed), &installed.bins.join(" "));
    }
    text
}

/// The entry that it was installed by.
fn by(installed: &Installed) -> String {
    match &installed.ours {
        None => "cargo".into(),
        Some(ours) => ours.evidence.as_ref().map_or("this one".into(), |evidence| format!("entry {}", evidence.entry)),
    }
}

fn as_json(root: &Root, rows: &[(&Installed, Condition)], code: u8) -> Value {
    let row = |(installed, condition): &(&Installed, Condition)| {
        let evidence = installed.ours.as_ref().and_then(|ours| ours.evidence.as_ref());
        json!({
            "name": installed.name,
            "version": installed.version,
            "executables": installed.bins,
            "condition": condition.words().to_ascii_lowercase(),
            "by": if installed.ours.is_some() { "synchronicity" } else { "cargo" },
            "log": evidence.map(|evidence| &evidence.log),
            "entry": evidence.map(|evidence| evidence.entry),
        })
    };
    json!({
        "schema": SCHEMA,
        "exit": code,
        "root": root.path.display().to_string(),
        "crates": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

impl Condition {
    fn words(self) -> &'static str {
        match self {
            Self::AsInstalled => "as installed",
            Self::BuiltHere => "built here",
            Self::Unknown => "not looked up",
            Self::Changed => "CHANGED",
            Self::Missing => "MISSING",
        }
    }
}
