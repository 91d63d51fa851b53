//! Files whose parts overlap: small on disk, and without bounds endless to read. Each is explained where the budget is
//! as large as ever, and cut short where only counting what is looked at can end it.

use synchronicity_explain::Limits;
use synchronicity_explain::explanation::Artifact;
use synchronicity_explain::facts::Facts;

use crate::explained_within;
use crate::raw_elf::{ALLOC, CODE, DYNAMIC, PROGBITS, RELA, RELOCATABLE, STRTAB, SYMTAB, Section, elf, symbol};

const TEXTS: [&[u8]; 2] = [b"host: alpha", b"host: omega"];

/// A NUL, and a name of 2 MB.
fn long_name() -> Vec<u8> {
    [b"\0".as_slice(), &vec![b'n'; 2 << 20], b"\0"].concat()
}

fn artifact([first, second]: [Vec<u8>; 2], passes: usize) -> Artifact {
    let limits = Limits { passes, ..Limits::default() };
    explained_within(&first, &second, &Facts::default(), &limits).artifacts.remove(0)
}

fn default_passes() -> usize {
    Limits::default().passes
}

#[test]
fn ten_thousand_sections_with_one_endless_name_are_told_by_its_beginning() {
    let names = long_name();
    let files = TEXTS.map(|text| {
        let section = |blob| Section { name: 1, kind: PROGBITS, flags: ALLOC, blob, ..Section::default() };
        let mut sections = vec![section(1); 10_000];
        sections.push(section(2));
        elf(RELOCATABLE, &[&names, b"same", text], &sections)
    });
    let told = artifact(files.clone(), default_passes());
    assert!(!told.cut_short, "{told:?}");
    assert_eq!(told.differences[0].section, "n".repeat(256));
    // The least budget is a megabyte, and the headers alone are more than half of it.
    assert!(artifact(files, 0).cut_short);
}

#[test]
fn members_that_share_one_endless_name_end_with_the_budget() {
    let files = TEXTS.map(|text| {
        let names = [&vec![b'n'; 2 << 20], b"/\n".as_slice()].concat();
        let member = |name: &str, content: &[u8]| {
            let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len());
            [header.as_bytes(), content, &b"\n"[..content.len() % 2]].concat()
        };
        [b"!<arch>\n".to_vec(), member("//", &names), member("/0", text), member("/0", b"").repeat(3000)].concat()
    });
    let told = artifact(files, default_passes());
    assert!(told.cut_short);
    assert_eq!(told.differences[0].member.as_ref().map(String::len), Some(256));
}

#[test]
fn a_hundred_thousand_symbols_with_one_name_without_end_cost_their_entries_only() {
    // The name does not even end with its table.
    let names = &long_name()[..2 << 20];
    let files = TEXTS.map(|text| {
        let symbols = symbol(1, 2, 0, text.len() as u64).repeat(100_000);
        let sections = [
            Section { name: 1, kind: PROGBITS, flags: ALLOC, blob: 2, ..Section::default() },
            Section { name: 9, kind: SYMTAB, blob: 3, link: 4, entry: 24, ..Section::default() },
            Section { name: 17, kind: STRTAB, blob: 1, ..Section::default() },
        ];
        elf(RELOCATABLE, &[b"\0.rodata\0.symtab\0.strtab\0", names, text, &symbols], &sections)
    });
    let told = artifact(files.clone(), default_passes());
    assert!(!told.cut_short, "{told:?}");
    assert_eq!(told.differences[0].symbol, Some("n".repeat(240)));
    // The entries take 2.4 MB, and the least budget is one; nothing else is looked at.
    let other = [files[0].clone(), without_tables(&files[1])];
    assert!(!artifact(other.clone(), 1).cut_short);
    assert!(artifact(other, 0).cut_short);
}

/// With the tables as sections of no content, so that there is nothing to compare in them.
fn without_tables(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let table = file.len() - 2 * 64;
    for header in file[table..].chunks_exact_mut(64) {
        header[4] = 8;
    }
    file
}

