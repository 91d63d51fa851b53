//! Which entry of a log an installation rests on.

use std::collections::BTreeSet;

use miette::Diagnostic;
use semver::Version;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::request::{BuildRequest, CrateName, CrateVersion, Features, Source};

use crate::exit::{self, Stop};
use crate::report;

/// What is to be installed.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a CrateName,
    /// The newest that is no pre-release, without one.
    pub(crate) version: Option<&'a CrateVersion>,
    pub(crate) features: &'a Features,
    /// The triple of this machine.
    pub(crate) target: &'a str,
}

/// Why there is no entry to install by. `place` is the log, and its size.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub(crate) enum NoChoice {
    #[error("there is no evidence for {spec}: nothing is logged of it in {place}")]
    #[diagnostic(help(
        "absence is no evidence against it; a member's operator can submit it; --or-build builds it here, which is no evidence"
    ))]
    Absent { spec: String, place: String },
    #[error("there is no evidence for {spec}: entry {index} says {verdict}")]
    #[diagnostic(help("`lookup {spec}` shows all entries; --or-build builds it here, which is no evidence"))]
    Verdict { spec: String, index: u64, verdict: Verdict },
    #[error("{spec} was reproduced with other features only: {found}")]
    #[diagnostic(help(
        "choose those with --features, --all-features or --no-default-features; --or-build builds it here, which is no evidence"
    ))]
    Features { spec: String, found: String },
    #[error("{spec} was reproduced for {found}, and this machine is {target}")]
    #[diagnostic(help("--or-build builds it here, which is no evidence"))]
    Target { spec: String, found: String, target: String },
    #[error("{spec} was reproduced as a library: there is no executable to install")]
    #[diagnostic(help("only crates with executables can be installed"))]
    Library { spec: String },
    #[error("only pre-releases of {spec} were reproduced: {found}")]
    #[diagnostic(help("name the one that you want, as in {spec}@{found}"))]
    PreRelease { spec: String, found: String },
    #[error("the log has entries about several archives of {spec}, which is published once")]
    #[diagnostic(help(
        "nothing was installed: one of them is not what everybody gets from crates.io; `lookup {spec}` shows all entries"
    ))]
    OtherSource { spec: String },
}

/// The newest entry by which the newest version that fits was reproduced. `entries` are all that the log at `place` has
/// of the crate, rising.
pub(crate) fn choose<'e>(
    asked: &Asked<'_>,
    entries: &'e [(u64, Entry)],
    place: &str,
) -> Result<&'e (u64, Entry), NoChoice> {
    let spec = asked.to_string();
    let about: Vec<_> = entries.iter().filter_map(|found| Some((version_of(asked, &found.1)?, found))).collect();
    let reproduced = about.iter().filter(|(_, (_, entry))| entry.verdict == Verdict::Reproduced);
    let mut good = fitting(asked, entries);
    if asked.version.is_none() {
        let newest = good.iter().map(|(version, _)| version).max();
        if let Some(found) = newest.filter(|_| good.iter().all(|(version, _)| !version.pre.is_empty())) {
            return Err(NoChoice::PreRelease { spec, found: found.to_string() });
        }
        good.retain(|(version, _)| version.pre.is_empty());
    }
    // Of one version the newest entry: entries rise, and the last of several equal ones is taken.
    let Some((version, found)) = good.into_iter().max_by(|(a, _), (b, _)| a.cmp(b)) else {
        let nearest = reproduced.max_by_key(|(version, _)| version);
        let unfit = nearest.and_then(|(_, (_, entry))| unfit(asked, &spec, &entry.request));
        return Err(unfit.unwrap_or_else(|| match about.iter().max_by_key(|(version, _)| version) {
            Some((_, (index, entry))) => NoChoice::Verdict { spec, index: *index, verdict: entry.verdict },
            None => NoChoice::Absent { spec, place: place.to_owned() },
        }));
    };
    if has_several_archives(asked, entries, &version) {
        return Err(NoChoice::OtherSource { spec: format!("{}@{version}", asked.name) });
    }
    Ok(found)
}

/// Every entry by which a version was reproduced as it is asked for, pre-releases too.
pub(super) fn fitting<'e>(asked: &Asked<'_>, entries: &'e [(u64, Entry)]) -> Vec<(Version, &'e (u64, Entry))> {
    let about = entries.iter().filter_map(|found| Some((version_of(asked, &found.1)?, found)));
    let fits = |entry: &Entry| {
        entry.verdict == Verdict::Reproduced && unfit(asked, &asked.to_string(), &entry.request).is_none()
    };
    about.filter(|(_, (_, entry))| fits(entry)).collect()
}

/// Whether entries about one version are about several archives, of which at most one is published.
pub(super) fn has_several_archives(asked: &Asked<'_>, entries: &[(u64, Entry)], version: &Version) -> bool {
    let about = entries.iter().filter(|(_, entry)| version_of(asked, entry).as_ref() == Some(version));
    let archives: BTreeSet<_> = about.map(|(_, entry)| entry.request.source.checksum()).collect();
    archives.len() > 1
}

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

/// The version of an entry that is about the crate.
fn version_of(asked: &Asked<'_>, entry: &Entry) -> Option<Version> {
    match &entry.request.source {
        Source::Registry { name, version, .. }
            if name == asked.name && asked.version.is_none_or(|wanted| wanted == version) =>
        {
            Version::parse(version.as_str()).ok()
        }
        _ => None,
    }
}

/// Why what was reproduced is not what was asked for.
fn unfit(asked: &Asked<'_>, spec: &str, request: &BuildRequest) -> Option<NoChoice> {
    let spec = spec.to_owned();
    if !request.products.executable() {
        return Some(NoChoice::Library { spec });
    }
    if request.target != asked.target {
        return Some(NoChoice::Target { spec, found: request.target.clone(), target: asked.target.to_owned() });
    }
    let other = request.features != *asked.features;
    other.then(|| NoChoice::Features { spec, found: report::features(&request.features) })
}

impl NoChoice {
    /// Whether a command stopped because no group is known to have built what was asked for.
    pub(crate) fn is_absence(stop: &Stop) -> bool {
        let absent = |no: &Self| {
            matches!(no, Self::Absent { .. } | Self::Verdict { .. } | Self::Features { .. } | Self::Target { .. })
        };
        stop.report.downcast_ref().is_some_and(absent)
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::OtherSource { .. } => exit::MISMATCH,
            _ => exit::NO_EVIDENCE,
        }
    }
}
