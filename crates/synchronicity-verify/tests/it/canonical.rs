use proptest::prelude::*;
use synchronicity_verify::CborError;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_BYTES_MAX, Entry, EntryError};
use synchronicity_verify::request::{
    BuildRequest, CrateName, CrateVersion, Limits, LockGrade, Products, REQUEST_BYTES_MAX, RequestError, Source,
};
use synchronicity_verify::result::{
    ARTIFACTS_MAX, Artifact, ArtifactName, Artifacts, BuildResult, Failure, RESULT_BYTES_MAX, ResultError,
};

use crate::{sample, strategy};

proptest! {
    #[test]
    fn a_request_survives_its_bytes(request in strategy::request()) {
        prop_assert_eq!(BuildRequest::from_bytes(&request.to_bytes()).unwrap(), request);
    }

    #[test]
    fn a_result_survives_its_bytes(result in strategy::result()) {
        prop_assert_eq!(BuildResult::from_bytes(&result.to_bytes()).unwrap(), result);
    }

    #[test]
    fn an_entry_survives_its_bytes(entry in strategy::entry()) {
        prop_assert_eq!(Entry::from_bytes(&entry.to_bytes()).unwrap(), entry);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = BuildRequest::from_bytes(&bytes);
        let _ = BuildResult::from_bytes(&bytes);
        let _ = Entry::from_bytes(&bytes);
    }

    /// What a decoder accepts has one spelling: changed bytes are refused, or are another value's own bytes.
    #[test]
    fn whatever_is_accepted_is_written_back_byte_by_byte(
        request in strategy::request(),
        position in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let mut bytes = request.to_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= change;
        if let Ok(other) = BuildRequest::from_bytes(&bytes) {
            prop_assert_eq!(other.to_bytes(), bytes);
            prop_assert_ne!(other, request);
        }
    }
}

#[test]
fn second_spellings_of_a_result_are_refused() {
    let canonical = BuildResult::Failed(Failure::Network).to_bytes();
    assert_eq!(canonical, [0x82, 0x01, 0x81, 0x01]);
    let spellings: [&[u8]; 5] = [
        &[0x82, 0x18, 0x01, 0x81, 0x01], // a number in two bytes where one does
        &[0x82, 0x01, 0x9f, 0x01, 0xff], // an array without a length
        &[0x98, 0x02, 0x01, 0x81, 0x01], // a length in two bytes where one does
        &[0x82, 0x01, 0x81, 0x01, 0x00], // something after it
        &[0x82, 0x01, 0x82, 0x01, 0x00], // a field more
    ];
    for bytes in spellings {
        assert_eq!(BuildResult::from_bytes(bytes), Err(CborError::NotCanonical.into()), "{bytes:x?}");
    }
}

#[test]
fn unsorted_artifacts_and_doubled_ones_are_refused() {
    let artifact = |name: &str| Artifact { name: name.parse().unwrap(), size: 1, sha256: Digest::of(name.as_bytes()) };
    let good = BuildResult::Built(Artifacts::new(vec![artifact("b"), artifact("a")]).unwrap());
    let bytes = good.to_bytes();
    assert_eq!(BuildResult::from_bytes(&bytes).unwrap(), good);
    // Both artifacts encode to the same length, after the three bytes for variant, field and list.
    let (head, artifacts) = bytes.split_at(4);
    let (a, b) = artifacts.split_at(artifacts.len() / 2);
    assert_eq!(BuildResult::from_bytes(&[head, b, a].concat()), Err(CborError::NotCanonical.into()));
    assert!(matches!(BuildResult::from_bytes(&[head, a, a].concat()), Err(ResultError::Cbor(CborError::Decode(_)))));
    let doubled = Artifacts::new(vec![artifact("a"), artifact("a")]);
    assert!(matches!(doubled, Err(ResultError::Duplicate(name)) if name.as_str() == "a"));
    assert_eq!(Artifacts::new(vec![]), Err(ResultError::Count(0)));
}

