//! Building as a group agreed on it: its overrides for single crates, read from the group file.

use std::fs;
use std::path::Path;

use miette::Diagnostic;
use synchronicity_core::group::{Group, GroupTextError};
use synchronicity_rebuild::recipe::Options;
use synchronicity_verify::request::Source;

use crate::exit::{self, Stop};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum GroupError {
    #[error("cannot read the group file {path}: {error}")]
    #[diagnostic(help("the group's founder gave group.toml to every member"))]
    File { path: String, error: std::io::Error },
    #[error("{path}: {error}")]
    Text { path: String, error: GroupTextError },
}

/// The options for `source`: as `group` decided, and `options` where it decided nothing.
pub fn agreed(group: &Group, source: &Source, options: Options) -> Options {
    let Options { mut features, mut products, mut limits } = options;
    if let Some(agreed) = group.override_for(source) {
        agreed.decide(&mut features, &mut products, &mut limits);
    }
    Options { features, products, limits }
}

pub(crate) fn read(path: &Path) -> Result<Group, Stop> {
    let shown = || path.display().to_string();
    let text =
        fs::read_to_string(path).map_err(|error| Stop::new(exit::USAGE, GroupError::File { path: shown(), error }))?;
    Group::parse(&text).map_err(|error| Stop::new(exit::USAGE, GroupError::Text { path: shown(), error }))
}
