use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict as Logged};

use super::verdict::{Levels, Verdict, judge};
use super::*;

/// Entries of one crate, with these verdicts, built from archives with these contents.
fn entries(of: &[(Logged, &str)]) -> Vec<(u64, Entry)> {
    let bytes =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../synchronicity-verify/examples/sample.tlog-proof"));
    let proof = synchronicity_verify::proof::Proof::parse(&bytes.unwrap()).unwrap();
    let entry = Entry::from_bytes(&proof.entry).unwrap();
    let with = |(at, (verdict, archive)): (usize, &(Logged, &str))| {
        let mut entry = entry.clone();
        entry.verdict = *verdict;
        if let synchronicity_verify::request::Source::Registry { checksum, .. } = &mut entry.request.source {
            *checksum = Digest::of(archive.as_bytes());
        }
        (at as u64, entry)
    };
    of.iter().enumerate().map(with).collect()
}

fn dependency(archive: Option<&str>) -> Dependency {
    let origin = Origin::crates_io("hexyl", "0.17.0").unwrap();
    let checksum = archive.map(|archive| Digest::of(archive.as_bytes()));
    Dependency { name: "hexyl".into(), version: "0.17.0".into(), origin, checksum, line: None }
}

fn verdict(archive: Option<&str>, of: &[(Logged, &str)]) -> (Verdict, Option<u64>) {
    let entries = entries(of);
    let (verdict, found) = judge(&dependency(archive), &entries);
    (verdict, found.map(|(index, _)| *index))
}

#[test]
fn one_reproduction_is_evidence_and_another_archive_outweighs_it() {
    use Logged::{Diverged, Inconclusive, Reproduced, Unbuildable};
    let good = Some("a");
    assert_eq!(verdict(good, &[]), (Verdict::Absent, None));
    assert_eq!(verdict(good, &[(Reproduced, "a"), (Diverged, "a")]), (Verdict::Reproduced, Some(0)));
    assert_eq!(verdict(good, &[(Reproduced, "a"), (Reproduced, "a")]), (Verdict::Reproduced, Some(1)));
    assert_eq!(verdict(good, &[(Unbuildable, "a"), (Diverged, "a")]), (Verdict::Diverged, Some(1)));
    assert_eq!(verdict(good, &[(Unbuildable, "a")]), (Verdict::Unbuildable, Some(0)));
    assert_eq!(verdict(good, &[(Inconclusive, "a")]), (Verdict::Inconclusive, Some(0)));
    assert_eq!(verdict(good, &[(Diverged, "b"), (Reproduced, "a")]), (Verdict::OtherSource, Some(0)));
    assert_eq!(verdict(good, &[(Reproduced, "b")]), (Verdict::OtherSource, Some(0)));
}

#[test]
fn without_a_checksum_nothing_is_reproduced_and_two_archives_are_one_too_many() {
    use Logged::{Diverged, Reproduced, Unbuildable};
    assert_eq!(verdict(None, &[(Reproduced, "a")]), (Verdict::Unpinned, Some(0)));
    assert_eq!(verdict(None, &[(Reproduced, "a"), (Diverged, "a")]), (Verdict::Unpinned, Some(0)));
    assert_eq!(verdict(None, &[(Diverged, "a")]), (Verdict::Diverged, Some(0)));
    assert_eq!(verdict(None, &[]), (Verdict::Absent, None));
    assert_eq!(verdict(None, &[(Reproduced, "a"), (Reproduced, "b")]), (Verdict::OtherSource, Some(0)));
    assert_eq!(
        verdict(None, &[(Unbuildable, "b"), (Reproduced, "a"), (Reproduced, "a")]),
        (Verdict::OtherSource, Some(0))
    );
}

#[test]
fn what_is_not_of_crates_io_is_never_judged_by_its_name() {
    let entries = entries(&[(Logged::Reproduced, "a")]);
    let elsewhere = Dependency { origin: Origin::Elsewhere("git+https://example.org".into()), ..dependency(Some("a")) };
    assert_eq!(judge(&elsewhere, &entries).0, Verdict::Foreign);
}

#[test]
fn without_settings_what_is_wrong_is_denied_and_what_is_missing_is_told() {
    let levels = Levels::default();
    let of = |level| Verdict::ALL.into_iter().filter(move |verdict| levels.of(*verdict) == level);
    assert!(of(Level::Deny).eq([Verdict::OtherSource, Verdict::Diverged, Verdict::FewGroups]));
    assert!(of(Level::Allow).eq([Verdict::Reproduced]));
    assert_eq!(of(Level::Warn).count(), 5);
}
