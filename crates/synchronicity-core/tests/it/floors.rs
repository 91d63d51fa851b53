//! The floors of the workspace: what the lower crates may lean on, and what the client must never pull in.
#![expect(clippy::disallowed_types, reason = "this test asks cargo; the ban on processes is for the machine")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Cargo's own description of the workspace, with the resolved graph for this platform.
fn metadata() -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn direct_dependencies(metadata: &Value, package: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|found| found["name"] == package).unwrap();
    let normal = found["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
    normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

/// Names of all packages that a package is built with, dev-dependencies left out.
fn tree(metadata: &Value, package: &str) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<String, String> =
        packages.iter().map(|found| (text(&found["id"]), text(&found["name"]))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: BTreeMap<String, &Value> = nodes.iter().map(|node| (text(&node["id"]), node)).collect();
    let first = names.iter().find(|(_, name)| *name == package).unwrap().0;
    let (mut seen, mut todo) = (BTreeSet::new(), vec![first.clone()]);
    while let Some(id) = todo.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in nodes[&id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                todo.push(text(&dependency["pkg"]));
            }
        }
    }
    seen.iter().map(|id| names[id].clone()).collect()
}

#[test]
fn the_verifier_leans_on_five_small_crates_and_nothing_else() {
    let expected = ["base64ct", "ed25519-dalek", "minicbor", "sha2", "thiserror"];
    assert_eq!(direct_dependencies(&metadata(), "synchronicity-verify"), expected.map(str::to_owned).into());
}

#[test]
fn the_core_leans_on_the_verifier_and_has_neither_clock_nor_runtime() {
    let metadata = metadata();
    let expected = ["ed25519-dalek", "minicbor", "semver", "serde", "synchronicity-verify", "thiserror", "toml"];
    assert_eq!(direct_dependencies(&metadata, "synchronicity-core"), expected.map(str::to_owned).into());
    for banned in ["tokio", "rand", "chrono", "redb", "synchronicity-rebuild"] {
        assert!(!tree(&metadata, "synchronicity-core").contains(banned), "{banned} is in the core's tree");
    }
}

#[test]
fn the_explanations_lean_on_nothing_of_ours_and_only_programs_lean_on_them() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().map(|package| package["name"].as_str().unwrap());
    let ours: BTreeSet<&str> = ours.filter(|name| name.starts_with("synchronicity")).collect();
    let explain = "synchronicity-explain";
    assert!(ours.contains(explain), "the packages were not read: {ours:?}");
    let of_ours = direct_dependencies(&metadata, explain);
    assert!(of_ours.iter().all(|name| !name.starts_with("synchronicity")), "{of_ours:?}");
    for package in ours {
        let may = [explain, "synchronicity", "synchronicity-node"].contains(&package);
        assert!(may || !tree(&metadata, package).contains(explain), "{package} leans on {explain}");
    }
}

#[test]
fn the_pages_lean_on_the_verifier_alone_and_only_the_node_leans_on_them() {
    let metadata = metadata();
    let web = "synchronicity-web";
    let of_ours = direct_dependencies(&metadata, web).into_iter().filter(|name| name.starts_with("synchronicity"));
    assert_eq!(of_ours.collect::<Vec<_>>(), ["synchronicity-verify"]);
    let in_tree = tree(&metadata, web);
    for banned in ["axum", "hyper", "tokio", "redb"] {
        assert!(!in_tree.contains(banned), "{banned} is in the tree of the pages");
    }
    for package in ["synchronicity", "synchronicity-core", "synchronicity-rebuild", "synchronicity-consensus"] {
        assert!(!tree(&metadata, package).contains(web), "{package} leans on {web}");
    }
}

#[test]
fn the_client_has_neither_engine_nor_database_in_its_tree() {
    let tree = tree(&metadata(), "synchronicity");
    assert!(tree.contains("synchronicity-verify"), "the tree was not read: {tree:?}");
    let unwanted =
        |name: &&String| name.starts_with("commonware") || ["redb", "synchronicity-consensus"].contains(&name.as_str());
    let found: Vec<&String> = tree.iter().filter(unwanted).collect();
    assert!(found.is_empty(), "the client pulls in {found:?}");
}
