//! What a group agreed on for single crates: part of its identity, and the only thing that is admitted for them.

use synchronicity_core::group::overrides::{FeatureChoice, LimitChoice, Override, ProductChoice};
use synchronicity_core::group::{Charter, Group, GroupError, parse_overrides};
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::request::{BuildRequest, Products, Source};

use crate::stage::{Stage, charter, request, submit};

const TEXT: &str = r#"
[[override]]
crate = "large-thing"
version = ">=1, <2"
reason = "links for an hour"
packages = ["cmake", "libclang-dev"]
limits = { memory-mib = 6144, time-seconds = 5400 }

[[override]]
crate = "large-thing"
reason = "older ones have no such feature"
products = "library"
features = { named = ["vendored"] }
"#;

fn founded(overrides: Vec<Override>) -> Result<Group, GroupError> {
    Group::new(Charter { overrides, ..charter(4, 3) })
}

fn agreed() -> Group {
    founded(parse_overrides(TEXT).unwrap()).unwrap()
}

fn of_version(name: &str, version: &str) -> BuildRequest {
    let mut request = request(name);
    let Source::Registry { version: place, .. } = &mut request.source else { unreachable!("the stage builds crates") };
    *place = version.parse().unwrap();
    request
}

#[test]
fn overrides_read_back_from_a_group_file_and_are_part_of_the_groups_id() {
    let group = agreed();
    assert_eq!(Group::parse(&group.to_text()).unwrap(), group);
    let ids = |change: &dyn Fn(&mut Vec<Override>)| {
        let mut overrides = group.overrides().to_vec();
        change(&mut overrides);
        founded(overrides).unwrap().id()
    };
    let none = founded(Vec::new()).unwrap();
    assert!(!none.to_text().contains("override"), "older programs must read it");
    let mut all = vec![none.id(), group.id()];
    all.push(ids(&|them| them[0].package = "other-thing".into()));
    all.push(ids(&|them| them[0].version = None));
    all.push(ids(&|them| them[0].reason.push('!')));
    all.push(ids(&|them| them[0].packages.truncate(1)));
    all.push(ids(&|them| them[0].limits = Some(LimitChoice { memory_mib: Some(6145), ..them[0].limits.unwrap() })));
    all.push(ids(&|them| them[0].limits = Some(LimitChoice { jobs: Some(1), ..them[0].limits.unwrap() })));
    all.push(ids(&|them| them[1].products = Some(ProductChoice::Binaries)));
    all.push(ids(&|them| them[1].features.as_mut().unwrap().default = false));
    all.push(ids(&|them| them[1].features.as_mut().unwrap().named.clear()));
    all.push(ids(&|them| them.swap(0, 1)));
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn the_first_override_that_covers_a_crate_counts() {
    let group = agreed();
    let covering = |name: &str, version: &str| {
        let found = group.override_for(&of_version(name, version).source);
        found.and_then(|found| group.overrides().iter().position(|one| one == found))
    };
    assert_eq!(covering("large-thing", "1.4.0"), Some(0));
    assert_eq!(covering("large-thing", "0.9.0"), Some(1));
    assert_eq!(covering("large-thing", "2.0.0"), Some(1));
    // No other spelling of the name leads past it.
    assert_eq!(covering("Large_Thing", "1.4.0"), Some(0));
    assert_eq!(covering("large-things", "1.4.0"), None);
}

#[test]
fn a_request_that_says_otherwise_than_the_group_agreed_is_not_admitted() {
    let mut stage = Stage::of_group(agreed());
    let refused = |what| Err(Rejection::NotAsAgreed { what });
    let mut late = of_version("large-thing", "1.4.0");
    assert_eq!(stage.act(0, submit(&late, 0)), refused("limits"));
    (late.limits.memory_bytes, late.limits.time_seconds) = (6144 << 20, 5400);
    stage.act(0, submit(&late, 0)).unwrap();
    let mut early = of_version("large-thing", "0.9.0");
    early.products = Products::Library;
    assert_eq!(stage.act(0, submit(&early, 0)), refused("features"));
    early.features.named = vec!["smuggled".into(), "vendored".into()];
    assert_eq!(stage.act(0, submit(&early, 0)), refused("features"));
    early.features.named = vec!["vendored".into()];
    early.products = Products::Binaries;
    assert_eq!(stage.act(0, submit(&early, 0)), refused("products"));
    early.products = Products::Library;
    stage.act(0, submit(&early, 0)).unwrap();
    // Nothing was agreed on for this one.
    stage.act(0, submit(&request("other-thing"), 0)).unwrap();
    assert!(!Rejection::NotAsAgreed { what: "limits" }.may_pass_later());
}

#[test]
fn what_is_decided_replaces_and_the_rest_stays() {
    let group = agreed();
    let request = of_version("large-thing", "1.4.0");
    let (mut features, mut products, mut limits) = (request.features.clone(), None, request.limits);
    group.overrides()[0].decide(&mut features, &mut products, &mut limits);
    assert_eq!((&features, products), (&request.features, None));
    assert_eq!((limits.memory_bytes, limits.time_seconds, limits.jobs), (6144 << 20, 5400, request.limits.jobs));
    group.overrides()[1].decide(&mut features, &mut products, &mut limits);
    assert_eq!((features.named, products), (vec!["vendored".to_owned()], Some(Products::Library)));
    let told: Vec<_> = group.overrides().iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "6144 MiB of memory, 5400 s, packages cmake libclang-dev");
    assert_eq!(told[1], "features default vendored, products library");
}

#[test]
fn an_override_without_a_reason_or_of_what_cannot_be_is_refused() {
    let good = || Override { limits: None, ..parse_overrides(TEXT).unwrap().remove(0) };
    assert!(founded(vec![good()]).is_ok());
    let limits = |limits: LimitChoice| Some(limits);
    let features = |named: &[&str]| {
        Some(FeatureChoice { default: true, all: false, named: named.iter().map(|&name| name.into()).collect() })
    };
    let packages = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    for (bad, words) in [
        (Override { package: "-x".into(), ..good() }, "no name of a crate"),
        (Override { version: Some("newest".into()), ..good() }, "no requirement"),
        (Override { reason: String::new(), ..good() }, "needs a reason"),
        (Override { reason: "a\nb".into(), ..good() }, "needs a reason"),
        (Override { reason: "x".repeat(257), ..good() }, "needs a reason"),
        (Override { packages: Vec::new(), ..good() }, "decides nothing"),
        (Override { features: features(&["b", "a"]), ..good() }, "features"),
        (Override { features: features(&["--all"]), ..good() }, "features"),
        (Override { limits: limits(LimitChoice::default()), ..good() }, "limits"),
        (Override { limits: limits(LimitChoice { jobs: Some(0), ..Default::default() }), ..good() }, "limits"),
        (
            Override { limits: limits(LimitChoice { memory_mib: Some(u64::MAX), ..Default::default() }), ..good() },
            "limits",
        ),
        (Override { packages: packages(&["b1", "a1"]), ..good() }, "packages"),
        (Override { packages: packages(&["--force"]), ..good() }, "packages"),
        (Override { packages: packages(&["a1;rm"]), ..good() }, "packages"),
    ] {
        let error = founded(vec![bad]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(founded(vec![good(); 65]), Err(GroupError::OverrideCount(65)));
    for text in ["[[override]]\ncrate = \"a\"\nreason = \"b\"\nflags = [\"-C\"]\n", "threshold = 1\n[[override]]\n"] {
        assert!(parse_overrides(text).is_err(), "{text}");
    }
}
