//! Our log as files, read by tools of others that know nothing of us: Go's transparency log library, and three Python
//! packages. Each check must hold on a good log, and must refuse a damaged one. And others' vectors, judged by us.
//!
//! `scripts/interop-tools.sh` installs the tools. A check whose tool is missing is counted as ignored, unless
//! `SYNCHRONICITY_REQUIRE` names the tool (`go`, `python`, `python-aics`, `vectors`): then it fails.
#![allow(clippy::unwrap_used, reason = "in a test it is the right answer to a surprise")]

mod damage;
mod elsewhere;
mod published;
#[path = "../it/sample.rs"]
#[allow(dead_code, reason = "made for the other tests, which use the rest")]
mod sample;
mod tools;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial, run};
use tempfile::TempDir;

use tools::{Answer, Tool, Tools};

/// One check by one tool.
struct Case {
    name: &'static str,
    tool: Tool,
    check: &'static str,
    expected: Expected,
}

/// What the tool must say: that the good log holds, or, after the damage, words of its refusal.
#[derive(Clone, Copy)]
enum Expected {
    Holds,
    Refused { damage: fn(&Path), words: &'static str },
}

const fn holds(name: &'static str, tool: Tool, check: &'static str) -> Case {
    Case { name, tool, check, expected: Expected::Holds }
}

const fn refused(name: &'static str, tool: Tool, check: &'static str, damage: fn(&Path), words: &'static str) -> Case {
    Case { name, tool, check, expected: Expected::Refused { damage, words } }
}

/// Spelled as the names of trials are, one line each, so that the list reads as what was shown.
#[rustfmt::skip]
const CASES: &[Case] = &[
    holds("go_opens_every_checkpoint_with_the_logs_key_alone", Tool::Go, "note"),
    holds("go_finds_the_logs_signature_and_four_cosignatures_good", Tool::Go, "cosignatures"),
    holds("go_authenticates_every_leaf_of_every_published_size", Tool::Go, "tiles"),
    holds("go_proves_and_checks_records_from_our_tiles", Tool::Go, "records"),
    holds("go_proves_and_checks_many_pairs_of_trees_from_our_tiles", Tool::Go, "trees"),
    holds("go_accepts_the_proofs_that_our_code_made", Tool::Go, "our-proofs"),
    refused("go_refuses_a_checkpoint_with_another_root", Tool::Go, "note", damage::checkpoint_text, "invalid signature"),
    refused("go_refuses_a_cosignature_with_one_flipped_bit", Tool::Go, "cosignatures", damage::cosignature, "invalid signature"),
    // Not by the library's own check of tiles, of which version 0.7 spares as many as the root has subtrees: by the proof.
    refused("go_refuses_a_tile_with_one_flipped_bit", Tool::Go, "records", damage::tile, "invalid transparency proof"),
    refused("go_refuses_a_bundle_with_one_flipped_bit", Tool::Go, "tiles", damage::bundle, "another hash"),
    refused("go_refuses_a_signed_root_that_is_not_that_of_the_tiles", Tool::Go, "tiles", damage::signed_root, "downloaded inconsistent tile"),
    refused("go_refuses_trees_whose_signed_root_is_not_ours", Tool::Go, "trees", damage::signed_root, "another root"),
    refused("go_refuses_an_inclusion_proof_with_one_flipped_bit", Tool::Go, "our-proofs", damage::inclusion_proof, "our proof of record"),
    refused("go_refuses_a_consistency_proof_with_one_flipped_bit", Tool::Go, "our-proofs", damage::consistency_proof, "our proof of tree"),

    holds("tlog_scales_finds_all_five_signatures_of_every_checkpoint_good", Tool::Scales, "signatures"),
    holds("tlog_scales_proves_and_checks_entries_of_every_published_size", Tool::Scales, "tiles"),
    holds("tlog_scales_accepts_the_proofs_that_our_code_made", Tool::Scales, "our-proofs"),
    refused("tlog_scales_refuses_a_checkpoint_with_another_root", Tool::Scales, "signatures", damage::checkpoint_text, "0 signatures hold"),
    refused("tlog_scales_refuses_a_cosignature_with_one_flipped_bit", Tool::Scales, "signatures", damage::cosignature, "4 signatures hold"),
    refused("tlog_scales_refuses_a_tile_with_one_flipped_bit", Tool::Scales, "tiles", damage::tile, "InclusionProofInvalid"),
    refused("tlog_scales_refuses_a_bundle_with_one_flipped_bit", Tool::Scales, "tiles", damage::bundle, "InclusionProofInvalid"),
    refused("tlog_scales_refuses_an_inclusion_proof_with_one_flipped_bit", Tool::Scales, "our-proofs", damage::inclusion_proof, "InclusionProofInvalid"),
    refused("tlog_scales_refuses_a_consistency_proof_with_one_flipped_bit", Tool::Scales, "our-proofs", damage::consistency_proof, "ConsistencyProofInvalid"),

    holds("aics_tlog_finds_the_quorum_of_every_checkpoint_reached", Tool::Aics, "policy"),
    holds("aics_tlog_authenticates_every_tile_and_bundle_of_every_published_size", Tool::Aics, "tiles"),
    holds("aics_tlog_accepts_the_proofs_that_our_code_made", Tool::Aics, "our-proofs"),
    refused("aics_tlog_refuses_a_checkpoint_below_the_quorum", Tool::Aics, "policy", damage::two_cosignatures, "quorum not met"),
    refused("aics_tlog_refuses_a_cosignature_with_one_flipped_bit", Tool::Aics, "policy", damage::cosignature, "failed verification"),
    refused("aics_tlog_refuses_a_tile_with_one_flipped_bit", Tool::Aics, "tiles", damage::tile, "TileVerificationError"),
    refused("aics_tlog_refuses_a_bundle_with_one_flipped_bit", Tool::Aics, "tiles", damage::bundle, "TileVerificationError"),
    refused("aics_tlog_refuses_a_signed_root_that_is_not_that_of_the_tiles", Tool::Aics, "tiles", damage::signed_root, "TileVerificationError"),
    refused("aics_tlog_refuses_an_inclusion_proof_with_one_flipped_bit", Tool::Aics, "our-proofs", damage::inclusion_proof, "does not hold"),
    refused("aics_tlog_refuses_a_consistency_proof_with_one_flipped_bit", Tool::Aics, "our-proofs", damage::consistency_proof, "does not hold"),

    holds("pymerkle_computes_our_root_for_every_size_up_to_three_thousand", Tool::Pymerkle, "roots"),
    refused("pymerkle_finds_the_size_from_which_the_roots_differ", Tool::Pymerkle, "roots", damage::bundle, "the root of size 512 differs"),
];

/// The good log, written once, by the first check that needs it.
#[derive(Default)]
struct Log(OnceLock<TempDir>);

fn main() {
    let arguments = Arguments::from_args();
    let (log, tools) = (Arc::new(Log::default()), Arc::new(Tools::find()));
    let trial = |name: &'static str, tool, check: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
        let missing = tools.may_skip(tool);
        if let (Some(why), false) = (&missing, arguments.list) {
            eprintln!("IGNORED {name}: {why}");
        }
        Trial::test(name, check).with_ignored_flag(missing.is_some())
    };
    let cases = CASES.iter().map(|case| {
        let (log, tools) = (Arc::clone(&log), Arc::clone(&tools));
        trial(case.name, case.tool, Box::new(move || case.run(&log, &tools)))
    });
    let vectors = trial(elsewhere::NAME, Tool::Vectors, Box::new(elsewhere::judge));
    let conclusion = run(&arguments, cases.chain([vectors]).collect());
    // Exiting drops nothing: without this the folder would stay.
    drop(log);
    conclusion.exit();
}

