//! File and line of an address, where a file has debug information.
//!
//! The line programs are run one after the other and nothing of them is kept: an index, as `addr2line` makes, holds
//! every path and every row of each unit, and units of a hostile file can all name the same program.

use std::collections::BTreeMap;

use gimli::{AttributeValue, DebugLine, DebugLineOffset, EndianSlice, LineProgramHeader, Reader, RunTimeEndian};
use object::{Object, ObjectKind, ObjectSection};

use crate::budget::Limits;
use crate::escape;
use crate::found::Findings;
use crate::names::{NAME_BYTES_MAX, Names, string_at};

type Slice<'data> = EndianSlice<'data, RunTimeEndian>;

/// The longest list of files before one program, in bytes: in memory it is a hundred times as large.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// What is known of addresses so far.
struct Search<'data> {
    line_strings: &'data [u8],
    strings: &'data [u8],
    /// Sorted.
    wanted: Vec<u64>,
    found: BTreeMap<u64, String>,
}

/// As in `src/main.rs:12`, relative to the folder in which the compiler ran. Nothing for a file that is not linked, or
/// has no debug information.
pub(crate) fn lines(
    file: &object::File<'_>,
    wanted: impl Iterator<Item = u64>,
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> BTreeMap<u64, String> {
    let mut wanted: Vec<u64> = wanted.collect();
    wanted.sort_unstable();
    wanted.dedup();
    if file.kind() == ObjectKind::Relocatable || wanted.is_empty() {
        return BTreeMap::new();
    }
    let [programs, line_strings, strings] = sections(file, limits);
    let mut search = Search { line_strings, strings, wanted, found: BTreeMap::new() };
    // Each byte is at most one row.
    if findings.may_look(programs.len()) {
        let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let mut rest = EndianSlice::new(programs, endian);
        while let Ok((program, header_bytes)) = next_program(&mut rest) {
            if header_bytes > HEADER_BYTES_MAX {
                findings.cut_short = true;
            } else {
                // What is damaged in one program says nothing of the next.
                let _ = search.run(program, if file.is_64() { 8 } else { 4 });
            }
        }
    }
    search.found
}

fn sections<'data>(file: &object::File<'data>, limits: &Limits) -> [&'data [u8]; 3] {
    let names = Names::of_sections(file, limits);
    let mut found: [&[u8]; 3] = [&[]; 3];
    for section in file.sections().take(limits.parts) {
        let at = match names.get(section.index().0, NAME_BYTES_MAX) {
            b".debug_line" => 0,
            b".debug_line_str" => 1,
            b".debug_str" => 2,
            _ => continue,
        };
        found[at] = section.data().unwrap_or_default();
    }
    found
}

/// Cuts the next program off, and says how long its header is.
fn next_program<'data>(rest: &mut Slice<'data>) -> gimli::Result<(Slice<'data>, usize)> {
    let whole = *rest;
    let (length, format) = rest.read_initial_length()?;
    let mut head = rest.split(length)?;
    let program = EndianSlice::new(&whole.slice()[..whole.len() - rest.len()], whole.endian());
    if head.read_u16()? >= 5 {
        head.skip(2)?;
    }
    Ok((program, head.read_length(format)?))
}

impl<'data> Search<'data> {
    fn run(&mut self, program: Slice<'data>, address_size: u8) -> gimli::Result<()> {
        let section = DebugLine::new(program.slice(), program.endian());
        let mut rows = section.program(DebugLineOffset(0), address_size, None, None)?.rows();
        // Address, file and line of the row before; whether the code was dropped by the linker, which then writes 0.
        let mut before: Option<(u64, u64, u64)> = None;
        let mut is_dropped = false;
        while let Some((header, row)) = rows.next_row()? {
            match before {
                Some((from, file, line)) if !is_dropped => self.covers(from, row.address(), header, file, line),
                Some(_) => {}
                None => is_dropped = row.address() == 0,
            }
            let line = row.line().map_or(0, std::num::NonZero::get);
            before = (!row.end_sequence()).then_some((row.address(), row.file_index(), line));
        }
        Ok(())
    }

    fn covers(&mut self, from: u64, until: u64, header: &LineProgramHeader<Slice<'data>>, file: u64, line: u64) {
        let first = self.wanted.partition_point(|address| *address < from);
        for at in first..self.wanted.len() {
            let address = self.wanted[at];
            if address >= until {
                break;
            }
            if !self.found.contains_key(&address) {
                let Some(path) = self.path(header, file) else { continue };
                self.found.insert(address, if line == 0 { path } else { format!("{path}:{line}") });
            }
        }
    }

    fn path(&self, header: &LineProgramHeader<Slice<'data>>, file: u64) -> Option<String> {
        let entry = header.file(file)?;
        let name = self.string(entry.path_name());
        // The folder numbered 0 is the compiler's own.
        let folder =
            (entry.directory_index() > 0 && !name.starts_with(b"/")).then(|| entry.directory(header)).flatten();
        let folder = folder.map(|folder| escape::text(self.string(folder)) + "/").unwrap_or_default();
        Some(folder + &escape::text(name))
    }

    fn string(&self, value: AttributeValue<Slice<'data>>) -> &'data [u8] {
        match value {
            AttributeValue::String(text) => string_at(text.slice(), 0, NAME_BYTES_MAX),
            AttributeValue::DebugLineStrRef(at) => string_at(self.line_strings, at.0 as u64, NAME_BYTES_MAX),
            AttributeValue::DebugStrRef(at) => string_at(self.strings, at.0 as u64, NAME_BYTES_MAX),
            _ => b"?",
        }
    }
}
