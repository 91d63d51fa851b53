//! The comparison with another engine, which is built only when it is asked for.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::machine::row;

/// Its manifest, outside of the workspace.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/hotstuff/Cargo.toml");

/// Builds and runs it; its rows, as it prints them.
pub(crate) fn run(folder: &Path, window: Duration, behind: u64) -> Vec<String> {
    println!("\nhotstuff_rs 0.4.0, unmodified, under the same load:");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut peer = Command::new(cargo)
        .args(["run", "--release", "--locked", "--quiet", "--manifest-path", MANIFEST, "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("hotstuff"))
        .args(["--", &window.as_secs().to_string(), &behind.to_string()])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(peer.stdout.take().unwrap()).lines().map(Result::unwrap);
    let rows = lines.inspect(|line| println!("{line}")).collect();
    let ended = peer.wait().unwrap();
    if !ended.success() {
        row("it ended", &ended.to_string());
    }
    rows
}

/// Ours and the peer's rows of the same name, one beneath the other.
pub(crate) fn beside(ours: &[(&str, String)], peer: &[String]) {
    println!("\nboth:");
    for (what, found) in ours {
        row(what, found);
        let theirs = peer.iter().find_map(|line| line.strip_prefix(what)).map(str::trim_start);
        theirs.into_iter().for_each(|found| row("  hotstuff_rs", found));
    }
}
