//! Executables, shared libraries and object files, section by section.

use std::collections::{BTreeMap, BTreeSet};

use object::{Object, ObjectSection, SectionKind};

use crate::archive::{key, without_hashes};
use crate::budget::Limits;
use crate::cause::{Cause, Certainty};
use crate::compare::Unreadable;
use crate::found::{Findings, Part, Weight};
use crate::guess::Guess;
use crate::lines::lines;
use crate::names::{NAME_BYTES_MAX, Names};
use crate::symbols::{Symbols, readable};
use crate::users::{Target, users};
use crate::{escape, guilty};

/// The most differences of one object whose users are looked for: each look goes through all code.
const TARGETS_MAX: usize = 32;

/// Compares two objects of one kind.
pub(crate) fn compare(
    member: Option<&str>,
    first: &[u8],
    second: &[u8],
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Result<(), Unreadable> {
    let parse = |bytes| object::File::parse(bytes).map_err(|_| Unreadable);
    let (a, b) = (parse(first)?, parse(second)?);
    if (a.architecture(), a.kind()) != (b.architecture(), b.kind()) {
        let shown = |file: &object::File<'_>| format!("{:?} {:?}", file.architecture(), file.kind());
        let guess =
            Guess::new(Cause::Toolchain, Certainty::Likely, "files for different machines, or of different kinds");
        findings.shape(member, "header", &shown(&a), &shown(&b), guess);
    }
    let known = findings.list.len();
    let (ours, theirs) = (sections(&a, limits, findings), sections(&b, limits, findings));
    let mut partners: BTreeMap<Key, &Section<'_, '_>> = theirs.iter().map(|section| (section.key, section)).collect();
    let mut places = BTreeMap::new();
    for section in &ours {
        match partners.remove(&section.key) {
            Some(other) => {
                let before = findings.list.len();
                compare_section(member, section, &other.section, findings);
                places.extend((before..findings.list.len()).map(|at| (at, section.section.index().0)));
            }
            None => lone(member, section, true, findings),
        }
    }
    let unpaired = theirs.iter().filter(|section| partners.contains_key(&section.key));
    unpaired.for_each(|section| lone(member, section, false, findings));
    attribute(&a, &places, known, limits, findings);
    Ok(())
}

/// What the budget pays for a section besides its name and content: as much as its header takes in a file.
const SECTION_BYTES: usize = 64;

/// Its name without hashes, as a number, and the how many-th of that name it is.
type Key = (u64, usize);

struct Section<'f, 'data> {
    key: Key,
    /// At most [`NAME_BYTES_MAX`].
    name: &'data [u8],
    section: object::Section<'data, 'f>,
}

/// In the file's order.
fn sections<'f, 'data>(
    file: &'f object::File<'data>,
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Vec<Section<'f, 'data>> {
    let names = Names::of_sections(file, limits);
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sections = Vec::new();
    for section in file.sections() {
        let name = names.get(section.index().0, NAME_BYTES_MAX);
        if sections.len() == limits.parts || !findings.may_look(SECTION_BYTES + name.len()) {
            findings.cut_short = true;
            break;
        }
        let named = key(&without_hashes(name));
        let count = seen.entry(named).or_default();
        *count += 1;
        sections.push(Section { key: (named, *count), name, section });
    }
    sections
}

fn compare_section(
    member: Option<&str>,
    first: &Section<'_, '_>,
    second: &object::Section<'_, '_>,
    findings: &mut Findings<'_>,
) {
    let (Ok(a), Ok(b)) = (first.section.data(), second.data()) else {
        findings.cut_short = true;
        return;
    };
    // Sections of a hostile file can all be the same bytes.
    if !findings.may_look(a.len().min(b.len())) || a == b {
        return;
    }
    let name = &escape::text(&without_hashes(first.name));
    let Some(weight) = weight(name, first.section.kind()) else {
        findings.consequence(name);
        return;
    };
    let texts = matches!(weight, Weight::Text | Weight::Names);
    let part = Part { member, section: name, weight, texts, only_text: weight == Weight::Names };
    findings.part(&part, a, b);
}

/// How near to the origin a section is; none for what linkers and compilers make of the others.
fn weight(name: &str, kind: SectionKind) -> Option<Weight> {
    const MADE: [&str; 15] = [
        ".note.gnu.build-id",
        ".symtab",
        ".strtab",
        ".shstrtab",
        ".dyn",
        ".hash",
        ".gnu.",
        ".rel",
        ".eh_frame",
        ".gcc_except_table",
        ".got",
        ".plt",
        ".data.rel.ro",
        ".group",
        ".init_array",
    ];
    match name {
        _ if MADE.iter().any(|made| name.starts_with(made)) => None,
        ".comment" => Some(Weight::Text),
        ".debug_str" | ".debug_line_str" => Some(Weight::Names),
        _ if name.starts_with(".debug_") || name.starts_with(".llvm") => None,
        _ if name.starts_with(".rodata") || name.starts_with(".data") || name.starts_with(".tdata") => {
            Some(Weight::Text)
        }
        _ => match kind {
            SectionKind::Text => Some(Weight::Code),
            SectionKind::Data
            | SectionKind::ReadOnlyData
            | SectionKind::ReadOnlyString
            | SectionKind::ReadOnlyDataWithRel
            | SectionKind::Tls
            | SectionKind::OtherString
            | SectionKind::Note
            | SectionKind::Other => Some(Weight::Text),
            _ => None,
        },
    }
}

fn lone(member: Option<&str>, section: &Section<'_, '_>, in_first: bool, findings: &mut Findings<'_>) {
    let name = escape::text(section.name);
    let (first, second) = if in_first { ("there", "not there") } else { ("not there", "there") };
    // In objects each function and each constant has a section; which there are follows from the code.
    let guess = if member.is_some() {
        Guess::new(Cause::Unknown, Certainty::Possible, "a function or constant that only one of both has")
    } else {
        Guess::new(Cause::Toolchain, Certainty::Possible, "a section that only one of both has")
    };
    findings.shape(member, &name, first, second, guess);
}

/// Finds out who uses what differs: the function around it, or the one that refers to it.
fn attribute(
    file: &object::File<'_>,
    places: &BTreeMap<usize, usize>,
    known: usize,
    limits: &Limits,
    findings: &mut Findings<'_>,
) {
    if places.is_empty() {
        return;
    }
    let mut order: Vec<usize> = places.keys().copied().filter(|at| *at >= known).collect();
    order.sort_by_key(|at| findings.list[*at].weight);
    order.truncate(TARGETS_MAX);
    let targets: Vec<Target> = order.iter().map(|at| target(file, places[at], &findings.list[*at])).collect();
    let symbols = Symbols::of(file, limits, findings);
    let mut sites: Vec<Option<(usize, u64)>> = targets
        .iter()
        .map(|target| symbols.at(target.section, target.address).map(|_| (target.section, target.address)))
        .collect();
    let unnamed: BTreeSet<usize> = (0..targets.len()).filter(|at| !is_in_code(file, &targets[*at])).collect();
    if !unnamed.is_empty() {
        let wanted: Vec<Target> = unnamed.iter().map(|at| targets[*at].clone()).collect();
        for (at, site) in unnamed.iter().zip(users(file, &wanted, limits, findings)) {
            sites[*at] = site.or(sites[*at]);
        }
    }
    let lines = lines(file, sites.iter().flatten().map(|site| site.1), limits, findings);
    for (at, site) in order.into_iter().zip(sites) {
        let Some((section, address)) = site else { continue };
        let found = &mut findings.list[at];
        let name = symbols.at(section, address).map(readable);
        if found.guilty.is_none() {
            found.guilty = name.as_deref().and_then(|name| guilty::by_symbol(name, findings.facts));
        }
        found.symbol = name;
        found.line = lines.get(&address).cloned();
    }
}

fn target(file: &object::File<'_>, section: usize, found: &crate::found::Found) -> Target {
    let base = file.section_by_index(object::SectionIndex(section)).map_or(0, |section| section.address());
    let at = |offset: u64| base.saturating_add(offset);
    Target { section, run: at(found.run), address: at(found.offset[0]) }
}

fn is_in_code(file: &object::File<'_>, target: &Target) -> bool {
    let section = file.section_by_index(object::SectionIndex(target.section));
    section.is_ok_and(|section| section.kind() == SectionKind::Text)
}
