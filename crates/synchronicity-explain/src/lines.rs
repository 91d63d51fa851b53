//! File and line of an address, where a file has debug information.

use addr2line::gimli::{self, EndianSlice, RunTimeEndian};
use object::{Object, ObjectKind, ObjectSection};

use crate::escape;

/// The line tables of one linked file.
pub(crate) struct Lines<'data> {
    context: addr2line::Context<EndianSlice<'data, RunTimeEndian>>,
}

/// Larger debug information is left alone, in bytes: its index would be as large.
const DEBUG_BYTES_MAX: u64 = 256 << 20;

impl<'data> Lines<'data> {
    /// None for an object that is not linked, and for one without debug information.
    pub(crate) fn of(file: &object::File<'data>) -> Option<Self> {
        let info = file.section_by_name(".debug_info")?;
        if file.kind() == ObjectKind::Relocatable || info.size() > DEBUG_BYTES_MAX {
            return None;
        }
        let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            let data = file.section_by_name(id.name()).and_then(|section| section.data().ok());
            Ok(EndianSlice::new(data.unwrap_or_default(), endian))
        };
        let context = addr2line::Context::from_dwarf(gimli::Dwarf::load(section).ok()?).ok()?;
        Some(Self { context })
    }

    /// As in `src/main.rs:12`.
    pub(crate) fn at(&self, address: u64) -> Option<String> {
        let location = self.context.find_location(address).ok()??;
        let file = escape::text(location.file?.as_bytes());
        Some(location.line.map_or(file.clone(), |line| format!("{file}:{line}")))
    }
}
