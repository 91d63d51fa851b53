//! What a verified proof shows, in words for people and in JSON for programs.
//!
//! The words keep apart who is compared with whom: builder against builder, and the group against a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, MemberRecord, Verdict};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::{Environment, Features, LockGrade, Products, Source, Toolchain};
use synchronicity_verify::result::{Artifact, BuildResult, Failure};
use synchronicity_verify::verify::{Cosigner, Verified};

/// The name and version of the document, which change together with `docs/schemas/proof.schema.json`.
const SCHEMA: &str = "synchronicity/proof@v1";

/// Several lines, the verdict first. `file` is what the artifacts were compared with, if anything was.
pub(crate) fn in_words(verified: &Verified, policy: &Policy, file: Option<&Path>) -> String {
    let entry = &verified.entry;
    let origin = policy.log().name();
    let source = &entry.request.source;
    let mut lines = entry_lines(entry, origin);
    lines.push(("log", format!("entry {} of {origin}, at size {}", verified.index, verified.size)));
    lines.push(("cosigned by", cosigned_by(&verified.cosigners, policy)));
    lines.push(("group against file", against_file(verified, file)));
    let mut text = format!("{}: {} {}\n", entry.verdict.as_str(), source.name(), source.version());
    for (label, line) in lines {
        text += &format!("  {label:<25}{line}\n");
    }
    text
}

/// One object with everything that the words say.
pub(crate) fn as_json(verified: &Verified, policy: &Policy, file: Option<(&Path, &Digest)>) -> Value {
    let mut told = entry_json(&verified.entry);
    told["schema"] = SCHEMA.into();
    told["exit"] = crate::verify::code(verified).into();
    told["evidence"] = verified.is_evidence().into();
    told["log"] = json!({ "origin": policy.log().name(), "index": verified.index, "size": verified.size });
    told["vouched"] = verified.vouched_s.into();
    told["cosigners"] = cosigners_json(&verified.cosigners);
    told["file"] = file.map_or(Value::Null, |(path, digest)| {
        json!({
            "path": path.display().to_string(),
            "sha256": digest.to_string(),
            "artifact": verified.file.as_ref().map(|name| name.as_str()),
        })
    });
    told
}

/// What an entry says by itself: a label and a line each. `origin` is that of the log, which names need not repeat.
pub(crate) fn entry_lines(entry: &Entry, origin: &str) -> Vec<(&'static str, String)> {
    let mut lines = vec![("source", source_in_words(&entry.request.source)), ("recipe", recipe(entry))];
    lines.push(("builder against builder", agreement(entry)));
    if entry.round > 0 {
        lines.push(("", format!("attempt {}: what was revealed in earlier ones was public by then", entry.round + 1)));
    }
    lines.extend(results(entry, origin).map(|result| ("", result)));
    for artifact in built(entry) {
        lines.push(("artifact", format!("{}, {} bytes", artifact.name, artifact.size)));
        lines.push(("", format!("sha256 {}", artifact.sha256)));
    }
    lines
}

/// The same for programs.
pub(crate) fn entry_json(entry: &Entry) -> Value {
    let request = &entry.request;
    let member = |member: &MemberRecord| {
        json!({
            "name": member.name,
            "builder": member.builder.to_string(),
            "result": member.result().map(|result| result.to_string()),
        })
    };
    json!({
        "verdict": entry.verdict.as_str(),
        "purl": request.source.purl(),
        "source_sha256": request.source.checksum().to_string(),
        "request": request.id().to_string(),
        "attempt": entry.round + 1,
        "features": features(&request.features),
        "rustc": { "release": request.toolchain.release, "commit": request.toolchain.commit },
        "target": request.target,
        "threshold": entry.threshold,
        "agreeing": entry.agreeing().map(member).collect::<Vec<_>>(),
        "dissenting": entry.dissenting().map(member).collect::<Vec<_>>(),
        "silent": entry.silent().map(member).collect::<Vec<_>>(),
        "artifacts": built(entry).iter().map(artifact_json).collect::<Vec<_>>(),
        "failure": failure(entry).map(|failure| failure.as_str()),
    })
}

/// The artifacts that the builders agreed on; none without agreement.
pub(crate) fn built(entry: &Entry) -> &[Artifact] {
    let artifacts = entry.agreed.as_ref().and_then(BuildResult::artifacts);
    artifacts.map(|artifacts| artifacts.as_slice()).unwrap_or_default()
}

/// One artifact: name, size in bytes, SHA-256.
pub(crate) fn artifact_json(artifact: &Artifact) -> Value {
    json!({ "name": artifact.name.as_str(), "size": artifact.size, "sha256": artifact.sha256.to_string() })
}

