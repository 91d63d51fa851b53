//! Every dependency says why it is there.

use super::{report, tracked};

#[test]
fn every_dependency_has_its_reason_beside_it() {
    let mut complaints = Vec::new();
    for file in tracked().iter().filter(|file| file.path.ends_with("Cargo.toml") && !file.path.contains("fixtures/")) {
        let mut in_dependencies = false;
        let mut reason_above = false;
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
                reason_above = false;
            } else if line.starts_with('#') {
                reason_above = true;
            } else if line.is_empty() {
                reason_above = false;
            } else if in_dependencies {
                let inherited = line.contains("workspace = true");
                let own = line.contains("path = \"");
                if !(inherited || own || reason_above || line.contains('#')) {
                    complaints.push(format!("{}:{}: no reason beside `{line}`", file.path, number + 1));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_crate_of_the_engine_is_pinned_exactly() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for file in tracked().iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        for line in file.text.lines().filter(|line| line.starts_with("commonware-")) {
            seen += 1;
            if !line.contains("\"=") && !line.contains("workspace = true") {
                complaints.push(format!("{}: {line}", file.path));
            }
        }
    }
    report(&complaints);
    assert!(seen > 0, "no crate of the engine was found: the check looks in the wrong place");
}
