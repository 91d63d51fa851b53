//! Names of functions and data by their place, readable.

use std::fmt::{self, Write as _};

use object::{Object, ObjectSymbol, SymbolKind};

use crate::budget::Limits;
use crate::escape;
use crate::found::Findings;
use crate::names::{Names, SYMBOL_BYTES_MAX};

/// What the budget pays for a symbol: as much as it takes in a file.
const SYMBOL_BYTES: usize = 24;

/// The named places of one object, sorted.
pub(crate) struct Symbols<'data> {
    /// Section, address, size, table, number in the table. Names are looked up only for those that are asked for.
    places: Vec<(usize, u64, u64, u8, u32)>,
    /// Of the table for linkers, and of the table for loaders.
    names: [Names<'data>; 2],
}

impl<'data> Symbols<'data> {
    pub(crate) fn of(file: &object::File<'data>, limits: &Limits, findings: &mut Findings<'_>) -> Self {
        let named = |symbol: &object::Symbol<'data, '_>| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown)
        };
        let mut places = Vec::new();
        let tables = file.symbols().map(|it| (0, it)).chain(file.dynamic_symbols().map(|it| (1, it)));
        for (count, (table, symbol)) in tables.enumerate() {
            if count == limits.parts || !findings.may_look(SYMBOL_BYTES) {
                findings.cut_short = true;
                break;
            }
            let (true, Some(section)) = (named(&symbol), symbol.section_index()) else { continue };
            let Ok(number) = u32::try_from(symbol.index().0) else { continue };
            places.push((section.0, symbol.address(), symbol.size(), table, number));
        }
        places.sort_unstable();
        Self { places, names: Names::of_symbols(file, limits) }
    }

    /// The mangled name of what is at `address` of the section; only what covers it.
    pub(crate) fn at(&self, section: usize, address: u64) -> Option<&'data [u8]> {
        let after = self.places.partition_point(|place| (place.0, place.1) <= (section, address));
        let &(within, start, size, table, number) = self.places.get(after.checked_sub(1)?)?;
        // Functions of assemblers may be without a size.
        let covered = within == section && (size == 0 || address - start < size);
        covered.then(|| self.names[usize::from(table)].get(number as usize, SYMBOL_BYTES_MAX))
    }
}

/// The most of a demangled name, in bytes: some would fill pages.
const NAME_BYTES_MAX: usize = 240;

/// A symbol's name for people, without the hash.
pub(crate) fn readable(mangled: &[u8]) -> String {
    let mangled = String::from_utf8_lossy(&mangled[..mangled.len().min(SYMBOL_BYTES_MAX)]);
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
