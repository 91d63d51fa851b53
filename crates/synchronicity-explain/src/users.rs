//! Who uses a string or a table: the code that refers to it.
//!
//! In a linked file for x86-64 by the distances that instructions hold, and through tables of pointers by one step more;
//! in an object file by its relocations.

use std::collections::BTreeMap;

use object::{Architecture, Object, ObjectKind, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind};

use crate::budget::Limits;
use crate::found::Findings;

/// A place whose users are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The section's number.
    pub(crate) section: usize,
    /// The address at which the text with the difference begins; users refer to its beginning or to a place within.
    pub(crate) run: u64,
    /// The address of the difference.
    pub(crate) address: u64,
}

/// What the budget pays for a relocation: as much as it takes in a file. Sections can share theirs.
const RELOCATION_BYTES: usize = 24;

/// Section and address of a user.
type Site = (usize, u64);

/// How far before a pointer the table begins that holds it, in bytes.
const TABLE_BYTES: u64 = 128;

/// One user of each target, where one is found.
pub(crate) fn users(
    file: &object::File<'_>,
    targets: &[Target],
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Vec<Option<Site>> {
    if file.kind() == ObjectKind::Relocatable {
        return by_relocations(file, targets, limits, findings);
    }
    if file.architecture() != Architecture::X86_64 || !findings.may_look(code_bytes(file)) {
        return vec![None; targets.len()];
    }
    let mut found = by_distance(file, targets);
    let unfound: Vec<usize> = (0..targets.len()).filter(|at| found[*at].is_none()).collect();
    if unfound.is_empty() || !findings.may_look(code_bytes(file)) {
        return found;
    }
    let wanted: Vec<Target> = unfound.iter().map(|at| targets[*at].clone()).collect();
    let pointers = pointers(file, &wanted, limits, findings);
    let tables: Vec<Target> = pointers
        .iter()
        .map(|pointer| {
            let address = pointer.unwrap_or(0);
            Target { section: 0, run: address.saturating_sub(TABLE_BYTES), address }
        })
        .collect();
    for ((at, site), pointer) in unfound.into_iter().zip(by_distance(file, &tables)).zip(pointers) {
        found[at] = pointer.and(site);
    }
    found
}

/// Keeps for each target the user that refers to the place nearest before it.
struct Nearest<'t> {
    targets: &'t [Target],
    hull: std::ops::RangeInclusive<u64>,
    best: Vec<Option<(u64, Site)>>,
}

impl<'t> Nearest<'t> {
    fn of(targets: &'t [Target]) -> Self {
        let from = targets.iter().map(|target| target.run).min().unwrap_or(1);
        let until = targets.iter().map(|target| target.address).max().unwrap_or(0);
        Self { targets, hull: from..=until, best: vec![None; targets.len()] }
    }

    fn refers(&mut self, to: u64, site: Site) {
        if !self.hull.contains(&to) {
            return;
        }
        for (target, best) in self.targets.iter().zip(&mut self.best) {
            let within = target.run <= to && to <= target.address;
            if within && best.is_none_or(|(nearest, _)| nearest < to) {
                *best = Some((to, site));
            }
        }
    }

    fn sites(self) -> Vec<Option<Site>> {
        self.best.into_iter().map(|best| best.map(|(_, site)| site)).collect()
    }
}

/// Instructions that hold a distance from their own end: the byte before it says so (no base register, mode 0).
fn by_distance(file: &object::File<'_>, targets: &[Target]) -> Vec<Option<Site>> {
    let mut nearest = Nearest::of(targets);
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let Ok(code) = section.data() else { continue };
        for (at, window) in code.windows(5).enumerate() {
            if window[0] & 0xc7 != 0x05 {
                continue;
            }
            let distance = i32::from_le_bytes([window[1], window[2], window[3], window[4]]);
            let place = section.address().wrapping_add(at as u64);
            let to = place.wrapping_add(5).wrapping_add_signed(distance.into());
            nearest.refers(to, (section.index().0, place));
        }
    }
    nearest.sites()
}

/// Where a pointer to each target is stored, by the relocations that the loader applies.
fn pointers(
    file: &object::File<'_>,
    targets: &[Target],
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Vec<Option<u64>> {
    let mut nearest = Nearest::of(targets);
    for (count, (place, relocation)) in file.dynamic_relocations().into_iter().flatten().enumerate() {
        if count == limits.parts || !findings.may_look(RELOCATION_BYTES) {
            findings.cut_short = true;
            break;
        }
        if relocation.target() == RelocationTarget::Absolute {
            nearest.refers(relocation.addend().cast_unsigned(), (0, place));
        }
    }
    nearest.sites().into_iter().map(|site| site.map(|(_, place)| place)).collect()
}

fn by_relocations(
    file: &object::File<'_>,
    targets: &[Target],
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Vec<Option<Site>> {
    // One user of each section: in objects every constant has a section of its own.
    let mut users: BTreeMap<usize, Site> = BTreeMap::new();
    'all: for section in file.sections().take(limits.parts) {
        for (offset, relocation) in section.relocations() {
            if !findings.may_look(RELOCATION_BYTES) {
                break 'all;
            }
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(index) else { continue };
            let Some(to) = symbol.section_index() else { continue };
            // A symbol may name a section that is not there: those would fill memory.
            if file.section_by_index(to).is_err() {
                continue;
            }
            let site = (section.index().0, offset);
            let of_code = section.kind() == SectionKind::Text;
            if of_code || !users.contains_key(&to.0) {
                users.insert(to.0, site);
            }
        }
    }
    let is_code = |section: usize| {
        file.section_by_index(object::SectionIndex(section)).is_ok_and(|it| it.kind() == SectionKind::Text)
    };
    let user = |target: &Target| {
        let site = *users.get(&target.section)?;
        // A table of pointers is used by somebody in turn.
        if is_code(site.0) { Some(site) } else { users.get(&site.0).copied().or(Some(site)) }
    };
    targets.iter().map(user).collect()
}

fn code_bytes(file: &object::File<'_>) -> usize {
    let code = file.sections().filter(|section| section.kind() == SectionKind::Text);
    code.map(|section| usize::try_from(section.size()).unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
}