/// Who cosigned, and how many of whom the policy wants.
pub(crate) fn cosigned_by(cosigners: &[Cosigner], policy: &Policy) -> String {
    let names: Vec<_> = cosigners.iter().map(|cosigner| short(&cosigner.name, policy.log().name())).collect();
    format!("{}; the policy wants {}", names.join(", "), policy.quorum_in_words())
}

/// Who cosigned, and when: seconds since 1970.
pub(crate) fn cosigners_json(cosigners: &[Cosigner]) -> Value {
    cosigners.iter().map(|cosigner| json!({ "name": cosigner.name, "time": cosigner.time_s })).collect()
}

pub(crate) fn source_in_words(source: &Source) -> String {
    match source {
        Source::Registry { checksum, .. } => format!("published on crates.io, sha256 {checksum}"),
        Source::Fixture { .. } => "a fixture of this project: nothing that anybody published".into(),
    }
}

fn recipe(entry: &Entry) -> String {
    let request = &entry.request;
    let lock = match request.lock.grade {
        LockGrade::Published => "lock as published",
        LockGrade::Resolved => "lock resolved by the submitter",
        LockGrade::Replaced => "published lock broken, resolved by the submitter",
    };
    let environment = environment(&request.environment);
    let products = match request.products {
        Products::Binaries => "executables",
        Products::Library => "library",
        Products::Installed => "executables as by `cargo install --locked`",
    };
    let features = features(&request.features);
    let Toolchain { release, .. } = &request.toolchain;
    format!("rustc {release} for {}, {products}, {features}, {lock}, {environment}", request.target)
}

/// The image, or the fingerprint of the builders' hosts.
pub(crate) fn environment(environment: &Environment) -> String {
    match environment {
        Environment::Image { layer } => format!("image {layer}"),
        Environment::Host { fingerprint } => format!("builders' own hosts {fingerprint}"),
    }
}

/// The features that are on, in words.
pub(crate) fn features(features: &Features) -> String {
    let mut named = features.named.clone();
    match (features.all, features.default) {
        (true, _) => return "all features".into(),
        (false, true) if named.is_empty() => return "default features".into(),
        (false, true) => named.insert(0, "default".into()),
        (false, false) if named.is_empty() => return "no features".into(),
        (false, false) => {}
    }
    format!("features {}", named.join(" "))
}

fn agreement(entry: &Entry) -> String {
    let (agreeing, members, threshold) = (entry.agreeing().count(), entry.members.len(), entry.threshold);
    match entry.verdict {
        Verdict::Reproduced => format!("{agreeing} of {members} got the same bytes; {threshold} are needed"),
        Verdict::Unbuildable => {
            let why = failure(entry).map(|failure| format!("{failure}: {}", failure.advice())).unwrap_or_default();
            format!("{agreeing} of {members} could not build it, {why}")
        }
        Verdict::Diverged => format!("no {threshold} of {members} got the same: this is no evidence"),
        Verdict::Inconclusive => format!("too few of {members} revealed a result; {threshold} are needed"),
    }
}

fn failure(entry: &Entry) -> Option<Failure> {
    match entry.agreed {
        Some(BuildResult::Failed(failure)) => Some(failure),
        _ => None,
    }
}

/// Who got what: the agreed result first, then the others, then those that revealed none.
fn results(entry: &Entry, origin: &str) -> impl Iterator<Item = String> {
    let names = |members: &mut dyn Iterator<Item = &MemberRecord>| {
        let mut names: Vec<_> = members.map(|member| short(&member.name, origin)).collect();
        names.sort_unstable();
        names.join(", ")
    };
    let mut others: BTreeMap<Option<Digest>, Vec<&MemberRecord>> = BTreeMap::new();
    for member in entry.dissenting() {
        others.entry(member.result()).or_default().push(member);
    }
    let mut lines = vec![("agree", names(&mut entry.agreeing()))];
    lines.extend(others.into_values().map(|members| ("got another result", names(&mut members.into_iter()))));
    lines.push(("revealed nothing", names(&mut entry.silent())));
    lines.into_iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what}: {names}"))
}

fn against_file(verified: &Verified, file: Option<&Path>) -> String {
    match (&verified.file, file) {
        (Some(name), Some(file)) => format!("{} is the artifact {name}, byte for byte", file.display()),
        (_, Some(file)) => format!("{} was not compared: there is no evidence to compare it with", file.display()),
        (_, None) if verified.is_evidence() => "not compared: name a file to compare it".into(),
        (_, None) => "nothing to compare a file with".into(),
    }
}

/// Keys of a group's members are mostly named after its log.
pub(crate) fn short<'a>(name: &'a str, origin: &str) -> &'a str {
    name.strip_prefix(origin).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}
