//! Which reader a file gets, by what it begins with; and what becomes of a file that its reader cannot read.

use crate::budget::Limits;
use crate::found::{Findings, Part, Weight};
use crate::{archive, elf};

/// A file that is not what its first bytes promise.
#[derive(Debug)]
pub(crate) struct Unreadable;

const ELF: &[u8] = b"\x7fELF";
const ARCHIVE: &[u8] = b"!<arch>\n";
const METADATA: &[u8] = b"rust\0\0\0";

/// What kind of file this is, for people.
pub(crate) fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        _ if bytes.starts_with(ELF) => "ELF",
        _ if bytes.starts_with(ARCHIVE) => "archive",
        _ if bytes.starts_with(METADATA) => "Rust metadata",
        _ => "bytes",
    }
}

/// Compares two files that differ. What cannot be read as what it seems to be is compared as bytes.
pub(crate) fn file(first: &[u8], second: &[u8], limits: &Limits, findings: &mut Findings<'_>) {
    if first.starts_with(ARCHIVE) && second.starts_with(ARCHIVE) {
        if archive::compare(first, second, limits, findings).is_err() {
            findings.cut_short = true;
            plain(None, first, second, findings);
        }
    } else {
        content(None, first, second, limits, findings);
    }
    if findings.list.is_empty() && findings.consequences.is_empty() {
        plain(None, first, second, findings);
    }
}

/// Compares two files, or two members of archives, that are no archives themselves.
pub(crate) fn content(member: Option<&str>, first: &[u8], second: &[u8], limits: &Limits, findings: &mut Findings<'_>) {
    let both = |magic: &[u8]| first.starts_with(magic) && second.starts_with(magic);
    if both(METADATA) {
        let part = Part { member, section: "metadata", weight: Weight::Text, texts: true, only_text: true };
        findings.part(&part, first, second);
    } else if !both(ELF) || elf::compare(member, first, second, limits, findings).is_err() {
        plain(member, first, second, findings);
    }
}

fn plain(member: Option<&str>, first: &[u8], second: &[u8], findings: &mut Findings<'_>) {
    let part = Part { member, section: "bytes", weight: Weight::Text, texts: true, only_text: false };
    findings.part(&part, first, second);
}