impl Log {
    fn folder(&self) -> &Path {
        let write = || {
            let folder = tempfile::tempdir().unwrap();
            published::write(folder.path());
            folder
        };
        self.0.get_or_init(write).path()
    }
}

impl Case {
    fn run(&self, log: &Log, tools: &Tools) -> Result<(), Failed> {
        match self.expected {
            Expected::Holds => match tools.ask(self.tool, self.check, log.folder())? {
                Answer::Holds(_) => Ok(()),
                Answer::Refused(why) => Err(format!("refused a good log: {why}").into()),
            },
            Expected::Refused { damage, words } => {
                let copy = tempfile::tempdir()?;
                copy_folder(log.folder(), copy.path())?;
                damage(copy.path());
                match tools.ask(self.tool, self.check, copy.path())? {
                    Answer::Holds(said) => Err(format!("accepted a damaged log: {said}").into()),
                    Answer::Refused(why) if why.contains(words) => Ok(()),
                    Answer::Refused(why) => Err(format!("refused, but not with {words:?}: {why}").into()),
                }
            }
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        let target = to.join(file.file_name());
        if file.file_type()?.is_dir() {
            copy_folder(&file.path(), &target)?;
        } else {
            std::fs::copy(file.path(), target)?;
        }
    }
    Ok(())
}
