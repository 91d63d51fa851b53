//! What a build looked for and did not find: libraries, headers, programs, git.
//!
//! Hosts of one fingerprint, or a host and an image, may differ in whether git or a downloader is there at all. So a
//! program that is missing is named as its use would be: without git a build needs git, as with git and without a
//! repository; without curl it needs the network, as with curl.

use synchronicity_verify::result::Failure;

const GIT: &[&str] = &[
    "not a git repository",
    "could not find repository at",
    "class=repository",
    "no git repository",
    "git repository not found",
    "failed to find git",
];

/// What pkg-config, linkers, and the crates that look for libraries say.
const LIBRARY: &[&str] = &[
    "was not found in the pkg-config search path",
    "pkg-config command could not be found",
    "`pkg-config` command could not be found",
    "could not find system library",
    "cannot find -l",
    "unable to find library -l",
    "library not found for -l",
    "could not find native static library",
    "could not find directory of openssl installation",
    "unable to find libclang",
    "no suitable version of llvm was found",
    "could not find `protoc`",
    "failed to find tool",
];

/// Two parts of one line, with a name between them.
const LIBRARY_BETWEEN: &[(&str, &str)] = &[
    ("the system library `", "was not found"),
    ("no package '", "' found"),
    ("requested '", "but version of"),
    ("is `", "` not installed?"),
    ("fatal error: ", "no such file or directory"),
    ("fatal error: '", "' file not found"),
];

/// What shells and programs say of a file that is not there.
const ABSENT: &[&str] =
    &["no such file or directory", "kind: notfound", ": not found", "command not found", "program not found"];

/// Programs that build scripts run, beside git and the downloaders.
const TOOLS: &[&str] = &[
    "autoconf",
    "automake",
    "autoreconf",
    "bison",
    "clang",
    "clang++",
    "cmake",
    "flex",
    "gfortran",
    "go",
    "libtoolize",
    "llvm-config",
    "m4",
    "make",
    "meson",
    "nasm",
    "ninja",
    "node",
    "npm",
    "perl",
    "pkg-config",
    "protoc",
    "python",
    "python3",
    "ragel",
    "swig",
    "tclsh",
    "unzip",
    "yarn",
    "yasm",
];

const DOWNLOADERS: &[&str] = &["curl", "wget"];

/// Names what is missing; `lines` are in lower case, from the first error on.
pub(super) fn diagnose(lines: &[String]) -> Option<Failure> {
    let program = |names: &[&str]| {
        // An error with a number is the compiler's own, about a module or a name in the source.
        let absent = |line: &&String| !line.starts_with("error[") && ABSENT.iter().any(|phrase| line.contains(phrase));
        lines.iter().filter(absent).any(|line| words(line).any(|word| names.contains(&word)))
    };
    let git = |line: &String| GIT.iter().any(|phrase| line.contains(phrase)) || reads_repository(line);
    if program(DOWNLOADERS) {
        Some(Failure::Network)
    } else if lines.iter().any(git) || program(&["git"]) {
        Some(Failure::Git)
    } else if lines.iter().any(|line| lacks_library(line) || shell_lacks(line)) || program(TOOLS) {
        Some(Failure::SystemPackage)
    } else {
        None
    }
}

/// Whether a file below `.git` was looked for.
fn reads_repository(line: &str) -> bool {
    let below = |word: &str| word.split('/').any(|part| part == ".git");
    line.contains("no such file or directory") && words(line).any(below)
}

fn lacks_library(line: &str) -> bool {
    let between = |(before, behind): &(&str, &str)| {
        line.find(before).is_some_and(|at| line[at + before.len()..].contains(behind))
    };
    LIBRARY.iter().any(|phrase| line.contains(phrase)) || LIBRARY_BETWEEN.iter().any(between)
}

/// A shell's own words: `sh: 1: gperf: not found`, `/bin/sh: line 1: gperf: command not found`.
fn shell_lacks(line: &str) -> bool {
    let line = line.trim();
    let shell = line.split(':').next().unwrap_or_default();
    let named = ["sh", "bash", "dash"].contains(&shell.rsplit('/').next().unwrap_or_default());
    named && line.ends_with(": not found") || line.ends_with(": command not found")
}

/// Names and paths of a line, without what surrounds them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_+./".contains(c)))
}
