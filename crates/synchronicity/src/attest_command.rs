//! `attest`: what builders sign for the tools of others, fetched, checked against a proof, and kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::json;

use crate::attest::evidence::{Evidence, NothingToAttest};
use crate::attest::link;
use crate::cli::{Attest, Format};
use crate::collect::{self, Collected};
use crate::exit::{self, Stop};
use crate::trust::Trust;
use crate::verify::checked;
use crate::{durable, read};

/// Why nothing was fetched, or nothing kept.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum AttestError {
    #[error("the proof holds, and shows no evidence: {0}")]
    #[diagnostic(help("builders attest only artifacts on which a threshold of them agreed"))]
    Nothing(NothingToAttest),
    #[error("none of these nodes has signed anything for this entry: {}", nodes.join(", "))]
    #[diagnostic(help(
        "only builders that agreed sign, and only once their own log has reached the entry: name their nodes, or try later"
    ))]
    Absent { nodes: Vec<String> },
    #[error("the attestations hold, and cannot be kept as {}: {error}", path.display())]
    #[diagnostic(help("choose another folder with --out"))]
    Keep { path: PathBuf, error: io::Error },
}

/// Verifies the proof, fetches, checks, keeps, tells.
///
/// What holds is kept also where another node failed; the code is then that of the first failure.
///
/// # Errors
/// The reason and its exit code: unreadable input, a proof that does not hold, nothing that could be kept.
pub fn attest(args: &Attest) -> Result<u8, Stop> {
    let usage = |error| Stop::new(exit::USAGE, error);
    let policy = args.policy.one()?;
    let proof = read::proof(&args.proof).map_err(usage)?;
    let (verified, checkpoint) = checked(&proof, &args.proof.display().to_string(), &policy, None, None)?;
    Trust::open_offline(&args.state, &policy)?.map_or(Ok(()), |trust| trust.compare(&checkpoint, &policy))?;
    let group = collect::group(&args.nodes, &verified.entry).map_err(|trouble| Stop::new(trouble.code(), trouble))?;
    let evidence = Evidence::new(&verified.entry, &group)
        .map_err(|nothing| Stop::new(exit::NO_EVIDENCE, AttestError::Nothing(nothing)))?;
    let formats: &[Format] =
        if args.formats.is_empty() { &[Format::Provenance, Format::Summary, Format::Link] } else { &args.formats };
    let mut collected = collect::collect(&args.nodes, &evidence, verified.index, formats);
    if collected.signers.is_empty() {
        let nothing = || Stop::new(exit::NO_EVIDENCE, AttestError::Absent { nodes: args.nodes.clone() });
        let first = collected.trouble.into_iter().next();
        return Err(first.map_or_else(nothing, |trouble| Stop::new(trouble.code(), trouble)));
    }
    let written = write(&evidence, &collected, &args.out)?;
    let code = collected.trouble.first().map_or(exit::OK, collect::Trouble::code);
    if args.json {
        verbatim!("{}", as_json(&evidence, &collected, &written, code));
    } else {
        out!("{}", in_words(&evidence, &collected, &written, args));
    }
    for trouble in collected.trouble.drain(..) {
        errln!("{:?}", miette::Report::from(trouble));
    }
    Ok(code)
}

/// The name and version of the document, which change together with `docs/schemas/attest.schema.json`.
const SCHEMA: &str = "synchronicity/attest@v1";

/// A file that was written, and what it is.
struct Written {
    path: PathBuf,
    what: &'static str,
}

