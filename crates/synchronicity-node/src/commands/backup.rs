//! `backup` and `restore`.

use super::say;
use crate::backup::Backup;
use crate::cli;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;

pub(super) fn backup(args: &cli::Backup) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let backup = Backup::of(&folder, args.keys).or_usage()?;
    backup.write(&args.file).or_internal()?;
    let keys = if backup.has_keys() { "with the secret keys" } else { "without keys" };
    say(format!("{}: group {}, epoch {}, {keys}", args.file.display(), backup.group, backup.epoch));
    eprintln!("State, log and chain are not in it: a restored node takes them from the other members.");
    Ok(exit::OK)
}

pub(super) fn restore(args: &cli::Restore) -> Result<u8, Stop> {
    let folder = Folder::at(&args.dir.path);
    let backup = Backup::read(&args.file).or_usage()?;
    backup.restore(&folder).or_usage()?;
    let dir = folder.root().display();
    say(format!("{dir}: group {}, epoch {}", backup.group, backup.epoch));
    let mut next = Vec::new();
    if !backup.has_keys() {
        next.push(format!("put this node's own keys and log.key into {dir}/keys (mode 600)"));
    }
    // In the first epoch the group file says whom to believe.
    let policy = match (backup.must_join(), backup.latest_policy()) {
        (false, _) => String::new(),
        (true, Some(name)) => format!(" --policy {}", folder.root().join(name).display()),
        (true, None) => " --policy POLICY".to_owned(),
    };
    next.push(format!("synchronicity-node group join --dir {dir} --from http://ANY-MEMBER:4801{policy}"));
    next.push(format!("synchronicity-node run --dir {dir}"));
    eprintln!(
        "See that nothing else runs with these keys any more. Then:\n  {}\nThe node is silent until the others, whom it asks, \
         are past everything that they have seen it sign.",
        next.join("\n  ")
    );
    Ok(exit::OK)
}
