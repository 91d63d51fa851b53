//! Documents that stay true: links lead somewhere, nothing names the machine it was written on.

use super::{report, tracked};

#[test]
fn every_relative_link_of_a_document_leads_to_a_file() {
    let root = crate::root();
    let mut complaints = Vec::new();
    for file in tracked().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root.join(&file.path).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        for piece in file.text.split("](").skip(1) {
            let target = piece.split([')', ' ', '#']).next().unwrap_or_default();
            let relative = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if relative && !folder.join(target).exists() {
                complaints.push(format!("{}: {target} is not there", file.path));
            }
        }
    }
    report(&complaints);
}

/// A test is known by three underscores or more: nothing else that documents name has so many.
#[test]
fn every_test_that_a_document_names_is_there() {
    let files = tracked();
    // Tests that are put together when they run are strings, some behind the name of a sandbox.
    let defined = |name: &str| {
        let marks = [format!("fn {name}("), format!("\"{name}\""), format!("::{name}\"")];
        let mut sources = files.iter().filter(|file| file.path.ends_with(".rs"));
        sources.any(|file| marks.iter().any(|mark| file.text.contains(mark.as_str())))
    };
    let (mut named, mut complaints) = (0, Vec::new());
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let sentence = |word: &&str| {
            word.matches('_').count() >= 3
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        for name in file.text.split('`').filter(sentence) {
            named += 1;
            if !defined(name) {
                complaints.push(format!("{}: there is no test `{name}`", file.path));
            }
        }
    }
    report(&complaints);
    assert!(named > 30, "only {named} tests were found in documents: the check looks in the wrong place");
}

#[test]
fn the_map_names_every_crate() {
    let map = std::fs::read_to_string(crate::root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let crates = std::fs::read_dir(crate::root().join("crates")).expect("the crates folder is there");
    for entry in crates {
        let name = entry.expect("a readable folder").file_name().to_string_lossy().into_owned();
        assert!(map.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
}

#[test]
fn no_file_names_a_package_registrys_host_or_a_folder_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not contain what it forbids.
    let hosts = ["index.crates", "static.crates", "deb.debian", "pypi", "registry.npmjs", "files.pythonhosted"];
    let mut forbidden: Vec<String> =
        hosts.iter().zip(["io", "io", "org", "org", "org", "org"]).map(|(host, top)| format!("{host}.{top}")).collect();
    forbidden.extend(["work/main", "root/.cargo", "work/shared", "shared/DESIGN"].map(|path| format!("/{path}")));
    let mut complaints = Vec::new();
    for file in tracked().iter().filter(|file| file.path != "Cargo.lock") {
        for word in &forbidden {
            if file.text.contains(word.as_str()) {
                complaints.push(format!("{}: contains {word}", file.path));
            }
        }
    }
    report(&complaints);
}
