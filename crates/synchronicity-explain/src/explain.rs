//! From two paths to an explanation: pairs files, reads them within the limits, and has them compared.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::budget::{Budget, Limits};
use crate::explanation::Explanation;
use crate::facts::Facts;
use crate::found::Findings;
use crate::{compare, escape, rank};

/// Nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A file against a folder.
    #[error("{} is a folder and {} is a file: name two files, or two folders", folder.display(), file.display())]
    Unlike {
        /// The folder.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
    },
}

/// Explains why the files, or the files of the folders, `first` and `second` differ.
///
/// Files of folders belong together by their relative path; links are not followed. Nothing in the files is run, and
/// however they are made, memory is bounded by about twice `limits.file_bytes`.
pub fn explain(first: &Path, second: &Path, facts: &Facts, limits: &Limits) -> Result<Explanation, ExplainError> {
    let is_folder = |path: &Path| fs::metadata(path).map(|it| it.is_dir()).map_err(failed(path));
    let mut explanation = Explanation::default();
    match (is_folder(first)?, is_folder(second)?) {
        (false, false) => {
            let name = first.file_name().unwrap_or(first.as_os_str());
            pair(&escape::text(name.as_encoded_bytes()), first, second, facts, limits, &mut explanation)?;
        }
        (true, true) => folders(first, second, facts, limits, &mut explanation)?,
        (true, false) => return Err(ExplainError::Unlike { folder: first.into(), file: second.into() }),
        (false, true) => return Err(ExplainError::Unlike { folder: second.into(), file: first.into() }),
    }
    Ok(explanation)
}

fn folders(
    first: &Path,
    second: &Path,
    facts: &Facts,
    limits: &Limits,
    explanation: &mut Explanation,
) -> Result<(), ExplainError> {
    let (ours, mut theirs) = (files(first, limits, explanation)?, files(second, limits, explanation)?);
    for (name, path) in ours {
        match theirs.remove(&name) {
            Some(other) => pair(&name, &path, &other, facts, limits, explanation)?,
            None => explanation.only_first.push(name),
        }
    }
    explanation.only_second.extend(theirs.into_keys());
    Ok(())
}

/// Regular files below a folder, by the relative path as people see it.
fn files(root: &Path, limits: &Limits, to: &mut Explanation) -> Result<BTreeMap<String, PathBuf>, ExplainError> {
    const DEPTH_MAX: usize = 16;
    let mut found = BTreeMap::new();
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let entry = entry.map_err(failed(&folder))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed(&folder))?);
            let name = escape::text(path.strip_prefix(root).unwrap_or(&path).as_os_str().as_encoded_bytes());
            if found.len() >= limits.files {
                to.skipped.push(format!("{}: more than {} files", root.display(), limits.files));
                return Ok(found);
            } else if kind.is_dir() && depth < DEPTH_MAX {
                waiting.push((path, depth + 1));
            } else if kind.is_file() {
                found.insert(name, path);
            } else {
                to.skipped.push(format!("{name}: neither a file nor a folder, or too deep"));
            }
        }
    }
    Ok(found)
}

fn pair(
    name: &str,
    first: &Path,
    second: &Path,
    facts: &Facts,
    limits: &Limits,
    explanation: &mut Explanation,
) -> Result<(), ExplainError> {
    let (Some(a), Some(b)) = (read(first, limits)?, read(second, limits)?) else {
        explanation.skipped.push(format!("{name}: larger than {} bytes", limits.file_bytes));
        return Ok(());
    };
    if a == b {
        explanation.same += 1;
        return Ok(());
    }
    let work = (a.len() + b.len()).saturating_mul(limits.passes).max(1 << 20);
    let mut findings = Findings::new(facts, Budget::new(work));
    compare::file(&a, &b, limits, &mut findings);
    let size = [a.len() as u64, b.len() as u64];
    explanation.artifacts.push(rank::report(name, compare::kind(&a), size, findings, limits.differences));
    Ok(())
}

/// The content of a regular file; none if it is too large.
fn read(path: &Path, limits: &Limits) -> Result<Option<Vec<u8>>, ExplainError> {
    let file = File::open(path).map_err(failed(path))?;
    let metadata = file.metadata().map_err(failed(path))?;
    if !metadata.is_file() {
        return Err(failed(path)(io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= limits.file_bytes {
        bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(limits.file_bytes + 1).read_to_end(&mut bytes).map_err(failed(path))?;
    }
    Ok((metadata.len() <= limits.file_bytes && bytes.len() as u64 <= limits.file_bytes).then_some(bytes))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExplainError {
    let path = path.to_owned();
    move |error| ExplainError::Read { path, error }
}
