//! Folders of the user, by the XDG rules.

use std::path::PathBuf;

/// The folder that `variable` names, if it is absolute as the rules ask; else `below` in the home folder. `None` where
/// neither is set.
pub(crate) fn user(variable: &str, below: &str) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below)))
}
