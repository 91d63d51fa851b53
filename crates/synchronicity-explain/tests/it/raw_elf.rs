//! ELF files byte by byte: what no writer of such files would make.

/// Kinds of files and sections, as the format numbers them.
pub(crate) const RELOCATABLE: u16 = 1;
pub(crate) const DYNAMIC: u16 = 3;
pub(crate) const PROGBITS: u32 = 1;
pub(crate) const SYMTAB: u32 = 2;
pub(crate) const STRTAB: u32 = 3;
pub(crate) const RELA: u32 = 4;
pub(crate) const ALLOC: u64 = 2;
pub(crate) const CODE: u64 = 6;

/// A section's header; its content is `blob`, which others can have as well.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Section {
    pub(crate) name: u32,
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    pub(crate) address: u64,
    pub(crate) blob: usize,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entry: u64,
}

/// A file for x86-64 with `sections` from number 2 on; number 1 is the names of sections, `blobs[0]`.
pub(crate) fn elf(kind: u16, blobs: &[&[u8]], sections: &[Section]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let mut places = Vec::new();
    for blob in blobs {
        places.push(bytes.len() as u64);
        bytes.extend(*blob);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let table = bytes.len() as u64;
    let names = Section { kind: STRTAB, ..Section::default() };
    bytes.extend([0; 64]);
    for section in [names].iter().chain(sections) {
        bytes.extend(section.name.to_le_bytes());
        bytes.extend(section.kind.to_le_bytes());
        let size = blobs[section.blob].len() as u64;
        for value in [section.flags, section.address, places[section.blob], size] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(section.link.to_le_bytes());
        bytes.extend(section.info.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(section.entry.to_le_bytes());
    }
    let number = u16::try_from(sections.len() + 2).expect("few sections");
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    for (at, value) in [(16, kind), (18, 62), (20, 1), (52, 64), (58, 64), (60, number), (62, 1)] {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes[40..48].copy_from_slice(&table.to_le_bytes());
    bytes
}

/// An entry of a table of symbols: data that others may see.
pub(crate) fn symbol(name: u32, section: u16, address: u64, size: u64) -> Vec<u8> {
    let mut bytes = name.to_le_bytes().to_vec();
    bytes.extend([0x11, 0]);
    bytes.extend(section.to_le_bytes());
    bytes.extend(address.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes
}
