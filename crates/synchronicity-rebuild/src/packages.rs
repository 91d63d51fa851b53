//! Packages of the system that a group's overrides name: whether they are there, where builds run.
//!
//! Nothing is installed here, before a build or during one. In Docker the image has a package or has it not; the embedded
//! sandbox shows the host's own. Debian's `dpkg-query` answers in both, from a database that in an image is covered by the
//! layer's digest, which requests pin.

use std::collections::BTreeSet;
use std::process::Command;

use crate::choice::SandboxChoice;
use crate::image::{Docker, IMAGE};

/// One line for each package: its state, and its name.
const FORMAT: &str = "${db:Status-Status} ${Package}\n";
const QUERY: &str = "/usr/bin/dpkg-query";

/// Those of `wanted` that are not installed, where a bench with this choice would build: in Docker's sandbox image, or
/// on this host. An error says why that cannot be told.
pub fn lacking(choice: SandboxChoice, wanted: &[String]) -> Result<Vec<String>, String> {
    let docker = match choice {
        SandboxChoice::Embedded => None,
        _ => Docker::find().and_then(|docker| docker.layer().map(|_| docker)).ok(),
    };
    match (docker, choice) {
        (Some(docker), _) => lacking_in(Some(&docker), wanted),
        (None, SandboxChoice::Auto | SandboxChoice::Embedded) => lacking_in(None, wanted),
        (None, _) => Err("there is no sandbox image yet".into()),
    }
}

/// The same for the image of this daemon, or the host.
pub(crate) fn lacking_in(docker: Option<&Docker>, wanted: &[String]) -> Result<Vec<String>, String> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let listed = match docker {
        Some(docker) => docker.inside(&[QUERY, "--show", "--showformat", FORMAT])?,
        None => on_this_host()?,
    };
    Ok(absent(&listed, wanted))
}

/// What to say where a build needs packages that are not there.
pub fn advice(docker: bool, lacking: &[String]) -> String {
    let names = lacking.join(" ");
    if docker {
        let list = lacking.join(",");
        return format!(
            "the sandbox image {IMAGE} lacks what the group agreed on for this crate: {names}; every builder makes it anew \
             with all packages of the group's overrides: scripts/sandbox-image.sh --with {list}"
        );
    }
    format!("this machine lacks what the group agreed on for this crate: apt-get install {names}, on every builder")
}

fn on_this_host() -> Result<String, String> {
    let output =
        Command::new(QUERY).args(["--show", "--showformat", FORMAT]).env_clear().output().map_err(|error| {
            format!("this system cannot be asked for its packages by Debian's names: {QUERY}: {error}")
        })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn absent(listed: &str, wanted: &[String]) -> Vec<String> {
    let there: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_prefix("installed ")).collect();
    wanted.iter().filter(|name| !there.contains(name.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_installed_is_there() {
        let listed = "installed libc6-dev\nconfig-files cmake\nnot-installed perl\n";
        let wanted = ["cmake", "libc6", "libc6-dev", "perl"].map(str::to_owned);
        assert_eq!(absent(listed, &wanted), ["cmake", "libc6", "perl"]);
    }
}
