//! Landlock: the build's own promise to the kernel about the files that it will reach. It says once more what the mounts
//! of the embedded sandbox say, so that a mistake in one of the two is no hole.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use crate::sandbox::INNER_TARGET;

/// The newest version whose rights were tried here; of an older kernel's rights all are used.
const VERSION: ABI = ABI::V6;

/// Binds this process and all that it will start: everything may be read and run, the target and `/tmp` be written.
/// Whether the kernel enforces any of it.
///
/// Nothing is said about ports: there is no network, and a build that asks for it must hear so from the network, lest
/// its failure get another name than in Docker.
pub(crate) fn confine() -> Result<bool, RulesetError> {
    let all = AccessFs::from_all(VERSION);
    let status = Ruleset::default()
        // Before Linux 5.19 every rule set forbids to move a file into another folder, which rustc and Cargo do: then none
        // is better.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(VERSION))?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(VERSION)))?
        .add_rules(path_beneath_rules([INNER_TARGET, "/tmp"], all))?
        // Devices that are not there, and a process's own settings: both have owners who say no themselves.
        .add_rules(path_beneath_rules(["/dev"], AccessFs::from_file(VERSION)))?
        .add_rules(path_beneath_rules(["/proc"], AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;

    use tempfile::NamedTempFile;

    use super::*;

    #[test]
    fn what_is_outside_of_the_writable_places_can_be_read_and_not_written() {
        let inside = NamedTempFile::new_in("/tmp").unwrap();
        let outside = NamedTempFile::new_in("/var/tmp").unwrap();
        // It binds the thread, and this one ends.
        let bound = std::thread::spawn(move || {
            if !confine().unwrap() {
                return None;
            }
            let write = |file: &NamedTempFile| fs::write(file.path(), "changed");
            Some((fs::read(outside.path()).map(|bytes| bytes.len()), write(&outside), write(&inside)))
        });
        let Some((read, outside, inside)) = bound.join().unwrap() else {
            let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
            assert!(!modules.contains("landlock"), "a kernel with Landlock binds whoever asks");
            return;
        };
        assert_eq!(read.unwrap(), 0);
        assert_eq!(outside.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        inside.unwrap();
    }
}
