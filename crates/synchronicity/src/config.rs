//! `config show`: what is set where the command line says nothing, and where each value comes from.
//!
//! From the weakest to the strongest: what is built in, this user's settings ([`crate::user_settings`]), those of the project
//! ([`crate::settings`]), the environment, the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Subcommand};
use serde_json::{Value, json};

use crate::audit::verdict::{Levels, Verdict};
use crate::cli::Place;
use crate::exit::{self, Stop};
use crate::folders;
use crate::install::RootFolder;
use crate::policies::choice::by_default_in_words;
use crate::printable::printable;
use crate::settings::{Asked, said};
use crate::source::Source;
use crate::user_settings::{self, UserSettings};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show every setting that a command would go by in this folder
    Show(Box<Show>),
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Show {
    /// Say where each value comes from
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    root: RootFolder,
    /// Another place that has the group's artifacts
    #[arg(long = "mirror", value_name = "URL", env = "SYNCHRONICITY_MIRROR")]
    mirrors: Vec<Source>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
The stronger goes before the weaker: the command line, the environment,
synchronicity.toml of the project (for `audit`, `gate` and `rebuild`; for
`install` and `upgrade` only where --config names it), the settings of this
user, what is built in.

Exit codes:
  0  it is shown
  2  a file of settings cannot be used";

/// A setting that an option of the command line can say, too.
struct Setting {
    key: &'static str,
    /// Of the argument, as the command line is parsed.
    id: &'static str,
    flag: &'static str,
    variable: &'static str,
}

const OPTIONS: [Setting; 9] = [
    Setting { key: "policy", id: "policy", flag: "policy", variable: "SYNCHRONICITY_POLICY" },
    Setting {
        key: "policy-sha256",
        id: "policy_sha256",
        flag: "policy-sha256",
        variable: "SYNCHRONICITY_POLICY_SHA256",
    },
    Setting { key: "logs", id: "nodes", flag: "node", variable: "SYNCHRONICITY_NODE" },
    Setting { key: "max-age", id: "max_age", flag: "max-age", variable: "" },
    Setting { key: "mirrors", id: "mirrors", flag: "mirror", variable: "SYNCHRONICITY_MIRROR" },
    Setting { key: "state", id: "folder", flag: "state", variable: "SYNCHRONICITY_STATE" },
    Setting { key: "cache", id: "cache", flag: "cache", variable: "SYNCHRONICITY_CACHE" },
    Setting { key: "dir", id: "dir", flag: "dir", variable: "SYNCHRONICITY_DIR" },
    Setting { key: "sandbox", id: "sandbox", flag: "sandbox", variable: "SYNCHRONICITY_SANDBOX" },
];

/// Who says what a value is, from the weakest on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layer {
    BuiltIn,
    User(PathBuf),
    Project(PathBuf),
    Environment(&'static str),
    CommandLine(&'static str),
}

/// A setting, and who says so.
struct Shown {
    key: String,
    value: String,
    layer: Layer,
}

impl Action {
    pub(crate) fn json(&self) -> bool {
        let Self::Show(show) = self;
        show.json
    }
}

/// The name and version of the document, which change together with `docs/schemas/config.schema.json`.
const SCHEMA: &str = "synchronicity/config@v1";

/// Shows it, and gives the exit code.
pub(crate) fn config(action: &Action, matches: &ArgMatches) -> Result<u8, Stop> {
    let Action::Show(show) = action;
    let mut below = matches;
    while let Some((_, matches)) = below.subcommand() {
        below = matches;
    }
    let project = match show.asked.file(Path::new("")) {
        Some(path) => Some((said(&path)?, path)),
        None => None,
    };
    let shown = all(below, project.as_ref().map(|(said, path)| (said.as_slice(), path.as_path())));
    if show.json {
        let settings: Vec<_> = shown.iter().map(Shown::as_json).collect();
        verbatim!("{}", json!({ "schema": SCHEMA, "exit": exit::OK, "settings": settings }));
    } else {
        for Shown { key, value, layer } in &shown {
            let origin = if show.origin { format!("  ({})", layer.in_words()) } else { String::new() };
            outln!("{key:<20}  {}{origin}", printable(value));
        }
    }
    Ok(exit::OK)
}

fn all(matches: &ArgMatches, project: Option<(&[(String, String)], &Path)>) -> Vec<Shown> {
    let user = user_settings::kept();
    let in_project = |key: &str| {
        let (said, path) = project?;
        let (_, value) = said.iter().find(|(name, _)| name == key)?;
        Some((value.clone(), Layer::Project(path.to_owned())))
    };
    let mut shown: Vec<_> = OPTIONS
        .iter()
        .map(|option| {
            let (value, layer) = option.said(matches).or_else(|| in_project(option.key)).unwrap_or_else(|| {
                let own = user.path.clone().zip(in_user(user, option));
                own.map_or_else(|| (built_in(option.key), Layer::BuiltIn), |(path, value)| (value, Layer::User(path)))
            });
            Shown { key: option.key.to_owned(), value, layer }
        })
        .collect();
    shown.extend([root(matches), policies(), pager(user)]);
    for verdict in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Reproduced) {
        let key = format!("levels.{}", verdict.as_str());
        let by_default = || (Levels::default().of(verdict).as_str().to_owned(), Layer::BuiltIn);
        let (value, layer) = in_project(&key).unwrap_or_else(by_default);
        shown.push(Shown { key, value, layer });
    }
    shown
}

impl Setting {
    /// What the command line says, or the environment.
    fn said(&self, matches: &ArgMatches) -> Option<(String, Layer)> {
        let layer = match matches.value_source(self.id)? {
            ValueSource::CommandLine => Layer::CommandLine(self.flag),
            ValueSource::EnvVariable => Layer::Environment(self.variable),
            _ => return None,
        };
        let values: Vec<_> = matches.get_raw(self.id)?.map(|value| value.to_string_lossy().into_owned()).collect();
        Some((values.join(", "), layer))
    }
}

fn in_user(user: &UserSettings, option: &Setting) -> Option<String> {
    match option.key {
        "policy" => user.policy.clone(),
        "max-age" => user.max_age.map(|age| age.to_string()),
        _ => user.option(option.flag),
    }
}

/// What is where nobody says anything.
fn built_in(key: &str) -> String {
    let folder = |variable, below, own| Some(folders::user(variable, below)?.join(own).display().to_string());
    let folder = match key {
        "policy" => return by_default_in_words(),
        "logs" => return "the address in the policy".into(),
        "sandbox" => return "auto".into(),
        "state" => folder("XDG_STATE_HOME", ".local/state", "synchronicity"),
        "cache" => folder("XDG_CACHE_HOME", ".cache", "synchronicity/logs"),
        "dir" => crate::workshop::default_dir().map(|path| path.display().to_string()),
        _ => return "none".into(),
    };
    folder.unwrap_or_else(|| "none: HOME is not set".into())
}

fn set(name: &'static str) -> Option<(OsString, Layer)> {
    Some((std::env::var_os(name).filter(|value| !value.is_empty())?, Layer::Environment(name)))
}

fn shown(key: &str, value: OsString, layer: Layer) -> Shown {
    Shown { key: key.to_owned(), value: value.to_string_lossy().into_owned(), layer }
}

/// Where cargo installs to, and we.
fn root(matches: &ArgMatches) -> Shown {
    let named = matches.get_one::<PathBuf>("root").map(|path| (path.clone().into(), Layer::CommandLine("root")));
    let found = named.or_else(|| set("CARGO_INSTALL_ROOT")).or_else(|| set("CARGO_HOME"));
    let home = || {
        std::env::var_os("HOME")
            .map_or("none: HOME is not set".into(), |home| PathBuf::from(home).join(".cargo").into())
    };
    let (value, layer) = found.unwrap_or_else(|| (home(), Layer::BuiltIn));
    shown("root", value, layer)
}

/// Where policies are kept.
fn policies() -> Shown {
    let user = || Some(folders::user("XDG_CONFIG_HOME", ".config")?.join("synchronicity/policies"));
    let by_default = || user().map_or("none: HOME is not set".into(), PathBuf::into_os_string);
    let (value, layer) = set("SYNCHRONICITY_POLICIES").unwrap_or_else(|| (by_default(), Layer::BuiltIn));
    shown("policies", value, layer)
}

fn pager(user: &UserSettings) -> Shown {
    let own = || Some((user.own_pager()?.into(), Layer::User(user.path.clone()?)));
    let (value, layer) = set("PAGER").or_else(own).unwrap_or((user_settings::PAGER.into(), Layer::BuiltIn));
    shown("pager", value, layer)
}

impl Shown {
    fn as_json(&self) -> Value {
        let (layer, place) = match &self.layer {
            Layer::BuiltIn => ("built-in", None),
            Layer::User(path) => ("user", Some(path.display().to_string())),
            Layer::Project(path) => ("project", Some(path.display().to_string())),
            Layer::Environment(name) => ("environment", Some((*name).to_owned())),
            Layer::CommandLine(flag) => ("command-line", Some(format!("--{flag}"))),
        };
        json!({ "key": self.key, "value": self.value, "layer": layer, "place": place })
    }
}

impl Layer {
    fn in_words(&self) -> String {
        match self {
            Self::BuiltIn => "built in".into(),
            Self::User(path) => format!("yours: {}", printable(&path.display().to_string())),
            Self::Project(path) => format!("the project's: {}", printable(&path.display().to_string())),
            Self::Environment(name) => format!("environment: {name}"),
            Self::CommandLine(flag) => format!("command line: --{flag}"),
        }
    }
}
