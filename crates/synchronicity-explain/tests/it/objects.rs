//! Object files: sections, symbols, and who uses a constant.

use object::write::{Object, Relocation, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationEncoding, RelocationFlags, RelocationKind, SymbolFlags,
    SymbolKind, SymbolScope,
};
use synchronicity_explain::cause::Cause;
use synchronicity_explain::facts::Facts;

use crate::explained;

/// An object in which the function `user` refers to `text`.
pub(crate) fn object(user: &str, text: &[u8]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let symbol = |name: &str, kind, section, value, size| Symbol {
        name: name.into(),
        value,
        size,
        kind,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    };
    let constants = object.section_id(StandardSection::ReadOnlyData);
    let code = object.section_id(StandardSection::Text);
    object.append_section_data(constants, b"\x00\x01\x02\x03", 1);
    let at = object.append_section_data(constants, text, 1);
    object.append_section_data(constants, &[0, 1, 2, 3], 1);
    object.append_section_data(code, &[0x90; 64], 16);
    let constant = object.add_symbol(symbol("constant", SymbolKind::Data, constants, at, text.len() as u64));
    object.add_symbol(symbol(user, SymbolKind::Text, code, 0, 64));
    let flags =
        RelocationFlags::Generic { kind: RelocationKind::Relative, encoding: RelocationEncoding::Generic, size: 32 };
    object.add_relocation(code, Relocation { offset: 8, symbol: constant, addend: -4, flags }).expect("a relocation");
    object.write().expect("an object")
}

#[test]
fn the_function_that_uses_a_constant_is_named_and_its_crate() {
    let user = "_ZN10build_info5stamp17h0123456789abcdefE";
    let facts = Facts { packages: vec!["build-info 1.2.3".into()], ..Facts::default() };
    let (first, second) = (object(user, b"made 2026-11-24"), object(user, b"made 2026-12-25"));
    let explanation = explained(&first, &second, &facts);
    let difference = &explanation.artifacts[0].differences[0];
    assert_eq!(difference.section, ".rodata");
    assert_eq!(difference.cause, Cause::BuildTime);
    assert_eq!(difference.symbol.as_deref(), Some("build_info::stamp"));
    assert_eq!(difference.guilty.as_deref(), Some("build-info 1.2.3"));
}

#[test]
fn a_path_among_cargos_sources_names_the_guilty_crate() {
    let path = |home: &str| format!("{home}/registry/src/index-1949cf8c6b5b557f/old-probe-0.3.1/src/lib.rs");
    let (first, second) = (path("/cargo"), path("/other/cargo"));
    let explanation = explained(&object("f", first.as_bytes()), &object("f", second.as_bytes()), &Facts::default());
    let difference = &explanation.artifacts[0].differences[0];
    assert_eq!(difference.cause, Cause::BuildPath);
    assert_eq!(difference.guilty.as_deref(), Some("old-probe 0.3.1"));
}

#[test]
fn the_build_id_is_only_a_consequence() {
    let with_id = |text: &[u8], id: u8| {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (name, data) in [(".note.gnu.build-id", &[id; 20][..]), (".rodata", text)] {
            let section = object.add_section(Vec::new(), name.into(), object::SectionKind::ReadOnlyData);
            object.append_section_data(section, data, 1);
        }
        object.write().expect("an object")
    };
    let both = explained(&with_id(b"host: alpha", 1), &with_id(b"host: omega", 2), &Facts::default());
    assert_eq!(both.artifacts[0].differences.len(), 1);
    assert_eq!(both.artifacts[0].consequences, [".note.gnu.build-id"]);
    assert!(synchronicity_explain::words::in_words(&both).contains("a hash over all the rest"));
}

#[test]
fn a_constant_that_only_moved_is_not_told_beside_one_that_changed() {
    let fixed = b"a constant of the standard library, long enough".as_slice();
    let pad = [0_u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17].repeat(4);
    let first = [b"host: alpha\x00".as_slice(), fixed, &pad].concat();
    let second = [b"host: omega\x00".as_slice(), &pad, fixed].concat();
    let explanation = explained(&object("f", &first), &object("f", &second), &Facts::default());
    let causes: Vec<_> = explanation.artifacts[0].differences.iter().map(|it| it.cause).collect();
    assert_eq!(causes, [Cause::HostName], "{explanation:?}");
}

#[test]
fn a_text_behind_a_thousand_tables_of_numbers_is_still_the_origin() {
    // Runs that differ, far enough apart to be differences of their own.
    let tables = |value: u8| -> Vec<u8> {
        (0..1000_u32).flat_map(|n| [&[value; 8][..], &n.to_be_bytes(), &[1; 20], &n.to_le_bytes()].concat()).collect()
    };
    let with = |value: u8, text: &str| [tables(value), text.as_bytes().to_vec(), vec![0]].concat();
    let (first, second) = (with(0x80, "host: alpha"), with(0x90, "host: omega"));
    let explanation = explained(&object("f", &first), &object("f", &second), &Facts::default());
    let artifact = &explanation.artifacts[0];
    assert_eq!(artifact.differences.len(), 1, "{artifact:?}");
    assert_eq!(artifact.differences[0].cause, Cause::HostName);
    assert_eq!(artifact.consequences, ["numbers in .rodata"]);
}

#[test]
fn a_text_that_changed_and_moved_is_one_difference() {
    let pad = |seed: u8| (0..64_u8).map(|n| n.wrapping_mul(seed) | 0x80).chain([0]).collect::<Vec<u8>>();
    let other = b"another text of the program, which stays\x00".as_slice();
    let first = [&pad(37), b"on a clock built 2026-11-24 11:30:00\x00".as_slice(), other, &pad(91)].concat();
    let second = [&pad(37), other, &pad(91), b"on a clock built 2027-12-29 09:12:44\x00".as_slice()].concat();
    let explanation = explained(&object("f", &first), &object("f", &second), &Facts::default());
    let differences = &explanation.artifacts[0].differences;
    assert_eq!(differences.len(), 1, "{explanation:?}");
    assert_eq!(differences[0].cause, Cause::BuildTime, "{explanation:?}");
    assert!(differences[0].first.contains("2026-11-24") && differences[0].second.contains("2027-12-29"));
}

#[test]
fn texts_that_moved_and_are_nothing_alike_stay_apart() {
    let pad = |seed: u8| (0..64_u8).map(|n| n.wrapping_mul(seed) | 0x80).chain([0]).collect::<Vec<u8>>();
    let first = [&pad(37), b"something that was said once\x00".as_slice(), &pad(91)].concat();
    let second = [&pad(37), &pad(91), b"quite another remark, of mine\x00".as_slice()].concat();
    let explanation = explained(&object("f", &first), &object("f", &second), &Facts::default());
    assert_eq!(explanation.artifacts[0].differences.len(), 2, "{explanation:?}");
}
