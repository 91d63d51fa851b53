//! Each cause by its looks and by what is known.

use synchronicity_explain::cause::{Cause, Certainty};
use synchronicity_explain::facts::{Circumstances, Facts};

use crate::explained;

/// The cause that is named first, when the two texts stand between bytes that are none.
fn cause(first: &str, second: &str, facts: &Facts) -> (Cause, Certainty) {
    let around = |text: &str| [b"\x00\x01\x02\xff".as_slice(), text.as_bytes(), b"\x00\x03\x04\xfe"].concat();
    let explanation = explained(&around(first), &around(second), facts);
    let difference = explanation.artifacts[0].differences.first().expect("a difference");
    (difference.cause, difference.certainty)
}

#[test]
fn each_cause_is_recognised_by_its_looks_alone() {
    let table = [
        (Cause::BuildTime, "built 2026-11-24 11:30:00", "built 2026-11-25 09:12:44"),
        (Cause::BuildTime, "Nov 24 2026", "Nov 25 2026"),
        (Cause::BuildTime, "stamp=1795460931;", "stamp=1795470002;"),
        (Cause::BuildTime, "11:30:01", "12:44:59"),
        (Cause::HostName, "built on machine alpha", "built on machine omega-17"),
        (Cause::UserOrHome, "/home/maria/.cache/x", "/home/kurt/.cache/x"),
        (Cause::UserOrHome, "user: maria", "user: kurt"),
        (Cause::BuildPath, "/srv/ci/one/src/x.c", "/opt/build/two/src/x.c"),
        (Cause::Environment, "locale de_DE.UTF-8", "locale en_GB.UTF-8"),
        (Cause::JobCount, "threads: 8", "threads: 16"),
        (Cause::FileOrder, "b.txt, a.txt, c.txt", "a.txt, c.txt, b.txt"),
        (Cause::IterationOrder, "red, green, blue", "blue, red, green"),
        (Cause::IterationOrder, "alphabetagammadelta", "deltagammaalphabeta"),
        (Cause::GitState, "git commit 1f3870be274f6c49b3e31a0c6728957f", "git commit 9d3870be974f6c49b3e31a0c67289abc"),
        (Cause::GitState, "v1.2.3-4-gabc1234", "v1.2.3-4-gabc1234-dirty"),
        (Cause::Toolchain, "rustc 1.94.0 (aaaa 2026-01-01)", "rustc 1.95.0 (bbbb 2026-02-02)"),
        (Cause::Toolchain, "GCC: (Debian 12.2.0-14) 12.2.0", "GCC: (Debian 13.3.0-14) 13.3.0"),
        (Cause::Random, "id 7f3a9c01d2e45b68", "id 0b1e5d77c8a9f423"),
        (Cause::Random, "67e55044-10b1-426f-9247-bb680e5fe0c8", "1c2d3e4f-55aa-4b1c-8d2e-0a9b8c7d6e5f"),
        (Cause::Unknown, "one thing", "other thing!"),
    ];
    for (wanted, first, second) in table {
        assert_eq!(cause(first, second, &Facts::default()).0, wanted, "{first} against {second}");
    }
}

#[test]
fn a_list_whose_entries_partly_stayed_together_is_one_list_in_another_order() {
    // As a hash map once gave it: four entries stand side by side in both.
    let first = "yellow 2, green 3, blue 4, white 8, orange 1, indigo 5, violet 6, black 7, grey 9, red 0\n";
    let second = "red 0, green 3, orange 1, indigo 5, violet 6, black 7, yellow 2, blue 4, white 8, grey 9\n";
    let explanation = explained(first.as_bytes(), second.as_bytes(), &Facts::default());
    let causes: Vec<_> = explanation.artifacts[0].differences.iter().map(|it| (it.cause, it.certainty)).collect();
    assert_eq!(causes, [(Cause::IterationOrder, Certainty::Likely)]);
}

