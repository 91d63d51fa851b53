//! `diff`: why two files, or the files of two folders, are not the same bytes.

use miette::Diagnostic;
use synchronicity_explain::facts::Facts;
use synchronicity_explain::{ExplainError, Limits, explain, words};

use crate::cli::Diff;
use crate::diffoscope::{self, DiffoscopeError};
use crate::exit::{self, Stop};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum DiffError {
    #[error(transparent)]
    Explain(ExplainError),
    #[error("the facts in {path}: {error}")]
    #[diagnostic(help("docs/explaining.md shows their shape; everything in it may be left out"))]
    Facts { path: String, error: std::io::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Diffoscope(DiffoscopeError),
}

/// The name and version of the document, which change together with `docs/schemas/diff.schema.json`.
const SCHEMA: &str = "synchronicity/diff@v1";

/// Compares, prints.
pub(crate) fn diff(args: &Diff) -> Result<u8, Stop> {
    let facts = match &args.facts {
        None => Facts::default(),
        Some(path) => Facts::read(path)
            .map_err(|error| Stop::new(exit::USAGE, DiffError::Facts { path: path.display().to_string(), error }))?,
    };
    let explanation = explain(&args.first, &args.second, &facts, &Limits::default())
        .map_err(|error| Stop::new(exit::USAGE, DiffError::Explain(error)))?;
    let code = if explanation.is_same() { exit::OK } else { exit::DIFFERENT };
    if args.json {
        let mut told = explanation.to_json();
        told["schema"] = SCHEMA.into();
        told["exit"] = code.into();
        verbatim!("{told}");
    } else {
        out!("{}", words::in_words(&explanation));
    }
    if args.diffoscope && code != exit::OK {
        diffoscope::show(&args.first, &args.second)
            .map_err(|error| Stop::new(exit::INTERNAL, DiffError::Diffoscope(error)))?;
    }
    Ok(code)
}
