//! `gate`: the step of CI. `audit` of the lock file and `verify` of what was built, in one run, with one answer.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use synchronicity_rebuild::spec::Spec;

use crate::audit::{self, Audited, document, settings_beside, table};
use crate::exit::{self, Stop, gravest};
use crate::out::terminal::{Tint, tinted};
use crate::read;
use crate::settings::Asked;
use crate::verify::files::{Looked, Wanted, look_up};
use crate::verify::told;

/// The name and version of the document, which change together with `docs/schemas/gate.schema.json`.
const SCHEMA: &str = "synchronicity/gate@v1";

/// The lock file that is audited without being named, where there is one.
const LOCK: &str = "Cargo.lock";

/// `gate [FILE...]`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Gate {
    /// Files that must be what a group built, beside those of synchronicity.toml; as FILE or FILE=CRATE[@VERSION]
    #[arg(value_name = "FILE")]
    files: Vec<Pinned>,
    /// The lock file, or a binary of `cargo auditable`, to audit [default: Cargo.lock, if it is there]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
    /// Print JSON: docs/schemas/gate.schema.json
    #[arg(long)]
    pub(crate) json: bool,
}

const LONG_HELP: &str = "\
Examples:
  synchronicity gate --policy policy.txt --node http://127.0.0.1:8080
  synchronicity gate target/release/app=app@1.2.0 --bundle log.bundle --json

Exit codes:
  0   open: no dependency is denied, and every file is what a group built
  40  closed: evidence is invalid, or of another crate, or the log has forked
  42  closed: a file, or the archive of a dependency, is not what was built
  43  closed: fewer builders signed, or fewer groups agree, than the policy
      wants
  41  closed: there is no evidence for a file, or a dependency is denied for
      want of it
  2   nothing was decided: a file, the settings or the policy cannot be used
  75  nothing was decided: no log answers, or what is there is too old
Of several it is the first in this list. Any code but 0 means: do not go on.";

/// A file, and perhaps what it must be.
#[derive(Clone, Debug)]
struct Pinned {
    path: PathBuf,
    spec: Option<Spec>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("nothing to decide on: there is no {LOCK} here, and no file was named")]
#[diagnostic(help("name a lock file with --lock, or files; or list files in synchronicity.toml"))]
struct Nothing;

/// Audits and verifies, tells both, and gives the exit code.
pub(crate) fn gate(args: &Gate) -> Result<u8, Stop> {
    let lock = args.lock.clone().or_else(|| Some(PathBuf::from(LOCK)).filter(|path| read::is_there(path)));
    let beside = lock.as_deref().map_or(Path::new("."), settings_beside);
    let context = args.asked.read(beside)?;
    let named = args.files.iter().map(|file| Wanted::new(file.path.clone(), file.spec.clone()));
    let wanted: Vec<Wanted> = context.settings.files().chain(named).collect();
    if lock.is_none() && wanted.is_empty() {
        return Err(Stop::new(exit::USAGE, Nothing));
    }
    let audited = lock.map(|lock| audit::run(&lock, &context)).transpose()?;
    let looked = look_up(wanted, None, &context.places, &context.policy)?;
    let code = gravest(audited.iter().map(Audited::code).chain(looked.iter().map(Looked::code)));
    if args.json {
        verbatim!("{}", as_json(audited.as_ref(), &looked, code));
    } else {
        audited.iter().for_each(|audited| out!("{}", table::table(audited, false)));
        looked.iter().for_each(|looked| outln!("{}", told::in_a_line(looked)));
        let (word, tint) = if code == exit::OK { ("open", Tint::Good) } else { ("closed", Tint::Bad) };
        let rest = if code == exit::OK { String::new() } else { format!(": exit code {code}") };
        outln!("gate {}{rest}", tinted(word, tint));
    }
    audited.iter().for_each(Audited::reasons);
    told::reasons(&looked);
    Ok(code)
}

fn as_json(audited: Option<&Audited>, looked: &[Looked], code: u8) -> Value {
    json!({
        "schema": SCHEMA,
        "exit": code,
        "open": code == exit::OK,
        "audit": audited.map(document::as_json),
        "files": looked.iter().map(told::file).collect::<Vec<_>>(),
    })
}

impl std::str::FromStr for Pinned {
    type Err = String;

    /// At the last `=`: a crate's name has none, and a path may.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((path, spec)) if !path.is_empty() => {
                Ok(Self { path: path.into(), spec: Some(spec.parse::<Spec>().map_err(|error| error.to_string())?) })
            }
            _ => Ok(Self { path: text.into(), spec: None }),
        }
    }
}
