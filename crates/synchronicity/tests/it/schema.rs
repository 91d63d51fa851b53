//! The schemas of docs/schemas: what programs rely on is what `--json` prints.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::path::PathBuf;

use boon::{Compiler, Schemas as Compiled};
use serde_json::Value;

/// The folder of schemas.
pub(crate) struct Schemas {
    folder: PathBuf,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas")).canonicalize().unwrap();
        Self { folder }
    }

    /// The document is as `NAME.schema.json` says.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, document: &Value) {
        if let Err(error) = self.validate(name, document) {
            panic!("{name}: {error}\n{document:#}");
        }
    }

    /// The document is not.
    #[track_caller]
    pub(crate) fn refuse(&self, name: &str, document: &Value) {
        assert!(self.validate(name, document).is_err(), "{name} takes {document:#}");
    }

    fn validate(&self, name: &str, document: &Value) -> Result<(), String> {
        let (mut compiler, mut compiled) = (Compiler::new(), Compiled::new());
        let path = self.folder.join(format!("{name}.schema.json"));
        let index = compiler.compile(path.to_str().unwrap(), &mut compiled).unwrap_or_else(|error| panic!("{error:#}"));
        compiled.validate(document, index).map_err(|error| format!("{error:#}"))
    }
}
