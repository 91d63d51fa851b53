//! What nodes answer when they are asked for attestations, each answer checked against what the proof's entry determines.

use std::collections::BTreeMap;

use miette::Diagnostic;
use synchronicity_core::group::{Group, Member};
use synchronicity_rebuild::download::{DownloadError, Downloader, Patience};
use synchronicity_verify::entry::Entry;

use crate::agreed::GROUP_BYTES_MAX;
use crate::attest::dsse::{ENVELOPE_BYTES_MAX, Envelope};
use crate::attest::evidence::{Evidence, NothingToAttest};
use crate::attest::key::PublicKey;
use crate::attest::link::{LINK_BYTES_MAX, SignedLink, link};
use crate::attest::provenance::provenance;
use crate::attest::summary::summary;
use crate::cli::Format;
use crate::exit;

/// Attestations that hold, by the name of the builder.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) provenances: BTreeMap<String, Envelope>,
    pub(crate) links: BTreeMap<String, SignedLink>,
    /// One envelope with the signature of every builder that sent it.
    pub(crate) summary: Option<Envelope>,
    /// Who signed any of it.
    pub(crate) signers: BTreeMap<String, PublicKey>,
    /// Nodes that have nothing for this entry: their builders did not agree, or their log is not there yet.
    pub(crate) absent: Vec<String>,
    /// What went wrong, node by node.
    pub(crate) trouble: Vec<Trouble>,
}

/// Why a node's answer is of no use.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum Trouble {
    #[error("{0}")]
    #[diagnostic(help("start the node, or leave it out: what the others signed is enough where they are enough"))]
    Download(DownloadError),
    #[error("{url} is not the file of the group that the proof is of: {problem}")]
    #[diagnostic(help("name nodes of the group that made the proof; addresses in the file may differ, nothing else"))]
    Group { url: String, problem: String },
    #[error("{url} is not what a builder signs for this entry: {problem}")]
    #[diagnostic(help("whoever serves this serves something false, or runs another version of the program"))]
    False { url: String, problem: String },
}

impl Trouble {
    /// The code of a command that ends with it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Download(DownloadError::TooLarge { .. }) | Self::Group { .. } | Self::False { .. } => exit::INVALID,
            Self::Download(_) => exit::TRY_LATER,
        }
    }
}

/// The group that the entry names, from the first node that has its file. The file proves itself: the entry states the
/// group's id, which covers every key.
pub(crate) fn group(nodes: &[String], entry: &Entry) -> Result<Group, Trouble> {
    let downloader = Downloader::new(Patience::for_logs());
    let mut found = None;
    for node in nodes {
        match group_of(&downloader, node, entry) {
            Ok(group) => return Ok(group),
            Err(trouble) => found = found.or(Some(trouble)),
        }
    }
    let problem = || Trouble::Group { url: "nothing".into(), problem: "no node was named".into() };
    Err(found.unwrap_or_else(problem))
}

fn group_of(downloader: &Downloader, node: &str, entry: &Entry) -> Result<Group, Trouble> {
    let url = format!("{}/group", node.trim_end_matches('/'));
    let problem = |problem: String| Trouble::Group { url: url.clone(), problem };
    let bytes = downloader.get(&url, GROUP_BYTES_MAX).map_err(Trouble::Download)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| problem(error.to_string()))?;
    let group = Group::parse(text).map_err(|error| problem(error.to_string()))?;
    if group.id() == entry.group {
        return Ok(group);
    }
    Err(problem(NothingToAttest::Group { entry: entry.group, file: group.id() }.to_string()))
}

/// Asks every node for every format.
pub(crate) fn collect(nodes: &[String], evidence: &Evidence<'_>, index: u64, formats: &[Format]) -> Collected {
    let downloader = Downloader::new(Patience::for_logs());
    let mut collected = Collected::default();
    for node in nodes {
        for format in formats {
            let url = format!("{}/attestation/index/{index}/{}", node.trim_end_matches('/'), segment(*format));
            match downloader.get(&url, limit(*format)) {
                Ok(answer) => {
                    if let Err(problem) = collected.take(evidence, *format, &answer) {
                        collected.trouble.push(Trouble::False { url, problem });
                    }
                }
                Err(DownloadError::Absent { .. }) => collected.absent.push(node.clone()),
                Err(error) => {
                    collected.trouble.push(Trouble::Download(error));
                    break;
                }
            }
        }
    }
    collected.absent.dedup();
    collected
}

/// The last part of the path under which a node serves it.
fn segment(format: Format) -> &'static str {
    match format {
        Format::Provenance => "provenance",
        Format::Summary => "summary",
        Format::Link => "link",
    }
}

fn limit(format: Format) -> u64 {
    match format {
        Format::Provenance | Format::Summary => ENVELOPE_BYTES_MAX as u64,
        Format::Link => LINK_BYTES_MAX as u64,
    }
}

impl Collected {
    /// Takes an answer, if an agreeing builder signed exactly what the entry determines.
    fn take(&mut self, evidence: &Evidence<'_>, format: Format, answer: &[u8]) -> Result<(), String> {
        match format {
            Format::Provenance => {
                let (envelope, member, key) = envelope_of_one(evidence, answer)?;
                if provenance(evidence, &member.command).as_deref() != Some(envelope.payload()) {
                    return Err(format!("{} signed another provenance than the entry determines", member.name));
                }
                self.sign(member, key);
                self.provenances.insert(member.name.clone(), envelope);
            }
            Format::Summary => {
                let (envelope, member, key) = envelope_of_one(evidence, answer)?;
                if summary(evidence) != envelope.payload() {
                    return Err(format!("{} signed another summary than the entry determines", member.name));
                }
                self.sign(member, key);
                self.summary = match self.summary.take() {
                    Some(summary) => summary.merged(envelope),
                    None => Some(envelope),
                };
            }
            Format::Link => {
                let (signed, expected) =
                    (SignedLink::parse(answer).map_err(|error| error.to_string())?, link(evidence));
                let signer = signers(evidence).find(|(_, key)| signed.is_of(key, &expected));
                let (member, key) =
                    signer.ok_or("no builder that agreed has signed the link that the entry determines")?;
                self.sign(member, key);
                self.links.insert(member.name.clone(), signed);
            }
        }
        Ok(())
    }

    fn sign(&mut self, member: &Member, key: PublicKey) {
        self.signers.insert(member.name.clone(), key);
    }
}

/// An envelope with the one signature of a builder that agreed.
fn envelope_of_one<'a>(evidence: &Evidence<'a>, answer: &[u8]) -> Result<(Envelope, &'a Member, PublicKey), String> {
    let envelope = Envelope::parse(answer).map_err(|error| error.to_string())?;
    if envelope.signatures().len() != 1 {
        return Err("a node signs for its own builder only".to_owned());
    }
    let signer = signers(evidence).find(|(_, key)| envelope.is_signed_by(key));
    let (member, key) = signer.ok_or("no builder that agreed has signed it")?;
    Ok((envelope, member, key))
}

fn signers<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (&'a Member, PublicKey)> {
    let agreeing = evidence.agreeing().into_iter();
    agreeing.filter_map(|(member, _)| Some((member, PublicKey::from_bytes(&member.attestation)?)))
}
