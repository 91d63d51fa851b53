//! The catalogue: what makes builds differ, and what a crate's author can do about it.

use serde::{Deserialize, Serialize};

/// Why two builds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// When the build was made.
    BuildTime,
    /// The name of the machine.
    HostName,
    /// The user, or the user's home folder.
    UserOrHome,
    /// The folder in which the build was made.
    BuildPath,
    /// An environment variable.
    Environment,
    /// How many jobs or processors the build had.
    JobCount,
    /// The order in which a folder's files were listed.
    FileOrder,
    /// The order in which a hash map or set was gone through.
    IterationOrder,
    /// The commit, branch or tag, or whether the tree was clean.
    GitState,
    /// Another compiler or linker, or other flags.
    Toolchain,
    /// Random numbers.
    Random,
    /// Nothing of the catalogue fits.
    Unknown,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It fits, and so may others.
    Possible,
    /// It has the looks of this cause.
    Likely,
    /// Each build's own value stands in its file.
    Known,
}

impl Cause {
    /// All of the catalogue, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::BuildTime,
        Self::HostName,
        Self::UserOrHome,
        Self::BuildPath,
        Self::Environment,
        Self::JobCount,
        Self::FileOrder,
        Self::IterationOrder,
        Self::GitState,
        Self::Toolchain,
        Self::Random,
        Self::Unknown,
    ];

    /// The name in JSON, as in `build-time`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuildTime => "build-time",
            Self::HostName => "host-name",
            Self::UserOrHome => "user-or-home",
            Self::BuildPath => "build-path",
            Self::Environment => "environment",
            Self::JobCount => "job-count",
            Self::FileOrder => "file-order",
            Self::IterationOrder => "iteration-order",
            Self::GitState => "git-state",
            Self::Toolchain => "toolchain",
            Self::Random => "random",
            Self::Unknown => "unknown",
        }
    }

    /// For people, as in `the time of the build`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::BuildTime => "the time of the build",
            Self::HostName => "the name of the machine",
            Self::UserOrHome => "the user or the home folder",
            Self::BuildPath => "the folder of the build",
            Self::Environment => "an environment variable",
            Self::JobCount => "the number of jobs or processors",
            Self::FileOrder => "the order of files in a folder",
            Self::IterationOrder => "the order of a hash map or set",
            Self::GitState => "the state of the git repository",
            Self::Toolchain => "another compiler, linker or flag",
            Self::Random => "random numbers",
            Self::Unknown => "nothing of the catalogue",
        }
    }

    /// What the author of the guilty crate can do.
    pub fn suggestion(self) -> &'static str {
        match self {
            Self::BuildTime => {
                "leave the time out, or take it from SOURCE_DATE_EPOCH where that variable is set (seconds since 1970)"
            }
            Self::HostName => "leave the machine's name out; what a user wants to know is the version",
            Self::UserOrHome => "leave user and home folder out; ask for them when the program runs",
            Self::BuildPath => {
                "do not embed CARGO_MANIFEST_DIR, OUT_DIR or other absolute paths: use include_str! or include_bytes! \
                 for the content, and for C code -ffile-prefix-map"
            }
            Self::Environment => "do not embed the variable, or set it to a fixed value in the build script",
            Self::JobCount => "do not let NUM_JOBS or the number of processors decide what is generated",
            Self::FileOrder => "sort what read_dir or a glob gives before anything is made of it",
            Self::IterationOrder => {
                "use BTreeMap or BTreeSet, or sort before writing, in the build script or the proc macro"
            }
            Self::GitState => "leave commit and branch out of published builds: a .crate file has no repository",
            Self::Toolchain => "nothing to mend in the crate: build both with the same toolchain, linker and flags",
            Self::Random => {
                "use a fixed seed, or draw it when the program runs; for the crate const-random set CONST_RANDOM_SEED"
            }
            Self::Unknown => "see what writes these bytes; `diff --diffoscope` shows everything",
        }
    }
}

impl Certainty {
    /// As in `likely`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Known => "known",
        }
    }
}