proptest::proptest! {
    #[test]
    fn every_order_of_a_list_is_recognised(
        order in proptest::strategy::Strategy::prop_shuffle(proptest::strategy::Just((0..10).collect::<Vec<usize>>())),
    ) {
        let colours = ["red", "orange", "yellow", "green", "blue", "indigo", "violet", "black", "white", "grey"];
        let listed = |order: &[usize]| order.iter().map(|n| format!("{} {n}", colours[*n])).collect::<Vec<_>>().join(", ");
        let (first, second) = (listed(&(0..10).collect::<Vec<_>>()), listed(&order));
        proptest::prop_assume!(first != second);
        let explanation = explained(first.as_bytes(), second.as_bytes(), &Facts::default());
        for difference in &explanation.artifacts[0].differences {
            proptest::prop_assert_eq!(difference.cause, Cause::IterationOrder, "{} against {}", first, second);
        }
    }
}

#[test]
fn what_is_known_of_both_builds_goes_before_looks() {
    let build = |host: &str, from: u64| Circumstances {
        hosts: vec![host.into()],
        users: vec![format!("{host}-user"), "1000".into()],
        homes: vec![format!("/var/{host}")],
        paths: vec![format!("/{host}/src")],
        from: Some(from),
        until: Some(from + 60),
        jobs: vec![4],
        env: [("FLAVOUR".to_owned(), format!("{host}-ish"))].into(),
    };
    let mut facts = Facts { first: build("alpha", 1_000_000_000), ..Facts::default() };
    facts.second = Circumstances { jobs: vec![9], ..build("omega", 2_000_000_000) };
    facts.files = ["x", "y", "z"].map(str::to_owned).to_vec();
    let table = [
        (Cause::HostName, "at alpha!", "at omega!"),
        (Cause::UserOrHome, "/var/alpha/", "/var/omega/"),
        (Cause::BuildPath, "/alpha/src", "/omega/src"),
        (Cause::Environment, "tastes alpha-ish", "tastes omega-ish"),
        (Cause::BuildTime, "1000000030", "2000000015"),
        (Cause::BuildTime, "1000000030123456789", "2000000015123456789"),
        (Cause::BuildTime, "on 2001-09-09", "on 2033-05-18"),
        (Cause::JobCount, "4 threads", "9 threads"),
        (Cause::FileOrder, "x y z", "z x y"),
    ];
    for (wanted, first, second) in table {
        let (cause, certainty) = cause(first, second, &facts);
        // A host name within another value is that host name still; the longer value is what a person looks for.
        let acceptable = cause == wanted || cause == Cause::HostName && first.contains("alpha");
        assert!(acceptable && certainty == Certainty::Known, "{first} against {second}: {cause:?} {certainty:?}");
    }
    assert_eq!(cause("1000000030", "1500000015", &facts), (Cause::BuildTime, Certainty::Likely), "only one is known");
}

#[test]
fn moments_are_recognised_as_numbers_too() {
    let build = |from| Circumstances { from: Some(from), until: Some(from + 60), ..Circumstances::default() };
    let facts = Facts { first: build(1_000_000_000), second: build(2_000_000_000), ..Facts::default() };
    let stamp = |second: u64| [&[0xff; 32][..], &(second * 1000).to_le_bytes(), &[0xee; 32]].concat();
    let explanation = explained(&stamp(1_000_000_003), &stamp(2_000_000_044), &facts);
    let difference = &explanation.artifacts[0].differences[0];
    assert_eq!((difference.cause, difference.certainty), (Cause::BuildTime, Certainty::Known));
}

#[test]
fn every_cause_has_a_name_of_its_own_and_a_suggestion() {
    let mut names: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert!(Cause::ALL.iter().all(|cause| cause.suggestion().len() > 20));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        assert_eq!(serde_json::to_value(cause).expect("JSON"), cause.as_str());
    }
}
