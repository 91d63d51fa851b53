//! The verifier of the browser judges as the verifier of the project does, on every published vector.

use std::path::Path;
use std::process::Command;

#[test]
fn the_verifier_of_the_browser_judges_every_vector_as_it_says() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = here.join("../synchronicity-verify/vectors");
    let node = match Command::new("node").arg(here.join("tests/vectors.mjs")).arg(&vectors).output() {
        Ok(node) => node,
        Err(error) => {
            // Chromium runs the same script in the browser tests.
            eprintln!("SKIPPED: no node to run scripts with: {error}");
            assert!(
                std::env::var_os("SYNCHRONICITY_REQUIRE").is_none_or(|list| !list.to_string_lossy().contains("node"))
            );
            return;
        }
    };
    let told = String::from_utf8_lossy(&node.stdout);
    assert!(node.status.success(), "{told}\n{}", String::from_utf8_lossy(&node.stderr));
    let judged: usize = told.lines().last().unwrap().split(' ').next().unwrap().parse().unwrap();
    let expected = std::fs::read_dir(vectors).unwrap().filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        ["proof_", "policy_", "entry_"].iter().any(|kind| name.to_string_lossy().starts_with(kind))
    });
    assert!(judged >= expected.count() && judged > 90, "{told}");
}
