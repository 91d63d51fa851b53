//! Archives: members, their order, and what is written beside them.

use synchronicity_explain::cause::Cause;
use synchronicity_explain::facts::Facts;

use crate::explained;

/// An archive as `ar` writes it: names, times, owners, contents.
pub(crate) fn archive(members: &[(&str, u64, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, date, owner, content) in members {
        let name = format!("{name}/");
        let header = format!("{name:<16}{date:<12}{owner:<6}{:<6}{:<8}{:<10}`\n", 0, "100644", content.len());
        bytes.extend(header.as_bytes());
        bytes.extend(*content);
        bytes.extend(&b"\n"[..content.len() % 2]);
    }
    bytes
}

#[test]
fn a_member_that_differs_is_named_with_its_crate() {
    let with = |text: &[u8]| archive(&[("lib.rmeta", 0, 0, b"rust\0\0\0 same"), ("notes", 0, 0, text)]);
    let explanation = explained(&with(b"at 2026-11-24"), &with(b"at 2026-11-25"), &Facts::default());
    let artifact = &explanation.artifacts[0];
    assert_eq!((artifact.kind, artifact.differences.len()), ("archive", 1));
    assert_eq!(artifact.differences[0].member.as_deref(), Some("notes"));
    assert_eq!(artifact.differences[0].cause, Cause::BuildTime);
}

#[test]
fn times_owners_and_the_order_of_members_are_differences_of_their_own() {
    let first = archive(&[("a.o", 1, 0, b"aa"), ("b.o", 0, 0, b"bb"), ("c.o", 0, 0, b"cc")]);
    let second = archive(&[("c.o", 0, 0, b"cc"), ("a.o", 2, 0, b"aa"), ("b.o", 0, 1000, b"bb")]);
    let explanation = explained(&first, &second, &Facts::default());
    let mut causes: Vec<_> =
        explanation.artifacts[0].differences.iter().map(|it| (it.cause, it.section.as_str())).collect();
    causes.sort();
    let wanted = [
        (Cause::BuildTime, "date in the archive"),
        (Cause::UserOrHome, "owner in the archive"),
        (Cause::FileOrder, "order of members"),
    ];
    assert_eq!(causes, wanted);
}

#[test]
fn members_whose_names_differ_in_a_hash_only_belong_together() {
    // A name that is too long for the header stands before the content, as BSD's `ar` puts it.
    let with = |name: &str, text: &str| {
        let (field, content) = (format!("#1/{}", name.len()), format!("{name}{text}"));
        let size = content.len();
        format!("!<arch>\n{field:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n{content}", 0, 0, 0, "100644").into_bytes()
    };
    let (first, second) = ("mycrate-0123456789abcdef.cgu.0.o", "mycrate-fedcba9876543210.cgu.0.o");
    let explanation = explained(&with(first, "threads: 1"), &with(second, "threads: 2"), &Facts::default());
    let difference = &explanation.artifacts[0].differences[0];
    assert_eq!(explanation.artifacts[0].differences.len(), 1, "{explanation:?}");
    assert_eq!((difference.member.as_deref(), difference.guilty.as_deref()), (Some(first), Some("mycrate")));
    assert_eq!(difference.cause, Cause::JobCount);
}

#[test]
fn a_damaged_archive_is_compared_as_bytes() {
    let whole = archive(&[("a.o", 0, 0, b"the same text as ever"), ("b.o", 0, 0, b"xx")]);
    let mut damaged = whole.clone();
    damaged.truncate(whole.len() - 30);
    let explanation = explained(&whole, &damaged, &Facts::default());
    assert!(explanation.artifacts[0].cut_short);
    assert_eq!(explanation.artifacts[0].differences[0].section, "bytes");
}
