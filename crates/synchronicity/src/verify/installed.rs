//! `verify --installed`: every executable that cargo installed, as its own record lists them, looked up by content.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::{Value, json};
use synchronicity_rebuild::spec::Spec;

use super::files::{Looked, Wanted, look_up};
use super::{Verify, told, votes};
use crate::exit::{self, Stop, gravest};
use crate::install_record::{Installed, RECORD, RECORD_BYTES_MAX, RecordError, parse, root};
use crate::origin::Origin;
use crate::policies::choice::Trusted;
use crate::printable::{column, printable};
use crate::{age, read};

/// Why there is nothing to look up.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NoRecord {
    #[error("no folder that cargo installs to: neither CARGO_INSTALL_ROOT, CARGO_HOME nor HOME is set")]
    #[diagnostic(help("name it with --root"))]
    NoRoot,
    #[error("cargo has no record of what it installed at {}", .0.display())]
    #[diagnostic(help(
        "name the folder that holds .crates2.json and bin/ with --root, as you did for `cargo install`"
    ))]
    Absent(PathBuf),
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("it is not as cargo writes it: nothing was looked up"))]
    Malformed { path: PathBuf, error: RecordError },
    #[error("{}: cargo has recorded no executable", .0.display())]
    #[diagnostic(help("nothing was looked up; name the folder that was installed to with --root"))]
    Empty(PathBuf),
}

/// An executable that is recorded under a name which no group can know, and is what one built.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("it is {found}, and recorded as {wanted}")]
#[diagnostic(help("the record, or the file, is not what cargo left there"))]
struct OtherName {
    found: String,
    wanted: String,
}

/// One executable of the record, and what came of it.
struct Row {
    crate_name: String,
    version: String,
    looked: Looked,
    /// Whether a group can have built it at all.
    of_crates_io: bool,
}

/// Looks everything up, shows a table, and gives the exit code.
pub(super) fn verify(args: &Verify, trusted: &Trusted) -> Result<u8, Stop> {
    let root = root(args.root.as_deref()).ok_or_else(|| Stop::new(exit::USAGE, NoRecord::NoRoot))?;
    let rows = look_up_all(&root, &recorded(&root)?, args, trusted)?;
    let code = gravest(rows.iter().map(|row| row.looked.code()));
    if args.json {
        verbatim!("{}", as_json(&root, &rows, code));
    } else {
        out!("{}", table(&rows));
    }
    Ok(code)
}

fn recorded(root: &Path) -> Result<Vec<Installed>, Stop> {
    let path = root.join(RECORD);
    if !path.is_file() {
        return Err(Stop::new(exit::USAGE, NoRecord::Absent(path)));
    }
    let bytes = read::bounded(&path, RECORD_BYTES_MAX, "record of cargo");
    let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, error))?;
    match parse(&bytes) {
        Ok(recorded) if recorded.iter().all(|installed| installed.bins.is_empty()) => {
            Err(Stop::new(exit::USAGE, NoRecord::Empty(path)))
        }
        Ok(recorded) => Ok(recorded),
        Err(error) => Err(Stop::new(exit::USAGE, NoRecord::Malformed { path, error })),
    }
}

fn look_up_all(root: &Path, recorded: &[Installed], args: &Verify, trusted: &Trusted) -> Result<Vec<Row>, Stop> {
    let (mut wanted, mut named) = (Vec::new(), Vec::new());
    for installed in recorded {
        // What is of elsewhere is looked up all the same, under the name that it has there: it may be the very crate.
        let spec = match Origin::crates_io(&installed.name, &installed.version) {
            Ok(Origin::CratesIo(name, version)) => Some(Spec::Crate { name, version: Some(version) }),
            _ => None,
        };
        let elsewhere = !matches!(installed.origin, Origin::CratesIo(..));
        for bin in &installed.bins {
            wanted.push(Wanted { path: root.join("bin").join(bin), spec: spec.clone(), elsewhere });
            named.push((installed, spec.is_some(), elsewhere));
        }
    }
    let looked = look_up(wanted, None, &args.places, trusted)?;
    let row = |((installed, nameable, elsewhere), mut looked): ((&Installed, bool, bool), Looked)| {
        let (crate_name, version) = (installed.name.clone(), installed.version.clone());
        // A name that no crate of a group can have: whatever the bytes are of, it is something else.
        if let (false, Ok(proven)) = (nameable, &looked.found) {
            let found = proven.verified.entry.request.source.purl();
            let wanted = format!("{} {}", printable(&crate_name), printable(&version));
            looked.found = Err(Stop::new(exit::INVALID, OtherName { found, wanted }));
        }
        Row { crate_name, version, looked, of_crates_io: !elsewhere }
    };
    Ok(named.into_iter().zip(looked).map(row).collect())
}

/// What a row says in one word, and the rest.
fn verdict(row: &Row) -> (&'static str, String) {
    match &row.looked.found {
        Ok(proven) => {
            let verified = &proven.verified;
            let entry = format!("entry {}, {}", verified.index, age::ago(verified.vouched_s));
            let by = if row.looked.votes.is_empty() {
                // As wide as the column.
                format!("{}, {entry}", told::agreement(&verified.entry).trim_end_matches(" builders"))
            } else {
                votes::in_words(&row.looked.votes)
            };
            ("reproduced", by)
        }
        Err(stop) => match stop.code {
            exit::NO_EVIDENCE if !row.of_crates_io => ("no evidence", "not of crates.io".into()),
            exit::NO_EVIDENCE => ("no evidence", "not in the log, or not agreed on".into()),
            exit::MISMATCH => ("DIFFERENT", "the group built other bytes".into()),
            exit::BELOW_THRESHOLD if !row.looked.votes.is_empty() => ("REFUSED", "too few groups agree".into()),
            exit::BELOW_THRESHOLD => ("REFUSED", "too few builders signed".into()),
            exit::INVALID => ("INVALID", stop.report.to_string()),
            exit::TRY_LATER => ("try later", "no log answers, or it is too old".into()),
            exit::USAGE if row.looked.sha256.is_none() => ("unread", "recorded, and not readable".into()),
            _ => ("failed", stop.report.to_string()),
        },
    }
}

/// At most 80 columns wide.
fn table(rows: &[Row]) -> String {
    let line = |executable: &str, of: &str, word: &str, rest: &str| {
        let line = format!("{} {} {} {}", column(executable, 14), column(of, 21), column(word, 11), column(rest, 31));
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line("EXECUTABLE", "CRATE", "VERDICT", "BY");
    for row in rows {
        let name = row.looked.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (word, rest) = verdict(row);
        text += &line(&name, &format!("{} {}", row.crate_name, row.version), word, &rest);
    }
    let proven = rows.iter().filter(|row| row.looked.found.is_ok()).count();
    text + &format!("{proven} of {} executables are what a group built\n", rows.len())
}

fn as_json(root: &Path, rows: &[Row], code: u8) -> Value {
    let row = |row: &Row| {
        let mut told = told::file(&row.looked);
        told["crate"] = json!({ "name": row.crate_name, "version": row.version });
        told["verdict"] = verdict(row).0.to_ascii_lowercase().into();
        told
    };
    let files = rows.iter().map(row).collect::<Vec<_>>();
    json!({ "schema": told::SCHEMA, "exit": code, "root": root.display().to_string(), "files": files })
}
