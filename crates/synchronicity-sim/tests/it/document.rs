//! The protocol's document names the test that shows each claim; the tests must be there.

use std::fs;
use std::path::Path;

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder of the workspace can be read");
    let paths = entries.map(|entry| entry.expect("an entry of a folder can be read").path());
    let texts = paths.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).expect("a source file is text"),
        _ => String::new(),
    });
    texts.collect()
}

/// A sentence with underscores between backticks: the name of a test or of an invariant.
fn is_name(text: &&str) -> bool {
    text.matches('_').count() >= 3 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn every_test_that_the_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = fs::read_to_string(root.join("docs/protocol.md")).expect("the protocol is documented");
    let sources: String = ["core/tests", "sim/src", "sim/tests"]
        .map(|folder| sources(&root.join(format!("crates/synchronicity-{folder}"))))
        .concat();
    let named: Vec<&str> = document.split('`').filter(is_name).collect();
    assert!(named.len() > 20, "the document names only {named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/protocol.md names tests that are not there: {missing:?}");
}
