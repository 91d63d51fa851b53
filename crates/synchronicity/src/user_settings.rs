//! The settings of this user, for every project: `synchronicity/config.toml` below `$XDG_CONFIG_HOME` (or `~/.config`;
//! `SYNCHRONICITY_USER_CONFIG` names another file).
//!
//! ```toml
//! policy = "alder"                   # a name that `trust add` gave, or a file, relative to this one
//! max-age = "7d"
//! mirrors = ["https://mirror.example"]
//! state = "/var/lib/me/state"        # folders; relative ones are beside this file
//! cache = "/var/cache/me/logs"
//! dir = "/var/cache/me/builds"
//! sandbox = "embedded"
//! pager = "less -FRX"
//! ```
//!
//! What the settings of a project, the environment or the command line say goes before it. Strict, as those are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::{Arg, Command};
use miette::Diagnostic;
use serde::Deserialize;
use synchronicity_rebuild::bench::SandboxChoice;

use crate::age::Age;
use crate::durable::folder_of;
use crate::exit::{self, Stop};
use crate::printable::{is_plain, printable, where_and_why};
use crate::source::Source;
use crate::{folders, read};

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "SYNCHRONICITY_USER_CONFIG";

/// The largest file read, in bytes.
const BYTES_MAX: u64 = 1 << 16;

/// What shows long output where nobody says what.
pub(crate) const PAGER: &str = "less";

/// The file, read; every value as it is to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserSettings {
    /// Where it was read; none where there is no file.
    pub(crate) path: Option<PathBuf>,
    pub(crate) policy: Option<String>,
    pub(crate) max_age: Option<Age>,
    /// By the name of the option that they are for: what it is, where the command line and the environment say nothing.
    options: Vec<(&'static str, Vec<String>)>,
    pager: Option<String>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{} cannot be used: {error}", path.display())]
#[diagnostic(help("nothing was done: mend it; docs/client.md says what may stand there"))]
struct Malformed {
    path: PathBuf,
    error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    policy: Option<String>,
    max_age: Option<String>,
    mirrors: Option<Vec<String>>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    dir: Option<PathBuf>,
    sandbox: Option<String>,
    pager: Option<String>,
}

/// Of the process, once the command line is read.
static KEPT: OnceLock<UserSettings> = OnceLock::new();

/// What was kept; nothing, in a program that keeps none.
pub(crate) fn kept() -> &'static UserSettings {
    static NONE: OnceLock<UserSettings> = OnceLock::new();
    KEPT.get().unwrap_or_else(|| NONE.get_or_init(UserSettings::default))
}

/// Where the file is, if it is there.
pub(crate) fn place() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(folders::user("XDG_CONFIG_HOME", ".config")?.join("synchronicity/config.toml")))
}

impl UserSettings {
    /// Reads the file, if there is one; one that is named must be there.
    pub(crate) fn read() -> Result<Self, Stop> {
        let named = std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty());
        let Some(path) = place().filter(|path| named || read::is_there(path)) else { return Ok(Self::default()) };
        let bytes = read::bounded(&path, BYTES_MAX, "file of settings");
        let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, error))?;
        let parsed = std::str::from_utf8(&bytes).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|text| Self::parse(text, folder_of(&path)));
        match parsed {
            Ok(settings) => Ok(Self { path: Some(path), ..settings }),
            Err(error) => Err(Stop::new(exit::USAGE, Malformed { path, error: printable(&error) })),
        }
    }

    /// `folder` is where relative paths begin.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| where_and_why(text, &error))?;
        let place = |path: PathBuf| folder.join(path).display().to_string();
        let mirrors = raw.mirrors.unwrap_or_default();
        for mirror in &mirrors {
            mirror.parse::<Source>().map_err(|error| format!("mirrors: {error}"))?;
        }
        if let Some(sandbox) = &raw.sandbox {
            sandbox.parse::<SandboxChoice>().map_err(|error| format!("sandbox: {error}"))?;
        }
        let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let options = vec![
            ("mirror", mirrors),
            ("state", one(raw.state.map(place))),
            ("cache", one(raw.cache.map(place))),
            ("dir", one(raw.dir.map(place))),
            ("sandbox", one(raw.sandbox)),
        ];
        let texts = options.iter().flat_map(|(_, values)| values).chain(&raw.policy).chain(&raw.pager);
        if let Some(bad) = texts.clone().find(|text| !is_plain(text)) {
            return Err(format!("{bad:?} has a character that would control a terminal"));
        }
        Ok(Self {
            path: None,
            policy: raw.policy,
            max_age: raw
                .max_age
                .map(|text| text.parse())
                .transpose()
                .map_err(|error: crate::age::NoAge| error.to_string())?,
            options: options.into_iter().filter(|(_, values)| !values.is_empty()).collect(),
            pager: raw.pager,
        })
    }

    /// The command line with these as what its options are by default. A monitor's state is the monitor's own.
    pub(crate) fn as_defaults(&self, command: Command) -> Command {
        let with = |arg: Arg| {
            let own = self.options.iter().find(|(name, _)| arg.get_long() == Some(*name) && !arg.is_required_set());
            match own {
                // Parsed once in a process, which keeps it to its end.
                Some((_, values)) => arg.default_values(values.iter().map(|value| &*value.clone().leak())),
                None => arg,
            }
        };
        command.mut_subcommands(|command| self.as_defaults(command)).mut_args(with)
    }

    /// What the file says for an option.
    pub(crate) fn option(&self, name: &str) -> Option<String> {
        self.options.iter().find(|(option, _)| *option == name).map(|(_, values)| values.join(", "))
    }

    /// `PAGER`, else what the file says, else `less`.
    pub(crate) fn pager(&self) -> String {
        let variable = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
        variable.or_else(|| self.pager.clone()).unwrap_or_else(|| PAGER.to_owned())
    }

    /// What the file says of the pager.
    pub(crate) fn own_pager(&self) -> Option<&str> {
        self.pager.as_deref()
    }

    /// Where relative paths of the file begin.
    pub(crate) fn folder(&self) -> &Path {
        self.path.as_deref().map_or(Path::new(""), folder_of)
    }

    /// From now on: see [`kept`].
    pub(crate) fn keep(self) {
        // Only a second command line in one process would find it set.
        let _ = KEPT.set(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_misspelled_or_no_value_is_refused() {
        let parse = |text: &str| UserSettings::parse(text, Path::new("/home/me"));
        assert_eq!(parse("").unwrap(), UserSettings::default());
        let good = parse("state = \"mine\"\nmirrors = [\"http://a.example\", \"/b\"]\nmax-age = \"2d\"").unwrap();
        assert_eq!(good.option("state").as_deref(), Some("/home/me/mine"));
        assert_eq!(good.option("mirror").as_deref(), Some("http://a.example, /b"));
        assert_eq!((good.max_age, good.option("cache")), (Some(Age { seconds: 172_800 }), None));
        for bad in [
            "polcy = 1",
            "max-age = \"2 days\"",
            "sandbox = \"none\"",
            "mirrors = [\"ftp://x\"]",
            "pager = \"\\u001b\"",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
