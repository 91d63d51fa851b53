//! What the commands that build here are asked.

use std::path::PathBuf;

use clap::Args;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::Features;

use crate::exit;
use crate::settings::Asked;

/// What to build here, and how.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The crate, as NAME@VERSION; NAME alone takes the newest version
    #[arg(value_name = "CRATE[@VERSION]")]
    pub(crate) spec: Spec,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) chosen: ChosenFeatures,
    /// Build the library, also where there are executables
    #[arg(long, conflicts_with = "bins")]
    pub(crate) lib: bool,
    /// Build the executables
    #[arg(long)]
    pub(crate) bins: bool,
    /// Build it as this group agreed to: the group file, whose overrides may decide on this crate
    #[arg(long, value_name = "FILE", conflicts_with_all = ["features", "all_features", "no_default_features", "lib", "bins"])]
    pub(crate) group: Option<PathBuf>,
}

/// Features of the crate.
#[derive(Debug, Args)]
pub(crate) struct ChosenFeatures {
    /// Features to turn on, separated by commas
    #[arg(long, short = 'F', value_name = "FEATURES", value_delimiter = ',')]
    features: Vec<String>,
    /// Turn all features on
    #[arg(long)]
    all_features: bool,
    /// Turn the default features off
    #[arg(long)]
    no_default_features: bool,
}

impl ChosenFeatures {
    /// As a request has them.
    pub(crate) fn features(&self) -> Features {
        let mut named = self.features.clone();
        named.sort();
        named.dedup();
        Features { default: !self.no_default_features, all: self.all_features, named }
    }
}

/// Where to build.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// auto, docker, gvisor or embedded
    #[arg(long, value_name = "SANDBOX", default_value = "auto", env = "SYNCHRONICITY_SANDBOX")]
    pub(crate) sandbox: SandboxChoice,
    /// Where toolchain, downloads and builds are kept [default: synchronicity in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "SYNCHRONICITY_DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = REBUILD_HELP)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Compare with this file, and with what a group built: by the recipe of the newest entry of its log
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "group"])]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Where the group's log is, for --against")]
    pub(crate) asked: Asked,
    /// Copy the artifacts to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const REBUILD_HELP: &str = "\
With --against three comparisons are told apart: what the builders of the group
got among themselves, the group's bytes against the file, and your own rebuild
against both. A difference between the file and your rebuild is explained as
`diff` does.

Examples:
  synchronicity rebuild hexyl@0.17.0 --out built
  synchronicity rebuild hexyl@0.17.0 --against ~/.cargo/bin/hexyl

Exit codes:
  0   it was built; with --against: file, group and rebuild have the same bytes
  1   it does not build
  40  the log is invalid, or has forked
  41  the log has no evidence; your rebuild is compared with the file all the
      same
  42  the file is not what the group built, or the group built another archive
  43  fewer builders signed than the policy wants
  44  the file is what the group built, and your rebuild is not
  75  try later: no log answers, or this machine cannot build now";

/// `recipe CRATE@VERSION`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Recipe {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Write a Dockerfile, and what goes with it, to this new folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `check CRATE@VERSION|PATH`: a folder is packed as `cargo package` would publish it
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `diff A B`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Diff {
    /// A file, or a folder of artifacts
    pub(crate) first: PathBuf,
    /// The file or folder to compare it with
    pub(crate) second: PathBuf,
    /// What is known of both builds, as JSON: host names, users, paths, times, variables
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
    /// Run Debian's diffoscope too, in the embedded sandbox: it shows everything, and takes minutes
    #[arg(long, conflicts_with = "json")]
    pub(crate) diffoscope: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
