//! The schemas of docs/schemas: what programs rely on is what `--json` prints. Every document that a trial reads is held
//! against the one that it names.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::PathBuf;

use boon::{Compiler, SchemaIndex, Schemas as Compiled};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::program::{Ran, run};
use crate::store::{install, program, store};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("schema::each_command_prints_the_document_that_is_promised_for_it", promised)]
}

/// In this order, in one folder: a command, its exit code, and its document. Those that build are held to theirs where
/// they are tried; so are the attestations, and the successions of a group.
const PROMISED: [(&str, i32, &str); 21] = [
    ("trust add policy --yes --name mine", 0, "trust"),
    ("trust list", 0, "trust"),
    ("trust show mine", 0, "trust"),
    ("bundle --node log --out log.bundle", 0, "bundle"),
    ("trust show", 0, "trust"),
    ("lookup tool@1.0.0 --bundle log.bundle", 0, "lookup"),
    ("lookup absent@1.0.0 --bundle log.bundle", 41, "lookup"),
    ("fsck log", 0, "fsck"),
    ("fsck log --policy policy", 0, "fsck"),
    ("fsck nowhere", 41, "failure"),
    ("verify tool.tlog-proof", 0, "proof"),
    ("verify tool.tlog-proof root/bin/tool", 0, "proof"),
    ("verify tool.tlog-proof policy", 42, "failure"),
    ("verify root/bin/tool --node log", 0, "verify"),
    ("verify --installed --root root --node log", 0, "verify"),
    ("list --root root", 0, "list"),
    ("uninstall tool --root root --dry-run", 0, "uninstall"),
    ("uninstall tool --root root", 0, "uninstall"),
    ("diff policy policy", 0, "diff"),
    ("diff policy tool.tlog-proof", 44, "diff"),
    ("config show", 0, "config"),
];

fn promised() -> Result<(), Failed> {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool", 300))])]);
    install(&log, &["tool"]).expect(0);
    fs::write(log.dir.path().join("tool.tlog-proof"), log.proof(0, 1))?;
    for (words, code, name) in PROMISED {
        let told = run(log.dir.path(), words.split(' ').chain(["--json"])).expect(code).json();
        let named = told["schema"].as_str().unwrap_or("synchronicity/failure@v1");
        assert_eq!((named, &told["exit"]), (format!("synchronicity/{name}@v1").as_str(), &code.into()), "{words}");
    }
    Ok(())
}

/// A line of the program's as a document, which is as the schema that it names says. One that names none is told by a
/// command that ended without an answer; SARIF names a schema of others.
#[track_caller]
pub(crate) fn held(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let name = match document["schema"].as_str() {
        Some(schema) => schema.strip_prefix("synchronicity/").and_then(|name| name.strip_suffix("@v1")).unwrap(),
        None if document["$schema"].is_string() => return document,
        None => "failure",
    };
    Schemas::new().check(name, &document);
    document
}

impl Ran {
    /// Standard output as one document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        held(&self.out)
    }
}

/// The folder of schemas.
pub(crate) struct Schemas {
    folder: PathBuf,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas")).canonicalize().unwrap();
        Self { folder }
    }

    /// The document is as `NAME.schema.json` says, and that says something of each of its fields.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, document: &Value) {
        let (compiled, index) = self.compiled(name);
        if let Err(error) = compiled.validate(document, index) {
            panic!("{name}: {error:#}\n{document:#}");
        }
        for field in document.as_object().unwrap().keys() {
            let mut wrong = document.clone();
            wrong[field] = json!({ "of": "no such shape" });
            assert!(compiled.validate(&wrong, index).is_err(), "{name} says nothing of {field}");
        }
    }

    /// The document is not.
    #[track_caller]
    pub(crate) fn refuse(&self, name: &str, document: &Value) {
        let (compiled, index) = self.compiled(name);
        assert!(compiled.validate(document, index).is_err(), "{name} takes {document:#}");
    }

    fn compiled(&self, name: &str) -> (Compiled, SchemaIndex) {
        let (mut compiler, mut compiled) = (Compiler::new(), Compiled::new());
        let path = self.folder.join(format!("{name}.schema.json"));
        let index = compiler.compile(path.to_str().unwrap(), &mut compiled).unwrap_or_else(|error| panic!("{error:#}"));
        (compiled, index)
    }
}
