//! Names of functions and data by their place, readable.

use std::fmt::{self, Write as _};

use object::{Object, ObjectSymbol, SymbolKind};

use crate::budget::Limits;
use crate::escape;

/// The named places of one object, sorted.
pub(crate) struct Symbols<'data> {
    /// Section, address, size, mangled name.
    places: Vec<(usize, u64, u64, &'data [u8])>,
}

impl<'data> Symbols<'data> {
    pub(crate) fn of(file: &object::File<'data>, limits: &Limits) -> Self {
        let named = |symbol: &object::Symbol<'data, '_>| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown)
        };
        let mut places: Vec<_> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .take(limits.parts)
            .filter(named)
            .filter_map(|it| Some((it.section_index()?.0, it.address(), it.size(), it.name_bytes().ok()?)))
            .collect();
        places.sort_unstable();
        Self { places }
    }

    /// The mangled name of what is at `address` of the section; only what covers it.
    pub(crate) fn at(&self, section: usize, address: u64) -> Option<&'data [u8]> {
        let after = self.places.partition_point(|place| (place.0, place.1) <= (section, address));
        let &(within, start, size, name) = self.places.get(after.checked_sub(1)?)?;
        // Functions of assemblers may be without a size.
        let covered = within == section && (size == 0 || address - start < size);
        covered.then_some(name)
    }
}

/// The most of a demangled name, in bytes: some would fill pages.
const NAME_BYTES_MAX: usize = 240;

/// A symbol's name for people, without the hash.
pub(crate) fn readable(mangled: &[u8]) -> String {
    let mangled = String::from_utf8_lossy(&mangled[..mangled.len().min(16 << 10)]);
    let mut name = Bounded(String::new());
    // Writing ends where the bound is reached.
    let _ = write!(name, "{:#}", rustc_demangle::demangle(&mangled));
    escape::text(name.0.as_bytes())
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.len() >= NAME_BYTES_MAX {
                return Err(fmt::Error);
            }
            self.0.push(letter);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_manglings_are_read_and_a_name_without_end_is_cut() {
        assert_eq!(readable(b"_ZN5hexyl4main17h0123456789abcdefE"), "hexyl::main");
        assert_eq!(readable(b"_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(readable(b"plain\xff"), "plain\\u{fffd}");
        assert!(readable(&[b'a'; 100_000]).len() <= NAME_BYTES_MAX);
    }
}
