//! Why a build failed: from what it printed to one of the named failures.
//!
//! Builders agree on a failure only if all name it alike, so this looks for fixed phrases of cargo, rustc, libc and
//! common tools, in a fixed order, and nothing else. What matches nothing is a compile error.
//!
//! A build prints what it likes. All that it can bring about here is the name of its own failure: what would make this
//! builder try again for ever is believed only of a transcript in which no line of the crate's code has run.

mod missing;

use synchronicity_verify::result::Failure;

/// What a failed command means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// A result that other builders can confirm.
    Crate(Failure),
    /// This builder prepared the build badly; the text is the line that says so.
    Ours(String),
}

/// Phrases in lower case. Causes come before what they bring about: a build script without network also ends as a
/// compile error, and one without disk may say that the network failed.
const PHRASES: &[(Failure, &[&str])] = &[
    (
        Failure::Lock,
        &[
            "but --locked was passed",
            "cannot update the lock file",
            "because --locked was passed to prevent this",
            "failed to parse lock file",
            "changed between lock files",
        ],
    ),
    (
        Failure::RustVersion,
        &[
            "is not supported by the following package",
            "cannot be built because it requires rustc",
            "this version of cargo is older than the",
            "the package requires the cargo feature called",
        ],
    ),
    (
        Failure::NoTargets,
        &[
            "no targets specified in the manifest",
            "no library targets found in package",
            "there is nothing to install in",
        ],
    ),
    (Failure::Disk, &["no space left on device", "disk quota exceeded", "file too large (os error 27)", "sigxfsz"]),
    (
        Failure::Memory,
        &[
            "memory allocation of ",
            "cannot allocate memory",
            "virtual memory exhausted",
            "llvm error: out of memory",
            "std::bad_alloc",
            // The linker could not have memory for the stack of a thread; it starts too few to meet the other limit.
            "an instance of 'std::system_error'",
            "(signal: 9, sigkill: kill)",
        ],
    ),
    (Failure::Processes, &["resource temporarily unavailable"]),
    (
        Failure::Network,
        &[
            "could not resolve host",
            "couldn't resolve host",
            "failed to lookup address information",
            "temporary failure in name resolution",
            "name or service not known",
            "network is unreachable",
            // With a loopback device (Docker) and without one (embedded) the same attempt ends differently.
            "connection refused",
            "dns error",
            "no address associated with hostname",
            "failed to resolve host",
            "unable to resolve host",
        ],
    ),
];

/// What cargo says when something that this builder had to fetch is not there, or was withdrawn between the request and the
/// build: others fetched it before.
const UNFETCHED: &[&str] = &[
    "attempting to make an http request, but --offline was specified",
    "using offline mode",
    "it has been yanked from",
];

/// Names the failure of a command that ended by itself with an error; `tail` is the end of its transcript, and `began`
/// whether anything was compiled at all.
pub(crate) fn diagnose(tail: &[String], began: bool) -> Diagnosis {
    let lower: Vec<String> = tail.iter().map(|line| line.to_lowercase()).collect();
    let says = |phrases: &[&str]| lower.iter().any(|line| phrases.iter().any(|phrase| line.contains(phrase)));
    // Only cargo itself reports this, before it compiles anything. Its warnings repeat words of the manifest.
    let unfetched = |line: &&String| !line.starts_with("warning") && UNFETCHED.iter().any(|it| line.contains(it));
    if !began && let Some(line) = lower.iter().find(unfetched) {
        return Diagnosis::Ours(line.trim().to_owned());
    }
    let named = PHRASES.iter().find(|(_, phrases)| says(phrases)).map(|(failure, _)| *failure);
    // What stands before the first error is of scripts that did without what they did not find.
    let first = lower.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let named = named.or_else(|| missing::diagnose(&lower[first..]));
    Diagnosis::Crate(named.unwrap_or(Failure::Compile))
}

/// Whether a process of the build was ended by a signal: compilers that crash do not always crash again.
pub(crate) fn crashed(tail: &[String]) -> bool {
    tail.iter().any(|line| line.contains("(signal: ") || line.starts_with("cargo was ended by signal "))
}

#[cfg(test)]
#[path = "diagnose/tests.rs"]
mod tests;
