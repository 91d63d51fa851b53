//! Building as a group agreed on it: its overrides for single crates, read from the group file.

use std::path::Path;

use miette::Diagnostic;
use synchronicity_core::group::{Group, GroupTextError};
use synchronicity_rebuild::recipe::Options;
use synchronicity_verify::request::Source;

use crate::exit::{self, Stop};
use crate::read::{self, ReadError};

/// The largest group file read, in bytes: 31 members and 64 overrides stay below.
pub(crate) const GROUP_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, thiserror::Error, Diagnostic)]
enum GroupError {
    #[error("the group file: {0}")]
    #[diagnostic(help("the group's founder gave group.toml to every member"))]
    File(ReadError),
    #[error("{path}: {error}")]
    #[diagnostic(help("ask a member of the group for its `group.toml` once more"))]
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
    let bytes = read::bounded(path, GROUP_BYTES_MAX, "group file");
    let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, GroupError::File(error)))?;
    let text = |error| GroupError::Text { path: path.display().to_string(), error };
    Group::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| Stop::new(exit::USAGE, text(error)))
}