fn write(evidence: &Evidence<'_>, collected: &Collected, out: &Path) -> Result<Vec<Written>, Stop> {
    let source = &evidence.entry().request.source;
    let stem = format!("{}-{}", source.name(), source.version());
    let mut files = Vec::new();
    for (builder, envelope) in &collected.provenances {
        files.push((format!("{stem}.{builder}.provenance.json"), "SLSA provenance", envelope.to_json() + "\n"));
    }
    if let Some(envelope) = &collected.summary {
        files.push((format!("{stem}.summary.json"), "SLSA verification summary", envelope.to_json() + "\n"));
    }
    for (builder, key) in &collected.signers {
        if let Some(signed) = collected.links.get(builder) {
            files.push((link::file_name(key), "in-toto link", signed.to_json() + "\n"));
        }
        files.push((format!("{builder}.pub"), "public key", key.to_pem()));
    }
    let failed = |path: &Path, error| Stop::new(exit::INTERNAL, AttestError::Keep { path: path.to_owned(), error });
    fs::create_dir_all(out).map_err(|error| failed(out, error))?;
    let mut written = Vec::new();
    for (name, what, content) in files {
        let path = out.join(name);
        durable::replace(&path, content.as_bytes(), 0o644).map_err(|error| failed(&path, error))?;
        written.push(Written { path, what });
    }
    Ok(written)
}

fn in_words(evidence: &Evidence<'_>, collected: &Collected, written: &[Written], args: &Attest) -> String {
    let (entry, source) = (evidence.entry(), &evidence.entry().request.source);
    let mut text = format!("attested: {} {}\n", source.name(), source.version());
    let mut line = |label: &str, line: String| text += &format!("  {label:<25}{line}\n");
    let (signed, agreeing) = (collected.signers.len(), evidence.agreeing().len());
    line(
        "signed by",
        format!("{signed} of {agreeing} builders that agreed; the group's threshold is {}", entry.threshold),
    );
    for (builder, key) in &collected.signers {
        line("", format!("{builder}, key {}", key.key_id()));
    }
    for node in &collected.absent {
        line("not signed by", format!("{node}: its builder did not agree, or its log has not reached the entry"));
    }
    for Written { path, what } in written {
        line(what, path.display().to_string());
    }
    text + &suggestions(evidence, collected, written, args)
}

/// Commands of other tools for what was written.
fn suggestions(evidence: &Evidence<'_>, collected: &Collected, written: &[Written], args: &Attest) -> String {
    let out = args.out.display();
    let mut lines = vec!["To check them with other tools (docs/attestations.md says what each shows):".to_owned()];
    let of = |what: &str| written.iter().find(|written| written.what == what).map(|written| written.path.display());
    let artifact = evidence.artifacts().first().map_or("FILE", |artifact| artifact.name.as_str());
    if let (Some(envelope), Some(builder)) = (of("SLSA provenance"), collected.provenances.keys().next()) {
        lines.push(format!(
            "  cosign verify-blob-attestation --key {out}/{builder}.pub --signature {envelope} \
             --type slsaprovenance1 --insecure-ignore-tlog {artifact}"
        ));
    }
    if let Some(envelope) = of("SLSA verification summary") {
        let threshold = evidence.entry().threshold;
        lines.push(format!("  python3 interop/python/dsse_verify.py --threshold {threshold} {envelope} {out}/*.pub"));
    }
    if of("in-toto link").is_some() {
        lines.push(format!("  in-toto-verify --layout LAYOUT --verification-keys OWNER.pub --link-dir {out}"));
    }
    lines.join("\n") + "\n"
}

fn as_json(evidence: &Evidence<'_>, collected: &Collected, written: &[Written], code: u8) -> serde_json::Value {
    let signers = collected.signers.iter().map(|(name, key)| json!({ "name": name, "key_id": key.key_id() }));
    let files = written.iter().map(|file| json!({ "what": file.what, "path": file.path.display().to_string() }));
    json!({
        "schema": SCHEMA,
        "exit": code,
        "purl": evidence.entry().request.source.purl(),
        "threshold": evidence.entry().threshold,
        "signers": signers.collect::<Vec<_>>(),
        "absent": collected.absent,
        "trouble": collected.trouble.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "written": files.collect::<Vec<_>>(),
    })
}
