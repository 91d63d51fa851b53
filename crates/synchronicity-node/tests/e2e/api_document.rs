//! The API of a real group, held against its own document by schemathesis, which knows nothing of us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Test;
use crate::machine::Need::{Embedded, Schemathesis};
use crate::quartet::Quartet;

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new(
        "schemathesis_finds_no_answer_that_the_document_of_the_api_does_not_promise",
        &[Embedded, Schemathesis],
        ask,
    )]
}

/// Where `scripts/api-tools.sh` puts the program.
pub(crate) fn program() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("api-tools/bin/schemathesis")
}

fn ask() {
    let home = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(home.path());
    quartet.start(&[]);
    quartet.submit();
    quartet.concludes(0);
    let (url, told) = (quartet.url(0), home.path());
    let document = fetched(&format!("{url}/api/v1/openapi.json"));
    // What the group knows, so that more than "there is no such thing" is answered; and whatever else may be asked.
    let id = fetched(&format!("{url}/api/v1/log"))["entries"][0]["request"].as_str().unwrap().to_owned();
    let known = told.join("known.toml");
    fs::write(&known, configured(&id)).unwrap();
    let nothing = told.join("nothing.toml");
    fs::write(&nothing, "").unwrap();
    for configuration in [&known, &nothing] {
        let (holds, words) = run(&document, &url, configuration, told, &[]);
        assert!(holds, "{words}");
        let paths = document["paths"].as_object().unwrap().len();
        assert!(words.contains(&format!("Tested: {paths}")), "{words}");
    }
    // It would have told of a wrong answer.
    let mut wrong = document.clone();
    let size = &mut wrong["components"]["schemas"]["LogPage"]["properties"]["size"];
    assert_eq!(size["type"], "integer", "the field that is planted here has another type now");
    size["type"] = json!("string");
    let (holds, words) = run(&wrong, &url, &nothing, told, &["--include-path", "/api/v1/log"]);
    assert!(!holds && words.contains("Response violates schema"), "{words}");
    let mut wrong = document;
    let content = &mut wrong["paths"]["/feeds/all.atom"]["get"]["responses"]["200"]["content"];
    assert!(content["application/atom+xml"].is_object(), "{content}");
    *content = json!({ "application/rss+xml": content["application/atom+xml"] });
    let (holds, words) = run(&wrong, &url, &nothing, told, &["--include-path", "/feeds/all.atom"]);
    assert!(!holds && words.contains("Undocumented Content-Type"), "{words}");
}

fn fetched(url: &str) -> Value {
    serde_json::from_slice(&ureq::get(url).call().unwrap().body_mut().read_to_vec().unwrap()).unwrap()
}

fn configured(id: &str) -> String {
    format!(
        "[[operations]]\n\
         include-path = [\"/api/v1/requests/{{id}}\", \"/api/v1/requests/{{id}}/transcript\", \"/requests/{{id}}/events\"]\n\
         parameters = {{ \"path.id\" = \"{id}\" }}\n\
         [[operations]]\n\
         include-path = [\"/api/v1/crates/{{name}}\", \"/api/v1/crates/{{name}}/{{version}}\"]\n\
         parameters = {{ \"path.name\" = \"plain-binary\", \"path.version\" = \"0.1.0\" }}\n\
         [[operations]]\n\
         include-path = [\"/feeds/crates/{{name}}.atom\", \"/badge/{{name}}\", \"/badge/{{name}}/{{version}}\"]\n\
         parameters = {{ \"path.name\" = \"plain-binary\", \"path.version\" = \"0.1.0\" }}\n\
         [[operations]]\n\
         include-path = \"/feeds/verdicts/{{verdict}}.atom\"\n\
         parameters = {{ \"path.verdict\" = \"reproduced\" }}\n\
         [[operations]]\n\
         include-path = \"/api/v1/builders/{{name}}\"\n\
         parameters = {{ \"path.name\" = \"builder-1\" }}\n"
    )
}

/// Whether all answers are as the document says, and what was said of it.
fn run(document: &Value, url: &str, configuration: &Path, folder: &Path, more: &[&str]) -> (bool, String) {
    let file = folder.join("document.json");
    fs::write(&file, document.to_string()).unwrap();
    let mut schemathesis = Command::new(program());
    schemathesis.arg("--config-file").arg(configuration).arg("run").arg(&file).args(["--url", url]);
    // The same questions in each run: a failure is to be seen again.
    schemathesis.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "7", "--checks", "all"]);
    schemathesis.args(["--continue-on-failure", "--generation-deterministic", "--no-color"]);
    let output = schemathesis.args(more).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // 1 is for failures; whatever else is trouble of the tool.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{words}");
    (output.status.success(), words)
}
