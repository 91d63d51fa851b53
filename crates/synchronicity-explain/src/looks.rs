//! Recognises a cause by its looks, where nothing is known of the builds.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::cause::{Cause, Certainty};
use crate::guess::Guess;
use crate::known::regex;
use crate::spot::{Side, Spot};

/// Words beside a number of jobs.
pub(crate) static COUNT_WORDS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)jobs?|threads?|cpus?|cores?|parallel|nproc|workers|processors"));

/// One line of the catalogue of looks; the first that fits is taken.
struct Look {
    cause: Cause,
    certainty: Certainty,
    /// Must be found where the difference is, on both sides.
    value: Regex,
    /// Must be found somewhere in the text around, on both sides.
    near: Option<&'static LazyLock<Regex>>,
    /// Whether one side is enough: it stands in one and not in the other.
    one_side: bool,
    why: &'static str,
}

static GIT_WORDS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\bgit|commit|revision|branch|\bsha\b|describe"));
static USER_WORDS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)user|logname|built by|compiled by"));
static HOST_WORDS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)host|machine|built on|compiled on"));

static LOOKS: LazyLock<Vec<Look>> = LazyLock::new(|| {
    use Cause::*;
    use Certainty::*;
    let look = |cause, certainty, value: &str, why| Look {
        cause,
        certainty,
        value: regex(value),
        near: None,
        one_side: false,
        why,
    };
    const MONTH: &str = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
    vec![
        look(Toolchain, Likely, r"/rustc/[0-9a-f]{40}", "the compiler's own commit"),
        look(
            Toolchain,
            Likely,
            r"rustc (?:version )?1\.[0-9]+\.[0-9]+[^\x00\n]*|GCC: \([^)]*\) [0-9.]+|LLD [0-9.]+|clang version [0-9.]+",
            "a version of a compiler or linker",
        ),
        look(
            GitState,
            Likely,
            r"v?[0-9][0-9.]*-[0-9]+-g[0-9a-f]{7,40}(?:-dirty)?|refs/(?:heads|tags)/[A-Za-z0-9._/-]+",
            "what git describes",
        ),
        Look { one_side: true, ..look(GitState, Likely, r"-(?:dirty|modified)\b", "a tree with uncommitted changes") },
        Look {
            near: Some(&GIT_WORDS),
            ..look(GitState, Likely, r"\b[0-9a-f]{7,40}(?:-dirty)?\b", "a hash beside words of git")
        },
        look(
            BuildTime,
            Likely,
            &format!(
                r"[12][0-9]{{3}}-[01][0-9]-[0-3][0-9]|[0-2][0-9]:[0-5][0-9]:[0-5][0-9]|{MONTH} +[0-3]?[0-9],? +[0-9:, ]*[12][0-9]{{3}}|[0-3]?[0-9] {MONTH},? [12][0-9]{{3}}"
            ),
            "a date or a time of day",
        ),
        look(BuildTime, Likely, r"\b1[0-9]{9}(?:[0-9]{3}){0,3}\b", "a time since 1970"),
        look(UserOrHome, Likely, r"/(?:home|Users)/[^/\x00 ]+|/root\b|C:\\Users\\[^\\\x00]+", "a home folder"),
        look(GitState, Possible, r"\b[0-9a-f]{40}\b", "a hash as long as git's"),
        look(BuildPath, Likely, r"(?:/[A-Za-z0-9_.+@~-]+){2,}", "an absolute path"),
        Look {
            near: Some(&COUNT_WORDS),
            ..look(JobCount, Likely, r"\b[0-9]{1,4}\b", "a small number beside such words")
        },
        look(Random, Likely, r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "a UUID"),
        look(Random, Likely, r"[0-9a-fA-F]{8,}|[0-9]{6,}", "long numbers without any likeness"),
        look(Environment, Likely, r"\b[a-z]{2}_[A-Z]{2}(?:\.[A-Za-z0-9-]+)?\b|\bC\.UTF-8\b|\bPOSIX\b", "a locale"),
        Look {
            near: Some(&USER_WORDS),
            ..look(UserOrHome, Likely, r"\b[a-z_][a-z0-9_-]{1,31}\b", "a name beside words of users")
        },
        Look {
            near: Some(&HOST_WORDS),
            ..look(HostName, Likely, r"\b[A-Za-z0-9][A-Za-z0-9.-]{2,}\b", "a name beside words of machines")
        },
        look(HostName, Possible, r"\b[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+\b", "a user at a machine"),
        look(
            Random,
            Possible,
            r"[A-Za-z0-9+/_-]*(?:[0-9][A-Za-z]|[A-Za-z][0-9])[A-Za-z0-9+/_-]{10,}",
            "letters and digits",
        ),
    ]
});

/// What the difference looks like, if it looks like anything of the catalogue.
pub(crate) fn like(spot: &Spot<'_>) -> Option<Guess> {
    let sides = [&spot.first, &spot.second];
    let fits = |look: &&Look| {
        let near = |side: &&Side<'_>| look.near.is_none_or(|near| near.is_match(side.text()));
        let value = |side: &&Side<'_>| {
            look.value.find_iter(side.text()).any(|found| side.touches(&(found.start()..found.end())))
        };
        let valued = if look.one_side { sides.iter().any(value) } else { sides.iter().all(value) };
        valued && sides.iter().all(near)
    };
    let look = LOOKS.iter().find(fits)?;
    Some(Guess::new(look.cause, look.certainty, look.why))
}