#[test]
fn sections_that_share_their_relocations_take_them_from_the_budget() {
    const SHARING: u32 = 20;
    // Of no symbol, 1 MB of them.
    let relocations = vec![0; 24 * 43_000];
    let files = TEXTS.map(|text| {
        let mut sections = vec![
            Section { name: 1, kind: PROGBITS, flags: ALLOC, blob: 1, ..Section::default() },
            Section { name: 9, kind: SYMTAB, blob: 2, link: 1, entry: 24, ..Section::default() },
        ];
        for n in 0..SHARING {
            sections.push(Section { name: 9, kind: PROGBITS, flags: CODE, blob: 3, ..Section::default() });
            let info = 4 + 2 * n;
            sections.push(Section { name: 9, kind: RELA, blob: 4, link: 3, info, entry: 24, ..Section::default() });
        }
        let symbols = symbol(1, 2, 0, text.len() as u64).repeat(2);
        elf(RELOCATABLE, &[b"\0.rodata\0.rel\0", text, &symbols, &[0x90; 16], &relocations], &sections)
    });
    // Comparing takes 20 MB and looking through the relocations 20 MB more, of 2 MB for each pass.
    assert!(artifact(files.clone(), 14).cut_short);
    let told = artifact(files, 40);
    assert!(!told.cut_short, "{told:?}");
    assert_eq!(told.differences[0].section, ".rodata");
}

/// A line program in which the code from `0x1000` on is line 7 of `src/main.rs`, with `rows` more and `files` more files.
fn line_program(files: usize, rows: usize) -> Vec<u8> {
    let tables = [b"src\0\0main.rs\0\x01\0\0".to_vec(), b"x\0\0\0\0".repeat(files), vec![0]].concat();
    let header = [&[1, 1, 1, 0, 1, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1][..], &tables].concat();
    let set_address = [&[0, 9, 2][..], &0x1000_u64.to_le_bytes()].concat();
    // Line 7; a row, 256 bytes on, and rows at the same place; the end.
    let code = [&set_address, &[3, 6, 1, 2, 0x80, 2][..], &vec![1; rows], &[0, 1, 1]].concat();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let rest = [&[4, 0][..], &length(&header), &header, &code].concat();
    [&length(&rest)[..], &rest].concat()
}

/// A linked file whose text at `0x1000` has a symbol and the lines of `program`, and one without the latter.
fn with_lines(program: &[u8]) -> [Vec<u8>; 2] {
    let names = b"\0.rodata\0.debug_line\0.symtab\0f\0";
    let made = |text: &[u8], lines| {
        let symbols = symbol(29, 2, 0x1000, text.len() as u64).repeat(2);
        let sections = [
            Section { name: 1, kind: PROGBITS, flags: ALLOC, address: 0x1000, blob: 1, ..Section::default() },
            Section { name: 21, kind: SYMTAB, blob: 2, link: 1, entry: 24, ..Section::default() },
            Section { name: 9, kind: PROGBITS, blob: 3, ..Section::default() },
        ];
        elf(DYNAMIC, &[names, text, &symbols, program], &sections[..lines])
    };
    [made(TEXTS[0], 3), made(TEXTS[1], 2)]
}

#[test]
fn the_line_of_an_address_is_told_and_rows_without_end_are_counted() {
    let few = artifact(with_lines(&line_program(0, 0)), 0);
    assert_eq!(few.differences[0].line.as_deref(), Some("src/main.rs:7"));
    assert!(!few.cut_short);
    let many = with_lines(&line_program(0, 2 << 20));
    assert_eq!(artifact(many.clone(), default_passes()).differences[0].line.as_deref(), Some("src/main.rs:7"));
    let cut = artifact(many, 0);
    assert_eq!((cut.differences[0].line.as_deref(), cut.cut_short), (None, true));
}

#[test]
fn a_list_of_files_that_would_fill_memory_is_passed_over_and_the_next_program_is_read() {
    let programs = [line_program(300_000, 0), line_program(0, 0)].concat();
    let told = artifact(with_lines(&programs), default_passes());
    assert_eq!((told.differences[0].line.as_deref(), told.cut_short), (Some("src/main.rs:7"), true));
}
