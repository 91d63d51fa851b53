//! Options of `devnet`, checked against each other before anything is started.

use std::path::PathBuf;

use clap::{ValueEnum, value_parser};
use serde::Serialize;

use crate::config::Sandbox;

/// What `synchronicity-node devnet` accepts.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// What to rebuild: NAME or NAME@VERSION of crates.io, or the folder of one of the project's fixture crates
    #[arg(required = true, value_name = "CRATE[@VERSION]")]
    pub(super) crates: Vec<String>,

    /// Members of the group, each a process of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u16).range(1..=31))]
    builders: u16,

    /// Identical results that make a verdict [default: the smallest majority]
    #[arg(long, value_name = "K")]
    threshold: Option<u16>,

    /// Where everything is kept: results in `out`, what later runs reuse in `cache`
    #[arg(long, value_name = "DIR", default_value = "devnet")]
    pub(super) data: PathBuf,

    /// Where builds run
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) sandbox: Sandbox,

    /// Leave the group running until Ctrl-C, and say how to use it
    #[arg(long)]
    pub(super) keep: bool,

    /// One JSON object a line on stdout, for programs
    #[arg(long)]
    pub(super) json: bool,

    /// Builders that report false hashes
    #[arg(long, value_name = "N", default_value_t = 0)]
    liar: u16,

    /// Builders that commit and never reveal
    #[arg(long, value_name = "N", default_value_t = 0)]
    silent: u16,

    /// Nodes killed with SIGKILL in the middle and started again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) crash: u16,

    /// The phase of a victim at which `--crash` strikes
    #[arg(long, value_enum, default_value_t = CrashAt::Building, hide = true)]
    pub(super) crash_at: CrashAt,
}

const AFTER_HELP: &str = "\
Each run founds a new group in DIR/group-…, and removes the folders of earlier groups. Proofs, policies and artifacts
of every run stay in DIR/out; toolchain and downloads are kept in DIR/cache, so that a second run is fast.

Exit codes: 0 every crate reproduced and its proof verified; 2 usage, or no such crate; 40 a proof does not verify;
41 the group reached a verdict that is no evidence (diverged, unbuildable, inconclusive); 42 an artifact is not the
one of the proof; 43 too few signatures; 75 try later (folder in use, sandbox or network missing); 130 interrupted.";

/// The phase at which a crash is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CrashAt {
    Building,
    Committed,
    Revealed,
}

/// How one builder behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Conduct {
    Honest,
    Liar,
    Silent,
}

/// A consistent set of options: who takes part, and how many of them must agree.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) threshold: u16,
    /// One for each builder, in the order of their names.
    pub(super) conduct: Vec<Conduct>,
}

/// Options that contradict each other.
#[derive(Debug, thiserror::Error, miette::Diagnostic, PartialEq, Eq)]
pub(super) enum CastError {
    #[error("{liar} liars and {silent} silent builders do not fit into a group of {builders}")]
    #[diagnostic(help("raise --builders, or lower --liar and --silent"))]
    TooManyParts { liar: u16, silent: u16, builders: u16 },
    #[error("{crash} nodes to crash in a group of {builders}")]
    #[diagnostic(help("--crash can be at most --builders"))]
    TooManyVictims { crash: u16, builders: u16 },
    #[error("a threshold of {threshold} in a group of {builders}")]
    #[diagnostic(help(
        "it must be a majority, so that two verdicts can never both reach it: between {least} and {builders}"
    ))]
    Threshold { threshold: u16, builders: u16, least: u16 },
}

impl Args {
    /// Hands out the parts: the last builders lie, those before them stay silent.
    pub(super) fn cast(&self) -> Result<Cast, CastError> {
        let Self { builders, liar, silent, crash, .. } = *self;
        if u32::from(liar) + u32::from(silent) > u32::from(builders) {
            return Err(CastError::TooManyParts { liar, silent, builders });
        }
        if crash > builders {
            return Err(CastError::TooManyVictims { crash, builders });
        }
        let least = builders / 2 + 1;
        let threshold = self.threshold.unwrap_or(least);
        if !(least..=builders).contains(&threshold) {
            return Err(CastError::Threshold { threshold, builders, least });
        }
        let conduct = (0..builders)
            .map(|index| match builders - index {
                from_end if from_end <= liar => Conduct::Liar,
                from_end if from_end <= liar + silent => Conduct::Silent,
                _ => Conduct::Honest,
            })
            .collect();
        Ok(Cast { threshold, conduct })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn cast(line: &str) -> Result<Cast, CastError> {
        Line::try_parse_from(["devnet"].into_iter().chain(line.split_whitespace())).unwrap().args.cast()
    }

    #[test]
    fn four_builders_need_three_to_agree() {
        let cast = cast("hexyl").unwrap();
        assert_eq!((cast.threshold, cast.conduct), (3, vec![Conduct::Honest; 4]));
    }

    #[test]
    fn liars_and_silent_builders_are_different_people() {
        let cast = cast("hexyl --liar 1 --silent 2").unwrap();
        assert_eq!(cast.conduct, [Conduct::Honest, Conduct::Silent, Conduct::Silent, Conduct::Liar]);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(matches!(cast("hexyl --liar 3 --silent 2"), Err(CastError::TooManyParts { .. })));
        assert!(matches!(cast("hexyl --liar 65535 --silent 65535"), Err(CastError::TooManyParts { .. })));
        assert!(matches!(cast("hexyl --crash 5"), Err(CastError::TooManyVictims { .. })));
        assert!(matches!(cast("hexyl --threshold 2"), Err(CastError::Threshold { least: 3, .. })));
        assert!(matches!(cast("hexyl --threshold 5"), Err(CastError::Threshold { .. })));
    }
}
