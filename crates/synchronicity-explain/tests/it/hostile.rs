//! Files made to break a reader: no panic, no endless work, no obedient terminal.

use proptest::prelude::*;
use synchronicity_explain::facts::Facts;

use crate::archives::archive;
use crate::explained;
use crate::objects::object;

const MANGLED: &str = "_ZN4evil4main17h0123456789abcdefE";

#[test]
fn text_that_commands_a_terminal_is_spelled_out() {
    let explanation = explained(
        &object(MANGLED, "by host \u{1b}]0;owned\u{7} \u{202e}gpj".as_bytes()),
        &object(MANGLED, "by host \u{1b}[2J \u{2066}x".as_bytes()),
        &Facts::default(),
    );
    assert!(!explanation.artifacts.is_empty());
    let named = archive(&[("\u{1b}[2Ja", 0, 0, b"x")]);
    let other = archive(&[("\u{1b}[2Ja", 0, 0, b"y")]);
    explained(&named, &other, &Facts::default());
}

#[test]
fn of_sixty_thousand_differences_fifty_thousand_are_counted_and_few_are_told() {
    // No text, and each too far from the next to be one with it.
    let first: Vec<u8> = (0..64 * 60_000_u32).map(|n| (128 + n % 127) as u8).collect();
    let mut second = first.clone();
    second.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
    let explanation = explained(&first, &second, &Facts::default());
    let artifact = &explanation.artifacts[0];
    assert_eq!((artifact.differences.len(), artifact.more, artifact.cut_short), (16, 50_000 - 16, true));
}

#[test]
fn files_without_anything_in_common_end_within_the_budget() {
    let noise = |seed: u64| -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..2_000_000).map(|_| next()).collect()
    };
    let explanation = explained(&noise(1), &noise(2), &Facts::default());
    assert!(!explanation.artifacts[0].differences.is_empty());
}

/// Changes a few bytes of a file that readers accept.
fn damaged(whole: &[u8], changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (at, value) in changes {
        let at = at % bytes.len();
        bytes[at] = *value;
    }
    bytes.truncate(whole.len() - cut % (whole.len() / 2));
    bytes
}

proptest! {
    #[test]
    fn damaged_objects_and_archives_are_explained_without_a_panic(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..12),
        cut in prop_oneof![Just(0_usize), any::<usize>()],
    ) {
        let object = object(MANGLED, b"a text that is long enough to be one");
        explained(&object, &damaged(&object, &changes, cut), &Facts::default());
        let archive = archive(&[("a.o", 0, 0, &object), ("b", 0, 0, b"text")]);
        explained(&archive, &damaged(&archive, &changes, cut), &Facts::default());
    }

    #[test]
    fn any_bytes_behind_a_known_beginning_are_explained_without_a_panic(
        first in proptest::collection::vec(any::<u8>(), 0..400),
        second in proptest::collection::vec(any::<u8>(), 0..400),
        magic in prop_oneof![Just(&b"\x7fELF\x02\x01\x01"[..]), Just(&b"!<arch>\n"[..]), Just(&b"rust\0\0\0"[..]), Just(&b""[..])],
    ) {
        explained(&[magic, &first].concat(), &[magic, &second].concat(), &Facts::default());
    }
}
