//! `group rotate`: a member's next keys.

use super::super::say;
use crate::cli::Dir;
use crate::config::Config;
use crate::durable::{Disk, Synced};
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::group_file::{self, GroupFileError};
use crate::keys::Keys;

pub(in crate::commands) fn rotate(dir: &Dir) -> Result<u8, Stop> {
    let folder = Folder::of_node(&dir.path).or_usage()?;
    let config = Config::read(&folder.config()).or_usage()?;
    let group = group_file::read(&folder.group()).or_usage()?;
    let address = group.members().iter().find(|member| member.name == config.name);
    let address = address.map_or(config.listen.as_str(), |member| member.address.as_str());
    let keys = Keys::create(&folder.next_keys()).or_usage()?;
    let text = group_file::member_text(&keys.member(&config.name, address).or_usage()?);
    let path = folder.next_keys().join("member.toml");
    let written = Synced.write(&path, text.as_bytes());
    written.map_err(|error| GroupFileError::File { path: path.clone(), error }).or_internal()?;
    say(&text);
    eprintln!(
        "\nThese keys come into force with the epoch that lists them. Propose them: synchronicity-node group propose \
         --member {} --dir {}",
        path.display(),
        folder.root().display()
    );
    Ok(exit::OK)
}
