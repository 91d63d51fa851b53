//! `verify` on proofs of equivocation: the group file says whose the key is, and nothing else does.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};
use libtest_mimic::{Failed, Trial};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Ballot, Equivocation, Occasion, Proposal, Vote};

use crate::attest::group;
use crate::groups::seed;
use crate::program::{Ran, run, sample};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("equivocation::the_member_that_signed_both_votes_is_named_and_the_code_is_never_zero", guilty),
        Trial::test("equivocation::a_proof_of_another_group_or_of_a_strangers_key_accuses_no_member", others),
        Trial::test("equivocation::a_damaged_proof_shows_nothing", damaged),
        Trial::test("equivocation::without_the_group_file_nobody_is_accused", without_group),
    ]
}

fn proof(group: Digest, key: &SigningKey) -> Equivocation {
    let on = Occasion { group, epoch: 0, view: 41 };
    let vote = |ballot: Ballot| Vote { ballot, signature: key.sign(&ballot.signed_bytes(&on)).to_bytes() };
    let proposal = Proposal { parent: 40, block: Digest::of(b"a block") };
    let votes = [vote(Ballot::Finalize(proposal)), vote(Ballot::Nullify)];
    Equivocation::new(on, key.verifying_key().to_bytes(), votes).unwrap()
}

fn key(index: u8) -> SigningKey {
    SigningKey::from_bytes(&seed("consensus", index))
}

/// A folder with `proof` and the file of `group`.
fn folder(proof: &[u8], group: &Group) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("proof"), proof).unwrap();
    fs::write(dir.path().join("group.toml"), group.to_text()).unwrap();
    dir
}

fn verify(dir: &Path, more: &[&str]) -> Ran {
    run(dir, [&["verify", "proof", "--group", "group.toml"], more].concat())
}

fn guilty() -> Outcome {
    let group = group();
    let proof = proof(group.id(), &key(2));
    let dir = folder(proof.to_string().as_bytes(), &group);
    let ran = verify(dir.path(), &[]).expect(40);
    let words = format!(
        "a member has equivocated: builder-2 signed a nullify and a finalize vote in view 41 of epoch 0, in the group {}",
        group.id()
    );
    assert!(ran.err.contains(&words), "{}", ran.err);
    assert!(ran.err.contains("the proof holds"), "{}", ran.err);
    let told = verify(dir.path(), &["--json"]).expect(40).json();
    assert_eq!(told["equivocation"]["member"], "builder-2");
    assert_eq!(told["equivocation"]["kind"], "nullify-finalize");
    assert_eq!(told["equivocation"]["view"], 41);
    assert_eq!(told["exit"], 40);
    Ok(())
}

fn others() -> Outcome {
    let group = group();
    for (proof, words) in [
        (proof(Digest::of(b"another group"), &key(2)), "and the group file is of"),
        (proof(group.id(), &key(9)), "which is no member's consensus key in this group"),
    ] {
        let dir = folder(proof.to_string().as_bytes(), &group);
        let ran = verify(dir.path(), &[]).expect(40);
        assert!(ran.err.contains(words) && !ran.err.contains("has equivocated"), "{}", ran.err);
    }
    Ok(())
}

fn damaged() -> Outcome {
    let group = group();
    let good = proof(group.id(), &key(2)).to_string();
    for (bytes, words) in [
        (good.replace("view 41", "view 42"), "did not sign the first vote"),
        (good.trim_end().to_owned(), "is not spelled as this format spells it"),
        ("c2sp.org/tlog-proof@v1\n".to_owned(), "not a proof of equivocation"),
    ] {
        let dir = folder(bytes.as_bytes(), &group);
        let ran = verify(dir.path(), &[]).expect(40);
        assert!(ran.err.contains(words) && ran.err.contains("it shows nothing"), "{}", ran.err);
    }
    let dir = folder(good.as_bytes(), &group);
    fs::write(dir.path().join("group.toml"), "no group")?;
    verify(dir.path(), &[]).expect(2);
    Ok(())
}

fn without_group() -> Outcome {
    let group = group();
    let dir = folder(proof(group.id(), &key(2)).to_string().as_bytes(), &group);
    fs::copy(sample().1, dir.path().join("policy"))?;
    let ran = run(dir.path(), ["verify", "proof", "--policy", "policy"]).expect(2);
    assert!(ran.err.contains("name the group file with --group"), "{}", ran.err);
    let ran = verify(dir.path(), &["policy"]).expect(2);
    assert!(ran.err.contains("--group is for a proof of equivocation alone"), "{}", ran.err);
    Ok(())
}
