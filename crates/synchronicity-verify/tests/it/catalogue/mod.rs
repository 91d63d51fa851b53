//! What the vectors are made of: a good subject, and one flaw.

mod epochs;
mod equivocations;
mod forks;
mod formats;
mod notes;
mod policies;
mod proofs;
mod strict;
mod tiles;
mod trees;

use crate::sample;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    let of_evidence = [proofs::all(), notes::all(), strict::all(), forks::all(), policies::all(), formats::all()];
    of_evidence.into_iter().chain([tiles::all(), trees::all(), epochs::all(), equivocations::all()]).flatten().collect()
}

/// A vector without file, of `kind`, under the policy "any three of four" where the kind needs one.
fn vector(
    kind: &'static str,
    name: &'static str,
    expect: &'static str,
    flaw: &'static str,
    subject: impl Into<Vec<u8>>,
) -> Vector {
    let policy = matches!(kind, "proof" | "checkpoint" | "fork" | "succession").then(|| sample::policy(3).to_string());
    Vector { name, flaw, kind, expect, policy, file: None, subject: subject.into() }
}

/// `text` with the first `from` replaced, which must be there.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}