#[test]
fn the_environment_is_ordered_as_its_encoded_keys_are() {
    let mut request = sample::request();
    request.env = [("AAA", "1"), ("B", "2"), ("AB", "3")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let bytes = request.to_bytes();
    let expected = [b"\xa3\x61B\x612\x62AB\x613\x63AAA\x611".as_slice()].concat();
    assert_eq!(BuildRequest::from_bytes(&bytes).unwrap(), request);
    let at = bytes.windows(expected.len()).position(|window| window == expected).unwrap();
    let mut swapped = bytes;
    swapped[at..at + expected.len()].copy_from_slice(b"\xa3\x62AB\x613\x61B\x612\x63AAA\x611");
    assert_eq!(BuildRequest::from_bytes(&swapped), Err(CborError::NotCanonical.into()));
}

#[test]
fn too_many_bytes_are_refused_before_they_are_decoded() {
    let over = |limit: usize| vec![0; limit + 1];
    let too_long = |limit: usize| CborError::TooLong { size: limit + 1, limit };
    let request = BuildRequest::from_bytes(&over(REQUEST_BYTES_MAX));
    assert_eq!(request, Err(too_long(REQUEST_BYTES_MAX).into()));
    assert_eq!(BuildResult::from_bytes(&over(RESULT_BYTES_MAX)), Err(too_long(RESULT_BYTES_MAX).into()));
    assert_eq!(Entry::from_bytes(&over(ENTRY_BYTES_MAX)), Err(too_long(ENTRY_BYTES_MAX).into()));
    let mut long = sample::request();
    long.rustflags = vec!["x".repeat(REQUEST_BYTES_MAX)];
    assert!(matches!(long.check(), Err(RequestError::Cbor(CborError::TooLong { .. }))));
}

#[test]
fn the_largest_result_and_request_fit_into_an_entry() {
    let artifact = |number: usize| Artifact {
        name: format!("{number:0>128}").parse().unwrap(),
        size: u64::MAX,
        sha256: Digest::of(b""),
    };
    let result = BuildResult::Built(Artifacts::new((0..ARTIFACTS_MAX).map(artifact).collect()).unwrap());
    assert_eq!(BuildResult::from_bytes(&result.to_bytes()).unwrap(), result);
    let mut entry = sample::entry(17, &vec![Some(result); 31]);
    let room = REQUEST_BYTES_MAX - entry.request.to_bytes().len();
    entry.request.rustflags = vec!["x".repeat(room - 8)];
    entry.request.check().unwrap();
    assert!(entry.to_bytes().len() <= ENTRY_BYTES_MAX, "{}", entry.to_bytes().len());
}

#[test]
fn requests_that_no_builder_could_build_are_refused() {
    let refused = |change: fn(&mut BuildRequest)| {
        let mut request = sample::request();
        change(&mut request);
        assert!(request.check().is_err(), "{request:?}");
        assert_eq!(BuildRequest::from_bytes(&request.to_bytes()).unwrap_err(), request.check().unwrap_err());
    };
    refused(|request| request.schema = 2);
    refused(|request| request.toolchain.commit = "abc".to_owned());
    refused(|request| request.toolchain.commit = "A".repeat(40));
    refused(|request| request.toolchain.release = String::new());
    refused(|request| request.toolchain.host = "x86_64/../..".to_owned());
    refused(|request| request.target = "--help".to_owned());
    refused(|request| request.profile = "../release".to_owned());
    refused(|request| request.features.named = vec!["b".to_owned(), "a".to_owned()]);
    refused(|request| request.features.named = vec!["a".to_owned(), "a".to_owned()]);
    refused(|request| request.toolchain.host = "X86_64".to_owned());
    refused(|request| request.profile = "dev".to_owned());
    refused(|request| request.env = [("A".to_owned(), "\0".to_owned())].into());
    refused(|request| request.rustflags = vec!["\n".to_owned()]);
    refused(|request| {
        request.products = Products::Installed;
        request.lock.grade = LockGrade::Resolved;
    });
    refused(|request| {
        request.products = Products::Installed;
        let Source::Registry { name, version, checksum } = request.source.clone() else { unreachable!() };
        request.source = Source::Fixture { name, version, checksum };
    });
    refused(|request| request.limits.jobs = 0);
    refused(|request| request.limits.memory_bytes = 0);
    assert!(matches!(Entry::from_bytes(&[]), Err(EntryError::Cbor(CborError::Decode(_)))));
}

#[test]
fn a_request_may_ask_for_every_limits_maximum_and_for_no_more() {
    let checked = |change: fn(&mut Limits)| {
        let mut request = sample::request();
        request.limits = Limits::MAX;
        change(&mut request.limits);
        request.check()
    };
    assert_eq!(checked(|_| {}), Ok(()));
    let beyond: [fn(&mut Limits); 6] = [
        |limits| limits.memory_bytes += 1,
        |limits| limits.time_seconds += 1,
        |limits| limits.disk_bytes += 1,
        |limits| limits.processes += 1,
        |limits| limits.transcript_bytes += 1,
        |limits| limits.jobs += 1,
    ];
    for change in beyond {
        assert!(checked(change).is_err());
    }
}

#[test]
fn a_variable_or_feature_that_a_program_could_take_for_an_option_is_refused() {
    let variable = |name: &str| {
        let mut request = sample::request();
        request.env = [(name.to_owned(), "1".to_owned())].into();
        request.check()
    };
    // `env -i` would split the first into a command of its own.
    for bad in ["-S/bin/sh -c 'exit 0'", "-i", "--", "", "A=B", "a", "A b", "1A", "A-B", "A\0", "Ä"] {
        assert!(variable(bad).is_err(), "{bad:?}");
    }
    for good in ["A", "_", "SOURCE_DATE_EPOCH", "X1"] {
        assert_eq!(variable(good), Ok(()), "{good:?}");
    }
    let feature = |name: &str| {
        let mut request = sample::request();
        request.features.named = vec![name.to_owned()];
        request.check()
    };
    for bad in ["-x", "--all", "", "a,b", "a b", "a/-b", "a/b/c", "a?/b", "dep:a", "/a", "a/", "a\n", "a=b"] {
        assert!(feature(bad).is_err(), "{bad:?}");
    }
    for good in ["a", "_a", "2d", "c++20", "serde/derive", "v1.0-x"] {
        assert_eq!(feature(good), Ok(()), "{good:?}");
    }
}

#[test]
fn names_and_versions_follow_the_rules_of_crates_io() {
    for good in ["a", "serde_json", "x-1", &"a".repeat(64)] {
        assert_eq!(good.parse::<CrateName>().unwrap().as_str(), good);
    }
    for bad in ["", "1a", "-a", "a b", "a/b", "..", "é", &"a".repeat(65)] {
        assert!(bad.parse::<CrateName>().is_err(), "{bad}");
    }
    for good in ["0.0.0", "1.2.3", "1.0.0-rc.1", "1.0.0-0a", "1.0.0+001", "1.0.0-a-b.0+x-y.7"] {
        assert_eq!(good.parse::<CrateVersion>().unwrap().as_str(), good);
    }
    let bad = ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3-a..b", " 1.2.3"];
    for bad in bad {
        assert!(bad.parse::<CrateVersion>().is_err(), "{bad}");
    }
    for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", &"a".repeat(129)] {
        assert!(bad.parse::<ArtifactName>().is_err(), "{bad}");
    }
}

#[test]
fn a_purl_tells_the_registry_from_the_fixtures() {
    let (name, checksum) = ("serde".parse::<CrateName>().unwrap(), Digest::of(b""));
    let version: CrateVersion = "1.0.0+build.1".parse().unwrap();
    let registry = Source::Registry { name: name.clone(), version: version.clone(), checksum };
    let fixture = Source::Fixture { name, version, checksum };
    assert_eq!(registry.purl(), "pkg:cargo/serde@1.0.0%2Bbuild.1");
    assert_eq!(fixture.purl(), "pkg:generic/synchronicity-fixture/serde@1.0.0%2Bbuild.1");
}

#[test]
fn every_failure_has_a_name_of_its_own() {
    for (code, failure) in Failure::ALL.into_iter().enumerate() {
        assert_eq!(failure.as_str().parse(), Ok(failure));
        assert_eq!(BuildResult::Failed(failure).to_bytes(), [0x82, 0x01, 0x81, code as u8]);
        assert!(!failure.advice().ends_with('.'));
    }
    assert!("no-such-failure".parse::<Failure>().is_err());
}
