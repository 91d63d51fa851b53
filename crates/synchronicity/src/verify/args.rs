//! What `verify` is asked, in which of its forms.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::equivocation;

use crate::exit::{self, Stop};
use crate::fork;
use crate::library::Places;
use crate::policies::choice::Choice;

/// `verify PROOF [FILE]`, `verify FILE...` or `verify --installed`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub struct Verify {
    /// Files to look up by their content; or one proof, NAME-VERSION.tlog-proof, NAME.fork or NAME.equivocation, and the
    /// file to compare with it
    #[arg(value_name = "FILE", required_unless_present = "installed")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) policy: Choice,
    /// The group file: whose key a proof of equivocation accuses. Such a proof needs it, and no policy
    #[arg(long, value_name = "FILE", conflicts_with_all = ["installed", "spec", "proof"])]
    pub(crate) group: Option<PathBuf>,
    /// Accept only a file of this crate, or a proof for it
    #[arg(long = "crate", value_name = "CRATE[@VERSION]")]
    pub(crate) spec: Option<Spec>,
    /// The proof of the files; others are not looked for
    #[arg(long, value_name = "PROOF", conflicts_with_all = ["installed", "bundles"])]
    pub(crate) proof: Option<PathBuf>,
    /// Look up every executable that cargo installed
    #[arg(long, conflicts_with_all = ["files", "spec"])]
    pub(crate) installed: bool,
    /// Where cargo installed them [default: CARGO_INSTALL_ROOT, CARGO_HOME or ~/.cargo]
    #[arg(long, value_name = "DIR", requires = "installed")]
    pub(crate) root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) places: Places,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const LONG_HELP: &str = "\
Where evidence is looked for, in this order:
  FILE.tlog-proof, and every other .tlog-proof in the folder of FILE that is
    about it
  the copy of the policy's log that this machine keeps
  the log itself, at --node or at the policy's address: all of it is fetched, or
    what is new in it, so that nobody is told which file it is

Examples:
  synchronicity verify ~/.cargo/bin/hexyl --node http://127.0.0.1:8080
  synchronicity verify target/release/app --crate app@1.2.0 --bundle log.bundle
  synchronicity verify --installed --policy policy.txt
  synchronicity verify hexyl-0.17.0.tlog-proof hexyl --policy policy.txt
  synchronicity verify builder-3.equivocation --group group.toml

Exit codes:
  0   every file is what a group built; or the proof holds
  40  the evidence is invalid, or of another crate than the one that was named;
      or it shows that the log has forked, or that a member has equivocated
  41  there is no evidence for a file
  42  there is evidence for the crate that was named, or recorded, and it is of
      other bytes
  43  fewer builders signed, or fewer groups agree, than the policy wants
  75  try later: no log answers, or what is there is too old
With several files it is the first of 40, 42, 43, 41, 2, 75 that any of them
got.";

/// The forms of the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// A proof, and perhaps a file to compare with it.
    Proof(&'a Path, Option<&'a Path>),
    /// Files, of which only the content is known.
    Files(&'a [PathBuf]),
    /// What cargo installed.
    Installed,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--group is for a proof of equivocation alone")]
#[diagnostic(help("name that one file, or leave --group out"))]
struct OneAlone;

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{} is a proof, and a proof is compared with one file at most", .0.display())]
#[diagnostic(help("name the proof with --proof to compare it with several files"))]
struct TooMany(PathBuf);

impl Verify {
    /// The proof of equivocation and the group file, if one is named: no policy judges then.
    pub(super) fn accusation(&self) -> Result<Option<(&Path, &Path)>, Stop> {
        match (&self.group, self.files.as_slice()) {
            (None, _) => Ok(None),
            (Some(group), [proof]) => Ok(Some((proof, group))),
            (Some(_), _) => Err(Stop::new(exit::USAGE, OneAlone)),
        }
    }

    /// Which form is meant: see [`is_proof`].
    pub(super) fn form(&self) -> Result<Form<'_>, Stop> {
        let files = self.files.as_slice();
        let looked_up = self.proof.is_some() || !self.places.bundles.is_empty() || self.places.offline;
        match files {
            _ if self.installed => Ok(Form::Installed),
            [first, rest @ ..] if !looked_up && is_proof(first) => match rest {
                [] => Ok(Form::Proof(first, None)),
                [file] => Ok(Form::Proof(first, Some(file))),
                _ => Err(Stop::new(exit::USAGE, TooMany(first.clone()))),
            },
            files => Ok(Form::Files(files)),
        }
    }
}

/// Bytes at the start of a file that are looked at.
const LOOKED_AT: u64 = 4096;

/// Whether a file is to be read as a proof. Proofs are text, and what compilers make is not: a file with a zero byte near
/// its start is no proof, unless its name or its first line says so. What is neither is read as a proof, and refused as
/// one, so that a damaged proof never passes for a file without evidence.
fn is_proof(path: &Path) -> bool {
    if path
        .extension()
        .is_some_and(|extension| ["tlog-proof", "fork", "equivocation"].iter().any(|proof| extension == *proof))
    {
        return true;
    }
    // Not opened if it is no file: a pipe can be read only once.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return true;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start));
    let known: [&[u8]; 3] = [b"c2sp.org/tlog-proof", fork::FIRST_LINE, equivocation::FIRST_LINE.as_bytes()];
    let says_so = known.iter().any(|first| start.starts_with(first));
    read.is_err() || says_so || !start.contains(&0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_damaged_is_a_proof_and_what_a_compiler_makes_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let is_proof = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            is_proof(&path)
        };
        assert!(is_proof("a", b"c2sp.org/tlog-proof@v1\nextra "));
        assert!(is_proof("b", b"c2sp.org/tlog-proof@v1\n\0\0"));
        assert!(is_proof("c", b""));
        assert!(is_proof("d", b"c2sp.orG/tlog-proof@v1\n"));
        assert!(is_proof("e.tlog-proof", b"\x7fELF\x02\0"));
        assert!(is_proof("f.fork", b"\0"));
        assert!(!is_proof("g", b"\x7fELF\x02\x01\x01\0"));
        assert!(!is_proof("h.rlib", b"!<arch>\n/               0\0"));
        assert!(super::is_proof(dir.path()) && super::is_proof(&dir.path().join("absent")));
    }
}
