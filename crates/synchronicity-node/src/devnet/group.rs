//! Founds the group: keys and folder of each node with `init`, the group file and the log's key with `group new`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use synchronicity_core::group::{Group, GroupTextError};

use super::args::Cast;
use super::children::{Children, Node};
use super::errand::{self, ErrandError};
use super::interrupt::Interrupt;
use super::ports;
use super::sandbox::Ready;
use crate::folder::Folder as NodeFolder;

/// Seconds; longer than any build that the limits of a request allow.
const COMMIT_WINDOW: &str = "7200";
/// Seconds. Builders of one machine reveal within one; the rest is patience with a loaded machine, and it is what a
/// silent builder costs.
const REVEAL_WINDOW: &str = "10";
/// Seconds. A node killed after its commitment must be back and have caught up before it counts as silent, and in a
/// halted group the first block after the halt already bears the later time.
const REVEAL_WINDOW_WITH_CRASHES: &str = "60";

/// A founded group whose nodes do not run yet.
pub(super) struct Founded {
    pub(super) group: Group,
    pub(super) children: Children,
}

/// Why there is no group.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum FoundError {
    #[error("no free port on the loopback interface: {0}")]
    #[diagnostic(help("see that `lo` is up, and that ports are left (`ss -s`)"))]
    Port(io::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Errand(#[from] ErrandError),
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no group file", path.display())]
    Group { path: PathBuf, source: GroupTextError },
}

/// Founds a group of new nodes in `folder`, with `program` as the program of every node.
pub(super) fn found(
    program: &Path,
    cast: &Cast,
    folder: &Path,
    sandbox: Ready,
    crashes: bool,
    interrupt: &Interrupt,
) -> Result<Founded, FoundError> {
    let mut nodes = Vec::new();
    let ports = ports::free(2 * cast.conduct.len()).map_err(FoundError::Port)?;
    for (index, (conduct, ports)) in cast.conduct.iter().zip(ports.chunks_exact(2)).enumerate() {
        let name = format!("builder-{}", index + 1);
        let home = folder.join(&name);
        let [listen, http] = [ports[0], ports[1]].map(|port| (Ipv4Addr::LOCALHOST, port).into());
        init(program, &home, &name, listen, http, interrupt)?;
        nodes.push(Node::new(name, home, http, *conduct));
    }
    let charter = group_new(program, cast, folder, &nodes, crashes, interrupt)?;
    for node in &nodes {
        let home = NodeFolder::at(&node.folder);
        copy(&charter.join("group.toml"), &home.group())?;
        copy(&charter.join("log.key"), &home.keys().join("log.key"))?;
    }
    let path = charter.join("group.toml");
    let text = fs::read_to_string(&path).map_err(|source| FoundError::File { path: path.clone(), source })?;
    let group = Group::parse(&text).map_err(|source| FoundError::Group { path, source })?;
    Ok(Founded { group, children: Children::new(program.to_owned(), sandbox, nodes) })
}

fn init(
    program: &Path,
    home: &Path,
    name: &str,
    listen: SocketAddr,
    http: SocketAddr,
    interrupt: &Interrupt,
) -> Result<(), ErrandError> {
    let mut words: Vec<OsString> = vec!["init".into(), "--dir".into(), home.into(), "--name".into(), name.into()];
    words.extend(["--listen".into(), listen.to_string().into(), "--http".into(), http.to_string().into()]);
    errand::run(program, &words, interrupt)?.succeeded().map(drop)
}

/// Returns the folder with the group file and the log's key.
fn group_new(
    program: &Path,
    cast: &Cast,
    folder: &Path,
    nodes: &[Node],
    crashes: bool,
    interrupt: &Interrupt,
) -> Result<PathBuf, ErrandError> {
    let charter = folder.join("charter");
    // A log's name belongs to one group for ever; the folder's name, a time in milliseconds, is this group's own.
    let run = folder.file_name().unwrap_or_default().to_string_lossy();
    let reveal_window = if crashes { REVEAL_WINDOW_WITH_CRASHES } else { REVEAL_WINDOW };
    let mut words: Vec<OsString> = vec!["group".into(), "new".into(), "--out".into(), charter.clone().into()];
    words.extend(["--origin".into(), format!("devnet.invalid/{run}").into()]);
    words.extend(["--threshold".into(), cast.threshold.to_string().into()]);
    words.extend(["--commit-window", COMMIT_WINDOW, "--reveal-window", reveal_window].map(OsString::from));
    words.push("--member".into());
    words.extend(nodes.iter().map(|node| NodeFolder::at(&node.folder).member().into()));
    errand::run(program, &words, interrupt)?.succeeded()?;
    Ok(charter)
}

fn copy(from: &Path, to: &Path) -> Result<(), FoundError> {
    // Permissions go with it: the copy of a secret stays a secret.
    fs::copy(from, to).map(drop).map_err(|source| FoundError::File { path: to.to_owned(), source })
}
