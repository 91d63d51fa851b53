//! Values of every shape that the formats allow, for property tests.

use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, Products, Source, Toolchain,
};
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

use crate::sample;

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

pub(crate) fn request() -> impl Strategy<Value = BuildRequest> {
    let word = "[A-Za-z0-9][A-Za-z0-9._-]{0,30}";
    let triple = "[a-z0-9][a-z0-9._-]{0,30}";
    let toolchain =
        (word, "[0-9a-f]{40}", triple).prop_map(|(release, commit, host)| Toolchain { release, commit, host });
    let features = (any::<bool>(), any::<bool>(), prop::collection::btree_set("[a-z_][a-z0-9_-]{0,20}", 0..5))
        .prop_map(|(default, all, named)| Features { default, all, named: named.into_iter().collect() });
    let env = prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,40}", "[ -~]{0,40}", 0..6);
    let flags = prop::collection::vec("[ -~]{0,40}", 0..4);
    let head = (source(), 0..3_usize, digest(), toolchain, environment(), triple);
    (head, features, 0..3, env, flags, limits()).prop_map(
        |((source, grade, sha256, toolchain, environment, target), features, products, env, rustflags, limits)| {
            let grade = [LockGrade::Published, LockGrade::Resolved, LockGrade::Replaced][grade];
            let registry = matches!(source, Source::Registry { .. });
            let products = match products {
                2 if registry && grade == LockGrade::Published => Products::Installed,
                1 => Products::Library,
                _ => Products::Binaries,
            };
            let lock = Lock { grade, sha256 };
            BuildRequest {
                schema: 1,
                source,
                lock,
                toolchain,
                environment,
                target,
                profile: "release".to_owned(),
                features,
                products,
                env,
                rustflags,
                limits,
            }
        },
    )
}

pub(crate) fn result() -> impl Strategy<Value = BuildResult> {
    let artifact = ("[a-z]{1,12}(\\.rlib)?", any::<u64>(), digest()).prop_map(|(name, size, sha256)| Artifact {
        name: name.parse().unwrap(),
        size,
        sha256,
    });
    let failed = prop::sample::select(Failure::ALL.to_vec()).prop_map(BuildResult::Failed);
    let built = prop::collection::vec(artifact, 1..6)
        .prop_filter_map("names must differ", |artifacts| Artifacts::new(artifacts).ok().map(BuildResult::Built));
    prop_oneof![failed, built]
}

/// An entry of four members that reveal one of two results, or nothing.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (3..=4_u16, prop::array::uniform4(0..3_usize), result()).prop_map(|(threshold, choices, result)| {
        let results = [None, Some(result), Some(sample::built("another binary"))];
        sample::entry(threshold, &choices.map(|choice| results[choice].clone()))
    })
}

/// A line such as a proof or policy file could have, or almost.
pub(crate) fn proof_line() -> impl Strategy<Value = String> {
    let proof: Vec<String> = sample::good_proof().to_string().lines().map(str::to_owned).collect();
    let policy: Vec<String> = sample::policy(3).to_string().lines().map(str::to_owned).collect();
    prop_oneof![
        6 => prop::sample::select([proof, policy].concat()),
        1 => any::<u64>().prop_map(|index| format!("index {index}")),
        1 => "group [a-z]{1,3} [0-9]{1,20} builder-[0-4] builder-[0-4]",
        1 => "(extra|— [a-z]{1,4}|witness|log|quorum) [A-Za-z0-9+/=]{0,60}",
        1 => "\\PC{0,40}",
        1 => Just(String::new()),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let version =
        "(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})(-[a-z]{1,4}\\.[1-9])?(\\+[a-z0-9]{1,6})?";
    ("[a-zA-Z][a-zA-Z0-9_-]{0,63}", version, digest(), any::<bool>()).prop_map(|(name, version, checksum, registry)| {
        let (name, version) = (name.parse().unwrap(), version.parse().unwrap());
        if registry {
            Source::Registry { name, version, checksum }
        } else {
            Source::Fixture { name, version, checksum }
        }
    })
}

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![
        digest().prop_map(|layer| Environment::Image { layer }),
        digest().prop_map(|fingerprint| Environment::Host { fingerprint }),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let max = Limits::MAX;
    let sizes = (1..=max.memory_bytes, 1..=max.time_seconds, 1..=max.disk_bytes);
    (sizes, 1..=max.processes, 1..=max.transcript_bytes, 1..=max.jobs).prop_map(
        |((memory_bytes, time_seconds, disk_bytes), processes, transcript_bytes, jobs)| Limits {
            memory_bytes,
            time_seconds,
            disk_bytes,
            processes,
            transcript_bytes,
            jobs,
        },
    )
}
