//! Names in object files under a bound: names of a hostile file may overlap, be as long as the file, or never end.

use object::read::elf::{ElfFile, FileHeader, SectionHeader, Sym, SymbolTable};
use object::{Endianness, SectionIndex};

use crate::budget::Limits;

/// The most of a name of a section, a member or a source file that is looked at, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// The most of a symbol's mangled name that is looked at, in bytes: with generics they become long.
pub(crate) const SYMBOL_BYTES_MAX: usize = 16 << 10;

/// The beginning of a name that is at hand already.
pub(crate) fn cut(name: &[u8]) -> &[u8] {
    &name[..name.len().min(NAME_BYTES_MAX)]
}

/// The string that begins at `offset` and ends before a NUL, at most `most` bytes of it; no more is looked at.
pub(crate) fn string_at(strings: &[u8], offset: u64, most: usize) -> &[u8] {
    let rest = usize::try_from(offset).ok().and_then(|offset| strings.get(offset..)).unwrap_or_default();
    let rest = &rest[..rest.len().min(most)];
    &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]
}

/// Where the names of one table stand. `object` itself would search the end of each name, however far it is.
#[derive(Debug, Default)]
pub(crate) struct Names<'data> {
    strings: &'data [u8],
    offsets: Vec<u32>,
}

impl<'data> Names<'data> {
    /// Names of sections.
    pub(crate) fn of_sections(file: &object::File<'data>, limits: &Limits) -> Self {
        match file {
            object::File::Elf32(elf) => section_names(elf, limits),
            object::File::Elf64(elf) => section_names(elf, limits),
            _ => Self::default(),
        }
    }

    /// Names of symbols, and of those that the loader sees.
    pub(crate) fn of_symbols(file: &object::File<'data>, limits: &Limits) -> [Self; 2] {
        match file {
            object::File::Elf32(elf) => {
                [elf.elf_symbol_table(), elf.elf_dynamic_symbol_table()].map(|table| symbol_names(elf, table, limits))
            }
            object::File::Elf64(elf) => {
                [elf.elf_symbol_table(), elf.elf_dynamic_symbol_table()].map(|table| symbol_names(elf, table, limits))
            }
            _ => Default::default(),
        }
    }

    /// The name of the section or symbol of this number, at most `most` bytes of it; empty where there is none.
    pub(crate) fn get(&self, index: usize, most: usize) -> &'data [u8] {
        self.offsets.get(index).map_or(&[], |offset| string_at(self.strings, (*offset).into(), most))
    }
}

fn section_names<'data, E>(elf: &ElfFile<'data, E>, limits: &Limits) -> Names<'data>
where
    E: FileHeader<Endian = Endianness>,
{
    let index = elf.elf_header().section_strings_index(elf.endian(), elf.data());
    let headers = elf.elf_section_table().iter().take(limits.parts.saturating_add(1));
    Names {
        strings: index.map_or(&[], |index| strings(elf, index)),
        offsets: headers.map(|header| header.sh_name(elf.endian())).collect(),
    }
}

fn symbol_names<'data, E>(elf: &ElfFile<'data, E>, table: &SymbolTable<'data, E>, limits: &Limits) -> Names<'data>
where
    E: FileHeader<Endian = Endianness>,
{
    let symbols = table.iter().take(limits.parts.saturating_add(1));
    Names {
        strings: strings(elf, table.string_section()),
        offsets: symbols.map(|symbol| symbol.st_name(elf.endian())).collect(),
    }
}

fn strings<'data, E: FileHeader<Endian = Endianness>>(elf: &ElfFile<'data, E>, index: SectionIndex) -> &'data [u8] {
    let section = elf.elf_section_table().section(index);
    section.and_then(|section| section.data(elf.endian(), elf.data())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_nul_at_the_bound_or_with_the_table() {
        assert_eq!(string_at(b"\0abc\0def", 1, 10), b"abc");
        assert_eq!(string_at(b"\0abc\0def", 1, 2), b"ab");
        assert_eq!(string_at(b"\0abc\0def", 5, 10), b"def");
        assert_eq!(string_at(b"\0abc\0def", 9, 10), b"");
        assert_eq!(cut(&[b'a'; 1000]).len(), NAME_BYTES_MAX);
    }
}
